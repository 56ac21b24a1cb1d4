import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import { Leases } from "../../src/operations/Leases.ts"
import { registrationOf } from "../../src/runtime/engine/Startable.ts"
import { RecoverySweep } from "../../src/supervision/RecoverySweep.ts"
import { fieldsOf, open as openStore, raw } from "../store/sqliteFixtures.ts"
import { bounded, temporaryFolder, until } from "../support/hosts.ts"
import { isLong, isWhole } from "../support/samples.ts"
import type { Rig } from "./faults.ts"
import { fails, gated, host, logOf, rig } from "./faults.ts"

/** The real thing takes half a minute; otherwise every time is a twentieth of it. */
const scale = isLong ? 1 : 20
const outageMs = 30_000 / scale

const timings = {
  leaseRenewal: 8_000 / scale,
  sweepInterval: 1_000 / scale,
  writer: { busyTimeoutMs: 5_000 / scale }
}

/** Makes every write of a store go wrong; answers how to end that. */
interface Outage {
  readonly name: string
  readonly begin: (rigged: Rig, file: string) => Effect.Effect<Effect.Effect<void>, never, Scope.Scope>
}

const outages: ReadonlyArray<Outage> = [
  {
    name: "every write fails",
    begin: (rigged) =>
      Effect.sync(() => {
        rigged.set("BEGIN IMMEDIATE", fails)
        return Effect.sync(() => rigged.set("BEGIN IMMEDIATE", undefined))
      })
  },
  {
    name: "every write hangs",
    begin: (_, file) =>
      Effect.map(raw(file), (db) => {
        db.exec("BEGIN IMMEDIATE")
        return Effect.sync(() => void db.exec("ROLLBACK"))
      })
  }
]

const numbered = (name: string, count: number) => Array.from({ length: count }, (_, index) => `${name}-${index}`)

const fenceOf = (id: string) =>
  Effect.map(
    Effect.flatMap(Leases, (leases) => leases.getProcessLease(processId(id))),
    (lease) => lease?.fencingToken
  )

/** Bodies end in the middle of an outage, others go on through it; afterwards everything is written once. */
const throughOutage = (outage: Outage, leaseTtl: number, fenceAfter: number) =>
  Effect.gen(function* () {
    const file = `${yield* temporaryFolder}/a.db`
    const rigged = yield* rig
    const said: Array<string> = []
    const ending = { once: gated("owner_bound"), again: gated("rerunnable") }
    const lasting = gated("owner_bound", "lasting")
    const ids = { once: numbered("once", 3), again: numbered("again", 3), lasting: numbered("lasting", 2) }
    yield* Effect.gen(function* () {
      const processes = yield* Processes
      const once = yield* Effect.forEach(ids.once, (id) => processes.start(ending.once.engine, { id, payload: id }))
      const again = yield* Effect.forEach(ids.again, (id) => processes.start(ending.again.engine, { id, payload: id }))
      const through = yield* Effect.forEach(ids.lasting, (id) => processes.start(lasting.engine, { id, payload: id }))
      yield* until(Effect.sync(() => ending.once.begun.length + ending.again.begun.length + lasting.begun.length === 8))

      const over = yield* outage.begin(rigged, file)
      const waited = yield* Effect.fork(Effect.sleep(outageMs))
      yield* Effect.zipRight(ending.once.open, ending.again.open)
      const error = yield* Effect.flip(processes.start(lasting.engine, { id: "late", payload: "late" }))
      assert.deepInclude(fieldsOf(error), { _tag: "StoreError", written: "no" })
      yield* Fiber.join(waited)
      for (const id of [...ids.once, ...ids.again, ...ids.lasting]) {
        assert.deepStrictEqual(yield* logOf(id), ["process.started"])
      }
      assert.isTrue(said.some((line) => line.startsWith("once-0 not written yet")))
      assert.isTrue(said.some((line) => line.startsWith("leases not renewed")))
      yield* over

      const ended = yield* bounded(Effect.all([...once, ...again].map((handle) => handle.await)))
      assert.deepStrictEqual(ended, [...ids.once, ...ids.again])
      for (const id of ids.lasting) {
        yield* until(Effect.map(fenceOf(id), (fence) => fence === fenceAfter))
      }
      yield* lasting.open
      const late = yield* bounded(processes.start(lasting.engine, { id: "late", payload: "late" }))
      assert.deepStrictEqual(yield* bounded(Effect.all([...through, late].map((handle) => handle.await))), [
        ...ids.lasting,
        "late"
      ])
      for (const id of [...ids.once, ...ids.again, ...ids.lasting, "late"]) {
        assert.deepStrictEqual(yield* logOf(id), ["process.started", "process.completed"])
      }
      assert.deepStrictEqual([...ending.once.begun].sort(), ids.once)
      assert.deepStrictEqual([...ending.again.begun].sort(), ids.again)
      assert.deepStrictEqual(lasting.begun, [...ids.lasting, "late"])
    }).pipe(
      Effect.provide(
        host(file, [ending.once.engine, ending.again.engine, lasting.engine], { ...timings, leaseTtl }, said)
      )
    )
  })

describe(`a store that is out for ${outageMs / 1_000} seconds`, () => {
  for (const outage of outages) {
    it.scopedLive.skipIf(!isWhole)(
      `${outage.name}, for longer than leases last: all goes on under the next fence, and is written once`,
      () => throughOutage(outage, 24_000 / scale, 2)
    )

    it.scopedLive(`${outage.name}, for less than leases last: all goes on under its lease, and is written once`, () =>
      throughOutage(outage, 120_000 / scale, 1)
    )
  }

  it.scopedLive("sweeps say what they could not do, go on, and the work runs by itself afterwards", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/a.db`
      const rigged = yield* rig
      const said: Array<string> = []
      const { engine, begun, open } = gated("rerunnable")
      yield* Effect.gen(function* () {
        yield* open
        rigged.set("BEGIN IMMEDIATE", fails)
        // Another program, which can write, leaves work for this host.
        const elsewhere = yield* openStore(file)
        const { registration } = yield* registrationOf(engine, { id: "p", payload: "p", provenance: Provenance.host })
        yield* elsewhere.registry.registerProcess(registration)
        yield* until(Effect.sync(() => said.includes(`p: the sweep could not look at it: ${sentence}`)))

        // Then nothing can be read either.
        rigged.set("READ", fails)
        yield* until(
          Effect.sync(() => said.filter((line) => line.startsWith("sweep failed, a later one tries again")).length >= 2)
        )
        const error = yield* Effect.flip(Effect.flatMap(RecoverySweep, ({ sweep }) => sweep))
        assert.deepInclude(fieldsOf(error), { _tag: "StoreError", written: "no" })
        assert.deepStrictEqual(begun, [])

        rigged.set("READ", undefined)
        rigged.set("BEGIN IMMEDIATE", undefined)
        const handle = (yield* Processes).handle(engine, "p")
        assert.strictEqual(yield* bounded(handle.await), "p")
        assert.deepStrictEqual(begun, ["p"])
        assert.deepStrictEqual(yield* logOf("p"), ["process.started", "process.completed"])
      }).pipe(Effect.provide(host(file, [engine], {}, said)))
    })
  )
})

const sentence =
  "the store could not begin a transaction: the disk failed to read or write (SQLITE_IOERR_FSYNC); check it, then try again"
