/**
 * What a worker writes: starts, activations, hand-backs and recoveries, each fused into one commit.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import type {
  EventRejected,
  LeaseLost,
  ParentClosing,
  ProcessAlreadyTerminal,
  ProcessIdConflict,
  ProcessPruned,
  ProcessUnknown,
  StoreError
} from "../model/errors.ts"
import type { SuspendReason } from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import type { Lease, LeaseOwner } from "../model/Lease.ts"
import type { Registered } from "../model/Registration.ts"
import type { Authority } from "./decisions/authority.ts"
import type { CompletionRefusal } from "./decisions/completion.ts"
import type { Draft } from "./decisions/execution.ts"
import type { Claimant } from "./decisions/lease.ts"
import type { Recoverer, RecoveryOutcome } from "./decisions/recover.ts"
import type { ReadyWorker, StartOutcome } from "./decisions/register.ts"
import type { BackOff, ProcessRow } from "./ProcessStore.ts"

/** The writes of a worker. */
export class ActivationStore extends Context.Tag("holdfast/store/ActivationStore")<
  ActivationStore,
  {
    /**
     * Registers a process, and when a worker is ready also claims it and begins its first activation. A body that starts a
     * child journals that in the same commit.
     *
     * Fails with `ProcessIdConflict` when the id stands for something else, `ParentClosing` when its parent was asked to
     * stop, `LeaseLost` when the parent's lease is gone.
     */
    readonly start: (
      registered: Registered,
      authority: Authority,
      worker?: ReadyWorker,
      journal?: { readonly lease: Lease; readonly draft: Draft }
    ) => Effect.Effect<StartOutcome, ProcessIdConflict | ProcessPruned | LeaseLost | ParentClosing | StoreError>

    /** Begins the activation that the worker expects to be next. Fails with `EventRejected` when another began it. */
    readonly begin: (
      lease: Lease,
      activation: number,
      owner: LeaseOwner
    ) => Effect.Effect<ProcessRow, ProcessUnknown | ProcessAlreadyTerminal | LeaseLost | EventRejected | StoreError>

    /** Ends a process under its lease and releases it, in one commit. The output is known to be JSON. */
    readonly complete: (
      lease: Lease,
      output: AwaitOutput
    ) => Effect.Effect<ProcessRow, CompletionRefusal | LeaseLost | StoreError>

    /**
     * Hands an activation back, with its lease, in one commit.
     *
     * One that is passivated names the waits it was parked on: if one of them has ended meanwhile, it is handed back instead.
     */
    readonly suspend: (
      lease: Lease,
      reason: SuspendReason,
      parked?: ReadonlyArray<string>
    ) => Effect.Effect<ProcessRow, ProcessUnknown | LeaseLost | StoreError>

    /** Looks at one row, decides by the verdict table and acts, all in one commit. */
    readonly recover: (id: ProcessId, by: Recoverer) => Effect.Effect<RecoveryOutcome, ProcessUnknown | StoreError>

    /** Rests a row that could not be begun, longer each time; answers `undefined` when it needs no rest any more. */
    readonly backOff: (id: ProcessId, problem: string) => Effect.Effect<BackOff | undefined, StoreError>

    /** Gives up one piece of owner-bound work that this owner began and nobody holds; `undefined` when it is not such. */
    readonly drain: (
      id: ProcessId,
      by: Pick<Recoverer, "owner" | "claimant">
    ) => Effect.Effect<ProcessRow | undefined, StoreError>

    /**
     * Takes a lease again that expired while its holder slept, if nobody held the process in between.
     *
     * Fails with `LeaseLost`: somebody did, so stop.
     */
    readonly retake: (lease: Lease, claimant: Claimant) => Effect.Effect<Lease, LeaseLost | StoreError>
  }
>() {}
