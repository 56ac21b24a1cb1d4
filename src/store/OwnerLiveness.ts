/**
 * Evidence of death: whether the holder of a lease is proven to be gone.
 *
 * Invariant: "not proven" is the answer to every doubt. Time is no evidence.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { LeaseOwner } from "../model/Lease.ts"

/** Proves deaths, and names the owner that this OS process is. */
export class OwnerLiveness extends Context.Tag("holdfast/store/OwnerLiveness")<
  OwnerLiveness,
  {
    /** An identity for this OS process, with the evidence others need about it. The incarnation is new for each call. */
    readonly identify: (ownerId: string) => Effect.Effect<LeaseOwner>

    /** Whether `holder` is definitely dead, as far as `claimant` can know. */
    readonly isDefinitelyDead: (holder: LeaseOwner, claimant: LeaseOwner) => Effect.Effect<boolean>
  }
>() {}
