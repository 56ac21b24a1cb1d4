/**
 * What a store answers to a read, and to the one write that goes by a condition.
 */
import type * as Effect from "effect/Effect"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { JournalEntry } from "../model/Journal.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import type { ListFilter } from "../model/ListFilter.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import type { ProcessLifecycle } from "../model/ProcessRecord.ts"
import type { ProcessRow, Tombstone } from "./ProcessStore.ts"

/** What a point read finds. */
export type Found =
  | { readonly _tag: "Present"; readonly row: ProcessRow }
  | { readonly _tag: "Pruned"; readonly tombstone: Tombstone }
  | { readonly _tag: "Absent" }

/**
 * Who holds unreleased leases, expired or not: a keeper with all of its leases, or a holder that renews alone.
 *
 * `owner` is one of its holders: the leases of one keeper belong to one OS process, whose evidence they all show.
 */
export interface Holder {
  readonly keeper?: string
  readonly owner: LeaseOwner
  /** How many leases of processes that have not ended. */
  readonly leases: number
}

/** One lease of a holder. */
export interface Holding {
  readonly processId: ProcessId
  readonly owner: LeaseOwner
}

/** A page of one keeper's renewals, in order of registration. */
export interface RenewPage {
  readonly keeper: string
  readonly ttlMs: number
  /** Goes on after a page. */
  readonly after?: number
}

/** What a page renewed, and where the next one goes on; `next` is absent after the last page. */
export interface RenewedPage {
  readonly renewed: ReadonlyArray<{ readonly processId: ProcessId; readonly leaseToken: string }>
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
export type Numbered =
  | { readonly _tag: "Row"; readonly change: number; readonly row: ProcessRow }
  | { readonly _tag: "Tombstone"; readonly change: number; readonly tombstone: Tombstone }

/** An ended process that a prune may take, as it stood when it was looked at. */
export interface Candidate {
  readonly processId: ProcessId
  readonly sequence: number
  readonly change: number
}

/** How many processes are in each state; pruned ones are in none. */
export type LifecycleCounts = Readonly<Record<ProcessLifecycle, number>>

/** No process in any state. */
export const noProcesses: LifecycleCounts = { running: 0, completed: 0, failed: 0, cancelled: 0, abandoned: 0 }

/** A page of a list: ascending by id, after one. */
export interface ListQuery {
  readonly filter: ListFilter
  readonly after?: ProcessId
  readonly limit?: number
}

/** Reads for bodies that run again, and for timers. Units: epoch milliseconds, UTC. */
export interface ExecutionReads {
  /** The journal of a process, in order of position. */
  readonly journal: (id: ProcessId) => Effect.Effect<ReadonlyArray<JournalEntry>, StoreError>

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
