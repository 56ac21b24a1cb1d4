import { existsSync, readdirSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import { open, temporaryFolder } from "../store/sqliteFixtures.ts"
import { holdfast } from "./running.ts"

describe("holdfast backup", () => {
  it.scopedLive(
    "copies what is committed while a host writes, whole and of one moment, into a file of this user's",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const filename = join(folder, "agent.db")
        const { note, register } = yield* open(filename)
        yield* register("p")
        yield* Effect.forEach(Array.from({ length: 300 }), (_, index) => note("p", index))
        const writer = yield* Effect.fork(Effect.forever(note("p", "meanwhile")))
        const destination = join(folder, "backup.db")
        const { code, err } = yield* Effect.promise(() => holdfast(["backup", filename, destination]))
        assert.strictEqual(code, 0, err)
        yield* Effect.sync(() => writer.unsafeInterruptAsFork(writer.id()))
        assert.strictEqual(statSync(destination).mode & 0o777, 0o600)
        const db = new Database(destination, { readonly: true })
        const events = db.prepare("SELECT count(*) FROM event").pluck().get() as number
        db.close()
        assert.isAtLeast(events, 300)
        const verified = yield* Effect.promise(() => holdfast(["verify", "--db", destination]))
        assert.strictEqual(verified.code, 0, verified.err)
        assert.deepStrictEqual(
          readdirSync(folder).filter((name) => name.includes("partial")),
          []
        )
      })
  )

  it.scopedLive("replaces nothing, and makes nothing of a file that is none of holdfast's", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const [filename, taken, other] = [join(folder, "agent.db"), join(folder, "taken.db"), join(folder, "other.db")]
      for (const name of [filename, taken]) yield* Effect.scoped(Effect.asVoid(open(name)))
      new Database(other).exec("CREATE TABLE t (x)").close()
      const before = statSync(taken).mtimeMs
      const refusals = [
        [filename, taken, /taken\.db exists, and a backup replaces nothing/],
        [other, join(folder, "new.db"), /no holdfast database/],
        [join(folder, "missing.db"), join(folder, "new.db"), /there is no database file/],
        [filename, join(folder, "no", "such", "folder.db"), /folder exists and its permissions/]
      ] as const
      for (const [from, to, problem] of refusals) {
        const { code, err } = yield* Effect.promise(() => holdfast(["backup", from, to]))
        assert.notStrictEqual(code, 0)
        assert.match(err, problem)
      }
      assert.strictEqual(statSync(taken).mtimeMs, before)
      assert.isFalse(existsSync(join(folder, "new.db")) || existsSync(join(dirname(taken), "no")))
    })
  )
})
