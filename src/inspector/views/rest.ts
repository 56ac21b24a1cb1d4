/**
 * A process's own machine as it rests after an event: its timers, its children, what it takes, and the macrostep that led there.
 *
 * Invariant: names, ids, states and times are shown; what events, actions and the context carry is redacted.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { StateValue } from "xstate"
import type { ChartEffect, ChartEvent, ChartState, ChartTransition } from "../../../machines/chart/state.ts"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { Redact } from "../../explain/redaction.ts"
import type { InputInvalid, StoreError } from "../../model/errors.ts"
import { lifecycleEventOf } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import { processId } from "../../model/ids.ts"
import { jsonEquals } from "../../model/json.ts"
import { acceptedBy } from "../../operations/Charts.ts"
import type { Lookup } from "../../operations/existing.ts"
import type { Moment } from "../../operations/stateAt.ts"
import * as States from "../../operations/stateAt.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { acceptedEvents, activeStates, eventWords, statesOf, transitionsTaken } from "../charts/definition.ts"
import type { StoredMachine } from "../charts/stored.ts"
import { machineOf, storedMachine } from "../charts/stored.ts"
import type { TraceLine } from "../charts/trace.ts"
import { isOver, traceOf, tryStep } from "../charts/trace.ts"
import { valueText } from "../text.ts"
import type {
  ContextChange,
  EffectView,
  NamedEvent,
  RestView,
  StateLabel,
  TraceView,
  TransitionView,
  TriedView
} from "../View.ts"

type Store = typeof ProcessStore.Service

/**
 * Where the machine of a process rests; `undefined` where its body is none, or its definition is not there. `led` is the
 * macrostep that led there, as {@link ledTo} finds it.
 */
export const restView = (
  store: Store,
  { base, snapshot }: Pick<Moment, "base" | "snapshot">,
  redact: Redact,
  led?: Led
): Effect.Effect<RestView | undefined, StoreError> =>
  Effect.gen(function* () {
    const { chart } = snapshot.context
    const own = chart && (yield* machineOf(store.definitions, base.registration, chart))
    if (chart === undefined || own === undefined) return undefined
    const { machine, definition } = own
    const { value, history, timers, children, end } = chart
    const shownChildren = Object.entries(children).map(([id, child]) =>
      Effect.map(stateOf(store, processId(child.process)), (state) => ({ id, process_id: child.process, ...state }))
    )
    return {
      value,
      history,
      context: redact(chart.context),
      timers: timers.map(({ event, at, to }) => ({
        event: event.type,
        text: `${eventWords(machine, event.type)}${to === undefined ? "" : `, for ${to}`}`,
        ...armedIn(own, event.type),
        at_ms: at
      })),
      children: yield* Effect.all(shownChildren),
      takes: acceptedBy(definition, chart),
      steps: end === undefined ? stepsFrom(own, value) : [],
      ...(led === undefined ? {} : { transition: yield* transitionView(store, own, led, redact) })
    }
  })

/** The transitions of the chart that a step took. */
export const takenBy = (
  own: StoredMachine,
  before: ChartState | undefined,
  step: ChartTransition
): ReadonlyArray<string> =>
  traceOf(own.definition, before, step)?.flatMap(({ did, name }) => (did === "take" ? [name] : [])) ??
  transitionsTaken(own.machine, step.event.type, {
    before: before === undefined ? [] : activeStates(own.machine, before.value),
    after: activeStates(own.machine, step.to),
    commands: []
  })

/** A step of a copy: from where it is, by the type of an event. */
export const TryRequest = Schema.Struct({
  machine: Schema.String,
  value: Schema.Union(Schema.String, Schema.Record({ key: Schema.String, value: Schema.Unknown })),
  history: Schema.Record({ key: Schema.String, value: Schema.Array(Schema.String) }),
  event: Schema.String
})

/** Steps a copy of a stored machine, which no process knows of. Fails with `InputInvalid` for a machine that is not stored. */
export const tried =
  (definitions: Store["definitions"]) =>
  ({
    machine: id,
    value,
    history,
    event
  }: typeof TryRequest.Type): Effect.Effect<TriedView, InputInvalid | StoreError> =>
    Effect.map(storedMachine(definitions, id), (own) => {
      const place = { value: value as StateValue, history } // XState refuses what is no state of the machine
      const result = tryStep(own.definition, place, { type: event })
      if (!result.possible) return result
      const { step, trace } = result
      return {
        possible: true,
        value: step.value,
        history: step.history,
        to: valueText(step.value),
        active: activeStates(own.machine, step.value),
        taken: trace.flatMap(({ did, name }) => (did === "take" ? [name] : [])),
        trace: trace.map((line) => lineView(own, line)),
        steps: step.end === undefined ? stepsFrom(own, step.value) : []
      }
    })

/** A macrostep, and the moment right after it. */
export interface Led {
  readonly moment: Moment
  readonly step: ChartTransition
}

/** The last macrostep up to a moment. */
export const ledTo = (store: Store, moment: Moment): Effect.Effect<Led | undefined, Lookup | InputInvalid> =>
  Effect.gen(function* () {
    if (moment.snapshot.context.chart === undefined) return undefined
    const { id } = moment.base.registration
    let found = moment.event
    let before = moment.sequence
    while (before > 0 && found?.eventType !== "machine.transitioned") {
      const after = Math.max(0, before - pageSize)
      const page = yield* store.eventsAfter(id, after, before - after)
      found = page.findLast(({ eventType, sequence }) => eventType === "machine.transitioned" && sequence <= before)
      before = after
    }
    if (found?.eventType !== "machine.transitioned") return undefined
    const fact = lifecycleEventOf(found)
    if (fact.type !== "machine.transitioned") return undefined
    const at =
      found.sequence === moment.sequence
        ? moment
        : yield* Effect.provideService(States.stateAt(id, found.sequence), ProcessStore, store)
    return { moment: at, step: fact.step }
  })

const pageSize = 200

const transitionView = (
  store: Store,
  own: StoredMachine,
  { moment, step }: Led,
  redact: Redact
): Effect.Effect<TransitionView, StoreError> =>
  Effect.gen(function* () {
    const { machine } = own
    const before = moment.before.context.chart
    const after = moment.snapshot.context.chart
    const isOwn = before === undefined || before.definition.hash === after?.definition.hash
    const trace = isOwn ? traceOf(own.definition, before, step) : undefined
    const found = yield* store.find(moment.base.registration.id)
    const pending = found._tag === "Present" ? (found.row.snapshot.context.chart?.actions ?? []) : []
    const isPending = (index: number): boolean =>
      pending.some((action) => action.revision === step.revision && action.index === index)
    const effects = yield* Effect.filter(
      step.effects.map((effect, index) => ({ effect, index })),
      ({ effect }) => isMeant(store, effect, { before, event: step.event, atMs: moment.event?.occurredAtMs ?? 0 })
    )
    return {
      sequence: moment.sequence,
      revision: step.revision,
      version: after?.definition.version ?? "",
      event: wordsFor(own, step.event),
      from: valueText(step.from),
      to: valueText(step.to),
      handled: step.handled,
      trace: trace?.map((line) => lineView(own, line)) ?? null,
      changes: changesOf(before?.context ?? {}, after?.context ?? {}, redact),
      effects: yield* Effect.forEach(effects, ({ effect, index }) =>
        Effect.map(processIn(store, effect), (about) => ({
          ...effectView(machine, effect, redact),
          ...about,
          ...(effect.do === "act" ? { performed: !isPending(index) } : {})
        }))
      )
    }
  })

/** XState ends the timers and the actors of a state that is left, whether they still are or not. */
const isMeant = (
  store: Store,
  effect: ChartEffect,
  at: { readonly before: ChartState | undefined; readonly event: ChartEvent; readonly atMs: number }
): Effect.Effect<boolean, StoreError> => {
  if (effect.do === "disarm") return Effect.succeed(at.before?.timers.some(({ id }) => id === effect.id) === true)
  if (effect.do !== "stop") return Effect.succeed(true)
  if (isOver(at.event, effect.id)) return Effect.succeed(false)
  return Effect.map(
    store.find(processId(effect.process)),
    (found) =>
      found._tag !== "Present" ||
      lifecycleOf(found.row.snapshot) === "running" ||
      found.row.snapshot.context.updatedAtMs >= at.atMs
  )
}

const changesOf = (
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  redact: Redact
): ReadonlyArray<ContextChange> =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((field) => !jsonEquals(before[field] ?? null, after[field] ?? null))
    .map((field) => ({
      field,
      ...(Object.hasOwn(before, field) ? { before: redact(before[field]) } : {}),
      ...(Object.hasOwn(after, field) ? { after: redact(after[field]) } : {})
    }))

const effectView = (machine: StoredMachine["machine"], effect: ChartEffect, redact: Redact): EffectView => {
  const carried = ({ type: _type, ...fields }: ChartEvent) =>
    Object.keys(fields).length === 0 ? {} : { detail: redact(fields) }
  switch (effect.do) {
    case "act":
      return {
        did: "act",
        text: effect.name,
        ...(effect.params === undefined ? {} : { detail: redact(effect.params) })
      }
    case "arm":
      return { did: "arm", text: eventWords(machine, effect.event.type), at_ms: effect.at }
    case "disarm":
      return { did: "disarm", text: eventWords(machine, effect.id) }
    case "start":
      return { did: "start", text: effect.src, ...problemOf(effect) }
    case "stop":
      return { did: "stop", text: wordsOfActor(machine, effect.id) }
    case "send":
      return {
        did: "send",
        text: eventWords(machine, effect.event.type),
        ...carried(effect.event),
        ...problemOf(effect)
      }
    case "emit":
      return { did: "emit", text: effect.event.type, ...carried(effect.event) }
    case "log":
      return { did: "log", text: effect.label ?? "", detail: redact(effect.value) }
  }
}

const problemOf = ({ refused }: { readonly refused?: string }) => (refused === undefined ? {} : { problem: refused })

type About = Pick<EffectView, "process_id" | "state">

/** The process that an effect is about. */
const processIn = (store: Store, effect: ChartEffect): Effect.Effect<About, StoreError> => {
  const id =
    effect.do === "start" || effect.do === "stop"
      ? "refused" in effect
        ? undefined
        : effect.process
      : effect.do === "send" || effect.do === "arm"
        ? effect.to
        : undefined
  return id === undefined || id === ""
    ? Effect.succeed({})
    : Effect.map(stateOf(store, processId(id)), (state) => ({ process_id: id, ...state }))
}

const stateOf = (store: Store, id: ProcessId): Effect.Effect<{ readonly state?: StateLabel }, StoreError> =>
  Effect.map(store.find(id), (found) => (found._tag === "Present" ? { state: lifecycleOf(found.row.snapshot) } : {}))

/** The state whose delay a timer is. */
const armedIn = ({ machine }: StoredMachine, event: string): { readonly state?: string } => {
  const found = statesOf(machine.root).find(
    (state) => state.transitions.has(event) && event.startsWith("xstate.after.")
  )
  return found === undefined ? {} : { state: found.id }
}

const stepsFrom = ({ machine }: StoredMachine, value: unknown): ReadonlyArray<NamedEvent> =>
  acceptedEvents(machine, activeStates(machine, value))
    .filter((type) => !type.endsWith("*"))
    .map((type) => ({ type, text: eventWords(machine, type) }))

const wordsFor = ({ machine }: StoredMachine, event: ChartEvent): string =>
  event.type === "machine.migrated" ? `migrated from version ${String(event["from"])}` : eventWords(machine, event.type)

const wordsOfActor = (machine: StoredMachine["machine"], id: string): string =>
  eventWords(machine, `xstate.done.actor.${id}`).replace(/ done$/, "")

const lineView = ({ machine }: StoredMachine, { did, name }: TraceLine): TraceView => {
  switch (did) {
    case "take": {
      // As `transitionId` names it: the state, the event, its place.
      const state = statesOf(machine.root)
        .filter(({ id }) => name.startsWith(`${id} `))
        .toSorted((a, b) => b.id.length - a.id.length)[0]
      const event = name.slice((state?.id.length ?? 0) + 1).replace(/ \d+$/, "")
      return { did, text: eventWords(machine, event) }
    }
    case "leave":
    case "enter":
      return { did, text: name.startsWith(`${machine.id}.`) ? name.slice(machine.id.length + 1) : name }
    case "start":
    case "stop":
      return { did, text: wordsOfActor(machine, name) }
    default:
      return { did, text: eventWords(machine, name) }
  }
}
