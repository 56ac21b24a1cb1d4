/**
 * The registry: point reads and writes of processes. It never waits; waiting lives above it.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import type {
  CompletionRefused,
  ExternalRefConflict,
  InputInvalid,
  LeaseLost,
  ProcessAlreadyTerminal,
  ProcessPruned,
  RegistrationConflict,
  RegistrationInvalid,
  StoreError
} from "../model/errors.ts"
import { ProcessUnknown } from "../model/errors.ts"
import type { AbandonRequest, AppendReceipt, AppendRequest, ExternalRef } from "../model/facts.ts"
import * as Facts from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import { signalEventType, signalNameProblem, signalReplayKey } from "../model/ids.ts"
import type { Lease } from "../model/Lease.ts"
import { LeaseOwner } from "../model/Lease.ts"
import type { ListFilter, ListPage, ProcessPage } from "../model/ListFilter.ts"
import * as Filter from "../model/ListFilter.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import type { Registration } from "../model/Registration.ts"
import type { Decision, ProcessRow, View } from "../store/Decision.ts"
import { recordOf } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"
import * as Activation from "./decisions/activation.ts"
import type { AppendRefusal } from "./decisions/append.ts"
import * as Append from "./decisions/append.ts"
import type { Authority } from "./decisions/authority.ts"
import { lockOf } from "./decisions/authority.ts"
import type { CompletionAuthority, CompletionRefusal } from "./decisions/completion.ts"
import * as Completion from "./decisions/completion.ts"
import * as Execution from "./decisions/execution.ts"
import * as Records from "./decisions/records.ts"
import * as Register from "./decisions/register.ts"
import type { Lookup } from "./existing.ts"
import { onKnown, readingKnown, rowUnlessPruned } from "./existing.ts"
import { processesOn } from "./pages.ts"

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

    /**
     * Sends a signal. The same signal id again is a replay, also once the process has ended.
     *
     * Fails with `ProcessAlreadyTerminal` when the process has ended, with what `judge` refuses it for, otherwise as
     * `appendEvent` does.
     */
    readonly signal: <E = never>(
      id: ProcessId,
      signal: SignalRequest<E>,
      authority: Authority
    ) => Effect.Effect<AppendReceipt, AppendRefusal | InputInvalid | Lookup | E>

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

    /**
     * Records a request to stop, once for each reason; answers the present record, usually still running.
     *
     * An ended process notes the request and stays as it is.
     */
    readonly requestProcessCancel: (
      id: ProcessId,
      reason: string | null,
      authority: Authority
    ) => Effect.Effect<ProcessRecord, LeaseLost | InputInvalid | Lookup>

    /** The same for a person who asks: fails with `ProcessAlreadyTerminal` when the process has ended. */
    readonly cancelRunning: (
      id: ProcessId,
      reason: string | null,
      authority: Authority
    ) => Effect.Effect<ProcessRecord, ProcessAlreadyTerminal | LeaseLost | InputInvalid | Lookup>

    /** Records a request to give a process up; only the first one counts. Fails with `ProcessAlreadyTerminal`. */
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
      page?: ListPage
    ) => Effect.Effect<ProcessPage, InputInvalid | StoreError>

    /** Every process that has not ended, ascending by id. */
    readonly listNonTerminal: Effect.Effect<ReadonlyArray<ProcessRecord>, StoreError>
  }
>() {}

/** A signal to send: its name, what it carries, and the id under which the same sending is recorded once. */
export interface SignalRequest<E = never> {
  readonly name: string
  readonly payload: unknown
  readonly signalId: string
  readonly wakeTargetScope?: AppendRequest["wakeTargetScope"]
  /** Refuses a signal that is no replay, inside the transaction. @default none is refused */
  readonly judge?: (view: View) => E | undefined
}

/** Builds the registry on a store. */
export const make: Effect.Effect<typeof ProcessRegistry.Service, never, ProcessStore> = Effect.map(
  Effect.all([ProcessStore, Checks.make]),
  ([store, checks]) => {
    const known = onKnown(store)
    const reading = readingKnown(store)

    const cancelling = <E>(
      decide: (id: ProcessId, reason: string | null, authority: Authority) => (view: View) => Decision<ProcessRow, E>
    ) =>
      Effect.fnUntraced(function* (id: ProcessId, reason: string | null, presented: Authority) {
        yield* Checks.id(id)
        const authority = yield* Checks.authority(presented)
        const checked = yield* checks.shape("reason", Schema.NullOr(Schema.String), reason)
        const plan = Completion.cancelPlan(id, checked, authority)
        return recordOf(yield* known(id, plan, decide(id, checked, authority)))
      })

    return Checks.answering(
      ProcessRegistry.of({
        registerProcess: Effect.fnUntraced(function* (registration) {
          const registered = yield* Checks.registration(registration, checks.taking)
          return recordOf(
            yield* store.transact(Register.registerPlan(registered.registration), Register.register(registered))
          )
        }),
        appendEvent: Effect.fnUntraced(function* (id, request, presented) {
          yield* Checks.id(id)
          const authority = yield* Checks.authority(presented)
          const checked = yield* checks.appendRequest(request)
          return yield* known(id, Append.appendPlan(id, checked, authority), Append.appendEvent(id, checked, authority))
        }),
        signal: Effect.fnUntraced(function* <E>(id: ProcessId, request: SignalRequest<E>, presented: Authority) {
          const fields = yield* Checks.knownFieldsOf<SignalRequest<E>>("request", signalFields, request)
          const { name, payload, signalId, wakeTargetScope, judge } = fields
          yield* Checks.id(id)
          const authority = yield* Checks.authority(presented)
          yield* Checks.text("name", name)
          yield* Checks.text("signal_id", signalId)
          const problem = signalNameProblem(name)
          if (problem !== undefined) return yield* Checks.refuse("name", problem)
          const checked = yield* checks.appendRequest({
            eventType: signalEventType(name),
            payload,
            replayKey: signalReplayKey(id, name, signalId),
            ...(wakeTargetScope === undefined ? {} : { wakeTargetScope })
          })
          return yield* known(
            id,
            Append.appendPlan(id, checked, authority),
            Execution.signal(id, checked, authority, judge)
          )
        }),
        recordFirstStarted: Effect.fnUntraced(function* (id, started) {
          yield* Checks.id(id)
          const checked = yield* checks.shape("started", FirstStarted, started)
          return recordOf(yield* known(id, { lock: [id] }, Activation.recordFirstStarted(id, checked)))
        }),
        completeProcessWithLease: Effect.fnUntraced(function* (presented, output) {
          const lease = yield* Checks.lease("lease", presented)
          const { processId } = lease
          const checked = yield* checks.output(output)
          const plan = Completion.completionPlan(processId, checked)
          return recordOf(yield* known(processId, plan, Completion.completeWithLease(lease, checked)))
        }),
        completeProcess: Effect.fnUntraced(function* (id, output, authority) {
          yield* Checks.id(id)
          const by = yield* checks.shape("authority", completionAuthority, authority)
          const checked = yield* checks.output(output)
          const plan = Completion.completionPlan(id, checked)
          return recordOf(yield* known(id, plan, Completion.completeWithAuthority(id, checked, by)))
        }),
        requestProcessCancel: cancelling(Completion.requestCancel),
        cancelRunning: cancelling(Completion.cancelRunning),
        requestProcessAbandon: Effect.fnUntraced(function* (id, request, presented) {
          yield* Checks.id(id)
          const authority = yield* Checks.authority(presented)
          const checked = yield* checks.shape("request", Facts.AbandonRequest, request)
          return recordOf(
            yield* known(id, { lock: lockOf(id, authority) }, Completion.requestAbandon(id, checked, authority))
          )
        }),
        setExternalRef: Effect.fnUntraced(function* (id, externalRef, presented) {
          yield* Checks.id(id)
          const authority = yield* Checks.authority(presented)
          const checked = yield* checks.shape("external_ref", Facts.ExternalRef, externalRef)
          const plan = { lock: lockOf(id, authority) }
          return recordOf(yield* known(id, plan, Records.setExternalRef(id, checked, authority)))
        }),
        ackWake: Effect.fnUntraced(function* (id, sequence) {
          yield* Checks.id(id)
          const checked = yield* Checks.count("sequence", sequence)
          yield* known(id, { lock: [id] }, Records.ackWake(id, checked))
        }),
        getProcess: (id) => Effect.map(rowUnlessPruned(store, id), (row) => row && recordOf(row)),
        eventsAfter: Effect.fnUntraced(function* (id, sequence, limit) {
          yield* Checks.id(id)
          const page = yield* Checks.page(sequence, limit)
          return yield* reading(id, store.eventsAfter(id, page.sequence, page.limit))
        }),
        countEventsThrough: Effect.fnUntraced(function* (id, eventType, upto) {
          yield* Checks.id(id)
          yield* Checks.text("event_type", eventType)
          return yield* reading(id, store.countEvents(id, eventType, yield* Checks.count("upto", upto)))
        }),
        recentEvents: Effect.fnUntraced(function* (id, limit) {
          yield* Checks.id(id)
          return yield* reading(id, store.recentEvents(id, yield* Checks.count("limit", limit)))
        }),
        wakeEventsAfter: Effect.fnUntraced(function* (id, sequence) {
          yield* Checks.id(id)
          return yield* reading(id, store.wakeEventsAfter(id, yield* Checks.count("sequence", sequence)))
        }),
        listProcesses: Effect.fnUntraced(function* (filter, page) {
          const checked = yield* Filter.check(filter)
          return yield* processesOn(page, (query) => store.list({ ...query, filter: checked }))
        }),
        listNonTerminal: Effect.map(store.listNonTerminal, (rows) => rows.map(recordOf))
      })
    )
  }
)

/** The registry on the store in context. */
export const layer: Layer.Layer<ProcessRegistry, never, ProcessStore> = Layer.effect(ProcessRegistry, make)

const signalFields = { name: true, payload: true, signalId: true, wakeTargetScope: true, judge: true } as const

const FirstStarted = Schema.Struct({ owner: LeaseOwner, startedAtMs: Schema.Int })

const completionAuthority = Schema.Union(
  Schema.Struct({ _tag: Schema.Literal("ExternalOwner", "ReconciledAbandon") }),
  Schema.Struct({ _tag: Schema.Literal("WorkflowKey"), workflowKey: Schema.String })
)

/** The record of a process. Fails with `ProcessUnknown` when there is none. */
export const readProcess = (
  registry: typeof ProcessRegistry.Service,
  id: ProcessId
): Effect.Effect<ProcessRecord, Lookup> =>
  Effect.flatMap(registry.getProcess(id), (record) =>
    record === undefined ? Effect.fail(new ProcessUnknown({ processId: id })) : Effect.succeed(record)
  )

/** The name of the requester, its authority, and the reason. */
export interface Asking {
  readonly requestedBy: string
  readonly authority: Authority
  readonly reason: string | undefined
}

/** Records the request. Fails with `ProcessAlreadyTerminal`, and with `LeaseLost` when the authority is a lease that is gone. */
export const requestAbandon = (
  registry: typeof ProcessRegistry.Service,
  id: ProcessId,
  { requestedBy, authority, reason }: Asking
): Effect.Effect<ProcessRecord, ProcessAlreadyTerminal | LeaseLost | InputInvalid | Lookup> =>
  Effect.flatMap(Clock.currentTimeMillis, (requestedAtMs) =>
    registry.requestProcessAbandon(
      id,
      { requestedBy, requestedAtMs, ...(reason === undefined ? {} : { reason }) },
      authority
    )
  )
