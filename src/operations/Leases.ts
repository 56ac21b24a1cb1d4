/**
 * Leases as operations: one holder at a time for each process, fenced by a number that only rises.
 */

import { randomUUID } from "node:crypto"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { InputInvalid, LeaseLost, ProcessPruned, StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import { ProcessId as ProcessIdSchema } from "../model/ids.ts"
import type { ClaimOutcome, Lease, LeaseOwner } from "../model/Lease.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"
import * as LeaseProtocol from "./decisions/lease.ts"
import type { Lookup } from "./existing.ts"
import { onKnown } from "./existing.ts"
import { OwnerLiveness } from "./OwnerLiveness.ts"

/** The lease protocol. Units: milliseconds. */
export class Leases extends Context.Tag("holdfast/store/LeaseStore")<
  Leases,
  {
    /** Takes a lease that is free or expired; `Busy` is an answer. Ended processes may be claimed, callers look again. */
    readonly claimProcessLease: (
      id: ProcessId,
      owner: LeaseOwner,
      ttlMs: number
    ) => Effect.Effect<ClaimOutcome, InputInvalid | Lookup>

    /** Takes the observed lease from a holder that is proven dead; of two racers one acquires. */
    readonly reclaimProcessLease: (
      id: ProcessId,
      owner: LeaseOwner,
      observed: Lease,
      ttlMs: number
    ) => Effect.Effect<ClaimOutcome, InputInvalid | Lookup>

    /** Extends a lease that is held and unexpired. Fails with `LeaseLost` or `ProcessPruned`: stop. */
    readonly renewProcessLease: (
      lease: Lease,
      ttlMs: number
    ) => Effect.Effect<Lease, LeaseLost | ProcessPruned | InputInvalid | StoreError>

    /** The lease as stored, expired or not; `undefined` when released, never held, unknown or pruned. */
    readonly getProcessLease: (id: ProcessId) => Effect.Effect<Lease | undefined, InputInvalid | StoreError>

    /** Gives a lease back, by its token only; silently when it is not held any more. */
    readonly completeProcessLease: (completion: {
      readonly processId: ProcessId
      readonly leaseToken: string
    }) => Effect.Effect<void, ProcessPruned | InputInvalid | StoreError>
  }
>() {}

/** Builds the lease operations on a store. */
export const make: Effect.Effect<typeof Leases.Service, never, ProcessStore | OwnerLiveness> = Effect.gen(function* () {
  const store = yield* ProcessStore
  const liveness = yield* OwnerLiveness

  const known = onKnown(store)

  return Checks.answering(
    Leases.of({
      claimProcessLease: Effect.fnUntraced(function* (id, owner, ttlMs) {
        const claimant = yield* claimantOf(id, owner, ttlMs)
        return yield* known(id, { lock: [id] }, LeaseProtocol.claim(id, claimant))
      }),
      reclaimProcessLease: Effect.fnUntraced(function* (id, owner, presented, ttlMs) {
        const claimant = yield* claimantOf(id, owner, ttlMs)
        const observed = yield* Checks.lease("observed", presented)
        const stored = yield* store.leases.of(id)
        const dead = stored !== undefined && (yield* liveness.isDefinitelyDead(stored.owner, claimant.owner))
        return yield* known(
          id,
          { lock: [id] },
          LeaseProtocol.reclaim(id, claimant, observed, dead ? stored.owner : undefined)
        )
      }),
      renewProcessLease: Effect.fnUntraced(function* (presented, ttlMs) {
        const lease = yield* Checks.lease("lease", presented)
        yield* Checks.count("ttl_ms", ttlMs)
        const { processId } = lease
        return yield* known(processId, { lock: [processId] }, LeaseProtocol.renew(lease, ttlMs))
      }),
      getProcessLease: (id) => Effect.flatMap(Checks.id(id), store.leases.of),
      completeProcessLease: Effect.fnUntraced(function* (completion) {
        const { processId, leaseToken } = yield* Checks.fitting("completion", Completion, completion)
        yield* known(processId, { lock: [processId] }, LeaseProtocol.release(processId, leaseToken))
      })
    })
  )
})

const claimantOf = (id: ProcessId, owner: LeaseOwner, ttlMs: number) =>
  Either.gen(function* () {
    yield* Checks.id(id)
    const checked = yield* Checks.owner("owner", owner)
    yield* Checks.count("ttl_ms", ttlMs)
    return { owner: checked, ttlMs, token: randomUUID() }
  })

const Completion = Schema.Struct({ processId: ProcessIdSchema, leaseToken: Schema.String })

/** The lease operations on the store in context. */
export const layer: Layer.Layer<Leases, never, ProcessStore | OwnerLiveness> = Layer.effect(Leases, make)
