import { execFileSync } from "node:child_process"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { childId, Listing, readerId } from "../../docs/examples/audit/work/audit.ts"
import { ReadBatch } from "../../docs/examples/audit/work/batch.ts"
import { Processes, SingleHost } from "../../src/index.ts"
import { remove } from "../support/folders.ts"
import { until } from "../support/hosts.ts"
import { isLong, isWhole } from "../support/samples.ts"
import { expected, plant } from "./directory.ts"
import type { Program } from "./program.ts"
import { filesRead, run, start } from "./program.ts"

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
})

afterAll(() => Effect.runPromise(remove(folder)))

const auditIdOf = ({ out }: Program): string => /audit:[0-9a-f]+:[0-9]+/.exec(out[1] ?? "")?.[0] ?? "none"

/** The files of every batch that the database has as completed. */
const completedFiles = (cwd: string, auditId: string) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    const { shares } = yield* processes.handle(Listing, childId(readerId(auditId), "listing")).await
    const batches = shares.flatMap((share) =>
      share.batches.map(({ name, files }) => ({ id: childId(childId(readerId(auditId), share.name), name), files }))
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
      [`critical: 1 likely secret in 1 file, first in settings.env; session ${auditIdOf(first)} is woken`]
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

  it.live.skipIf(!isWhole)(
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
      })
  )
})

/** Begins an audit, ends it with a signal while git runs for it, and answers how it ended. */
const endedWhileGitRuns = (
  cwd: string,
  git: Effect.Effect.Success<ReturnType<typeof slowGit>>,
  signal: NodeJS.Signals
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const program = yield* start([directory, "--yes"], { cwd, path: git.path })
      yield* until(git.running)
      yield* program.kill(signal)
      return yield* program.ended
    })
  )

describe("an audit that is killed", () => {
  it.live("goes on where it was, reads no completed batch again, and gives the same bytes", () =>
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
      for (const moment of isLong ? [read(1), read(40), recorded, read(10)] : [read(40), recorded]) {
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
    })
  )

  it.live.skipIf(!isWhole)("while it writes its reports still ends with both", () =>
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
    })
  )

  it.live.skipIf(!isWhole)("while git runs, tells of the abandoned one and asks git again under another id", () =>
    Effect.gen(function* () {
      const cwd = place()
      const git = yield* slowGit(cwd)
      yield* endedWhileGitRuns(cwd, git, "SIGKILL")
      git.hurry()
      const again = yield* run([directory, "--yes"], { cwd, path: git.path })
      assert.strictEqual(again.code, 0)
      assert.include(
        again.out,
        "git-log: its host ended while it ran, so its outcome is unknown (abandoned); the next one is git-log-2"
      )
      assert.deepStrictEqual(reports(cwd), undisturbed)
    }).pipe(Effect.scoped)
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

  for (const signal of isLong ? (["SIGINT", "SIGTERM"] as const) : (["SIGINT"] as const)) {
    it.live(`by ${signal} says how to go on, ends with 130, and hands its work and its sessions back`, () =>
      Effect.gen(function* () {
        const cwd = place()
        const { interrupted, again } = yield* interruptAndGoOn(cwd, signal)
        assert.strictEqual(
          interrupted.err.at(-1),
          "interrupted; recorded work is kept: run the same command again to resume"
        )
        assert.strictEqual(again.out[1], `resuming ${auditIdOf(interrupted)} of ${directory}`)
        assert.deepStrictEqual(reports(cwd), undisturbed)
        // Who goes on makes no new attempt, in the same sessions.
        const attempts = again.err.flatMap((line) => /attempt=([0-9]+)/.exec(line)?.[1] ?? [])
        assert.deepStrictEqual([...new Set(attempts)], ["1"])
        const sessions = ({ err }: Program, what: string) =>
          err.flatMap((line) => (line.includes(what) ? (/^debug: session (\S+)/.exec(line)?.[1] ?? []) : []))
        const closed = sessions(interrupted, "is closed")
        assert.isNotEmpty(closed)
        for (const session of closed) assert.match(session, /^agent:audit:[0-9a-f]{12}:1\/draft:1\/directory-000[1-3]$/)
        assert.includeMembers([...sessions(again, "starts its turn")], [...closed])
        assert.isEmpty(sessions(again, "is closed"))
      })
    )
  }

  it.live.skipIf(!isWhole)("while git runs takes git with it", () =>
    Effect.gen(function* () {
      const cwd = place()
      const git = yield* slowGit(cwd)
      assert.strictEqual((yield* endedWhileGitRuns(cwd, git, "SIGINT")).code, 130)
      yield* until(Effect.map(git.running, (running) => !running))
      git.hurry()
      const again = yield* run([directory, "--yes"], { cwd, path: git.path })
      assert.strictEqual(again.code, 0)
      assert.isTrue(again.out.some((line) => line.endsWith("the next one is git-log-2")))
      assert.deepStrictEqual(reports(cwd), undisturbed)
    }).pipe(Effect.scoped)
  )
})

describe("two audits at once", () => {
  it.live.skipIf(!isWhole)("of the same directory share the work, and both end with the report", () =>
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
      const woken = both.flatMap(({ out }) => out.filter((line) => line.startsWith("critical: ")))
      assert.strictEqual(woken.length, 1, "the session was woken once, by one of them")
      assert.deepStrictEqual(reports(cwd), undisturbed)
    })
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
