import { copyFileSync, existsSync, rmSync, statSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it, vi } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { processId } from "../../src/model/ids.ts"
import { external } from "../../src/operations/decisions/authority.ts"
import { backup } from "../../src/store/sqlite/backup.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import * as WalMarker from "../../src/store/sqlite/walMarker.ts"
import { contentOf, open, temporaryFolder } from "./sqliteFixtures.ts"

/** What `user_version` is while the marker is set: part of the format of a file. */
const marked = 0x4866

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

  it.scopedLive("is refused at any time after, however much two hosts have written and moved into the file", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const filename = join(folder, "agent.db")
      const place = yield* temporaryFolder
      const { register, registry } = yield* open(filename)
      const beside = yield* open(filename)
      yield* register("p")
      const note = (n: number) =>
        (n % 3 === 0 ? beside.registry : registry).appendEvent(
          processId("p"),
          { eventType: "note", payload: `${n}`.padEnd(100_000) },
          external
        )
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

  const shift = (db: Database.Database, by: number) =>
    db
      .prepare(
        "UPDATE holdfast_migrations SET migration_id = migration_id + ? WHERE migration_id = (SELECT max(migration_id) FROM holdfast_migrations)"
      )
      .run(by)

  /** A file with a process, of a schema so much later, as a host leaves it that is killed once it has set the marker. */
  const killed = (later = 0) =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const [filename, left] = [join(folder, "agent.db"), join(folder, "killed.db")]
      yield* Effect.scoped(Effect.flatMap(open(filename), ({ register }) => register("p")))
      const db = new Database(filename)
      shift(db, later)
      db.pragma(`user_version = ${marked}`)
      for (const suffix of ["", "-wal"]) copyFileSync(filename + suffix, left + suffix)
      db.pragma("user_version = 0")
      shift(db, -later)
      db.close()
      return left
    })

  const isWhole = (filename: string, processes: number) =>
    Effect.gen(function* () {
      // A close has moved the -wal into the file, and removed it.
      assert.isFalse(existsSync(`${filename}-wal`))
      const { store } = yield* open(filename)
      assert.strictEqual((yield* store.list({ filter: {} })).length, processes)
    })

  it.scopedLive("opens where a host was killed within a checkpoint, also after a program beside it was the first", () =>
    Effect.gen(function* () {
      const filename = yield* killed()
      const beside = open(filename, { migrates: false })
      yield* Effect.scoped(Effect.flatMap(beside, ({ register }) => register("q")))
      yield* isWhole(filename, 2)
    })
  )

  it.scopedLive("opens then also after one was the first that could not open it", () =>
    Effect.gen(function* () {
      const filename = yield* killed(1_000)
      assert.isTrue(Exit.isFailure(yield* opened(filename)), "its schema is one of a later version")
      const db = new Database(filename)
      shift(db, -1_000)
      db.close()
      yield* isWhole(filename, 1)
    })
  )

  it.scopedLive("is whole where it is a backup that was made in the midst of a checkpoint", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const filename = join(folder, "agent.db")
      const { register } = yield* open(filename)
      yield* register("p")
      const db = new Database(filename)
      db.pragma(`user_version = ${marked}`)
      yield* backup(filename, join(folder, "backup.db"))
      db.pragma("user_version = 0")
      db.close()
      yield* isWhole(join(folder, "backup.db"), 1)
    })
  )

  it.scopedLive(
    "has the marker no longer than to the next commit, where another program has the lock when it is taken back",
    () =>
      Effect.gen(function* () {
        const filename = join(yield* temporaryFolder, "other.db")
        const [db, other] = [new Database(filename, { timeout: 0 }), new Database(filename, { timeout: 0 })]
        db.exec("PRAGMA journal_mode = WAL; CREATE TABLE t (text TEXT)")
        const insert = db.prepare("INSERT INTO t VALUES (?)")
        const { begun, committed } = WalMarker.checkpoints(db)
        const commit = (text: string) => {
          db.exec("BEGIN IMMEDIATE")
          begun()
          insert.run(text)
          db.exec("COMMIT")
          committed()
        }
        const pragma = db.pragma.bind(db)
        vi.spyOn(db, "pragma").mockImplementation((text, options) => {
          if (text === "user_version = 0" && !db.inTransaction && !other.inTransaction) other.exec("BEGIN IMMEDIATE")
          return pragma(text, options)
        })
        commit("x".repeat(5_000_000))
        assert.isTrue(other.inTransaction, "it has the lock")
        assert.isTrue(WalMarker.isSet(other))
        other.exec("ROLLBACK")
        commit("y")
        assert.isFalse(WalMarker.isSet(other))
        db.close()
        other.close()
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
