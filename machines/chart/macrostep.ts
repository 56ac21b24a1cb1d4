/**
 * A macrostep of a host's statechart, by XState: from a stored state and an event to the next state and the effects asked for.
 *
 * Invariant: nothing here acts. XState resolves built-in actions into data, and its executor is never called; children and
 * parent are addresses, not actors.
 */
import type { AnyEventObject, AnyMachineSnapshot, AnyStateMachine, StateValue } from "xstate"
import type { ActorAddress, ChartPlace, RawAction, Scope, Target } from "./scope.ts"
import { scopeOf } from "./scope.ts"
import type { ChartChild, ChartEnd, ChartEvent, ChartState } from "./state.ts"

/** What a macrostep came to. Contexts, params and events are the machine's own values, not yet JSON. */
export interface Macrostep {
  readonly value: StateValue
  readonly context: unknown
  readonly history: Readonly<Record<string, ReadonlyArray<string>>>
  readonly end?: ChartEnd
  readonly handled: boolean
  readonly effects: ReadonlyArray<RawEffect>
}

/** What a macrostep asked for. Units: milliseconds from now. */
export type RawEffect =
  | { readonly do: "act"; readonly name: string; readonly params: unknown; readonly context: unknown }
  | {
      readonly do: "arm"
      readonly id: string
      readonly delayMs: number
      readonly event: ChartEvent
      readonly to: Target
    }
  | { readonly do: "disarm"; readonly id: string }
  | {
      readonly do: "start"
      readonly id: string
      readonly src: string
      readonly input: unknown
      readonly system?: string
    }
  | { readonly do: "stop"; readonly id: string }
  | { readonly do: "send"; readonly to: Target; readonly event: ChartEvent }
  | { readonly do: "emit"; readonly event: ChartEvent }
  | { readonly do: "log"; readonly label?: string; readonly value: unknown }

/** Begins a machine. Throws what its context or a guard throws. */
export const begin = (machine: AnyStateMachine, input: unknown, place: ChartPlace): Macrostep => {
  const scope = scopeOf(place)
  const snapshot: AnyMachineSnapshot = machine.getInitialSnapshot(scope, input)
  // XState catches what a context function throws; nothing is committed of a beginning that throws.
  if (snapshot.status === "error") throw snapshot.error
  return resultOf(snapshot, scope, undefined, true)
}

/**
 * Takes one event. `context` is the stored one, decoded.
 *
 * Throws what a guard or an assign throws, and for a state that the machine does not have.
 */
export const take = (
  machine: AnyStateMachine,
  stored: Pick<ChartState, "value" | "history" | "children">,
  context: unknown,
  event: ChartEvent,
  place: ChartPlace
): Macrostep => {
  const scope = scopeOf(place)
  const before = restore(machine, stored, context, scope)
  const next: AnyMachineSnapshot = machine.transition(before, event as AnyEventObject, scope)
  const handled = next !== before || scope.raw.length > 0 || machine.getTransitionData(before, event).length > 0
  return resultOf(next, scope, before, handled)
}

/** A live snapshot for reading: `matches`, `can`, `hasTag`. */
export const view = (
  machine: AnyStateMachine,
  stored: Pick<ChartState, "value" | "history" | "children">,
  context: unknown,
  place: ChartPlace
): AnyMachineSnapshot => restore(machine, stored, context, scopeOf(place))

const restore = (
  machine: AnyStateMachine,
  { value, history, children }: Pick<ChartState, "value" | "history" | "children">,
  context: unknown,
  scope: Scope
): AnyMachineSnapshot => {
  const restored = (): AnyMachineSnapshot => {
    const persisted = {
      value,
      context,
      status: "active" as const,
      output: undefined,
      error: undefined,
      children: Object.fromEntries(Object.entries(children).map(([id, child]) => [id, persistedChild(child)])),
      historyValue: Object.fromEntries(
        Object.entries(history).map(([id, states]) => [id, states.map((state) => ({ id: state }))])
      )
    }
    return machine.restoreSnapshot(persisted, scope)
  }
  if (!isPlain(machine) || !isEmpty(history)) return restored()
  const known = knownOf(machine)
  const key = JSON.stringify(value)
  const same = known.get(key)
  if (same !== undefined) return { ...same, context, children: {}, historyValue: {} } as AnyMachineSnapshot
  const fresh = restored()
  if (known.size < mostKnown) known.set(key, { ...fresh, context: undefined, children: {} } as AnyMachineSnapshot)
  return fresh
}

/** The states of a machine that were restored before: to look the nodes of a state value up takes longest. */
const knownStates = new WeakMap<AnyStateMachine, Map<string, AnyMachineSnapshot>>()

/** How many of them are kept: regions multiply. */
const mostKnown = 1_000

const knownOf = (machine: AnyStateMachine): Map<string, AnyMachineSnapshot> => {
  const known = knownStates.get(machine) ?? new Map<string, AnyMachineSnapshot>()
  knownStates.set(machine, known)
  return known
}

/** Whether no actor is ever in a snapshot of a machine, nor in its context, where XState puts it back when it restores one. */
const isPlain = ({ implementations }: AnyStateMachine): boolean => isEmpty(implementations.actors)

const isEmpty = (record: object): boolean => {
  for (const _any in record) return false
  return true
}

const persistedChild = ({ src, system }: ChartChild) => ({
  snapshot: { status: "active", output: undefined, error: undefined },
  src,
  systemId: system,
  syncSnapshot: false
})

const resultOf = (
  snapshot: AnyMachineSnapshot,
  { raw, revision }: Scope,
  before: AnyMachineSnapshot | undefined,
  handled: boolean
): Macrostep => {
  const { value, context, historyValue, status, output, error } = snapshot
  const effects = raw.flatMap((action, index) => effectOf(action, `${revision}.${index}`))
  return {
    value,
    context,
    history: Object.fromEntries(
      Object.entries(historyValue as Readonly<Record<string, ReadonlyArray<{ readonly id: string }>>>).map(
        ([id, states]) => [id, states.map((state) => state.id)]
      )
    ),
    ...(status === "done" ? { end: { status, output } } : status === "error" ? { end: { status, error } } : {}),
    handled,
    effects: [...effects, ...spawnedInAssign(snapshot, before, raw)]
  }
}

/**
 * XState reports the children that a state invokes or an action spawns, and not those that an assign spawns: they are the actors
 * that were not there before. An id may have been another actor's.
 */
const spawnedInAssign = (
  snapshot: AnyMachineSnapshot,
  before: AnyMachineSnapshot | undefined,
  raw: Scope["raw"]
): ReadonlyArray<RawEffect> => {
  const present = childrenOf(snapshot)
  if (present.length === 0) return []
  const known = new Set<unknown>(before === undefined ? [] : childrenOf(before))
  for (const { type, params } of raw) if (type === "xstate.spawnChild") known.add(params.actorRef)
  return present.flatMap((ref) => (known.has(ref) ? [] : [started(ref.id, ref.src, ref.options?.input, ref.systemId)]))
}

const childrenOf = ({ children }: AnyMachineSnapshot): ReadonlyArray<ChildRef> =>
  Object.values(children as Readonly<Record<string, ChildRef | undefined>>).filter((ref) => ref !== undefined)

/** An actor that XState made and nothing starts. */
interface ChildRef {
  readonly id: string
  readonly src: unknown
  readonly systemId?: string
  readonly options?: { readonly input?: unknown }
}

const started = (id: string, src: unknown, input: unknown, system: string | undefined): RawEffect => {
  if (typeof src !== "string")
    throw new Error(`the actor \`${id}\` is given as it is: name it in \`setup({ actors })\``)
  return { do: "start", id, src, input, ...(system === undefined ? {} : { system }) }
}

const effectOf = ({ type, params, info }: RawAction, ordinal: string): ReadonlyArray<RawEffect> => {
  switch (type) {
    case "xstate.raise":
    case "xstate.sendTo": {
      const { event, delay, id } = params
      const to = type === "xstate.raise" ? ({ at: "self" } as const) : targetOf(params.to)
      if (delay !== undefined) {
        return [{ do: "arm", id: id ?? `${event.type}:${ordinal}`, delayMs: lengthOf(delay, event.type), event, to }]
      }
      // An immediate raise is taken within its macrostep.
      return type === "xstate.raise" ? [] : [{ do: "send", to, event }]
    }
    case "xstate.cancel":
      return [{ do: "disarm", id: params.sendId }]
    case "xstate.spawnChild": {
      const { src, input, actorRef } = params
      if (actorRef === undefined) throw new Error(`the actor \`${String(src)}\` is in no \`setup({ actors })\``)
      return [started(actorRef.id, src, input, actorRef.systemId)]
    }
    case "xstate.stopChild":
      return params === undefined ? [] : [{ do: "stop", id: params.id ?? "" }]
    case "xstate.emit":
      return [{ do: "emit", event: params.event }]
    case "xstate.log":
      return [{ do: "log", value: params.value, ...(params.label === undefined ? {} : { label: params.label }) }]
    default:
      return type.startsWith("xstate.") ? [] : [{ do: "act", name: type, params, context: info.context }]
  }
}

/** A delay that was computed. XState takes what is no number for no delay, and one without an end for one of a millisecond. */
const lengthOf = (delay: unknown, type: string): number => {
  if (typeof delay === "number" && delay <= longestMs) return delay
  const found = typeof delay === "string" ? JSON.stringify(delay) : String(delay)
  throw new Error(`the delay of \`${type}\` is ${found}; what is computed must be a number of milliseconds`)
}

/** The calendar of JavaScript has no later instant than this after its first. Units: milliseconds. */
const longestMs = 8.64e15

const targetOf = ({ id, place }: ActorAddress): Target => place ?? { at: "child", id }
