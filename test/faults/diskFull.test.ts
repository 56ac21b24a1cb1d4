import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Processes } from "../../src/host/Processes.ts"
import { fieldsOf, raw } from "../store/sqliteFixtures.ts"
import { bounded, temporaryFolder, until } from "../support/hosts.ts"
import type { Rig } from "./faults.ts"
import { gated, host, logOf, rig } from "./faults.ts"

/** Some pages more than the file has, and no 100 kB: SQLite itself says that the disk is full. */
const fill = ({ db }: Rig) =>
  Effect.sync(() => db().pragma(`max_page_count = ${Number(db().pragma("page_count", { simple: true })) + 12}`))

const makeRoom = ({ db }: Rig) => Effect.sync(() => db().pragma("max_page_count = 1000000"))

const large = "x".repeat(100_000)

describe("a full disk", () => {
  it.scopedLive("refuses what does not fit with a sentence that says so, whole, and keeps what it acknowledged", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/a.db`
      const rigged = yield* rig
      const { engine, begun, open } = gated("rerunnable")
      yield* Effect.gen(function* () {
        yield* open
        const processes = yield* Processes
        yield* bounded((yield* processes.start(engine, { id: "before", payload: "small" })).await)
        yield* fill(rigged)

        const payloads = { small1: "1", large1: large, small2: "2", large2: `${large}2` }
        const outcomes = yield* bounded(
          Effect.forEach(
            Object.entries(payloads),
            ([id, payload]) =>
              Effect.map(Effect.either(processes.start(engine, { id, payload })), (end) => ({ id, end })),
            { concurrency: "unbounded" }
          )
        )
        const refused = outcomes.flatMap(({ id, end }) => (Either.isLeft(end) ? [{ id, error: end.left }] : []))
        assert.deepStrictEqual(refused.map(({ id }) => id).sort(), ["large1", "large2"])
        for (const { error } of refused) {
          assert.deepInclude(fieldsOf(error), { _tag: "StoreError", reason: "full", written: "no" })
          assert.strictEqual(
            error.message,
            "the store could not write: the disk is full; free some space, then try again"
          )
        }
        // Nothing is half written: the database knows none of the refused, in any table, and it is sound.
        const db = yield* raw(file)
        const known = db.prepare("SELECT process_id FROM process ORDER BY process_id").pluck().all()
        const accepted = outcomes.flatMap(({ id, end }) => (Either.isRight(end) ? [id] : []))
        assert.deepStrictEqual(known, ["before", ...accepted].sort())
        assert.deepStrictEqual(db.prepare("SELECT pk FROM state EXCEPT SELECT pk FROM process").pluck().all(), [])
        assert.deepStrictEqual(db.prepare("SELECT pk FROM process EXCEPT SELECT pk FROM state").pluck().all(), [])
        assert.strictEqual(db.pragma("integrity_check", { simple: true }), "ok")
        assert.deepStrictEqual(db.pragma("foreign_key_check"), [])

        yield* makeRoom(rigged)
        for (const [id, payload] of Object.entries(payloads)) {
          const handle = yield* bounded(processes.start(engine, { id, payload }))
          assert.strictEqual(yield* bounded(handle.await), payload)
          assert.deepStrictEqual(yield* logOf(id), ["process.started", "process.completed"])
        }
        assert.deepStrictEqual([...begun].sort(), ["before", ...Object.keys(payloads)].sort())
      }).pipe(Effect.provide(host(file, [engine])))
    })
  )

  it.scopedLive("a body that ends meanwhile is written by itself once there is room, and only once", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/a.db`
      const rigged = yield* rig
      const said: Array<string> = []
      const { engine, begun, open } = gated("owner_bound")
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        const handle = yield* processes.start(engine, { id: "p", payload: large })
        yield* until(Effect.sync(() => begun.length === 1))
        yield* fill(rigged)
        yield* open
        const problem =
          "p not written yet: the store could not write: the disk is full; free some space, then try again"
        yield* until(Effect.sync(() => said.filter((line) => line === problem).length >= 2))
        assert.deepStrictEqual(yield* logOf("p"), ["process.started"])
        yield* makeRoom(rigged)
        assert.strictEqual(yield* bounded(handle.await), large)
        assert.deepStrictEqual(yield* logOf("p"), ["process.started", "process.completed"])
        assert.deepStrictEqual(begun, ["p"])
      }).pipe(Effect.provide(host(file, [engine], {}, said)))
    })
  )
})
