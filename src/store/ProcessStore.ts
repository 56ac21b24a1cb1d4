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
import type { ProcessUnknown, StoreError } from "../model/errors.ts"
import type { HandleGrant } from "../model/Handle.ts"
import type { EnvironmentRef, ProcessId, SessionScopeId } from "../model/ids.ts"
import type { JournalEntry, Progress } from "../model/JournalEntry.ts"
import type { Lease, LeaseOwner } from "../model/Lease.ts"
import type { ListFilter } from "../model/ListFilter.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import type { ProcessLifecycle } from "../model/ProcessRecord.ts"
import type { SessionScope } from "../model/Provenance.ts"
import type { ChildReads } from "./Children.ts"
import type {
  Change,
  Decision,
  Glance,
  Plan,
  ProcessRow,
  PutDefinition,
  StoredPromise,
  Tombstone,
  View
} from "./Decision.ts"
import type { OutboxReads } from "./Outbox.ts"

/** The contract of a store. `src/testing` holds the laws that certify one. */
export class ProcessStore extends Context.Tag("holdfast/store/ProcessStore")<
  ProcessStore,
  {
    /** Whether what was committed survives the end of this OS process. */
    readonly durability: "inline" | "durable"

    /** A name for this store and its content, which no other store has. */
    readonly storeId: string

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
     * Calls `listener` with what each commit took, until the scope closes; for measurements. Absent: there is no writer.
     *
     * The listener must neither throw nor wait.
     */
    readonly onCommitWork?: (listener: (commit: CommitWork) => void) => Effect.Effect<void, never, Scope.Scope>

    /** The ids that other OS processes changed since this was last asked; always empty where that cannot happen. */
    readonly externalChanges: Effect.Effect<ReadonlyArray<ProcessId>, StoreError>

    /**
     * Calls `listener` when another program says that it has committed, until the scope closes. Absent: none says so here, and a
     * look finds it.
     *
     * `due` are processes that the commit left due and free, for any host to take up. What is said may be lost: correctness never
     * depends on it. The listener must neither throw nor wait.
     */
    readonly onExternalCommit?: (listener: (due: DueElsewhere) => void) => Effect.Effect<void, never, Scope.Scope>

    /** The store's own fibers, as nodes of the host's supervision tree. */
    readonly parts: () => ReadonlyArray<StorePart>

    /**
     * Runs several reads on one state of the store: none of them sees what is committed after the first.
     *
     * The reads must wait for nothing, and write nothing.
     */
    readonly readTogether: <A, E, R>(reads: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreError, R>

    /** Reads one process. */
    readonly find: (id: ProcessId) => Effect.Effect<Found, StoreError>

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

    /** The processes that wake a session, of all its frames, ended ones included, ascending by id. */
    readonly wakers: (sessionId: string) => Effect.Effect<ReadonlyArray<ProcessRow>, StoreError>

    /** Rows that are due and that no unexpired lease holds, oldest first, at most `limit`. */
    readonly due: (options: {
      readonly nowMs: number
      readonly limit: number
    }) => Effect.Effect<ReadonlyArray<ProcessId>, StoreError>

    /**
     * Keeps due rows from the sweeps of other hosts until the scope closes. Answers those that are still due and that no other host
     * keeps. Absent: one program alone sweeps.
     *
     * Correctness never depends on it: what becomes of a row is decided in a transaction of its own.
     */
    readonly reserve?: (
      ids: ReadonlyArray<ProcessId>,
      nowMs: number
    ) => Effect.Effect<ReadonlyArray<ProcessId>, never, Scope.Scope>

    readonly children: ChildReads
    readonly definitions: DefinitionReads
    readonly environments: EnvironmentReads
    readonly execution: ExecutionReads
    readonly feed: FeedReads
    readonly grants: GrantReads
    readonly leases: LeaseAccess
    readonly outbox: OutboxReads
    readonly promises: PromiseReads
    readonly retention: RetentionReads
  }
>() {}

/** What another program's commit left due and free: these, or more than it could name. */
export type DueElsewhere = ReadonlyArray<ProcessId> | "many"

/** The leases of processes. */
export interface LeaseAccess {
  /** The lease as stored, expired or not; `undefined` when released, never held or unknown. */
  readonly of: (id: ProcessId) => Effect.Effect<Lease | undefined, StoreError>

  /** The holders of unreleased leases of processes that have not ended. Its cost grows with the number of held leases. */
  readonly holders: Effect.Effect<ReadonlyArray<Holder>, StoreError>

  /** The leases of one holder, of processes that have not ended, in order of registration. */
  readonly heldBy: (holder: Holder) => Effect.Effect<ReadonlyArray<Holding>, StoreError>

  /**
   * Extends a page of the unexpired leases of one renewer: the one write that goes by a condition and not by a decision.
   *
   * One transaction of at most 1,000 leases. A lease that the answer leaves out was not renewed: it expired, was released, or
   * belongs to another renewer. One that is busy is neither: ask again.
   */
  readonly renew: (page: RenewPage) => Effect.Effect<RenewedPage, StoreError>
}

/** The reads of grants. */
export interface GrantReads {
  /** The grants of a process, ascending by session, then scope. */
  readonly ofProcess: (id: ProcessId) => Effect.Effect<ReadonlyArray<HandleGrant>, StoreError>

  /**
   * A page of the grants of a scope whose process matches a filter, each with that process as it is at the same moment, ascending by
   * its id (bytewise). A grant of a process that was pruned is not there.
   */
  readonly ofScope: (
    scopeId: SessionScopeId,
    query: Omit<ListQuery, "originator">
  ) => Effect.Effect<ReadonlyArray<GrantedRow>, StoreError>
}

/** A grant, and the row of the process that it is of. */
export interface GrantedRow {
  readonly grant: HandleGrant
  readonly row: ProcessRow
}

/** The reads of the change feed. */
export interface FeedReads {
  /** Rows and tombstones changed after a change number, each at its latest change, ascending. */
  readonly after: (change: number, limit: number) => Effect.Effect<ReadonlyArray<Numbered>, StoreError>

  /** The same at a glance, for who reads a whole store; absent where it would cost no less. */
  readonly glances?: (change: number, limit: number) => Effect.Effect<ReadonlyArray<Numbered<Glance>>, StoreError>
}

/** The reads of retention. Units: epoch milliseconds, UTC. */
export interface RetentionReads {
  /** Ended processes last changed before `cutoffMs`, in order of change, after one. */
  readonly endedBefore: (query: {
    readonly cutoffMs: number
    readonly filter: ListFilter
    readonly afterChange: number
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<Candidate>, StoreError>

  /** What is left of the earlier life of an id, also once it is compacted, and has another life. */
  readonly tombstone: (id: ProcessId) => Effect.Effect<Tombstone | undefined, StoreError>

  /** Tombstones from before `cutoffMs` that are not compacted, in order of change, after one. */
  readonly tombstonesBefore: (query: {
    readonly cutoffMs: number
    readonly afterChange: number
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<Candidate>, StoreError>
}

/** What a point read finds. */
export type Found =
  | { readonly _tag: "Present"; readonly row: ProcessRow }
  | { readonly _tag: "Pruned"; readonly tombstone: Tombstone }
  | { readonly _tag: "Absent" }

/**
 * A holder of unreleased leases, expired or not: a renewer with all of its leases, or an owner that renews its own.
 *
 * `owner` is one of the owners: the leases of one renewer belong to one OS process, whose evidence they all show.
 */
export interface Holder {
  readonly renewerId?: string
  readonly owner: LeaseOwner
  /** How many leases of processes that have not ended. */
  readonly leases: number
}

/** One lease of a holder. */
export interface Holding {
  readonly processId: ProcessId
  readonly owner: LeaseOwner
  readonly expiresAtMs: number
}

/** A page of one renewer's renewals, in order of registration. */
export interface RenewPage {
  readonly renewerId: string
  readonly ttlMs: number
  /** Goes on after a page. */
  readonly after?: number
}

/**
 * What a page renewed, and where the next one goes on; `next` is absent after the last page. `busy` are the tokens of leases that
 * another transaction holds.
 */
export interface RenewedPage {
  readonly renewed: ReadonlyArray<{ readonly processId: ProcessId; readonly leaseToken: string }>
  readonly busy?: ReadonlyArray<string>
  readonly expiresAtMs: number
  readonly next?: number
}

/** One commit of a store's writer: how many processes it changed, and the time between the lock and its end. */
export interface CommitWork {
  readonly changes: number
  readonly busyMs: number
}

/** A fiber that a store runs and restarts by itself. Units: epoch milliseconds, UTC. */
export interface StorePart {
  readonly name: string
  readonly kind: "worker"
  readonly state: string
  readonly restarts: number
  readonly lastFailure?: { readonly atMs: number; readonly problem: string }
  /** What it has committed since it was made: `busyMs` is the time between the lock and the end of its commits. */
  readonly work?: { readonly commits: number; readonly changes: number; readonly busyMs: number }
  readonly children: readonly []
}

/** One entry of the change feed, as a store numbers it. */
export type Numbered<Row = ProcessRow> =
  | { readonly _tag: "Row"; readonly change: number; readonly row: Row }
  | { readonly _tag: "Tombstone"; readonly change: number; readonly tombstone: Tombstone }

/** An ended process that a prune may take, as it stood when it was looked at. */
export interface Candidate {
  readonly processId: ProcessId
  readonly sequence: number
  readonly change: number
  /** The process that it is a child of, if the store says so here: a decision about both locks both. */
  readonly parentId?: ProcessId | null
}

/** How many processes are in each state; pruned ones are in none. */
export type LifecycleCounts = Readonly<Record<ProcessLifecycle, number>>

/** No process in any state. */
export const noProcesses: LifecycleCounts = { running: 0, completed: 0, failed: 0, cancelled: 0, abandoned: 0 }

/** A page of a list: ascending by id, after one; all that follows, where there is no limit. */
export interface ListQuery {
  readonly filter: ListFilter
  /** Only those that this session started; of one frame, where the scope names one. */
  readonly originator?: SessionScope
  readonly after?: ProcessId
  readonly limit?: number
}

/** Reads for bodies that run again, and for timers. Units: epoch milliseconds, UTC. */
export interface ExecutionReads {
  /** The journal of a process, in order of position; all of it, or a page. */
  readonly journal: (
    id: ProcessId,
    page?: { readonly after: number; readonly limit: number }
  ) => Effect.Effect<ReadonlyArray<JournalEntry>, StoreError>

  /** How far the steps of a process are that are under way, by key. */
  readonly progress: (id: ProcessId) => Effect.Effect<ReadonlyArray<Progress>, StoreError>

  /** The entry at a position of a journal, if it was written. */
  readonly entryAt: (id: ProcessId, position: number) => Effect.Effect<JournalEntry | undefined, StoreError>

  /**
   * The events that a body may wait for: ends of waits and of children, signals, requests to stop. Ascending, after a sequence.
   */
  readonly news: (
    id: ProcessId,
    page: { readonly after: number; readonly limit: number }
  ) => Effect.Effect<ReadonlyArray<ProcessEvent>, StoreError>

  /** The event that was appended under a replay key. */
  readonly eventByKey: (id: ProcessId, replayKey: string) => Effect.Effect<ProcessEvent | undefined, StoreError>

  /** Processes with a wait whose deadline has passed, the earliest first. */
  readonly timersDue: (options: {
    readonly nowMs: number
    readonly limit: number
  }) => Effect.Effect<ReadonlyArray<ProcessId>, StoreError>

  /** The earliest deadline of any wait; `undefined` when there is none. */
  readonly nextTimer: Effect.Effect<number | undefined, StoreError>
}

/** The reads of durable promises. */
export interface PromiseReads {
  /** How a promise ended, or `undefined` while it has not. */
  readonly get: (keyId: string) => Effect.Effect<StoredPromise | undefined, StoreError>
}

/** The reads of the definitions of charts. */
export interface DefinitionReads {
  /** The definitions that processes of an engine began with, by hash, each as JSON text. */
  readonly of: (
    kind: string,
    version: string
  ) => Effect.Effect<ReadonlyArray<{ readonly hash: string; readonly body: string }>, StoreError>

  /** Every definition that is stored, by kind, version and hash. */
  readonly all: Effect.Effect<ReadonlyArray<Omit<PutDefinition, "_tag">>, StoreError>
}

/** The reads of stored environments. */
export interface EnvironmentReads {
  /** The text stored under an address, or `undefined`. */
  readonly get: (ref: EnvironmentRef) => Effect.Effect<string | undefined, StoreError>
}
