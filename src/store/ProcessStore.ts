/**
 * What a store implements: one shape for every write, and the reads that must be answered from an index.
 *
 * A write names the processes it touches; the store locks and loads them, calls a pure decision on what it loaded, and
 * writes the changes the decision answers with, all in one transaction. Adding an operation means adding a decision.
 *
 * ```
 * transact(plan, decide) ─► lock, load ─► decide(view) ─► Refused ─► nothing written, the error
 *                                                     └► Accepted ─► events, state, lease ─► commit ─► listeners ─► answer
 * ```
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ProcessSnapshot } from "../../machines/lifecycle.ts"
import type { ProcessCommand } from "../../machines/process.ts"
import type { ProcessUnknown, StoreError } from "../model/errors.ts"
import type { HandleGrant } from "../model/Grant.ts"
import type { ProcessId, SessionScopeId } from "../model/ids.ts"
import type { JournalEntry } from "../model/Journal.ts"
import type { Lease, LeaseSlot } from "../model/Lease.ts"
import type { ListFilter } from "../model/ListFilter.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import type { Base } from "../model/ProcessRecord.ts"
import type { WakeDelivery } from "../model/wakes.ts"
import type {
  Candidate,
  CommitWork,
  ExecutionReads,
  Found,
  Holder,
  Holding,
  LifecycleCounts,
  ListQuery,
  Numbered,
  RenewedPage,
  RenewPage,
  StorePart
} from "./answers.ts"
import type { ChildReads, ChildView, ChildWrite } from "./Children.ts"
import type { EnvironmentReads, PutEnvironment } from "./EnvironmentReads.ts"
import type { EndPromise, PromiseReads } from "./PromiseReads.ts"
import type { OutboxReads, OutboxView, OutboxWrite } from "./WakeOutbox.ts"

/** Everything a decision may know about one process. Units: epoch milliseconds, UTC. */
export interface ProcessRow {
  readonly base: Base
  /** The sequence of the last event; 0 when there is none. */
  readonly sequence: number
  readonly snapshot: ProcessSnapshot
  readonly lease: LeaseSlot
  /** When a sweep should next look at this row; `null` when only an event can move it. */
  readonly dueAtMs: number | null
  /** Why it waits although it could run: beginning it failed. No part of the record, and gone once an activation begins. */
  readonly backOff?: BackOff
}

/** How often beginning a process failed in a row, the last reason, and until when it rests. Units: epoch milliseconds, UTC. */
export interface BackOff {
  readonly failures: number
  readonly untilMs: number
  readonly problem: string
}

/**
 * What is left of a pruned process. Once compacted, its id may be registered again: sequence and fence then go on from here.
 */
export interface Tombstone {
  readonly processId: ProcessId
  readonly terminalState: string
  readonly prunedAtMs: number
  readonly lastSequence: number
  readonly lastFence: number
  readonly compacted: boolean
}

/** What a write touches. Locks are taken in the order of the ids, so that two writes never wait for each other. */
export interface Plan {
  readonly lock: ReadonlyArray<ProcessId>
  /** Replay keys the decision asks about. */
  readonly replays?: ReadonlyArray<{ readonly processId: ProcessId; readonly key: string }>
  /** A session whose grants and wake targets the decision asks about; their processes are locked too. */
  readonly session?: string
}

/** What was loaded for a decision. `nowMs` is the one "now" of the operation. */
export interface View extends ChildView {
  readonly nowMs: number
  readonly row: (id: ProcessId) => ProcessRow | undefined
  readonly tombstone: (id: ProcessId) => Tombstone | undefined
  readonly replayed: (id: ProcessId, key: string) => ProcessEvent | undefined
  /** The first event of a type after a sequence. */
  readonly firstEventAfter: (id: ProcessId, eventType: string, sequence: number) => ProcessEvent | undefined
  readonly grant: (scopeId: SessionScopeId, id: ProcessId) => HandleGrant | undefined
  readonly grantsOf: (id: ProcessId) => ReadonlyArray<HandleGrant>
  /** Every grant of the plan's session, of all its frames. */
  readonly sessionGrants: () => ReadonlyArray<HandleGrant>
  /** Every process that wakes the plan's session, whatever the frame. */
  readonly sessionTargets: () => ReadonlyArray<ProcessId>
  readonly outbox: OutboxView
}

/** A write beside a process's own rows. */
export type Write =
  | ChildWrite
  | { readonly _tag: "PutGrant"; readonly grant: HandleGrant }
  | { readonly _tag: "RemoveGrant"; readonly scopeId: SessionScopeId; readonly processId: ProcessId }
  | { readonly _tag: "PutJournal"; readonly processId: ProcessId; readonly entry: JournalEntry }
  | { readonly _tag: "AckWake"; readonly processId: ProcessId; readonly sequence: number }
  /** Removes a process with all that belongs to it, and leaves the tombstone. */
  | { readonly _tag: "Bury"; readonly tombstone: Tombstone }
  | { readonly _tag: "Compact"; readonly processId: ProcessId }
  | OutboxWrite
  | PutEnvironment
  | EndPromise

/** One process as a decision leaves it: the row after it, the events that led there, the hints they gave. */
export interface Change {
  /** The row as it was loaded; absent for a process that this change registers. */
  readonly before?: ProcessRow
  readonly row: ProcessRow
  readonly events: ReadonlyArray<ProcessEvent>
  readonly commands: ReadonlyArray<ProcessCommand>
  /**
   * What the events owe to sessions: written to the outbox with them, fresh and due at once. One whose wake id has an open
   * row merges into that row: nothing is written for it.
   */
  readonly wakes?: ReadonlyArray<WakeDelivery>
}

/** What a decision answers: a typed refusal, or an answer with the changes to write (none is fine). */
export type Decision<A, E> =
  | { readonly _tag: "Refused"; readonly error: E }
  | {
      readonly _tag: "Accepted"
      readonly answer: A
      readonly changes: ReadonlyArray<Change>
      readonly writes: ReadonlyArray<Write>
    }

/** Accepts, with the changes to write. */
export const accept = <A>(answer: A, ...changes: ReadonlyArray<Change>): Decision<A, never> => ({
  _tag: "Accepted",
  answer,
  changes,
  writes: []
})

/** Accepts, with writes beside the processes' own rows; changes are written first. */
export const acceptWith = <A>(
  answer: A,
  writes: ReadonlyArray<Write>,
  changes: ReadonlyArray<Change> = []
): Decision<A, never> => ({ _tag: "Accepted", answer, changes, writes })

/** Refuses: nothing is written. */
export const refuse = <E>(error: E): Decision<never, E> => ({ _tag: "Refused", error })

export type * from "./answers.ts"

/** The contract of a store. `src/testing` holds the laws that certify one. */
export class ProcessStore extends Context.Tag("holdfast/store/ProcessStore")<
  ProcessStore,
  {
    /** Whether what was committed survives the end of this OS process. */
    readonly durability: "inline" | "durable"

    /**
     * Performs one write.
     *
     * Fails with the decision's own error (nothing written), or with `StoreError` when the database refused.
     */
    readonly transact: <A, E>(plan: Plan, decide: (view: View) => Decision<A, E>) => Effect.Effect<A, E | StoreError>

    /**
     * Calls `listener` after every commit of this store, in commit order, before the callers resume.
     *
     * The listener must neither throw nor wait. Correctness never depends on it.
     */
    readonly onCommit: (listener: (changes: ReadonlyArray<Change>) => void) => Effect.Effect<void, never, Scope.Scope>

    /**
     * Calls `listener` with what each commit took, until the scope closes; for whoever measures. Absent: there is no writer.
     *
     * The listener must neither throw nor wait.
     */
    readonly onCommitWork?: (listener: (commit: CommitWork) => void) => Effect.Effect<void, never, Scope.Scope>

    /** The ids that other OS processes changed since this was last asked; always empty where that cannot happen. */
    readonly changedElsewhere: Effect.Effect<ReadonlyArray<ProcessId>, StoreError>

    /** The store's own fibers, as nodes of the host's supervision tree. */
    readonly parts: () => ReadonlyArray<StorePart>

    /** Children by their parent, and what is owed to them. */
    readonly children: ChildReads

    /** What a body that runs again needs, and the timers. */
    readonly execution: ExecutionReads

    /** Reads one process. */
    readonly find: (id: ProcessId) => Effect.Effect<Found, StoreError>

    /** The lease as stored, expired or not; `undefined` when released, never held or unknown. */
    readonly leaseOf: (id: ProcessId) => Effect.Effect<Lease | undefined, StoreError>

    /** Events with a sequence above `sequence`, ascending, at most `limit`. Fails with `ProcessUnknown`. */
    readonly eventsAfter: (
      id: ProcessId,
      sequence: number,
      limit?: number
    ) => Effect.Effect<ReadonlyArray<ProcessEvent>, ProcessUnknown | StoreError>

    /** Every process that has not ended, ascending by id. */
    readonly listNonTerminal: Effect.Effect<ReadonlyArray<ProcessRow>, StoreError>

    /** Processes that match a filter, ascending by id (bytewise). */
    readonly list: (query: ListQuery) => Effect.Effect<ReadonlyArray<ProcessRow>, StoreError>

    /** How many processes are in each state, counted in an index: cheap also where there are very many. */
    readonly countByLifecycle: Effect.Effect<LifecycleCounts, StoreError>

    /** How many events of exactly this type have a sequence up to `upto`. Fails with `ProcessUnknown`. */
    readonly countEvents: (
      id: ProcessId,
      eventType: string,
      upto: number
    ) => Effect.Effect<number, ProcessUnknown | StoreError>

    /** The last `limit` events, ascending. Fails with `ProcessUnknown`. */
    readonly recentEvents: (
      id: ProcessId,
      limit: number
    ) => Effect.Effect<ReadonlyArray<ProcessEvent>, ProcessUnknown | StoreError>

    /** Events after a sequence that carry a wake and were not acknowledged, ascending. Fails with `ProcessUnknown`. */
    readonly wakeEventsAfter: (
      id: ProcessId,
      sequence: number
    ) => Effect.Effect<ReadonlyArray<ProcessEvent>, ProcessUnknown | StoreError>

    /** Grants of a scope, ascending by process; or of a process, ascending by session, then scope. */
    readonly grants: (
      of: { readonly scopeId: SessionScopeId } | { readonly processId: ProcessId }
    ) => Effect.Effect<ReadonlyArray<HandleGrant>, StoreError>

    /** The processes that wake a session, of all its frames, ended ones included, ascending by id. */
    readonly wakers: (sessionId: string) => Effect.Effect<ReadonlyArray<ProcessRow>, StoreError>

    /** The wake outbox. */
    readonly outbox: OutboxReads

    /** A name for this store and its content, which no other store has. */
    readonly storeId: string

    /** Rows and tombstones changed after a change number, each at its latest change, ascending. */
    readonly changesAfter: (change: number, limit: number) => Effect.Effect<ReadonlyArray<Numbered>, StoreError>

    /** Ended processes last changed before `cutoffMs`, in order of change, after one. Units: epoch milliseconds, UTC. */
    readonly endedBefore: (query: {
      readonly cutoffMs: number
      readonly filter: ListFilter
      readonly afterChange: number
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<Candidate>, StoreError>

    /** Tombstones from before `cutoffMs` that are not compacted, with their change numbers. */
    readonly tombstonesBefore: (query: {
      readonly cutoffMs: number
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<Candidate>, StoreError>

    /** Stored execution environments. */
    readonly environments: EnvironmentReads

    /** How durable promises ended. */
    readonly promises: PromiseReads

    /** Rows that are due and that nobody holds, oldest first, at most `limit`. */
    readonly due: (options: {
      readonly nowMs: number
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<ProcessId>, StoreError>

    /** Who holds unreleased leases of processes that have not ended. Its cost grows with the leases that are held. */
    readonly holders: Effect.Effect<ReadonlyArray<Holder>, StoreError>

    /** The leases of one holder, of processes that have not ended, in order of registration. */
    readonly heldBy: (holder: Holder) => Effect.Effect<ReadonlyArray<Holding>, StoreError>

    /**
     * Extends a page of the unexpired leases of one keeper: the one write that goes by a condition and not by a decision.
     *
     * One transaction of at most 1,000 leases. What is not answered was not renewed: it expired, was released, or is another's.
     */
    readonly renewKept: (page: RenewPage) => Effect.Effect<RenewedPage, StoreError>
  }
>() {}
