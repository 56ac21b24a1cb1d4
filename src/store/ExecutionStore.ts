/**
 * What bodies write: their journal, their waits, events and signals, each under the fence of its activation; and the timers
 * that end waits.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { InputInvalid, LeaseLost, ProcessAlreadyTerminal, ProcessUnknown, StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { JournalEntry } from "../model/Journal.ts"
import type { Lease } from "../model/Lease.ts"
import type { AppendReceipt, AppendRequest, ProcessEvent } from "../model/ProcessEvent.ts"
import type { AppendRefusal } from "./decisions/append.ts"
import type { Authority } from "./decisions/authority.ts"
import type { Awaited, Draft, Waited } from "./decisions/execution.ts"

/** The writes and reads behind a body's context. */
export class ExecutionStore extends Context.Tag("holdfast/store/ExecutionStore")<
  ExecutionStore,
  {
    /** The journal of a process, in order of position. */
    readonly journalOf: (id: ProcessId) => Effect.Effect<ReadonlyArray<JournalEntry>, StoreError>

    /** Journals what an operation came to. A repetition changes nothing. Fails with `LeaseLost`: stop. */
    readonly record: (lease: Lease, draft: Draft) => Effect.Effect<void, LeaseLost | StoreError>

    /** Enters a wait; a signal that nobody consumed yet ends it at once. */
    readonly enterWait: (
      lease: Lease,
      draft: Omit<Draft, "outcome">,
      awaited: Awaited
    ) => Effect.Effect<Waited, LeaseLost | ProcessAlreadyTerminal | StoreError>

    /** How a wait that was entered earlier stands. */
    readonly waitOf: (id: ProcessId, waitKey: string) => Effect.Effect<Waited, StoreError>

    /** The event at a sequence of a process's log. It must be there: a journal says so. */
    readonly eventAt: (id: ProcessId, sequence: number) => Effect.Effect<ProcessEvent, ProcessUnknown | StoreError>

    /** Appends to the log of the body's own process. */
    readonly append: (
      lease: Lease,
      request: AppendRequest,
      draft: Omit<Draft, "outcome">
    ) => Effect.Effect<AppendReceipt, AppendRefusal | InputInvalid | StoreError>

    /** Signals another process from a body, under its own fence. Fails with `ProcessAlreadyTerminal` when that has ended. */
    readonly signalFrom: (
      lease: Lease,
      target: ProcessId,
      request: AppendRequest,
      draft: Omit<Draft, "outcome">
    ) => Effect.Effect<AppendReceipt, AppendRefusal | InputInvalid | StoreError>

    /** Signals a process from outside. Fails with `ProcessAlreadyTerminal` when it has ended. */
    readonly signal: (
      target: ProcessId,
      request: AppendRequest,
      authority: Authority
    ) => Effect.Effect<AppendReceipt, AppendRefusal | InputInvalid | StoreError>

    /** Ends the waits of a process whose deadline has passed. Doing it again changes nothing. */
    readonly fireTimers: (id: ProcessId) => Effect.Effect<void, StoreError>
  }
>() {}

/** Why a process cannot take a signal. */
export type SignalRefusal = AppendRefusal | ProcessUnknown | ProcessAlreadyTerminal
