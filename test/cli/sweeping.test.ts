import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Sweeping from "../../src/cli/commands/sweep.ts"
import { processId } from "../../src/model/ids.ts"
import type { LeaseOwner } from "../../src/model/Lease.ts"
import type { Registration } from "../../src/model/Registration.ts"
import * as Activations from "../../src/operations/Activations.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import * as Leases from "../../src/operations/Leases.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { RecoverySweep } from "../../src/supervision/RecoverySweep.ts"
import * as Fixtures from "../../src/testing/fixtures.ts"
import { claimed, freshOwner, registrationOf } from "../../src/testing/fixtures.ts"
import { quiet } from "../support/hosts.ts"

/** Whoever is called dead is dead. */
const liveness = Layer.succeed(OwnerLiveness, {
  identify: freshOwner,
  isDefinitelyDead: (holder) => Effect.succeed(holder.ownerId === "dead")
})

const layer = Layer.mergeAll(Registry.layer, Leases.layer, Activations.layer, Sweeping.layer).pipe(
  Layer.provideMerge(Layer.merge(MemoryStore.layer, liveness)),
  Layer.provide(quiet)
)

const register = (id: string, disposition: Registration["disposition"], changes: Partial<Registration> = {}) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.registerProcess(registrationOf(processId(id), disposition, changes))
  )

const begin = (id: string, owner: LeaseOwner) =>
  Effect.gen(function* () {
    const lease = yield* claimed(processId(id), owner)
    yield* Fixtures.begin(lease, owner)
    return lease
  })

const handBack = (id: string) =>
  Effect.gen(function* () {
    const activations = yield* Activations.Activations
    yield* activations.suspend(yield* begin(id, yield* freshOwner()), "handed_back")
  })

const cancel = (id: string) =>
  Effect.flatMap(ProcessRegistry, (registry) => registry.requestProcessCancel(processId(id), "enough", Authority.host))

const sweep = Effect.flatMap(RecoverySweep, (service) => service.sweep)

describe("a sweep without engines", () => {
  it.effect("ends what was cancelled before it ran, and what used up its attempts", () =>
    Effect.gen(function* () {
      yield* register("cancelled", "rerunnable")
      yield* cancel("cancelled")
      yield* register("exhausted", "rerunnable", { maxAttempts: 1 })
      yield* begin("exhausted", yield* freshOwner("dead"))
      const { admitted, ended, deferred } = yield* sweep
      assert.deepStrictEqual(admitted, [])
      assert.deepStrictEqual(deferred, [])
      assert.sameDeepMembers(
        [...ended],
        [
          { id: processId("cancelled"), as: "cancelled" as const },
          { id: processId("exhausted"), as: "failed" as const }
        ]
      )
    }).pipe(Effect.provide(layer))
  )

  it.effect("leaves to a host what began and was asked to stop: its body may still clean up", () =>
    Effect.gen(function* () {
      yield* register("p", "rerunnable")
      yield* handBack("p")
      yield* cancel("p")
      assert.deepStrictEqual((yield* sweep).deferred, [
        { id: processId("p"), reason: { why: "no_engine", kind: "law.engine", version: "" } }
      ])
      const found = yield* Effect.flatMap(ProcessStore, (store) => store.find(processId("p")))
      if (found._tag !== "Present") return assert.fail("it is registered")
      assert.strictEqual(found.row.snapshot.status, "active")
      assert.isUndefined(found.row.lease.held)
    }).pipe(Effect.provide(layer))
  )

  it.effect("leaves what somebody holds, and never takes a lease to look", () =>
    Effect.gen(function* () {
      yield* register("p", "rerunnable")
      const lease = yield* begin("p", yield* freshOwner())
      yield* cancel("p")
      assert.deepStrictEqual((yield* sweep).ended, [])
      const store = yield* ProcessStore
      assert.deepStrictEqual(yield* store.leases.of(processId("p")), lease)
    }).pipe(Effect.provide(layer))
  )
})
