/**
 * What ownership costs: a cold start over many rows, a sweep beside many others, and a round of renewals.
 */
import { strict as assert } from "node:assert"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { registrationOf } from "../../src/runtime/engine/Startable.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { LeaseRenewer } from "../../src/supervision/LeaseRenewer.ts"
import { RecoverySweep } from "../../src/supervision/RecoverySweep.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { ofRun, reading } from "./Contest.ts"
import * as HoldWatch from "./HoldWatch.ts"
import { quiet, Trivial } from "./host.ts"
import { quantile } from "./statistics.ts"

/** How many rows are due, and how many others there are in the big store. */
const due = 1_000
const others = 99_000

/** How many leases one round renews. */
const leases = 10_000

/** How many sweeps and rounds are timed. */
const samples = 7

/** Bodies that hold their lease and do nothing. */
const Idle = Engine.make("bench.idle", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.never
})

/** Measures `firstMs` and `allMs` (from the build of the host), `smallSweepMs` and `bigSweepMs`. */
export const measureColdStart = async (folder: string): Promise<Run> => {
  const [small, big] = [join(folder, "small.db"), join(folder, "big.db")]
  await filled(small, 0)
  await filled(big, others)
  const smallSweepMs = await sweepMs(small)
  const bigSweepMs = await sweepMs(big)
  const startedAt = performance.now()
  let firstMs = 0
  let ended = 0
  const program = Effect.gen(function* () {
    const store = yield* ProcessStore
    yield* store.onCommit((changes) => {
      for (const { events } of changes) {
        for (const { eventType } of events) {
          if (eventType === "process.started" && firstMs === 0) firstMs = performance.now() - startedAt
          if (eventType === "process.completed") ended++
        }
      }
    })
    while (ended < due) yield* Effect.sleep("1 millis")
    return performance.now() - startedAt
  })
  const host = SingleHost.layerSqlite({ filename: big, engines: [Trivial] }).pipe(Layer.provideMerge(quiet))
  const allMs = await Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(host)))
  return { firstMs: firstMs === 0 ? allMs : firstMs, allMs, smallSweepMs, bigSweepMs }
}

/** Figures of a cold start. */
export const coldStartFigures: ReadonlyArray<FigureSpec> = [
  { name: "first body admitted", unit: "ms", value: reading("firstMs"), target: { of: "figure", max: 1_000 } },
  { name: "all 1,000 finished", unit: "ms", value: reading("allMs"), target: { of: "figure", max: 5_000 } },
  { name: "a sweep of 1,000 rows that are due", unit: "ms", value: reading("smallSweepMs") },
  {
    name: "the same beside 99,000 others",
    unit: "ms",
    value: reading("bigSweepMs"),
    against: ofRun("no others", "smallSweepMs"),
    target: { of: "ratio", min: 0.8, max: 1.2 }
  }
]

/** Measures `roundMs` and how long the loop was held. */
export const measureRenewal = async (folder: string): Promise<Run> => {
  const watch = HoldWatch.make()
  const program = Effect.gen(function* () {
    const { renew } = yield* LeaseRenewer
    const registry = yield* ProcessRegistry
    // Registered first, so that the sweep takes them on in batches.
    yield* Effect.forEach(
      Array.from({ length: leases }, (_, index) => index),
      (index) =>
        Effect.flatMap(
          registrationOf(Idle, { id: `idle-${index}`, payload: null, provenance: Provenance.host }),
          ({ registration }) => registry.registerProcess(registration)
        ),
      { concurrency: 512, discard: true }
    )
    while ((yield* renew).renewed < leases) yield* Effect.sleep("50 millis")
    const roundsMs: Array<number> = []
    watch.start()
    for (let round = 0; round < samples; round++) {
      const startedAt = performance.now()
      const { renewed } = yield* renew
      roundsMs.push(performance.now() - startedAt)
      assert.equal(renewed, leases)
    }
    return { roundMs: quantile(roundsMs, 0.5), roundMaxMs: quantile(roundsMs, 1), ...watch.stop() }
  })
  const host = SingleHost.layerSqlite({
    filename: join(folder, "leases.db"),
    engines: [Idle],
    maxConcurrent: leases,
    leaseTtl: "10 minutes",
    leaseRenewal: "3 minutes"
  }).pipe(Layer.provideMerge(quiet))
  try {
    return await Effect.runPromise(Effect.provide(program, host))
  } finally {
    watch.close()
  }
}

/** Figures of a round of renewals. */
export const renewalFigures: ReadonlyArray<FigureSpec> = [
  { name: "10,000 leases renewed, median", unit: "ms", value: reading("roundMs"), target: { of: "figure", max: 200 } },
  { name: "10,000 leases renewed, worst", unit: "ms", value: reading("roundMaxMs") },
  { name: "loop held by a page", unit: "ms", value: reading("batchMaxMs"), target: { of: "figure", max: 20 } },
  { name: "turn with a page", unit: "ms", value: reading("turnMaxMs") }
]

/** Registers rows that are due, and others that only an outside event can move. */
const filled = (filename: string, idle: number): Promise<void> => {
  const program = Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    const external = (index: number) =>
      registry.registerProcess(
        Registration.make(
          processId(`other-${index}`),
          { _tag: "External", metadata: null },
          "externally_owned",
          Provenance.host
        )
      )
    const trivial = (item: number) =>
      Effect.flatMap(
        registrationOf(Trivial, { id: `due-${item}`, payload: { item }, provenance: Provenance.host }),
        ({ registration }) => registry.registerProcess(registration)
      )
    const each = { concurrency: 512, discard: true } as const
    yield* Effect.forEach(
      Array.from({ length: idle }, (_, index) => index),
      external,
      each
    )
    yield* Effect.forEach(
      Array.from({ length: due }, (_, index) => index),
      trivial,
      each
    )
  })
  const store = SqliteStore.layer({ filename, synchronous: "NORMAL" })
  return Effect.runPromise(Effect.provide(program, Registry.layer.pipe(Layer.provideMerge(store))))
}

/** Sweeps a file with a host that has none of the engines: every due row is looked at, and left. */
const sweepMs = (filename: string): Promise<number> => {
  const once = Effect.gen(function* () {
    const { sweep } = yield* RecoverySweep
    const startedAt = performance.now()
    const { deferred } = yield* sweep
    const elapsedMs = performance.now() - startedAt
    assert.equal(deferred.length, due)
    return elapsedMs
  })
  const sample = Effect.suspend(() =>
    Effect.provide(
      once,
      SingleHost.layerSqlite({ filename, engines: [], sweepInterval: false }).pipe(Layer.provideMerge(quiet))
    )
  )
  return Effect.runPromise(
    Effect.map(Effect.all(Array.from({ length: samples }, () => sample)), (all) => quantile(all, 0.5))
  )
}
