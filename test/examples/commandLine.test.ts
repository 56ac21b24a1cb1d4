import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import { normalised } from "../../docs/examples/audit/cli/args.ts"
import { damagedFolder, temporaryFolder } from "../support/hosts.ts"
import { projectRoot } from "../support/projectRoot.ts"
import { isLong, isWhole } from "../support/samples.ts"
import { run, start } from "./program.ts"

const manifest = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"))

/** What a script of the package gives the program before what is typed after its name. */
const givenBy = (script: "start" | "audit"): ReadonlyArray<string> => {
  const [node, path, ...words] = String(manifest.scripts[script]).split(" ")
  assert.deepStrictEqual([node, path], ["node", "dist/docs/examples/audit/main.js"])
  return words
}

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
    ["an unknown option", ["--nope"], 2, /^audit: --nope is not an option of this command; see --help$/],
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

  // Each is a program of its own: a short run has every third one.
  const tried = refusals.filter((_, index) => isLong || index % 3 === 0)

  it.scopedLive("is said in one line that names the thing and the fix, and by the exit code", () =>
    Effect.gen(function* () {
      const cwd = yield* damagedFolder
      writeFileSync(join(cwd, "file"), "content")
      mkdirSync(join(cwd, "taken/audit-report.md"), { recursive: true })
      writeFileSync(join(cwd, "garbage.db"), "this is no database, and never was one\n".repeat(200))
      yield* madeNewer(cwd)
      yield* locked(join(cwd, "locked.db"))
      const before = readFileSync(join(cwd, "newer.db"))
      const outcomes = yield* Effect.forEach(tried, ([, args]) => run(args, { cwd }), { concurrency: 3 })
      for (const [index, [what, , code, line]] of tried.entries()) {
        const ended = outcomes[index]
        assert.strictEqual(ended?.code, code, what)
        assert.strictEqual(ended?.err.length, 1, `${what}: ${ended?.err.join("\n")}`)
        assert.match(ended?.err[0] ?? "", line, what)
      }
      assert.isFalse(existsSync(join(cwd, "audit-report.json")))
      assert.deepStrictEqual(readFileSync(join(cwd, "newer.db")), before)
    })
  )
})

describe("the command line", () => {
  for (const script of isLong ? (["start", "audit"] as const) : (["start"] as const)) {
    it.scopedLive(`explains itself and tells its version wherever that is asked, behind npm run ${script}, too`, () =>
      Effect.gen(function* () {
        const cwd = yield* temporaryFolder
        const asked = (...typed: ReadonlyArray<string>) => run([...givenBy(script), ...typed], { cwd })
        const [help, short, version] = yield* Effect.all(
          [asked("--help"), asked("elsewhere", "-h"), asked("--out", "x", "--version", "--yes")],
          { concurrency: 2 }
        )
        for (const { code, err } of [help, short, version]) assert.deepStrictEqual([code, err], [0, []])
        assert.deepStrictEqual(short.out, help.out)
        assert.strictEqual(version.out[0], manifest.version)
        const text = help.out.join("\n")
        for (const word of [
          "--out",
          "--state",
          "--exclude",
          "--pace",
          "--file-timeout",
          "--yes",
          "--wait",
          "npm start -- --wait waits",
          "approve.js",
          "--verbose",
          "0 the reports",
          "130 interrupted"
        ]) {
          assert.include(text, word)
        }
        assert.notInclude(text, "\u001b")
      })
    )
  }

  it.scopedLive.skipIf(!isWhole)(
    "waits with --wait although npm start gives --yes, and says so; a --yes that is typed as well changes nothing",
    () =>
      Effect.gen(function* () {
        const cwd = yield* temporaryFolder
        mkdirSync(join(cwd, "content"))
        const waiting = yield* start([...givenBy("start"), "content", "--wait"], { cwd })
        yield* waiting.once("it to wait", () => waiting.out.some((line) => line.startsWith("waiting for the approval")))
        assert.include(waiting.out, "--wait overrides --yes: the report must be approved elsewhere")
        assert.isFalse(existsSync(join(cwd, "audit-report.json")))
        // Another program on the same state approves what the first one waits for.
        const approving = yield* run([...givenBy("start"), "content", "--yes"], { cwd })
        assert.deepStrictEqual([approving.code, approving.err], [0, []])
        assert.deepStrictEqual(yield* waiting.ended, { code: 0, signal: null })
        assert.isTrue(existsSync(join(cwd, "audit-report.json")))
      })
  )

  it("takes words after -- for no questions, and a flag that is given twice for one", () => {
    assert.deepStrictEqual(normalised(["--yes", "a", "--help"]), ["--help"])
    assert.deepStrictEqual(normalised(["--yes", "--", "--help"]), ["--yes", "--", "--help"])
    assert.deepStrictEqual(normalised(["--yes", "a", "--exclude", "x", "--yes", "--exclude", "x"]), [
      "--yes",
      "a",
      "--exclude",
      "x",
      "--exclude",
      "x"
    ])
  })
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
