/**
 * Hosts that sweep at once, and the due rows that they keep from each other meanwhile.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { ProcessId } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import { defaults, RuntimeConfig } from "../../src/runtime/RuntimeConfig.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as RecoverySweep from "../../src/supervision/RecoverySweep.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"
import { until } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"
import { isWhole } from "../support/samples.ts"
import { open } from "./opened.ts"

const farMs = Number.MAX_SAFE_INTEGER

/** What a sweep needs besides a store: no holder is known to be dead. */
const around = Layer.merge(
  Layer.succeed(RuntimeConfig, defaults),
  Layer.succeed(OwnerLiveness, {
    identify: (ownerId) => Effect.succeed(opaqueOwner(ownerId, "1")),
    isDefinitelyDead: () => Effect.succeed(false)
  })
)

/** The sweep of a host that does this with each row. */
const sweepOf = (store: typeof ProcessStore.Service, look: (id: ProcessId) => Effect.Effect<unknown>) =>
  RecoverySweep.make({
    owner: opaqueOwner("host", "1"),
    recover: (id) => Effect.as(look(id), { _tag: "Deferred", reason: { why: "settled" } } as const)
  }).pipe(Effect.provideService(ProcessStore, store), Effect.provide(around))

/** Stores of several hosts, once each hears the others, and due rows. */
const hosts = (count: number, rows: number) =>
  Effect.gen(function* () {
    const where = yield* Postgres.freshSchema
    const all = yield* Effect.forEach(Array.from({ length: count }), () => open(where))
    const ids = Array.from({ length: rows }, (_, index) => processId(`p-${index}`))
    for (const id of ids) yield* all[0]?.registry.registerProcess(registrationOf(id, "rerunnable")) ?? Effect.void
    const stores = all.map(({ store }) => store)
    // A reservation is made on the connection that messages come on.
    const probe = processId("p-0")
    yield* until(
      Effect.gen(function* () {
        for (const store of stores) {
          const seen = yield* Effect.scoped(
            Effect.zipRight(
              stores.find((other) => other !== store)?.reserve?.([probe], farMs) ?? Effect.void,
              store.reserve?.([probe], farMs) ?? Effect.succeed([])
            )
          )
          if (seen.length > 0) return false
        }
        return true
      })
    )
    const taken = (id: ProcessId) =>
      Effect.promise(() =>
        Postgres.query(where.url, `UPDATE "${where.schema}".state SET due_at = NULL WHERE process_id = '${id}'`)
      )
    return { stores, ids, taken }
  })

describe.skipIf(!Postgres.hasPostgres)("due rows that a host keeps", () => {
  it.scopedLive("are kept from another until it lets go, and so is what was taken meanwhile", () =>
    Effect.gen(function* () {
      const { stores, ids, taken } = yield* hosts(2, 4)
      const [one, two] = stores.map(
        ({ reserve }) =>
          (asked: ReadonlyArray<ProcessId>) =>
            reserve?.(asked, farMs) ?? Effect.succeed([])
      )
      const [a, b, c, d] = ids as [ProcessId, ProcessId, ProcessId, ProcessId] // there are four
      yield* Effect.scoped(
        Effect.gen(function* () {
          assert.deepStrictEqual([...(yield* one?.([a, b]) ?? Effect.succeed([]))].sort(), [a, b])
          assert.deepStrictEqual(yield* Effect.scoped(two?.([a, b, c]) ?? Effect.succeed([])), [c])
          // It is not kept from the host itself, which asks once for each row.
          yield* taken(d)
          assert.deepStrictEqual(yield* Effect.scoped(two?.([d]) ?? Effect.succeed([])), [])
        })
      )
      assert.deepStrictEqual([...(yield* Effect.scoped(two?.(ids) ?? Effect.succeed([])))].sort(), [a, b, c])
    })
  )

  it.scopedLive.skipIf(!isWhole)("are looked at once, by however many hosts sweep at the same time", () =>
    Effect.gen(function* () {
      const { stores, ids, taken } = yield* hosts(4, 600)
      const looked: Array<ProcessId> = []
      const sweeps = yield* Effect.forEach(stores, (store) =>
        sweepOf(store, (id) =>
          Effect.zipRight(
            Effect.sync(() => looked.push(id)),
            taken(id)
          )
        )
      )
      yield* Effect.forEach(sweeps, ({ sweep }) => sweep, { concurrency: "unbounded" })
      assert.deepStrictEqual(looked.toSorted(), ids.toSorted())
    })
  )

  it.scopedLive("are looked at a second later, where the host that keeps them has come to a stop", () =>
    Effect.gen(function* () {
      const { stores, ids } = yield* hosts(2, 3)
      const [stopped, other] = stores as [(typeof stores)[number], (typeof stores)[number]] // there are two
      const looked: Array<ProcessId> = []
      const { sweep } = yield* sweepOf(other, (id) => Effect.sync(() => looked.push(id)))
      const kept = ids.slice(0, 2)
      yield* stopped.reserve?.(kept, farMs) ?? Effect.void
      yield* sweep
      assert.deepStrictEqual(looked, ids.slice(2))
      yield* Effect.sleep("1100 millis")
      yield* sweep
      assert.deepStrictEqual(looked.slice(1).toSorted(), ids)
    })
  )
})
