/**
 * What a host's statechart consists of, as data: its structure, which tells one version from another, and the names that it
 * uses, which the program must implement.
 */
import type { AnyStateMachine, AnyStateNode, StateValue } from "xstate"

/** A state of a chart. Functions are left out: two machines with equal structures have the same states and transitions. */
export interface StateDefinition {
  readonly id: string
  readonly type: string
  readonly initial?: string
  readonly history?: string
  readonly tags?: ReadonlyArray<string>
  readonly description?: string
  readonly entry?: ReadonlyArray<string>
  readonly exit?: ReadonlyArray<string>
  readonly invoke?: ReadonlyArray<{ readonly id: string; readonly src: string }>
  readonly transitions?: ReadonlyArray<TransitionDefinition>
  readonly states?: Readonly<Record<string, StateDefinition>>
}

/** A transition of a chart. `event` is empty for one that is taken of itself. */
export interface TransitionDefinition {
  readonly event: string
  readonly targets?: ReadonlyArray<string>
  readonly guard?: string
  readonly actions?: ReadonlyArray<string>
  readonly reenter?: true
}

/** The names that a machine uses. */
export interface ChartNames {
  /** Its own actions: not those that XState performs. */
  readonly actions: ReadonlyArray<string>
  readonly actors: ReadonlyArray<string>
  /** The delays that are words and have no implementation. */
  readonly delays: ReadonlyArray<string>
  /** The types of the events that some state takes, but for XState's own. */
  readonly events: ReadonlyArray<string>
  /** What is given as a function where a name is needed, and in which state. */
  readonly inline: ReadonlyArray<{ readonly what: "action" | "actor"; readonly state: string }>
}

/** The structure of a machine. */
export const structureOf = (machine: AnyStateMachine): StateDefinition => stateOf(machine.root)

/** How two structures differ, a line for each state: what a person compares when a version means two things. */
export const differences = (before: StateDefinition, after: StateDefinition): ReadonlyArray<string> => {
  const { states: inner = {}, ...own } = before
  const { states: innerAfter = {}, ...ownAfter } = after
  const here = ownAndAfter(own, ownAfter)
  const keys = [...new Set([...Object.keys(inner), ...Object.keys(innerAfter)])]
  return [
    ...(here.length === 0 ? [] : [`state ${after.id} has other ${here.join(" and ")}`]),
    ...keys.flatMap((key) => {
      const [one, other] = [inner[key], innerAfter[key]]
      if (one === undefined) return [`state ${other?.id} is new`]
      return other === undefined ? [`state ${one.id} is gone`] : differences(one, other)
    })
  ]
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
  const own = [type, `${type}.*`, "*"].flatMap((descriptor) =>
    (state.transitions ?? []).filter(({ event }) => event === descriptor)
  )
  const certain = own.findIndex(({ guard }) => guard === undefined)
  const reached = certain === -1 ? own : own.slice(0, certain + 1)
  if (inner.includes("forbidden")) return "forbidden"
  if (reached.some(({ targets, actions }) => targets !== undefined || actions !== undefined)) {
    return "taken"
  }
  return certain === -1 ? "unknown" : "forbidden"
}

const ownAndAfter = (one: object, other: object): ReadonlyArray<string> =>
  [...new Set([...Object.keys(one), ...Object.keys(other)])].filter(
    (field) =>
      JSON.stringify((one as Readonly<Record<string, unknown>>)[field]) !==
      JSON.stringify((other as Readonly<Record<string, unknown>>)[field])
  )

/** The names that a machine uses. */
export const namesOf = (machine: AnyStateMachine): ChartNames => {
  const actions = new Set<string>()
  const actors = new Set<string>()
  const delays = new Set<string>()
  const events = new Set<string>()
  const inline: Array<ChartNames["inline"][number]> = []
  const { implementations } = machine
  const act = (state: string) => (action: Part) => {
    const name = nameOf(action)
    const delay = typeof action === "function" ? action.delay : undefined
    if (typeof delay === "string") delays.add(delay)
    if (typeof action === "function") {
      if (action.resolve === undefined) inline.push({ what: "action", state })
      if (action.type === "xstate.spawnChild") actor(state, action.src)
    } else if (!isBuiltIn((implementations.actions as Readonly<Record<string, unknown>>)[name])) actions.add(name)
  }
  const actor = (state: string, src: unknown): void => {
    if (typeof src !== "string" || src.startsWith("xstate.invoke.")) inline.push({ what: "actor", state })
    else actors.add(src)
  }
  const visit = (node: AnyStateNode): void => {
    for (const { src } of node.invoke) actor(node.id, src)
    for (const action of [...node.entry, ...node.exit]) act(node.id)(action as Part)
    for (const transition of transitionsOf(node)) {
      if (transition.eventType !== "" && !transition.eventType.startsWith("xstate.")) events.add(transition.eventType)
      for (const action of transition.actions) act(node.id)(action as Part)
    }
    for (const child of Object.values(node.states)) visit(child)
  }
  visit(machine.root)
  return {
    actions: [...actions],
    actors: [...actors],
    delays: [...delays].filter((name) => implementations.delays[name] === undefined),
    events: [...events],
    inline
  }
}

/** An action, guard or their reference, as XState has it. */
type Part = string | (ActionObject & (object | (() => void)))

interface ActionObject {
  readonly type?: string
  readonly resolve?: unknown
  readonly delay?: unknown
  readonly src?: unknown
}

/** Whether XState itself performs an action that a machine names. */
const isBuiltIn = (action: unknown): boolean => typeof action === "function" && "resolve" in action

const nameOf = (part: unknown): string => {
  if (typeof part === "string") return part
  const { type } = part as { readonly type?: unknown }
  return typeof type === "string" ? type : "(inline)"
}

const transitionsOf = (node: AnyStateNode) => [...[...node.transitions.values()].flat(), ...(node.always ?? [])]

const stateOf = (node: AnyStateNode): StateDefinition => {
  const transitions = transitionsOf(node).map(
    ({ eventType, target, guard, actions, reenter }): TransitionDefinition => ({
      event: eventType,
      ...(target === undefined ? {} : { targets: target.map(({ id }) => id) }),
      ...(guard === undefined ? {} : { guard: nameOf(guard) }),
      ...some("actions", actions.map(nameOf)),
      ...(reenter ? { reenter: true } : {})
    })
  )
  return {
    id: node.id,
    type: node.type,
    ...(node.type === "compound" ? { initial: node.initial.target.map(({ id }: AnyStateNode) => id).join(" ") } : {}),
    ...(node.type === "history" ? { history: String(node.history) } : {}),
    ...some("tags", node.tags),
    ...(node.description === undefined ? {} : { description: node.description }),
    ...some("entry", node.entry.map(nameOf)),
    ...some("exit", node.exit.map(nameOf)),
    ...some(
      "invoke",
      node.invoke.map(({ id, src }) => ({ id, src: typeof src === "string" ? src : "(inline)" }))
    ),
    ...some("transitions", transitions),
    ...(Object.keys(node.states).length === 0
      ? {}
      : { states: Object.fromEntries(Object.entries(node.states).map(([key, child]) => [key, stateOf(child)])) })
  }
}

const some = <Key extends string, A>(key: Key, list: ReadonlyArray<A>): { readonly [K in Key]?: ReadonlyArray<A> } =>
  (list.length === 0 ? {} : { [key]: list }) as { readonly [K in Key]?: ReadonlyArray<A> }
