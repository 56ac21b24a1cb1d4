/**
 * One step of a chart: what the machine is asked, and how its answer is stored.
 */
import type * as Either from "effect/Either"
import type { Macrostep } from "../../../machines/chart/macrostep.ts"
import type {
  ChartDefinition,
  ChartEffect,
  ChartEvent,
  ChartState,
  ChartTransition
} from "../../../machines/chart/state.ts"
import type { EventType } from "../../model/EventType.ts"
import type { InputInvalid, RegistrationInvalid } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import * as Ids from "../../model/ids.ts"
import type { Taking } from "../../model/json.ts"
import { jsonEquals } from "../../model/json.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Registered, Registration } from "../../model/Registration.ts"
import { engineOf, eventTypeOf } from "../../model/Registration.ts"
import type { ProcessRow, Write } from "../../store/Decision.ts"

/** A chart as the store's decisions use it: pure, and its values are JSON. Each function throws what the machine throws. */
export interface Chart {
  readonly kind: string
  readonly definition: ChartDefinition
  /** The definition with its states and the schemas of its events, as JSON text. */
  readonly body: string
  /** Its events, as processes of this version are registered with them. */
  readonly eventTypes: ReadonlyArray<EventType>
  /** The versions that it takes over: see `migrate`. */
  readonly migrates: ReadonlyArray<string>
  /**
   * What the state of an earlier version becomes in this one; which timers and children the migration ends, and which it does
   * not know. Throws for a state that is not legal here.
   */
  readonly migrate: (row: ProcessRow, chart: ChartState) => Migrated
  readonly begin: (row: ProcessRow) => Macrostep
  readonly take: (row: ProcessRow, chart: ChartState, event: ChartEvent) => Macrostep
  /** Whether a state takes an event: some transition is enabled that is not there to forbid it. */
  readonly can: (row: ProcessRow, chart: ChartState, event: ChartEvent) => boolean
  /** The declared events that some active state of a state value has a transition for. */
  readonly accepts: (chart: ChartState) => ReadonlyArray<string>
  /** Whether this version performs an action. */
  readonly performs: (action: string) => boolean
  /** Whether the chart goes on while an action is performed. */
  readonly isDetached: (action: string) => boolean
  /** The name of an actor that processes of a kind run. */
  readonly sourceOf: (kind: string) => string | undefined
  /** The registration of a child; or why there is none, such as an input that does not fit. */
  readonly child: (
    row: ProcessRow,
    src: string,
    input: unknown,
    id: string
  ) => Either.Either<Registered, InputInvalid | RegistrationInvalid>
  /** The same chart, which keeps its values under a host's limits. */
  readonly under: (limits: Taking) => Chart
}

/** A state in a later version. Its step asks for what the migration ends. */
export interface Migrated {
  readonly step: Macrostep
  readonly unknown: Unknown
}

/** What a state has that a later version does not know: timers whose events no state takes, children of no actor. */
export interface Unknown {
  readonly timers: ReadonlyArray<string>
  readonly children: ReadonlyArray<string>
}

/** Finds the chart of a process; `undefined` for a body of code, and where this program does not have it. */
export type ChartOf = (registration: Registration) => Chart | undefined

/** The event that a chart begins with. */
export const begins: ChartEvent = { type: "xstate.init" }

/** The type of the event that takes over a state of an earlier version. */
export const migrated = "machine.migrated"

/** The event that takes over a state of an earlier version. */
export const migrates = ({ definition: { version } }: ChartState): ChartEvent => ({
  type: migrated,
  from: version
})

/** The event that a chart takes next. `isOver`: it is no longer for the machine, which has left the state that it belonged to. */
export interface Next {
  readonly event: ChartEvent
  readonly isOver?: boolean
}

/** What the log has of an event that a chart sends itself; `at` where a timer did. */
interface Timed {
  readonly event: ChartEvent
  readonly timer?: string
  readonly at?: number
}

/** The event that a chart takes in a state. `rowOf` finds a child that has ended. */
export const eventOf = (
  chart: Chart,
  id: ProcessId,
  state: ChartState,
  input: ProcessEvent,
  rowOf: (id: ProcessId) => ProcessRow | undefined
): Next => {
  const name = Ids.signalNameOf(input.eventType)
  if (name !== undefined) return { event: { ...(input.payload as object), type: name } } // checked when it was sent
  if (input.eventType === "machine.input") {
    const { event, timer, at } = input.payload as Timed // written by `Facts.machineInput` and `machineTimed`
    const isCancelled = at !== undefined && !(state.fired ?? []).some(({ sequence }) => sequence === input.sequence)
    return isCancelled ? { event: { type: "timer.cancelled", timer }, isOver: true } : { event }
  }
  const childId = endedChildOf(input) as ProcessId // what is left is the end of a child
  const child = rowOf(childId)
  const own = Object.entries(state.children).find(([, { process }]) => process === childId)
  const [actorId, src] = own === undefined ? leftBehind(chart, id, child) : [own[0], own[1].src]
  if (actorId === undefined) return { event: { type: "child.ended", process: childId }, isOver: true }
  const output = child?.snapshot.context.output
  const event =
    output?._tag === "Success"
      ? { type: `xstate.done.actor.${actorId}`, output: output.value, actorId, src }
      : { type: `xstate.error.actor.${actorId}`, error: output ?? { _tag: "Pruned" }, actorId, src }
  return { event }
}

/** The child whose end an event of a log is. */
export const endedChildOf = ({ eventType, payload }: ProcessEvent): ProcessId | undefined =>
  eventType === "process.child_ended" ? (payload as { readonly child_id: ProcessId }).child_id : undefined // written by `Facts.childEnded`

/** The actor that had ended by itself before the chart left its state: the chart hears of it, as XState's machines do. */
const leftBehind = (
  chart: Chart,
  id: ProcessId,
  child: ProcessRow | undefined
): readonly [actorId?: string, src?: string] => {
  if (child === undefined || child.snapshot.context.cancelRequest !== undefined) return []
  const { registration } = child.base
  const src = chart.sourceOf(engineOf(registration).kind)
  return src === undefined ? [] : [registration.id.slice(`${id}/`.length).replace(/:\d+$/, ""), src]
}

/** A chart as the machine knows it: a child that is gone has no name in the system any more. */
export const present = (state: ChartState, isGone: (child: string) => boolean): ChartState => {
  const children = Object.entries(state.children)
  if (children.every(([, { system }]) => system === undefined)) return state
  const named = children.map(([actor, { system, ...child }]) => {
    const isNameless = system === undefined || isGone(child.process)
    return [actor, isNameless ? child : { ...child, system }] as const
  })
  return { ...state, children: Object.fromEntries(named) }
}

/** The step that an event is: the first one, one of the machine's, or the takeover of an earlier version. */
export const stepOf = (
  row: ProcessRow,
  chart: Chart,
  state: ChartState | undefined,
  event: ChartEvent,
  isEarlier: boolean
): { readonly step: Macrostep; readonly event: ChartEvent } => {
  if (state === undefined) return { step: chart.begin(row), event }
  if (!isEarlier) return { step: chart.take(row, state, event), event }
  const { step, unknown } = chart.migrate(row, state)
  return { step, event: { ...event, unknown } }
}

/** The step of an event that is no longer for the machine: nothing. */
export const untaken = (
  { value, context, history }: ChartState,
  event: ChartEvent
): { readonly step: Macrostep; readonly event: ChartEvent } => ({
  step: { value, context, history, handled: false, effects: [] },
  event
})

/** What stores the definition of a chart, once. */
export const definitionOf = ({ kind, body, definition: { version, hash } }: Chart): Write => ({
  _tag: "PutDefinition",
  kind,
  version,
  hash,
  body
})

/** The event types of a chart that are not those of a registration: that of a process which began in an earlier version. */
export const newlyDeclared = (
  { eventTypes }: Chart,
  registration: Registration
): ReadonlyArray<EventType> | undefined => {
  const fresh = eventTypes.filter((type) => !jsonEquals(type, eventTypeOf(registration, type.name) ?? null))
  return fresh.length === 0 ? undefined : fresh
}

/** What a step was taken for. */
export interface Taken {
  readonly declares?: ReadonlyArray<EventType> | undefined
  readonly event: ChartEvent
  readonly input: ProcessEvent | undefined
  readonly inputs: number
  readonly effects: ReadonlyArray<ChartEffect>
}

/** A macrostep as it is stored: the context by what changed of it. */
export const transitionOf = (
  definition: ChartDefinition,
  before: ChartState | undefined,
  step: Macrostep,
  { declares, event, input, inputs, effects }: Taken
): ChartTransition => {
  const context = step.context as Readonly<Record<string, unknown>>
  const set = Object.entries(context).filter(
    ([name, value]) =>
      !(before !== undefined && Object.hasOwn(before.context, name) && jsonEquals(before.context[name], value))
  )
  const unset = Object.keys(before?.context ?? {}).filter((name) => !Object.hasOwn(context, name))
  const isHistoryNew = !jsonEquals(step.history, before?.history ?? {})
  return {
    ...(jsonEquals(before?.definition ?? null, definition) ? {} : { definition }),
    ...(declares === undefined ? {} : { declares }),
    revision: before === undefined ? 0 : before.revision + 1,
    ...(input === undefined ? {} : { took: input.sequence }),
    ...(inputs === 0 ? {} : { inputs }),
    // What was sent is in the log; an action must find its event without reading that.
    event: input !== undefined && effects.every((effect) => effect.do !== "act") ? { type: event.type } : event,
    ...(before === undefined ? {} : { from: before.value }),
    to: step.value,
    handled: step.handled,
    ...(set.length === 0 ? {} : { set: Object.fromEntries(set) }),
    ...(unset.length === 0 ? {} : { unset }),
    ...(isHistoryNew ? { history: step.history } : {}),
    ...(step.end === undefined ? {} : { end: step.end }),
    effects
  }
}
