import { copyFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { backup } from "../../src/store/sqlite/backup.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { contentOf, open, temporaryFolder } from "./sqliteFixtures.ts"

const opened = (filename: string) => Effect.exit(Effect.scoped(Effect.asVoid(open(filename))))
const looked = (filename: string) => Effect.exit(Effect.scoped(Effect.asVoid(SqliteStore.makeReadOnly({ filename }))))

describe("a file that is copied while a host has it open", () => {
  it.scopedLive("is refused without its -wal, by hosts and by readers, and left as it is", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const filename = join(folder, "agent.db")
      const { register } = yield* open(filename)
      yield* register("p")
      const place = yield* temporaryFolder
      const copy = join(place, "copy.db")
      copyFileSync(filename, copy)
      const before = contentOf(place)
      for (const open of [opened, looked]) {
        const exit = yield* open(copy)
        assert.include(String(Exit.isFailure(exit) ? exit.cause : "opened"), "copied without its -wal file")
        assert.deepStrictEqual(contentOf(place), before)
      }
    })
  )

  it.scopedLive("opens with its -wal, as a backup, by SQLite's own ways, and when its host has closed it", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const filename = join(folder, "agent.db")
      const place = (name: string) => join(folder, name)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { register } = yield* open(filename)
          const beside = yield* open(filename)
          yield* register("p")
          yield* beside.register("q")
          for (const suffix of ["", "-wal"]) copyFileSync(filename + suffix, place("both.db") + suffix)
          yield* backup(filename, place("backup.db"))
          const db = new Database(filename, { readonly: true })
          yield* Effect.promise(() => db.backup(place("online.db")))
          db.prepare("VACUUM INTO ?").run(place("vacuum.db"))
          db.close()
        })
      )
      copyFileSync(filename, place("closed.db"))
      for (const name of ["both.db", "backup.db", "online.db", "vacuum.db", "closed.db", "agent.db"]) {
        const { list } = yield* Effect.map(open(place(name)), ({ store }) => store)
        assert.strictEqual((yield* list({ filter: {} })).length, 2, name)
      }
    })
  )
})
