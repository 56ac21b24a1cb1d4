/**
 * What a decision knows, and what it answers: the one shape of every write.
 *
 * A write names the processes it touches; the store locks and loads them, calls a pure decision on what it loaded, and writes
 * the changes that the decision answers with, all in one transaction.
 */

import type { ProcessSnapshot } from "../../machines/process/lifecycle.ts"
import type { ProcessCommand } from "../../machines/process/machine.ts"
import type { LifecycleEvent } from "../model/facts.ts"
import type { HandleGrant } from "../model/Handle.ts"
import type { EnvironmentRef, ProcessId, SessionScopeId } from "../model/ids.ts"
import type { WrittenEntry, WrittenProgress } from "../model/JournalEntry.ts"
import { copyOf } from "../model/json.ts"
import type { LeaseSlot } from "../model/Lease.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import type { Base, ProcessRecord, StoredSnapshot } from "../model/ProcessRecord.ts"
import * as Record from "../model/ProcessRecord.ts"
import type { Registration } from "../model/Registration.ts"
import { engineOf } from "../model/Registration.ts"
import type { WakeDelivery } from "../model/WakeDelivery.ts"
import type { OutboxView, OutboxWrite } from "./Outbox.ts"

/** Everything a decision may know about one process. Units: epoch milliseconds, UTC. */
export interface ProcessRow {
  readonly base: Base
  /** The sequence of the last event; 0 when there is none. */
  readonly sequence: number
  readonly snapshot: ProcessSnapshot
  readonly lease: LeaseSlot
  /** When a sweep should next look at this row; `null` when only an event can move it. */
  readonly dueAtMs: number | null
  /** Why it waits although it could run: a start failed. No part of the record; removed once an activation begins. */
  readonly backOff?: BackOff
}

/** What of a row a list shows: every row is one, and a store may read no more than this of each. */
export interface Glance extends Pick<ProcessRow, "sequence" | "dueAtMs"> {
  readonly base: Pick<Base, "createdAtMs"> & { readonly registration: Omit<Registration, "eventTypes"> }
  readonly snapshot: StoredSnapshot
  readonly lease: { readonly held?: { readonly owner: { readonly ownerId: string }; readonly expiresAtMs: number } }
}

/** How many starts of a process failed in a row, the last reason, and when the next is due. Units: epoch milliseconds, UTC. */
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
  /** The first event after a sequence that a chart takes: a signal, the end of a child, or an input of its own. */
  readonly nextChartInput: (id: ProcessId, sequence: number) => ProcessEvent | undefined
  readonly grant: (scopeId: SessionScopeId, id: ProcessId) => HandleGrant | undefined
  readonly grantsOf: (id: ProcessId) => ReadonlyArray<HandleGrant>
  /** Every grant of the plan's session, of all its frames. */
  readonly sessionGrants: () => ReadonlyArray<HandleGrant>
  /** Every process that wakes the plan's session, whatever the frame. */
  readonly sessionTargets: () => ReadonlyArray<ProcessId>
  readonly outbox: OutboxView
}

/** A side write: one that is not to a process's own rows. */
export type Write =
  | ChildWrite
  | { readonly _tag: "PutGrant"; readonly grant: HandleGrant }
  | { readonly _tag: "RemoveGrant"; readonly scopeId: SessionScopeId; readonly processId: ProcessId }
  | { readonly _tag: "PutJournal"; readonly processId: ProcessId; readonly entry: WrittenEntry }
  /** Keeps how far a step is, in place of what was kept before. */
  | { readonly _tag: "PutProgress"; readonly processId: ProcessId; readonly progress: WrittenProgress }
  | { readonly _tag: "RemoveProgress"; readonly processId: ProcessId; readonly key: string }
  | { readonly _tag: "AckWake"; readonly processId: ProcessId; readonly sequence: number }
  /** Removes a process with all that belongs to it, and leaves the tombstone. */
  | { readonly _tag: "Prune"; readonly tombstone: Tombstone }
  | { readonly _tag: "Compact"; readonly processId: ProcessId }
  | OutboxWrite
  | PutDefinition
  | PutEnvironment
  | EndPromise

/** One process as a decision leaves it: the row after it, the events that led there, the hints they gave. */
export interface Change {
  /** The row as it was loaded; absent for a process that this change registers. */
  readonly before?: ProcessRow
  readonly row: ProcessRow
  readonly events: ReadonlyArray<ProcessEvent>
  /** What each of the events meant to the lifecycle machine, in the same order. */
  readonly lifecycle: ReadonlyArray<LifecycleEvent>
  readonly commands: ReadonlyArray<ProcessCommand>
  /**
   * The wakes that the events call for: written to the outbox with them, fresh and due at once. A wake whose id has an open
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

/** Accepts, with side writes; changes are written first. */
export const acceptWith = <A>(
  answer: A,
  writes: ReadonlyArray<Write>,
  changes: ReadonlyArray<Change> = []
): Decision<A, never> => ({ _tag: "Accepted", answer, changes, writes })

/** Answers something else of a decision, such as a value of its receiver's own. What is written stays. */
export const answering =
  <A, B, E>(decide: (view: View) => Decision<A, E>, answerOf: (answer: A) => B): ((view: View) => Decision<B, E>) =>
  (view) => {
    const decision = decide(view)
    return decision._tag === "Refused" ? decision : { ...decision, answer: answerOf(decision.answer) }
  }

/** Refuses: nothing is written. */
export const refuse = <E>(error: E): Decision<never, E> => ({ _tag: "Refused", error })

/** The end of a promise as it is stored. `token` identifies its writer, which so finds out whether it was the first. */
export interface StoredPromise {
  readonly body: string
  readonly token: string
}

/** Ends a promise, unless it has ended. */
export interface EndPromise extends StoredPromise {
  readonly _tag: "EndPromise"
  readonly keyId: string
}

/** Stores the definition of a chart as JSON text, unless it is there. */
export interface PutDefinition {
  readonly _tag: "PutDefinition"
  readonly kind: string
  readonly version: string
  readonly hash: string
  readonly body: string
}

/** Stores an environment's text, in place of any under the same address. */
export interface PutEnvironment {
  readonly _tag: "PutEnvironment"
  readonly ref: EnvironmentRef
  readonly body: string
}

/** The record of a row. */
export const recordOf = (row: ProcessRow): ProcessRecord => Record.make(row.base, row.snapshot)

/**
 * A row of its receiver's own: it shares nothing that could be changed with what a store keeps. Of the snapshot only value and
 * context are data; the rest is the machine's.
 */
export const copyOfRow = ({ snapshot, ...row }: ProcessRow): ProcessRow => ({
  ...copyOf(row),
  snapshot: { ...snapshot, value: copyOf(snapshot.value), context: copyOf(snapshot.context) } as ProcessSnapshot // of the same state
})

/** The registration by which a process runs now: a chart that was taken over runs in its later version. */
export const runsAs = ({ base: { registration }, snapshot: { context } }: ProcessRow): Registration => {
  const { identity } = registration
  const version = context.chart?.definition.version
  return version === undefined || version === engineOf(registration).version
    ? registration
    : { ...registration, identity: { ...identity, definition: { ...(identity.definition as object), version } } } // an engine's is a record
}

/** The event types that a process declares: those of the present version of its chart go before those of its registration. */
export const eventTypesOf = ({
  base: { registration },
  snapshot: { context }
}: ProcessRow): Registration["eventTypes"] => {
  const later = context.chart?.declares as Registration["eventTypes"] | undefined // written from the chart of that version
  if (later === undefined) return registration.eventTypes
  const names = new Set(later.map(({ name }) => name))
  return [...later, ...registration.eventTypes.filter(({ name }) => !names.has(name))]
}

/** A request that a closing parent has still to make of one child. Units: epoch milliseconds, UTC. */
export interface CloseRequest {
  readonly childId: ProcessId
  readonly parentId: ProcessId
  readonly action: "cancel" | "abandon"
  /** The reason that the child will record: "parent …", and how the parent closed. */
  readonly reason: string
  readonly requestedAtMs: number
}

/** What a decision may know about close requests. */
export interface ChildView {
  /** The pending request for a child. */
  readonly closeRequest: (childId: ProcessId) => CloseRequest | undefined
  /** Whether a parent has requests pending. */
  readonly hasCloseRequests: (parentId: ProcessId) => boolean
}

/** Writes of close requests that a decision asks for. The store itself writes those of every end that it sees. */
export type ChildWrite =
  | { readonly _tag: "PutCloseRequest"; readonly request: CloseRequest }
  | { readonly _tag: "RemoveCloseRequest"; readonly childId: ProcessId }
