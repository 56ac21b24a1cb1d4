import { copyFileSync, existsSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { processId } from "../../src/model/ids.ts"
import { external } from "../../src/operations/decisions/authority.ts"
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

  it.scopedLive("is refused at any time after, however much the host has written and moved into the file", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const filename = join(folder, "agent.db")
      const place = yield* temporaryFolder
      const { register, registry } = yield* open(filename)
      yield* register("p")
      const note = (n: number) =>
        registry.appendEvent(processId("p"), { eventType: "note", payload: `${n}`.padEnd(100_000) }, external)
      let largest = 0
      // About 12 MB: three times as much as the -wal holds before it is moved.
      for (let n = 1; n <= 120; n++) {
        yield* note(n)
        largest = Math.max(largest, statSync(`${filename}-wal`).size)
        if (n % 10 !== 0) continue
        const copy = join(place, `copy-${n}.db`)
        copyFileSync(filename, copy)
        const exit = yield* opened(copy)
        assert.include(
          String(Exit.isFailure(exit) ? exit.cause : "opened"),
          "copied without its -wal file",
          `after ${n}`
        )
        rmSync(copy)
      }
      assert.isBelow(largest, 6_000_000)
      assert.isAbove(statSync(filename).size, 8_000_000)
    })
  )

  it.scopedLive(
    "opens where a host was killed between the marker and its -wal, whoever opens and closes it first",
    () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const filename = join(folder, "agent.db")
        yield* Effect.scoped(Effect.flatMap(open(filename), ({ register }) => register("p")))
        const killed = new Database(filename)
        killed.pragma("user_version = 18534") // as the host had set it
        for (const suffix of ["", "-wal"]) copyFileSync(filename + suffix, join(folder, `killed.db${suffix}`))
        killed.pragma("user_version = 0")
        killed.close()
        // A program beside the host is the only one, and closes the file: SQLite moves the -wal into it, and removes it.
        const beside = open(join(folder, "killed.db"), { migrates: false })
        yield* Effect.scoped(Effect.flatMap(beside, ({ register }) => register("q")))
        assert.isFalse(existsSync(join(folder, "killed.db-wal")))
        const { store } = yield* open(join(folder, "killed.db"))
        assert.strictEqual((yield* store.list({ filter: {} })).length, 2)
      })
  )

  it.scopedLive("a reader that holds the -wal up keeps no commit waiting, and all is moved once it is gone", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const filename = join(folder, "agent.db")
      const { register, registry } = yield* open(filename)
      yield* register("p")
      const reader = new Database(filename, { readonly: true })
      reader.exec("BEGIN")
      reader.prepare("SELECT count(*) FROM event").get()
      const note = (n: number) =>
        registry.appendEvent(processId("p"), { eventType: "note", payload: `${n}`.padEnd(100_000) }, external)
      for (let n = 1; n <= 100; n++) yield* note(n)
      reader.exec("COMMIT")
      reader.close()
      for (let n = 101; n <= 200; n++) yield* note(n)
      assert.isAbove(statSync(filename).size, 12_000_000)
      const events = yield* registry.recentEvents(processId("p"), 1)
      assert.strictEqual(events[0]?.sequence, 200)
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
