import { execFileSync } from "node:child_process"
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import { childId, Listing } from "../../docs/examples/audit/audit.ts"
import { ReadBatch } from "../../docs/examples/audit/batch.ts"
import { Processes, SingleHost } from "../../src/index.ts"
import { until } from "../support/hosts.ts"
import { projectRoot } from "../support/projectRoot.ts"
import { expected, plant } from "./directory.ts"
import type { Program } from "./program.ts"
import { filesRead, run, start } from "./program.ts"

const timeoutMs = 60_000

const folder = mkdtempSync(join(tmpdir(), "holdfast-audit-"))
const directory = join(folder, "content")
let folders = 0

/** A folder to start the program in: its state and its reports are there. */
const place = (): string => {
  const path = join(folder, `place-${++folders}`)
  mkdirSync(path)
  return path
}

interface Reports {
  readonly json: string
  readonly markdown: string
}

const reports = (cwd: string): Reports => ({
  json: readFileSync(join(cwd, "audit-report.json"), "utf8"),
  markdown: readFileSync(join(cwd, "audit-report.md"), "utf8")
})

let undisturbed: Reports
let first: Program

beforeAll(async () => {
  mkdirSync(directory)
  plant(directory, { history: true })
  const cwd = place()
  const ended = await Effect.runPromise(run([directory, "--yes"], { cwd }))
  assert.deepStrictEqual([ended.code, ended.err], [0, []])
  first = ended
  undisturbed = reports(cwd)
}, timeoutMs)

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const auditIdOf = ({ out }: Program): string => /audit:[0-9a-f]+:[0-9]+/.exec(out[1] ?? "")?.[0] ?? "none"

/** The files of every batch that the database has as completed. */
const completedFiles = (cwd: string, auditId: string) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    const { shares } = yield* processes.handle(Listing, childId(auditId, "listing")).await
    const batches = shares.flatMap((share) =>
      share.batches.map(({ name, files }) => ({ id: childId(childId(auditId, share.name), name), files }))
    )
    const completed = yield* Effect.filter(batches, ({ id }) =>
      processes.handle(ReadBatch, id).status.pipe(
        Effect.map(({ status }) => status._tag === "Completed"),
        Effect.catchTag("ProcessUnknown", () => Effect.succeed(false))
      )
    )
    return completed.flatMap(({ files }) => files)
  }).pipe(
    Effect.provide(
      SingleHost.layerSqlite({ filename: join(cwd, ".holdfast/audit.db"), engines: [Listing], sweepInterval: false })
    )
  )

describe("an audit", () => {
  it("says where it is, writes both reports and ends with 0", () => {
    const [ready, starting, look] = first.out
    assert.strictEqual(ready, "audit: getting ready")
    assert.match(starting ?? "", /^starting audit:[0-9a-f]{12}:1 of .*\/content$/)
    assert.match(look ?? "", /^to look inside: npx holdfast inspect --db .*\/audit\.db$/)
    assert.include(first.out, "154 files in 4 batches to read")
    assert.deepStrictEqual(
      first.out.filter((line) => line.startsWith("critical: ")),
      ["critical: 1 likely secret on top; the session of the audit is told"]
    )
    const [totals, drafted, written] = first.out.slice(-3)
    assert.strictEqual(totals, "154 files, 308 lines, 3.4 KiB: 2 TODO, 1 FIXME, 1 likely secret, 0 not read")
    assert.match(drafted ?? "", /^drafted: audit-report\.draft\.json and audit-report\.draft\.md in /)
    assert.match(written ?? "", /^written: audit-report\.json and audit-report\.md in .*; approved by .+ \(--yes\)$/)
    const wordy = first.out.filter((line) => !line.startsWith("owners: "))
    assert.isAtMost(wordy.length, 19)
  })

  it("reports what is in the directory", () => {
    const report = JSON.parse(undisturbed.json)
    assert.deepStrictEqual(report.totals, expected.totals)
    assert.deepStrictEqual(report.history, {
      _tag: "History",
      commits: 2,
      authors: 2,
      topAuthors: [
        { name: "Ada", commits: 1 },
        { name: "Bob", commits: 1 }
      ],
      lastCommitAt: "2024-02-03T04:05:06Z"
    })
    assert.deepStrictEqual(report.findings, [
      { path: "README.md", kind: "todo", rule: "TODO", line: 3, text: "TODO third" },
      { path: "settings.env", kind: "secret", rule: "assigned-secret", line: 1, text: "TOKEN=[redacted]" },
      { path: "src/work.ts", kind: "todo", rule: "TODO", line: 1, text: "// TODO: first" },
      { path: "src/work.ts", kind: "fixme", rule: "FIXME", line: 2, text: "const a = 1 // FIXME second" }
    ])
    assert.deepStrictEqual(report.passedOver, { links: 1, special: 0 })
    assert.notInclude(undisturbed.json + undisturbed.markdown, folder)
  })

  it.live(
    "of another copy without a history gives the same content, and says that there is no history",
    () =>
      Effect.gen(function* () {
        const cwd = place()
        plant(cwd, { history: false })
        // In the directory itself: neither the state nor an earlier report is content.
        for (const number of [1, 2]) {
          const ended = yield* run(["--yes"], { cwd })
          assert.deepStrictEqual([ended.code, ended.err], [0, []])
          assert.match(ended.out[1] ?? "", new RegExp(`^starting audit:[0-9a-f]{12}:${number} of `))
          const report = JSON.parse(reports(cwd).json)
          assert.deepStrictEqual(report.history, { _tag: "NoHistory" })
          assert.strictEqual(report.contentSha256, JSON.parse(undisturbed.json).contentSha256)
        }
      }),
    timeoutMs
  )
})

describe("an audit that is killed", () => {
  it.live(
    "goes on where it was, reads no completed batch again, and gives the same bytes",
    () =>
      Effect.gen(function* () {
        const cwd = place()
        const begun: Array<Program> = []
        const finished = new Map<string, number>() // a file, and how often it had been read when its batch was completed
        const readSoFar = () => begun.flatMap(filesRead)
        const read =
          (count: number) =>
          (program: Program): boolean =>
            filesRead(program).length >= count
        const recorded = ({ err }: Program): boolean => err.some((line) => /^debug: recorded /.test(line))
        for (const moment of [read(1), read(40), recorded, read(10)]) {
          const program = yield* Effect.scoped(
            Effect.gen(function* () {
              const program = yield* start([directory, "--yes", "--verbose", "--pace", "12"], { cwd })
              yield* program.once("the moment to kill it", () => moment(program))
              yield* program.kill("SIGKILL")
              assert.strictEqual((yield* program.ended).signal, "SIGKILL")
              return program
            })
          )
          begun.push(program)
          for (const path of yield* completedFiles(cwd, auditIdOf(program))) {
            if (!finished.has(path)) finished.set(path, readSoFar().filter((read) => read === path).length)
          }
        }
        const last = yield* run([directory, "--yes", "--verbose"], { cwd })
        begun.push(last)
        assert.strictEqual(last.code, 0)
        assert.strictEqual(new Set(begun.map(auditIdOf)).size, 1)
        assert.isAbove(finished.size, 0, "at least one batch was completed before the last kill")
        assert.isBelow(finished.size, expected.totals.files, "the last run had something left to do")
        const all = readSoFar()
        for (const [path, times] of finished) {
          assert.strictEqual(all.filter((read) => read === path).length, times, `${path} was read again`)
        }
        assert.strictEqual(new Set(all).size, expected.totals.files)
        const taken = new RegExp(`^154 files in 4 batches; taken over: ${finished.size} files in `)
        assert.isTrue(last.out.some((line) => taken.test(line)))
        assert.deepStrictEqual(reports(cwd), undisturbed)
      }),
    timeoutMs
  )

  it.live(
    "while it writes its reports still ends with both",
    () =>
      Effect.gen(function* () {
        const cwd = place()
        yield* Effect.scoped(
          Effect.gen(function* () {
            const program = yield* start([directory, "--yes"], { cwd })
            yield* until(Effect.sync(() => existsSync(join(cwd, "audit-report.json"))))
            yield* program.kill("SIGKILL")
            yield* program.ended
          })
        )
        assert.strictEqual((yield* run([directory, "--yes"], { cwd })).code, 0)
        assert.deepStrictEqual(reports(cwd), undisturbed)
      }),
    timeoutMs
  )

  it.live(
    "while git runs, tells of the abandoned one and asks git again under another id",
    () =>
      Effect.gen(function* () {
        const cwd = place()
        const git = yield* slowGit(cwd)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const program = yield* start([directory, "--yes"], { cwd, path: git.path })
            yield* until(git.running)
            yield* program.kill("SIGKILL")
            yield* program.ended
          })
        )
        git.hurry()
        const again = yield* run([directory, "--yes"], { cwd, path: git.path })
        assert.strictEqual(again.code, 0)
        assert.include(
          again.out,
          "git-log: its host ended while it ran, so its outcome is unknown (abandoned); a fresh one is started as git-log-2"
        )
        assert.deepStrictEqual(reports(cwd), undisturbed)
      }).pipe(Effect.scoped),
    timeoutMs
  )
})

describe("an audit that is interrupted", () => {
  /** Interrupts an audit in the middle of its files, and goes on with it. */
  const interruptAndGoOn = (cwd: string, signal: NodeJS.Signals) =>
    Effect.gen(function* () {
      const interrupted = yield* Effect.scoped(
        Effect.gen(function* () {
          const program = yield* start([directory, "--yes", "--verbose", "--pace", "30"], { cwd })
          yield* program.once("some files read", () => filesRead(program).length >= 20)
          yield* program.kill(signal)
          yield* program.kill(signal) // as npm passes on what the terminal has sent already
          assert.deepStrictEqual(yield* program.ended, { code: 130, signal: null })
          return program
        })
      )
      const again = yield* run([directory, "--yes", "--verbose"], { cwd })
      assert.strictEqual(again.code, 0)
      return { interrupted, again }
    })

  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    it.live(
      `by ${signal} says how to go on, and ends with 130`,
      () =>
        Effect.gen(function* () {
          const cwd = place()
          const { interrupted, again } = yield* interruptAndGoOn(cwd, signal)
          assert.strictEqual(
            interrupted.err.at(-1),
            "interrupted; nothing that is done is lost: run the same command again to go on"
          )
          assert.strictEqual(again.out[1], `going on with ${auditIdOf(interrupted)} of ${directory}`)
          assert.deepStrictEqual(reports(cwd), undisturbed)
        }),
      timeoutMs
    )
  }

  it.live(
    "hands its work back: whoever goes on makes no new attempt",
    () =>
      Effect.gen(function* () {
        const { again } = yield* interruptAndGoOn(place(), "SIGINT")
        const attempts = again.err.flatMap((line) => /attempt=([0-9]+)/.exec(line)?.[1] ?? [])
        assert.deepStrictEqual([...new Set(attempts)], ["1"])
      }),
    timeoutMs
  )

  it.live(
    "while git runs takes git with it",
    () =>
      Effect.gen(function* () {
        const cwd = place()
        const git = yield* slowGit(cwd)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const program = yield* start([directory, "--yes"], { cwd, path: git.path })
            yield* until(git.running)
            yield* program.kill("SIGINT")
            assert.strictEqual((yield* program.ended).code, 130)
          })
        )
        yield* until(Effect.map(git.running, (running) => !running))
        git.hurry()
        const again = yield* run([directory, "--yes"], { cwd, path: git.path })
        assert.strictEqual(again.code, 0)
        assert.isTrue(again.out.some((line) => line.endsWith("a fresh one is started as git-log-2")))
        assert.deepStrictEqual(reports(cwd), undisturbed)
      }).pipe(Effect.scoped),
    timeoutMs
  )
})

describe("two audits at once", () => {
  it.live(
    "of the same directory share the work, and both end with the report",
    () =>
      Effect.gen(function* () {
        const cwd = place()
        // Slow enough that neither can have ended before the other has begun, however busy the machine is.
        const args = [directory, "--yes", "--verbose", "--pace", "300"]
        const both = yield* Effect.all([run(args, { cwd }), run(args, { cwd })], { concurrency: 2 })
        assert.deepStrictEqual(
          both.map(({ code }) => code),
          [0, 0]
        )
        assert.strictEqual(new Set(both.map(auditIdOf)).size, 1, "they found one audit, and shared it")
        const read = both.flatMap(filesRead)
        assert.strictEqual(read.length, expected.totals.files, "every file was read once, by one of them")
        assert.strictEqual(new Set(read).size, expected.totals.files)
        assert.deepStrictEqual(reports(cwd), undisturbed)
      }),
    timeoutMs
  )
})

describe("what cannot be done", () => {
  const refusals: ReadonlyArray<readonly [string, ReadonlyArray<string>, number, RegExp]> = [
    ["a missing directory", ["missing"], 1, /^audit: the directory to audit, missing, does not exist: check the path$/],
    ["a file", ["file"], 1, /^audit: file is a file, not a directory: name the directory that holds it$/],
    ["an --out that is a file", [".", "--out", "file"], 1, /^audit: .*\(--out\), file, is a file, not a folder: name/],
    [
      "an --out below a file",
      [".", "--out", "file/out"],
      1,
      /^audit: .*\(--out\), file\/out, runs through a file: check/
    ],
    ["a report that is a folder", [".", "--out", "taken"], 1, /audit-report\.md is a directory: move it away, or name/],
    [
      "a --state below a file",
      [".", "--state", "file/x.db"],
      1,
      /^audit: .*\(--state\), file, is a file, not a folder/
    ],
    [
      "a state that is no database",
      [".", "--state", "garbage.db"],
      1,
      /garbage\.db cannot be used: .*no SQLite database/
    ],
    [
      "a state of a newer version",
      [".", "--state", "newer.db"],
      1,
      /newer\.db cannot be used: .*version 99.*newer library/
    ],
    [
      "a state that is locked",
      [".", "--state", "locked.db"],
      1,
      /locked\.db cannot be used: .*locked by another process/
    ],
    ["an unknown option", ["--nope"], 2, /^audit: --nope is no option of this command; see --help$/],
    ["an option without its value", ["--out"], 2, /^audit: .*'--out'; see --help$/],
    ["a second directory", ["a", "b"], 2, /^audit: .*unknown argument: 'b'; see --help$/],
    ["a path to exclude", ["--exclude", "a/b"], 2, /^audit: --exclude takes the name .*; see --help$/],
    [
      "a time limit of nothing",
      ["--file-timeout", "0"],
      2,
      /^audit: --file-timeout takes a number of seconds, .*; see --help$/
    ],
    ["a pace that is no number", ["--pace", "fast"], 2, /^audit: 'fast' is not a integer; see --help$/]
  ]

  it.live(
    "is said in one line that names the thing and the fix, and by the exit code",
    () =>
      Effect.gen(function* () {
        const cwd = place()
        writeFileSync(join(cwd, "file"), "content")
        mkdirSync(join(cwd, "taken/audit-report.md"), { recursive: true })
        writeFileSync(join(cwd, "garbage.db"), "this is no database, and never was one\n".repeat(200))
        yield* madeNewer(cwd)
        yield* locked(join(cwd, "locked.db"))
        const before = readFileSync(join(cwd, "newer.db"))
        const outcomes = yield* Effect.forEach(refusals, ([, args]) => run(args, { cwd }), { concurrency: 3 })
        for (const [index, [what, , code, line]] of refusals.entries()) {
          const ended = outcomes[index]
          assert.strictEqual(ended?.code, code, what)
          assert.strictEqual(ended?.err.length, 1, `${what}: ${ended?.err.join("\n")}`)
          assert.match(ended?.err[0] ?? "", line, what)
        }
        assert.isFalse(existsSync(join(cwd, "audit-report.json")))
        assert.deepStrictEqual(readFileSync(join(cwd, "newer.db")), before)
      }).pipe(Effect.scoped),
    timeoutMs
  )
})

describe("the command line", () => {
  it.live(
    "explains itself, exit codes included, without colours where nobody looks",
    () =>
      Effect.gen(function* () {
        const { out, code } = yield* run(["--help"], { cwd: folder })
        assert.strictEqual(code, 0)
        const text = out.join("\n")
        for (const word of [
          "--out",
          "--state",
          "--exclude",
          "--pace",
          "--file-timeout",
          "--yes",
          "--wait",
          "approve.js",
          "--verbose",
          "0 the reports",
          "130 interrupted"
        ]) {
          assert.include(text, word)
        }
        assert.notInclude(text, "\u001b")
      }),
    timeoutMs
  )

  it.live(
    "has the version of the package",
    () =>
      Effect.gen(function* () {
        const { out } = yield* run(["--version"], { cwd: folder })
        assert.strictEqual(out[0], JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")).version)
      }),
    timeoutMs
  )
})

/** A git that hangs until it is told to hurry, first on the path. */
const slowGit = (cwd: string) =>
  Effect.gen(function* () {
    const bin = join(cwd, "bin")
    const [pidFile, gate] = [join(cwd, "git.pid"), join(cwd, "gate")]
    const real = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim()
    mkdirSync(bin)
    writeFileSync(
      join(bin, "git"),
      `#!/bin/sh\n[ -e '${gate}' ] && exec '${real}' "$@"\necho $$ > '${pidFile}.new' && mv '${pidFile}.new' '${pidFile}'\nexec sleep 60\n`
    )
    chmodSync(join(bin, "git"), 0o755)
    const pid = (): number => (existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8")) : 0)
    const signal = (name: NodeJS.Signals | 0): boolean => {
      try {
        return pid() !== 0 && process.kill(pid(), name)
      } catch {
        return false // no such process any more
      }
    }
    yield* Effect.addFinalizer(() => Effect.sync(() => signal("SIGKILL")))
    return {
      path: `${bin}:${process.env.PATH ?? ""}`,
      running: Effect.sync(() => signal(0)),
      hurry: () => writeFileSync(gate, "")
    }
  })

/** A database of this library, marked as one of a later version. */
const madeNewer = (cwd: string) =>
  Effect.gen(function* () {
    mkdirSync(join(cwd, "empty"))
    yield* run(["empty", "--out", "elsewhere", "--state", "made/audit.db"], { cwd })
    copyFileSync(join(cwd, "made/audit.db"), join(cwd, "newer.db"))
    const db = new Database(join(cwd, "newer.db"))
    db.prepare("INSERT INTO holdfast_migrations (migration_id, name) VALUES (99, 'later')").run()
    db.close()
  })

/** A database that somebody else holds, for as long as the scope is open. */
const locked = (filename: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const db = new Database(filename)
      db.exec("CREATE TABLE held (x); BEGIN EXCLUSIVE")
      return db
    }),
    (db) => Effect.sync(() => db.close())
  )
