/**
 * Observation: what people and models are shown of processes. It reads and never judges: a lease is shown as stored.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { InputInvalid, ProcessPruned, StoreError } from "../model/errors.ts"
import type { GrantPage, HandleDescriptor } from "../model/Handle.ts"
import type { ProcessId } from "../model/ids.ts"
import { sessionScopeId } from "../model/ids.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import { leaseIn } from "../model/Lease.ts"
import type { ListFilter, ListPage, ProcessPage } from "../model/ListFilter.ts"
import * as Filter from "../model/ListFilter.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import type { ProcessLifecycle, ProcessRecord } from "../model/ProcessRecord.ts"
import { isTerminal, lifecycleLabel } from "../model/ProcessRecord.ts"
import type { SessionScope } from "../model/Provenance.ts"
import { scopeId } from "../model/Provenance.ts"
import type { ProcessInput } from "../model/Registration.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { recordOf } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"
import { rowUnlessPruned } from "./existing.ts"
import { grantsOn, processesOn } from "./pages.ts"

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
    /** One process; `undefined` when there is none. Fails with `ProcessPruned` when there was one. */
    readonly observe: (
      id: ProcessId
    ) => Effect.Effect<ObservedProcess | undefined, ProcessPruned | InputInvalid | StoreError>

    /**
     * The processes a session sees: those granted to its plain scope, and those that wake it, whatever the frame. Having
     * started one is not enough. Newest changes first, each with its last 32 events.
     */
    readonly snapshotForSession: (
      sessionId: string
    ) => Effect.Effect<ReadonlyArray<SessionProcess>, InputInvalid | StoreError>

    /** A page of the grants of a scope whose process matches a filter, ascending by process. @default limit 100 */
    readonly listGrantedTo: (
      scope: SessionScope,
      filter: ListFilter,
      page?: ListPage
    ) => Effect.Effect<GrantPage, InputInvalid | StoreError>

    /** A page of the processes that a session started, of one frame when the scope names one, ascending by id. @default limit 100 */
    readonly listOriginatedBy: (
      scope: SessionScope,
      filter: ListFilter,
      page?: ListPage
    ) => Effect.Effect<ProcessPage, InputInvalid | StoreError>
  }
>() {}

/** How many events of each process a session's snapshot shows. */
export const shownEvents = 32

/** Builds observation on a store. */
export const make: Effect.Effect<typeof Observation.Service, never, ProcessStore> = Effect.map(
  ProcessStore,
  (store) => {
    const withEvents = (row: ProcessRow, descriptor: HandleDescriptor) =>
      store.recentEvents(row.base.registration.id, shownEvents).pipe(
        // Its row was read at the same moment.
        Effect.catchTag("ProcessUnknown", Effect.die),
        Effect.map((events): SessionProcess => ({ ...observed(row), descriptor, events }))
      )

    const snapshotOf = Effect.fnUntraced(function* (session: string) {
      const shown = new Map<ProcessId, SessionProcess>()
      for (const { grant, row } of yield* store.grants.ofScope(sessionScopeId(session), {
        filter: { status: "any" }
      })) {
        shown.set(grant.processId, yield* withEvents(row, grant.descriptor))
      }
      for (const row of yield* store.wakers(session)) {
        const { id, identity } = row.base.registration
        if (!shown.has(id)) shown.set(id, yield* withEvents(row, descriptorOf(identity)))
      }
      return [...shown.values()].sort(newestFirst)
    })

    return Checks.answering(
      Observation.of({
        observe: Effect.fnUntraced(function* (id) {
          const row = yield* rowUnlessPruned(store, yield* Checks.id(id))
          return row && observed(row)
        }),
        snapshotForSession: Effect.fnUntraced(function* (sessionId) {
          return yield* store.readTogether(snapshotOf(yield* Checks.text("session_id", sessionId)))
        }),
        listGrantedTo: Effect.fnUntraced(function* (scope, filter, page) {
          const wanted = scopeId(yield* Checks.scope("scope", scope))
          const checked = yield* Filter.check(filter)
          return yield* grantsOn(page, (query) => store.grants.ofScope(wanted, { ...query, filter: checked }))
        }),
        listOriginatedBy: Effect.fnUntraced(function* (scope, filter, page) {
          const originator = yield* Checks.scope("scope", scope)
          const checked = yield* Filter.check(filter)
          return yield* processesOn(page, (query) => store.list({ ...query, filter: checked, originator }))
        })
      })
    )
  }
)

/** Observation of the store in context. */
export const layer: Layer.Layer<Observation, never, ProcessStore> = Layer.effect(Observation, make)

const observed = (row: ProcessRow): ObservedProcess => {
  const record = recordOf(row)
  const { id, identity, input } = record
  const lease = leaseIn(id, row.lease)
  const error = errorOf(record)
  const childSessionId = childSessionOf(input)
  return {
    record,
    graphKey: `process:${id}`,
    kind: identity.kind,
    label: identity.label ?? identity.kind,
    lifecycle: lifecycleLabel(record),
    terminal: isTerminal(record),
    ...(error === undefined ? {} : { error }),
    ...(lease === undefined ? {} : { leaseHolder: lease.owner, leaseExpiresAtMs: lease.expiresAtMs }),
    ...(childSessionId === undefined ? {} : { childSessionId })
  }
}

const errorOf = ({ status }: ProcessRecord): string | undefined => {
  if (status._tag === "Running") return undefined
  return status.output._tag === "Failure" || status.output._tag === "Cancelled" ? status.output.message : undefined
}

const childSessionOf = (input: ProcessInput): string | undefined => {
  const request = input._tag === "SessionTurn" ? input.createRequest : undefined
  const id = typeof request === "object" && request !== null && "session_id" in request ? request.session_id : undefined
  return typeof id === "string" ? id : undefined
}

const descriptorOf = ({ kind, label }: ProcessRecord["identity"]): HandleDescriptor => ({
  kind,
  ...(label === undefined ? {} : { label })
})

const newestFirst = (a: SessionProcess, b: SessionProcess): number =>
  b.record.updatedAtMs - a.record.updatedAtMs ||
  b.record.createdAtMs - a.record.createdAtMs ||
  Buffer.compare(Buffer.from(a.record.id), Buffer.from(b.record.id))
