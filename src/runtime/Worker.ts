/**
 * The worker as the rest of the runtime knows it: takes processes on and runs each under a lease of its own.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { StoreError } from "../model/errors.ts"
import type { StartError } from "../model/failures.ts"
import type { ProcessId } from "../model/ids.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import type { Registered } from "../model/Registration.ts"
import type { ActivationStore } from "../store/ActivationStore.ts"
import type { Authority } from "../store/decisions/authority.ts"
import type { Claimant } from "../store/decisions/lease.ts"
import type { RecoveryOutcome } from "../store/decisions/recover.ts"
import type { StartOutcome } from "../store/decisions/register.ts"
import type { BackOff } from "../store/ProcessStore.ts"
import type { Roster } from "./Roster.ts"

/**
 * What became of a row that the worker was asked to look at.
 *
 * `NoSlot`: it waits for one, in line. `BackingOff`: it could not be begun and rests. `Absent`: there is no such process.
 */
export type Admission =
  | RecoveryOutcome
  | { readonly _tag: "NoSlot" }
  | { readonly _tag: "BackingOff"; readonly backOff: BackOff }
  | { readonly _tag: "Absent" }

/** What a body that starts a child journals in the same commit. */
export type JournalWrite = NonNullable<Parameters<(typeof ActivationStore.Service)["start"]>[3]>

/** Runs processes. */
export class Worker extends Context.Tag("holdfast/runtime/Worker")<
  Worker,
  {
    /** This worker's stable identity; its incarnation is the keeper of its leases. */
    readonly owner: LeaseOwner
    /** Starts a process, and runs it at once when this host has its engine and a free slot. */
    readonly start: (
      registered: Registered,
      authority: Authority,
      journal?: JournalWrite
    ) => Effect.Effect<StartOutcome, StartError>
    /**
     * Looks at one row and does what the verdict table says. `dead` are holders whose death is proven.
     *
     * A row whose payload or environment does not decode here stays as it is, and rests.
     */
    readonly recover: (id: ProcessId, dead: ReadonlyArray<LeaseOwner>) => Effect.Effect<Admission, StoreError>
    /** The activations in progress. */
    readonly roster: Pick<
      Roster,
      | "all"
      | "remind"
      | "retake"
      | "passivate"
      | "passivateAfterMs"
      | "interruptAll"
      | "accept"
      | "empty"
      | "ownerBound"
    >
    /** How many bodies could begin to work now, of how many at once. */
    readonly slots: () => { readonly free: number; readonly total: number }
    /** A fresh identity for one attempt. */
    readonly claimant: (purpose: "run" | "recovery" | "drain") => Claimant
    /** Takes those who stand in line for a slot on, in order, for ever. */
    readonly admission: Effect.Effect<never>
    /** Looks at rows that a commit pointed at, for ever. */
    readonly lookout: Effect.Effect<never>
  }
>() {}
