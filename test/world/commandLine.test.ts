import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import { temporaryFolder } from "../support/hosts.ts"
import { projectRoot } from "../support/projectRoot.ts"
import { run } from "./program.ts"

const timeoutMs = 60_000

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

  it.scopedLive(
    "is said in one line that names the thing and the fix, and by the exit code",
    () =>
      Effect.gen(function* () {
        const cwd = yield* temporaryFolder
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
      }),
    timeoutMs
  )
})

describe("the command line", () => {
  it.scopedLive(
    "explains itself, exit codes included, without colours where nobody looks",
    () =>
      Effect.gen(function* () {
        const { out, code } = yield* run(["--help"], { cwd: yield* temporaryFolder })
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

  it.scopedLive(
    "has the version of the package",
    () =>
      Effect.gen(function* () {
        const { out } = yield* run(["--version"], { cwd: yield* temporaryFolder })
        assert.strictEqual(out[0], JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")).version)
      }),
    timeoutMs
  )
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
