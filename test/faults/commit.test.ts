import { assert, describe, it } from "@effect/vitest"
import type Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { fieldsOf, raw } from "../store/sqliteFixtures.ts"
import { bounded, temporaryFolder, until } from "../support/hosts.ts"
import { endsOf, fails, failsAfterwards, gated, host, logOf, rig } from "./faults.ts"

/** Every commit with such an event violates a foreign key that SQLite checks at the commit only. */
const poison = (db: Database.Database, eventType: string) =>
  db.exec(`
    CREATE TABLE missing (id INTEGER PRIMARY KEY);
    CREATE TABLE poison (id INTEGER REFERENCES missing (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER poisoned AFTER INSERT ON event WHEN new.event_type = '${eventType}'
    BEGIN INSERT INTO poison VALUES (1); END
  `)

const find = (id: string) =>
  Effect.map(
    Effect.flatMap(ProcessStore, (store) => store.find(processId(id))),
    ({ _tag }) => _tag
  )

describe("a commit that SQLite refuses", () => {
  it.scopedLive("a start learns that nothing was written, and may be tried again", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/a.db`
      const { engine, begun, open } = gated("owner_bound")
      yield* Effect.gen(function* () {
        yield* open
        const processes = yield* Processes
        const db = yield* raw(file)
        poison(db, "process.started")
        const error = yield* bounded(Effect.flip(processes.start(engine, { id: "p", payload: "done" })))
        assert.deepInclude(fieldsOf(error), { _tag: "StoreError", operation: "commit", written: "no" })
        assert.strictEqual(error.message, "the store could not commit: FOREIGN KEY constraint failed")
        assert.strictEqual(yield* find("p"), "Absent")
        assert.deepStrictEqual(begun, [])
        db.exec("DROP TRIGGER poisoned")
        const handle = yield* bounded(processes.start(engine, { id: "p", payload: "done" }))
        assert.strictEqual(yield* bounded(handle.await), "done")
        assert.deepStrictEqual(yield* logOf("p"), ["process.started", "process.completed"])
      }).pipe(Effect.provide(host(file, [engine])))
    })
  )

  it.scopedLive("the end of a body is tried until it is written, and is written once", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/a.db`
      const said: Array<string> = []
      const { engine, begun, open } = gated("owner_bound")
      yield* Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(engine, { id: "p", payload: "done" })
        const db = yield* raw(file)
        poison(db, "process.completed")
        yield* open
        yield* until(Effect.sync(() => said.filter((line) => line.startsWith("p not written yet")).length >= 2))
        assert.deepStrictEqual(yield* logOf("p"), ["process.started"])
        db.exec("DROP TRIGGER poisoned")
        assert.strictEqual(yield* bounded(handle.await), "done")
        assert.deepStrictEqual(yield* endsOf("p"), ["process.completed"])
        assert.deepStrictEqual(begun, ["p"])
      }).pipe(Effect.provide(host(file, [engine], {}, said)))
    })
  )
})

describe("a commit that the disk fails before it was done", () => {
  it.scopedLive("every start of the batch learns it, none is there, and each may be tried again", () =>
    Effect.gen(function* () {
      const rigged = yield* rig
      const { engine, begun, open } = gated("rerunnable")
      const ids = ["a", "b", "c"]
      yield* Effect.gen(function* () {
        yield* open
        const processes = yield* Processes
        const start = (id: string) => processes.start(engine, { id, payload: id })
        // Every commit, since nothing says that all three share one.
        rigged.set("COMMIT", fails)
        const errors = yield* bounded(Effect.forEach(ids, (id) => Effect.flip(start(id)), { concurrency: "unbounded" }))
        rigged.set("COMMIT", undefined)
        for (const error of errors) {
          assert.deepInclude(fieldsOf(error), { _tag: "StoreError", reason: "failed", written: "no" })
          assert.strictEqual(
            error.message,
            "the store could not commit: the disk failed to read or write (SQLITE_IOERR_FSYNC); check it, then try again"
          )
        }
        assert.deepStrictEqual(yield* Effect.forEach(ids, find), ["Absent", "Absent", "Absent"])
        const handles = yield* bounded(Effect.forEach(ids, start, { concurrency: "unbounded" }))
        assert.deepStrictEqual(yield* bounded(Effect.all(handles.map((handle) => handle.await))), ids)
        assert.deepStrictEqual([...begun].sort(), ids)
      }).pipe(Effect.provide(host(`${yield* temporaryFolder}/a.db`, [engine])))
    })
  )
})

describe("a commit that the disk fails after it was done", () => {
  it.scopedLive("a start that was written is read again, and runs at once; a second start attaches", () =>
    Effect.gen(function* () {
      const rigged = yield* rig
      const { engine, begun, open } = gated("rerunnable")
      yield* Effect.gen(function* () {
        yield* open
        const processes = yield* Processes
        rigged.once("COMMIT", failsAfterwards)
        const first = yield* bounded(processes.start(engine, { id: "p", payload: "done" }))
        assert.strictEqual(yield* bounded(first.await), "done")
        const handle = yield* bounded(processes.start(engine, { id: "p", payload: "done" }))
        assert.strictEqual(yield* bounded(handle.await), "done")
        assert.deepStrictEqual(yield* logOf("p"), ["process.started", "process.completed"])
        assert.deepStrictEqual(begun, ["p"])
      }).pipe(
        // Long leases: no recovery could have run it in time.
        Effect.provide(
          host(`${yield* temporaryFolder}/a.db`, [engine], { leaseTtl: "60 seconds", leaseRenewal: "20 seconds" })
        )
      )
    })
  )

  it.scopedLive(
    "the end of a body is sent again as it was written: one end, and every waiting caller hears of it",
    () =>
      Effect.gen(function* () {
        const rigged = yield* rig
        const said: Array<string> = []
        const { engine, begun, open } = gated("owner_bound")
        yield* Effect.gen(function* () {
          const handle = yield* (yield* Processes).start(engine, { id: "p", payload: "done" })
          rigged.once("COMMIT", failsAfterwards)
          yield* open
          yield* until(
            Effect.sync(() => said.some((line) => line.startsWith("p not written yet: the store could not commit")))
          )
          assert.strictEqual(yield* bounded(handle.await), "done")
          assert.deepStrictEqual(yield* logOf("p"), ["process.started", "process.completed"])
          assert.deepStrictEqual(begun, ["p"])
        }).pipe(
          Effect.provide(
            host(
              `${yield* temporaryFolder}/a.db`,
              [engine],
              { leaseTtl: "60 seconds", leaseRenewal: "20 seconds" },
              said
            )
          )
        )
      })
  )

  it.scopedLive("a cancel that was written reaches its body, although nobody was told", () =>
    Effect.gen(function* () {
      const rigged = yield* rig
      const { engine, begun, interrupted } = gated("rerunnable")
      yield* Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(engine, { id: "p", payload: "never" })
        yield* until(Effect.sync(() => begun.length === 1))
        rigged.once("COMMIT", failsAfterwards)
        const error = yield* bounded(Effect.flip(handle.cancel("over")))
        assert.deepInclude(fieldsOf(error), { _tag: "StoreError", written: "unknown" })
        yield* bounded(Effect.flip(handle.await))
        assert.deepStrictEqual(yield* logOf("p"), ["process.started", "process.cancel_requested", "process.cancelled"])
        assert.deepStrictEqual(interrupted, ["p"])
      }).pipe(
        Effect.provide(
          host(`${yield* temporaryFolder}/a.db`, [engine], { leaseTtl: "60 seconds", leaseRenewal: "20 seconds" })
        )
      )
    })
  )
})
