/**
 * Observation: what people and models are shown of processes. It reads and never judges: a lease is shown as stored.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { InputInvalid, StoreError } from "../model/errors.ts"
import type { GrantEntry, HandleDescriptor } from "../model/Grant.ts"
import type { ProcessId } from "../model/ids.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import type { ListFilter } from "../model/ListFilter.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import type { ProcessLifecycle, ProcessRecord } from "../model/ProcessRecord.ts"
import type { SessionScope } from "../model/Provenance.ts"

/** One process as observers see it. Units: epoch milliseconds, UTC. */
export interface ObservedProcess {
  readonly record: ProcessRecord
  /** Names it in graphs of sessions and processes: `process:{id}`. */
  readonly graphKey: string
  readonly kind: string
  /** The identity's label, else its kind. */
  readonly label: string
  readonly lifecycle: ProcessLifecycle
  readonly terminal: boolean
  /** The message of a failure or a cancellation; successes and abandonments have none. */
  readonly error?: string
  /** As stored, also when it has expired. */
  readonly leaseHolder?: LeaseOwner
  readonly leaseExpiresAtMs?: number
  /** The session that a session turn runs in. */
  readonly childSessionId?: string
}

/** A process in the view of one session, with its last events. */
export interface SessionProcess extends ObservedProcess {
  readonly descriptor: HandleDescriptor
  readonly events: ReadonlyArray<ProcessEvent>
}

/** The read side for people and models. */
export class Observation extends Context.Tag("holdfast/store/Observation")<
  Observation,
  {
    /** One process; `undefined` when there is none, or only its tombstone. */
    readonly observe: (id: ProcessId) => Effect.Effect<ObservedProcess | undefined, InputInvalid | StoreError>

    /**
     * The processes a session sees: those granted to its plain scope, and those that wake it, whatever the frame. Having
     * started one is not enough. Newest changes first, each with its last 32 events.
     */
    readonly snapshotForSession: (
      sessionId: string
    ) => Effect.Effect<ReadonlyArray<SessionProcess>, InputInvalid | StoreError>

    /** Grants of a scope whose process matches a filter, ascending by process. */
    readonly listGrantedTo: (
      scope: SessionScope,
      filter: ListFilter
    ) => Effect.Effect<ReadonlyArray<GrantEntry>, InputInvalid | StoreError>

    /** Processes a session started, of one frame when the scope names one, ascending by id. */
    readonly listOriginatedBy: (
      scope: SessionScope,
      filter: ListFilter
    ) => Effect.Effect<ReadonlyArray<ProcessRecord>, InputInvalid | StoreError>
  }
>() {}
