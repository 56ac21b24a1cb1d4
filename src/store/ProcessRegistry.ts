/**
 * The registry: point reads and writes of processes. It never waits; waiting lives above it.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import type {
  CompletionRefused,
  ExternalRefConflict,
  InputInvalid,
  LeaseLost,
  ProcessAlreadyTerminal,
  ProcessPruned,
  ProcessUnknown,
  RegistrationConflict,
  RegistrationInvalid,
  StoreError
} from "../model/errors.ts"
import type { AbandonRequest, ExternalRef } from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import type { Lease, LeaseOwner } from "../model/Lease.ts"
import type { ListFilter } from "../model/ListFilter.ts"
import type { AppendReceipt, AppendRequest, ProcessEvent } from "../model/ProcessEvent.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import type { Registration } from "../model/Registration.ts"
import type { AppendRefusal } from "./decisions/append.ts"
import type { Authority } from "./decisions/authority.ts"
import type { CompletionAuthority, CompletionRefusal } from "./decisions/completion.ts"

/** What every operation on a known process may answer besides its own refusals. */
export type Lookup = ProcessUnknown | ProcessPruned | StoreError

/** The registry of processes. */
export class ProcessRegistry extends Context.Tag("holdfast/store/ProcessRegistry")<
  ProcessRegistry,
  {
    /**
     * Registers a process, normalised and validated first. The same registration again answers the stored record.
     *
     * Fails with `RegistrationInvalid` (fix the field it names) or `RegistrationConflict` (the id is taken).
     */
    readonly registerProcess: (
      registration: Registration
    ) => Effect.Effect<ProcessRecord, RegistrationInvalid | RegistrationConflict | ProcessPruned | StoreError>

    /**
     * Appends an event, or answers the stored one when its replay key was used for the same type and payload before.
     *
     * Fails with `EventRejected`, `ProcessAlreadyTerminal` or `TerminalOutcomeMismatch` (fix the call), or `LeaseLost`
     * (stop: the authority's lease is gone). A refused append uses no sequence number.
     */
    readonly appendEvent: (
      id: ProcessId,
      request: AppendRequest,
      authority: Authority
    ) => Effect.Effect<AppendReceipt, AppendRefusal | InputInvalid | Lookup>

    /** Records who started a process first; later calls change nothing. Units: epoch milliseconds, UTC. */
    readonly recordFirstStarted: (
      id: ProcessId,
      started: { readonly owner: LeaseOwner; readonly startedAtMs: number }
    ) => Effect.Effect<ProcessRecord, InputInvalid | Lookup>

    /**
     * Ends a process under its lease and releases it, in one transaction. An equal earlier end is a replay.
     *
     * Fails with `LeaseLost` (nothing written, stop), `ProcessAlreadyTerminal` or `EventRejected` (it ended otherwise).
     */
    readonly completeProcessWithLease: (
      lease: Lease,
      output: AwaitOutput
    ) => Effect.Effect<ProcessRecord, CompletionRefusal | LeaseLost | InputInvalid | Lookup>

    /**
     * Ends a process on an authority other than its lease.
     *
     * Fails with `CompletionRefused` when that authority may not complete work of this disposition.
     */
    readonly completeProcess: (
      id: ProcessId,
      output: AwaitOutput,
      authority: CompletionAuthority
    ) => Effect.Effect<ProcessRecord, CompletionRefusal | CompletionRefused | InputInvalid | Lookup>

    /** Records a request to stop, once for each reason; answers the present record, usually still running. */
    readonly requestProcessCancel: (
      id: ProcessId,
      reason: string | null,
      authority: Authority
    ) => Effect.Effect<ProcessRecord, LeaseLost | InputInvalid | Lookup>

    /** Records a request to give a process up; the first one stands. Fails with `ProcessAlreadyTerminal`. */
    readonly requestProcessAbandon: (
      id: ProcessId,
      request: AbandonRequest,
      authority: Authority
    ) => Effect.Effect<ProcessRecord, ProcessAlreadyTerminal | LeaseLost | InputInvalid | Lookup>

    /** The record of a process; `undefined` when there is none. Fails with `ProcessPruned` when there was one. */
    readonly getProcess: (id: ProcessId) => Effect.Effect<ProcessRecord | undefined, ProcessPruned | StoreError>

    /** Events after a sequence, ascending. Fails with `ProcessUnknown`; beyond the end there are none. */
    readonly eventsAfter: (
      id: ProcessId,
      sequence: number,
      limit?: number
    ) => Effect.Effect<ReadonlyArray<ProcessEvent>, InputInvalid | Lookup>

    /** How many events of exactly this type have a sequence up to `upto`; none of an unknown type. */
    readonly countEventsThrough: (
      id: ProcessId,
      eventType: string,
      upto: number
    ) => Effect.Effect<number, InputInvalid | Lookup>

    /** The last `limit` events, ascending. */
    readonly recentEvents: (
      id: ProcessId,
      limit: number
    ) => Effect.Effect<ReadonlyArray<ProcessEvent>, InputInvalid | Lookup>

    /** Events after a sequence that carry a wake and were not acknowledged, ascending. */
    readonly wakeEventsAfter: (
      id: ProcessId,
      sequence: number
    ) => Effect.Effect<ReadonlyArray<ProcessEvent>, InputInvalid | Lookup>

    /** Acknowledges the wake of one event, once or more often. The record is not touched. */
    readonly ackWake: (id: ProcessId, sequence: number) => Effect.Effect<void, InputInvalid | Lookup>

    /**
     * Records where an attached system knows the process. The same reference again changes nothing.
     *
     * Fails with `ExternalRefConflict` when it is known by another one already.
     */
    readonly setExternalRef: (
      id: ProcessId,
      externalRef: ExternalRef,
      authority: Authority
    ) => Effect.Effect<ProcessRecord, ExternalRefConflict | LeaseLost | InputInvalid | Lookup>

    /** A page of the processes that match a filter, ascending by id. @default limit 100 */
    readonly listProcesses: (
      filter: ListFilter,
      page?: { readonly after?: ProcessId; readonly limit?: number }
    ) => Effect.Effect<ReadonlyArray<ProcessRecord>, InputInvalid | StoreError>

    /** Every process that has not ended, ascending by id. */
    readonly listNonTerminal: Effect.Effect<ReadonlyArray<ProcessRecord>, StoreError>
  }
>() {}
