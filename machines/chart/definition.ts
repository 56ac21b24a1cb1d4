/**
 * What a host's statechart consists of, as data: its structure, which tells one version from another, and the names that it
 * uses, which the program must implement.
 */
import type { AnyStateMachine, AnyStateNode, StateValue } from "xstate"
import type { Condition, Part } from "./parts.ts"
import {
  conditionOf,
  defaultsOf,
  guardsIn,
  implementedActions,
  isBuiltIn,
  isDescribedBy,
  nameOf,
  nameWithEvent
} from "./parts.ts"

/**
 * A state of a chart. Functions are left out: two machines with equal structures have the same states and transitions.
 *
 * Structures are stored, and some are older than what they say of a machine: what is `added` here was not always in them.
 */
export interface StateDefinition {
  readonly id: string
  readonly type: string
  readonly initial?: string
  /** What entering the first state of a compound one does besides. Added. */
  readonly initialActions?: ReadonlyArray<string>
  readonly history?: string
  /** Where a history state leads that remembers nothing. @default the first state. Added. */
  readonly target?: ReadonlyArray<string>
  readonly tags?: ReadonlyArray<string>
  readonly description?: string
  readonly entry?: ReadonlyArray<string>
  readonly exit?: ReadonlyArray<string>
  /** `systemId` was added. */
  readonly invoke?: ReadonlyArray<{ readonly id: string; readonly src: string; readonly systemId?: string }>
  readonly transitions?: ReadonlyArray<TransitionDefinition>
  readonly states?: Readonly<Record<string, StateDefinition>>
  /** The regions of a parallel state in the order in which they are entered. @default that of their keys as JSON has them. Added. */
  readonly order?: ReadonlyArray<string>
  /** Of a machine: which of its named actions raise events or enqueue actions, by their names. Added. */
  readonly raises?: Readonly<Record<string, string>>
}

/** A transition of a chart. `event` is empty for one that is taken of itself. */
export interface TransitionDefinition {
  readonly event: string
  readonly targets?: ReadonlyArray<string>
  readonly guard?: string
  /** What the guard is made of, or its parameters, where these are data. Added. */
  readonly condition?: Condition
  readonly actions?: ReadonlyArray<string>
  readonly reenter?: true
}

/** Which rule a structure was made by. A definition that does not say so is older, and may lack what was added. */
export const structureRule = 2

/** The names that a machine uses. */
export interface ChartNames {
  /** Its own actions: not those that XState performs. */
  readonly actions: ReadonlyArray<string>
  readonly actors: ReadonlyArray<string>
  /** The delays that are words and have no implementation. */
  readonly delays: ReadonlyArray<string>
  /** The delays that are given as values where a number belongs, each with what has it. */
  readonly lengths: ReadonlyArray<{ readonly of: string; readonly delay: unknown }>
  /** The guards that have no implementation, also within `not`, `and` and `or`. */
  readonly guards: ReadonlyArray<string>
  /** The types of the events that some state takes, but for XState's own. */
  readonly events: ReadonlyArray<string>
  /** The ids of the actors whose snapshots some state takes. */
  readonly observed: ReadonlyArray<string>
  /** What is given as a function where a name is needed, and in which state. */
  readonly inline: ReadonlyArray<{ readonly what: "action" | "actor"; readonly state: string }>
}

/** The structure of a machine. */
export const structureOf = (machine: AnyStateMachine): StateDefinition => {
  const raised = Object.entries(implementedActions(machine)).flatMap(([name, action]) =>
    isBuiltIn(action) && (action.type === "xstate.raise" || action.type === "xstate.enqueueActions")
      ? [[name, nameWithEvent(action)] as const]
      : []
  )
  return { ...stateOf(machine.root), ...(raised.length === 0 ? {} : { raises: Object.fromEntries(raised) }) }
}

/**
 * Which of some event types the active states of a state value have a transition for. A guard may still refuse it; one that a
 * state forbids, its parents do not take. It needs no machine.
 */
export const acceptedIn = (
  definition: StateDefinition,
  value: StateValue,
  types: ReadonlyArray<string>
): ReadonlyArray<string> => types.filter((type) => takes(definition, value, type) === "taken")

type Answer = "taken" | "forbidden" | "unknown"

/** The innermost states answer first: what one of them takes or forbids, its parents do not see. */
const takes = (state: StateDefinition, value: StateValue | undefined, type: string): Answer => {
  const active: StateValue = typeof value === "string" ? { [value]: {} } : (value ?? {})
  const inner = Object.entries(active).map(([key, below]) => {
    const child = state.states?.[key]
    return child === undefined ? "unknown" : takes(child, below, type)
  })
  if (inner.includes("taken")) return "taken"
  const own = (state.transitions ?? [])
    .filter(({ event }) => isDescribedBy(event, type))
    // As in XState, its own type comes first, and what says more before what says less.
    .toSorted(
      (one, other) => Number(other.event === type) - Number(one.event === type) || other.event.length - one.event.length
    )
  const certain = own.findIndex(({ guard }) => guard === undefined)
  const reached = certain === -1 ? own : own.slice(0, certain + 1)
  if (inner.includes("forbidden")) return "forbidden"
  if (reached.some(({ targets, actions }) => targets !== undefined || actions !== undefined)) {
    return "taken"
  }
  return certain === -1 ? "unknown" : "forbidden"
}

/** The names that a machine uses. What an `enqueueActions` uses is in no machine. */
export const namesOf = (machine: AnyStateMachine): ChartNames => {
  const actions = new Set<string>()
  const actors = new Set<string>()
  const delays = new Set<string>()
  const events = new Set<string>()
  const guards = new Set<string>()
  const observed = new Set<string>()
  const lengths: Array<ChartNames["lengths"][number]> = []
  const inline: Array<ChartNames["inline"][number]> = []
  const { implementations } = machine
  const implemented = implementedActions(machine)
  const length = (of: string, delay: unknown): void => {
    if (delay !== undefined && typeof delay !== "function") lengths.push({ of, delay })
  }
  const perform = (of: string, state: string, { type, delay, src }: Exclude<Part, string>): void => {
    if (typeof delay === "string") delays.add(delay)
    else length(of, delay)
    if (type === "xstate.spawnChild") actor(state, src)
  }
  const act = (state: string) => (action: Part) => {
    if (typeof action === "function") {
      if (isBuiltIn(action)) perform(`state \`${state}\``, state, action)
      else inline.push({ what: "action", state })
    } else if (!isBuiltIn(implemented[nameOf(action)])) actions.add(nameOf(action))
  }
  const actor = (state: string, src: unknown): void => {
    if (typeof src !== "string" || src.startsWith("xstate.invoke.")) inline.push({ what: "actor", state })
    else actors.add(src)
  }
  const guard = (given: unknown): void => {
    for (const part of guardsIn(given)) if (typeof part !== "function") guards.add(nameOf(part))
  }
  const visit = (node: AnyStateNode): void => {
    for (const { id, src, onSnapshot } of node.invoke) {
      actor(node.id, src)
      if (onSnapshot !== undefined) observed.add(id)
    }
    const initial = node.type === "compound" ? node.initial.actions : []
    for (const action of [...node.entry, ...node.exit, ...initial]) act(node.id)(action as Part)
    for (const transition of transitionsOf(node)) {
      if (transition.eventType !== "" && !transition.eventType.startsWith("xstate.")) events.add(transition.eventType)
      if (transition.guard !== undefined) guard(transition.guard)
      for (const action of transition.actions) act(node.id)(action as Part)
    }
    for (const child of Object.values(node.states)) visit(child)
  }
  visit(machine.root)
  for (const [name, action] of Object.entries(implemented)) {
    if (isBuiltIn(action)) perform(`action \`${name}\``, machine.id, action)
  }
  for (const given of Object.values(implementations.guards)) guard(given)
  for (const [name, delay] of Object.entries(implementations.delays)) length(`delay \`${name}\``, delay)
  return {
    actions: [...actions],
    actors: [...actors],
    delays: [...delays].filter((name) => implementations.delays[name] === undefined),
    lengths,
    guards: [...guards].filter((name) => implementations.guards[name] === undefined),
    events: [...events],
    observed: [...observed],
    inline
  }
}

const transitionsOf = (node: AnyStateNode) => [...[...node.transitions.values()].flat(), ...(node.always ?? [])]

const stateOf = (node: AnyStateNode): StateDefinition => {
  const transitions = transitionsOf(node).map(
    ({ eventType, target, guard, actions, reenter }): TransitionDefinition => {
      const condition = guard === undefined ? undefined : conditionOf(guard)
      return {
        event: eventType,
        ...(target === undefined ? {} : { targets: idsOf(target) }),
        ...(guard === undefined ? {} : { guard: nameOf(guard) }),
        ...(condition === undefined ? {} : { condition }),
        ...some("actions", actions.map(nameWithEvent)),
        ...(reenter ? { reenter: true } : {})
      }
    }
  )
  const states = Object.entries(node.states).map(([key, child]) => [key, stateOf(child)] as const)
  return {
    id: node.id,
    type: node.type,
    ...(node.type === "compound"
      ? {
          initial: idsOf(node.initial.target).join(" "),
          ...some("initialActions", node.initial.actions.map(nameWithEvent))
        }
      : {}),
    ...(node.type === "history" ? { history: String(node.history), ...some("target", idsOf(defaultsOf(node))) } : {}),
    ...some("tags", node.tags),
    ...(node.description === undefined ? {} : { description: node.description }),
    ...some("entry", node.entry.map(nameWithEvent)),
    ...some("exit", node.exit.map(nameWithEvent)),
    ...some(
      "invoke",
      node.invoke.map(({ id, src, systemId }) => ({
        id,
        src: typeof src === "string" ? src : "(inline)",
        ...(systemId === undefined ? {} : { systemId })
      }))
    ),
    ...some("transitions", transitions),
    ...(states.length === 0 ? {} : { states: Object.fromEntries(states) }),
    ...(node.type === "parallel" ? orderOf(Object.keys(node.states)) : {})
  }
}

/** The order of keys, where JSON that sorts them loses it. */
const orderOf = (keys: ReadonlyArray<string>): Pick<StateDefinition, "order"> => {
  const sorted = Object.keys(Object.fromEntries(keys.toSorted().map((key) => [key, true])))
  return keys.every((key, index) => key === sorted[index]) ? {} : { order: keys }
}

const idsOf = (nodes: ReadonlyArray<AnyStateNode>): ReadonlyArray<string> => nodes.map(({ id }) => id)

const some = <Key extends string, A>(key: Key, list: ReadonlyArray<A>): { readonly [K in Key]?: ReadonlyArray<A> } =>
  (list.length === 0 ? {} : { [key]: list }) as { readonly [K in Key]?: ReadonlyArray<A> }
