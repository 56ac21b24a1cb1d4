/**
 * The lease protocol on any store.
 */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { ProcessId } from "../model/ids.ts"
import { ProcessId as ProcessIdSchema } from "../model/ids.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import * as LeaseProtocol from "./decisions/lease.ts"
import * as Inputs from "./inputs.ts"
import { onKnown } from "./known.ts"
import { LeaseStore } from "./LeaseStore.ts"
import { OwnerLiveness } from "./OwnerLiveness.ts"
import { ProcessStore } from "./ProcessStore.ts"

/** Builds the lease operations on a store. */
export const make: Effect.Effect<typeof LeaseStore.Service, never, ProcessStore | OwnerLiveness> = Effect.gen(
  function* () {
    const store = yield* ProcessStore
    const liveness = yield* OwnerLiveness

    const known = onKnown(store)

    return LeaseStore.of({
      claimProcessLease: Effect.fnUntraced(function* (id, owner, ttlMs) {
        const claimant = yield* claimantOf(id, owner, ttlMs)
        return yield* known(id, { lock: [id] }, LeaseProtocol.claim(id, claimant))
      }),
      reclaimProcessLease: Effect.fnUntraced(function* (id, owner, observed, ttlMs) {
        const claimant = yield* claimantOf(id, owner, ttlMs)
        yield* Inputs.lease("observed", observed)
        const stored = yield* store.leaseOf(id)
        const dead = stored !== undefined && (yield* liveness.isDefinitelyDead(stored.owner, owner))
        return yield* known(
          id,
          { lock: [id] },
          LeaseProtocol.reclaim(id, claimant, observed, dead ? stored.owner : undefined)
        )
      }),
      renewProcessLease: Effect.fnUntraced(function* (lease, ttlMs) {
        yield* Inputs.lease("lease", lease)
        yield* Inputs.count("ttl_ms", ttlMs)
        return yield* store.transact({ lock: [lease.processId] }, LeaseProtocol.renew(lease, ttlMs))
      }),
      getProcessLease: (id) => Effect.flatMap(Inputs.id(id), store.leaseOf),
      completeProcessLease: Effect.fnUntraced(function* (completion) {
        const { processId, leaseToken } = yield* Inputs.fitting("completion", Completion, completion)
        yield* store.transact({ lock: [processId] }, LeaseProtocol.release(processId, leaseToken))
      })
    })
  }
)

const claimantOf = (id: ProcessId, owner: LeaseOwner, ttlMs: number) =>
  Either.gen(function* () {
    yield* Inputs.id(id)
    yield* Inputs.owner("owner", owner)
    yield* Inputs.count("ttl_ms", ttlMs)
    return { owner: structuredClone(owner), ttlMs, token: randomUUID() }
  })

const Completion = Schema.Struct({ processId: ProcessIdSchema, leaseToken: Schema.String })

/** The lease operations on the store in context. */
export const layer: Layer.Layer<LeaseStore, never, ProcessStore | OwnerLiveness> = Layer.effect(LeaseStore, make)
