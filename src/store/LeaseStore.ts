/**
 * Leases as operations: one holder at a time for each process, fenced by a number that only rises.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { InputInvalid, LeaseLost, StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ClaimOutcome, Lease, LeaseOwner } from "../model/Lease.ts"
import type { Lookup } from "./ProcessRegistry.ts"

/** The lease protocol. Units: milliseconds. */
export class LeaseStore extends Context.Tag("holdfast/store/LeaseStore")<
  LeaseStore,
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

    /** Extends a lease that is held and unexpired. Fails with `LeaseLost`: stop. */
    readonly renewProcessLease: (
      lease: Lease,
      ttlMs: number
    ) => Effect.Effect<Lease, LeaseLost | InputInvalid | StoreError>

    /** The lease as stored, expired or not; `undefined` when released, never held or unknown. */
    readonly getProcessLease: (id: ProcessId) => Effect.Effect<Lease | undefined, InputInvalid | StoreError>

    /** Gives a lease back, by its token only; silently when it is not held any more. */
    readonly completeProcessLease: (completion: {
      readonly processId: ProcessId
      readonly leaseToken: string
    }) => Effect.Effect<void, InputInvalid | StoreError>
  }
>() {}
