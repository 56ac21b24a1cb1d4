/**
 * One process as the page shows it: now, its log, and as it was right after any of its events.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { ProcessSnapshot } from "../../../machines/process/lifecycle.ts"
import { processMachine } from "../../../machines/process/machine.ts"
import type * as Step from "../../../machines/xstate/step.ts"
import type { Redact } from "../../explain/redaction.ts"
import { redactContext, redactEvent, redactRecord } from "../../explain/redaction.ts"
import type { InputInvalid, ProcessPruned, ProcessUnknown, StoreError } from "../../model/errors.ts"
import { lifecycleEventOf } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import { signalEventType, signalNameOf } from "../../model/ids.ts"
import type { JournalEntry } from "../../model/JournalEntry.ts"
import { afterForks, apart } from "../../model/JournalEntry.ts"
import { leaseIn } from "../../model/Lease.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import * as ProcessRecord from "../../model/ProcessRecord.ts"
import type { Registration } from "../../model/Registration.ts"
import { wire } from "../../model/wire.ts"
import { acceptedBy } from "../../operations/Charts.ts"
import { existingRow } from "../../operations/existing.ts"
import * as States from "../../operations/stateAt.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import { eventTypesOf } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { acceptedEvents, activeStates, transitionsTaken } from "../charts/definition.ts"
import { machineOf } from "../charts/stored.ts"
import type { Deaths } from "../InspectorSource.ts"
import type { EventsView, EventView, JournalView, MomentView, ProcessView, SignalView } from "../View.ts"
import { childrenOf, rowView } from "./list.ts"
import { ledTo, restView, takenBy } from "./rest.ts"

type Store = typeof ProcessStore.Service

/** Why a process cannot be shown. */
export type Hidden = ProcessUnknown | ProcessPruned | StoreError

/** Reads a process. Fails with `ProcessUnknown`, or `ProcessPruned` when there was one. */
export const processView = (
  store: Store,
  id: ProcessId,
  redact: Redact,
  isDead: Deaths
): Effect.Effect<ProcessView, Hidden> =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const { row, rest, shown, children, entries, progress } = yield* store.readTogether(
      Effect.flatMap(existingRow(store, id), (row) =>
        Effect.all({
          row: Effect.succeed(row),
          rest: restView(store, row, redact),
          shown: shownOf(store, row.base.registration, row.snapshot),
          children: childrenOf(store, id, redact, nowMs),
          entries: store.execution.journal(id),
          progress: store.execution.progress(id)
        })
      )
    )
    const { counting: journal } = afterForks(entries, row.snapshot.context.forks)
    const active = activeStates(processMachine, row.snapshot.value)
    const lease = leaseIn(id, row.lease)
    const { held } = row.lease
    const isGone = held !== undefined && (yield* isDead(held.owner))
    const own = rowView(row, redact, nowMs)
    return {
      row: isGone ? { ...own, holder: "dead" } : own,
      record: redactRecord(ProcessRecord.make(row.base, row.snapshot), redact),
      lease: lease === undefined ? null : (wire.lease.encode(lease) as ProcessView["lease"]), // encoders answer objects
      fencing_token: row.lease.fencingToken,
      machine: shown.id,
      active: shown.active(row.snapshot),
      lifecycle: active,
      accepts: acceptedEvents(processMachine, active),
      ...(rest === undefined ? {} : { rest }),
      signals: signalsOf(row, shown.takes(row.snapshot)),
      children: children.rows,
      children_complete: children.complete,
      journal: journal.slice(-maxJournal).map((entry) => journalView(entry, redact)),
      journal_length: journal.length,
      progress: apart(progress, row.lease.fencingToken).progress.map(({ key, atMs, detail }) => ({
        key,
        at_ms: atMs,
        detail: redact(detail)
      })),
      now_ms: nowMs
    }
  })

/** How many entries of a journal are shown: bodies that run for weeks write thousands. */
const maxJournal = 200

/** An entry of a journal; the outcome of an operation is the body's own, so it is redacted. */
export const journalView = ({ atMs, outcome, ...rest }: JournalEntry, redact: Redact): JournalView => ({
  ...rest,
  at_ms: atMs,
  outcome: redact(outcome)
})

/** Which end of the log to read. */
export type EventsRequest = { readonly after: number; readonly limit: number } | { readonly last: number }

/** Reads a page of a log. Fails with `ProcessUnknown`, or `ProcessPruned`. */
export const eventsView = (
  store: Store,
  id: ProcessId,
  request: EventsRequest,
  redact: Redact
): Effect.Effect<EventsView, Hidden> =>
  Effect.gen(function* () {
    const page =
      "last" in request ? store.recentEvents(id, request.last) : store.eventsAfter(id, request.after, request.limit)
    const [row, events] = yield* store.readTogether(Effect.all([existingRow(store, id), page]))
    return { events: events.map((event) => eventView(event, redact)), last_sequence: row.sequence }
  })

/**
 * The process as it was right after an event; sequence 0 is its registration.
 *
 * Fails with `InputInvalid` for a sequence beyond the log, and as {@link processView} does.
 */
export const stateAt = (
  store: Store,
  id: ProcessId,
  sequence: number,
  redact: Redact
): Effect.Effect<MomentView, Hidden | InputInvalid> =>
  Effect.gen(function* () {
    const { moment, shown, rest } = yield* store.readTogether(
      Effect.flatMap(Effect.provideService(States.stateAt(id, sequence), ProcessStore, store), (moment) =>
        Effect.all({
          moment: Effect.succeed(moment),
          shown: shownOf(store, moment.base.registration, moment.snapshot),
          rest: Effect.flatMap(ledTo(store, moment), (led) => restView(store, moment, redact, led))
        })
      )
    )
    const { event, record, snapshot, before, commands } = moment
    const taken = event === undefined ? [] : shown.taken(event, before, snapshot, commands)
    return {
      sequence,
      event: event === undefined ? null : eventView(event, redact),
      record: redactRecord(record, redact),
      machine: shown.id,
      active: shown.active(snapshot),
      lifecycle: activeStates(processMachine, snapshot.value),
      taken,
      commands,
      ...(rest === undefined ? {} : { rest }),
      snapshot: { value: snapshot.value, context: redactContext(snapshot.context, redact) }
    }
  })

/** The machine that is drawn of a process: its own where its body is one, else the lifecycle. */
interface Shown {
  readonly id: string
  readonly active: (snapshot: ProcessSnapshot) => ReadonlyArray<string>
  /** The declared events that its own machine takes. */
  readonly takes: (snapshot: ProcessSnapshot) => ReadonlyArray<string>
  readonly taken: (
    event: ProcessEvent,
    before: ProcessSnapshot,
    after: ProcessSnapshot,
    commands: ReadonlyArray<Step.Command>
  ) => ReadonlyArray<string>
}

const shownOf = (
  store: Store,
  registration: Registration,
  { context: { chart } }: ProcessSnapshot
): Effect.Effect<Shown, StoreError> =>
  Effect.map(
    chart === undefined ? Effect.succeed(undefined) : machineOf(store.definitions, registration, chart),
    (own) => {
      if (own === undefined) return lifecycleShown
      const active = ({ context }: ProcessSnapshot) =>
        context.chart === undefined ? [] : activeStates(own.machine, context.chart.value)
      return {
        id: own.id,
        active,
        takes: ({ context: { chart: state } }) =>
          state === undefined ? [] : acceptedBy(own.definition, state).map(({ type }) => type),
        taken: (event, before) => {
          const fact = lifecycleEventOf(event)
          return fact.type === "machine.transitioned" ? takenBy(own, before.context.chart, fact.step) : []
        }
      }
    }
  )

const lifecycleShown: Shown = {
  id: processMachine.id,
  active: ({ value }) => activeStates(processMachine, value),
  takes: () => [],
  taken: (event, before, after, commands) =>
    transitionsTaken(processMachine, lifecycleEventOf(event).type, {
      before: activeStates(processMachine, before.value),
      after: activeStates(processMachine, after.value),
      commands
    })
}

const eventView = (event: ProcessEvent, redact: Redact): EventView =>
  redactEvent(wire.event.encode(event), redact) as unknown as EventView // the wire form of an event has these fields

/** A body of code waits for a signal; a machine's states take it. */
const signalsOf = (row: ProcessRow, takes: ReadonlyArray<string>): ReadonlyArray<SignalView> => {
  const waited = row.snapshot.context.waits.flatMap(({ kind }) => (kind._tag === "Signal" ? [kind.eventType] : []))
  const expected = new Set([...waited, ...takes.map(signalEventType)])
  return eventTypesOf(row).flatMap(({ name: type, payloadSchema }) => {
    const name = signalNameOf(type)
    return name === undefined
      ? []
      : [{ name, event_type: type, schema: payloadSchema.schema, expected: expected.has(type) }]
  })
}
