/**
 * Reads machine definitions: the library's machines, their states and transitions, and which of these a snapshot has active.
 *
 * Invariant: a state is named by the id XState gives it and a transition by {@link transitionId}, here and in every chart.
 */
import type { AnyStateMachine } from "xstate"
import { StateMachine } from "xstate"
import * as Library from "../../../machines/index.ts"
import { spanOf } from "../text.ts"
import type { CommandView } from "../View.ts"

/** Every machine that `machines/` exports, by its id. */
export const machines: ReadonlyMap<string, AnyStateMachine> = new Map(
  Object.values<Readonly<Record<string, unknown>>>(Library)
    .flatMap((module) => Object.values(module))
    .filter((value): value is AnyStateMachine => value instanceof StateMachine)
    .map((machine) => [machine.id, machine])
)

/** A state of a machine, the machine itself among them. */
export type StateNode = AnyStateMachine["root"]

/** What one event does in a state. */
export type StateTransition = NonNullable<ReturnType<StateNode["transitions"]["get"]>>[number]

/** The active states of a snapshot, as XState writes them. */
export type StateValue = string | { readonly [key: string]: StateValue | undefined }

/** A state and everything within it, in the order in which they are written. */
export const statesOf = (node: StateNode): ReadonlyArray<StateNode> => [
  node,
  ...Object.values<StateNode>(node.states).flatMap(statesOf)
]

/** The transitions of a state, in the order in which they are tried. */
export const transitionsOf = (node: StateNode): ReadonlyArray<StateTransition> =>
  [...node.transitions.values(), node.always ?? []].flat()

/** The events that the states of a machine handle, each once. */
export const eventsOf = ({ root }: AnyStateMachine): ReadonlyArray<string> =>
  [...new Set(statesOf(root).flatMap((node) => transitionsOf(node).map(({ eventType }) => eventType)))].filter(
    (event) => event !== ""
  )

/** The state that a compound one enters first. */
export const initialOf = (node: StateNode): string | undefined =>
  node.type === "compound" ? node.initial.target[0]?.key : undefined

/** The event of a transition with its guard, as a reader names it: `event [guard]`. */
export const triggerOf = ({
  eventType,
  guard,
  source
}: StateTransition): { readonly event: string; readonly guard: string } => ({
  event: eventWords(source.machine, eventType),
  guard: guard === undefined ? "" : ` [${nameOf(guard) ?? "condition"}]`
})

/** An event as a reader names it: those that XState makes are said in words, with the names that the machine gives. */
export const eventWords = (machine: AnyStateMachine, eventType: string): string => {
  if (eventType === "") return "always"
  const [, kind = "", rest = ""] =
    /^xstate\.(init$|after\.|done\.state\.|done\.actor\.|error\.actor\.|snapshot\.)(.*)$/s.exec(eventType) ?? [""]
  switch (kind) {
    case "init":
      return "begin"
    case "done.state.":
      return "done"
    case "after.":
      return `after ${delayIn(machine, rest)}`
    case "done.actor.":
      return `${actorIn(machine, rest)} done`
    case "error.actor.":
      return `${actorIn(machine, rest)} failed`
    case "snapshot.":
      return `${actorIn(machine, rest)} changed`
    default:
      return eventType
  }
}

/** The delay that is before the id of a state. */
const delayIn = ({ root }: AnyStateMachine, rest: string): string => {
  const ends = statesOf(root).flatMap(({ id }) => (rest.endsWith(`.${id}`) ? [id.length + 1] : []))
  const delay = rest.slice(0, rest.length - Math.max(0, ...ends))
  return /^\d+$/.test(delay) ? spanOf(Number(delay)) : delay
}

/** XState makes an id of the place of an invocation: its source says more. */
const actorIn = ({ root }: AnyStateMachine, actorId: string): string => {
  const invoked = statesOf(root).flatMap(({ invoke }) => invoke)
  const found = /^\d+\./.test(actorId) ? invoked.find(({ id }) => id === actorId) : undefined
  return typeof found?.src === "string" ? found.src : actorId
}

/** Names a transition: its state, its event, and its place among those of the same event. */
export const transitionId = (node: StateNode, transition: StateTransition): string => {
  const alike = transitionsOf(node).filter(({ eventType }) => eventType === transition.eventType)
  return `${node.id} ${transition.eventType} ${alike.indexOf(transition)}`
}

/** The ids of the active states, the machine's own first, each state before those within it. */
export const activeStates = (machine: AnyStateMachine, value: unknown): ReadonlyArray<string> =>
  within(machine.root, value as StateValue) // a snapshot's value has this shape

/** The events that the active states handle, innermost state first, each once. */
export const acceptedEvents = (machine: AnyStateMachine, active: ReadonlyArray<string>): ReadonlyArray<string> => {
  const ids = new Set(active)
  const events = statesOf(machine.root)
    .filter(({ id }) => ids.has(id))
    .toSorted((a, b) => b.path.length - a.path.length)
    .flatMap((node) => transitionsOf(node).map(({ eventType }) => eventType))
  return [...new Set(events)].filter((event) => event !== "")
}

/**
 * The transitions an event took: in each region the innermost active state that handles it and whose target was reached.
 *
 * A guard is not asked again. Of several transitions for one event the first one counts whose target is active afterwards
 * and whose commands were asked for.
 */
export const transitionsTaken = (
  machine: AnyStateMachine,
  eventType: string,
  step: {
    readonly before: ReadonlyArray<string>
    readonly after: ReadonlyArray<string>
    readonly commands: ReadonlyArray<CommandView>
  }
): ReadonlyArray<string> => {
  const before = new Set(step.before)
  const after = new Set(step.after)
  const asked = new Set(step.commands.map(({ type }) => type))
  const took = (transition: StateTransition): boolean =>
    (transition.target ?? []).every(({ id }) => after.has(id)) &&
    commandsOf(transition).every((command) => asked.has(command))
  const visit = (node: StateNode): ReadonlyArray<string> => {
    if (!before.has(node.id)) return []
    const inner = Object.values<StateNode>(node.states).flatMap(visit)
    if (inner.length > 0) return inner
    const found = transitionsOf(node).find((transition) => transition.eventType === eventType && took(transition))
    return found === undefined ? [] : [transitionId(node, found)]
  }
  return visit(machine.root)
}

/** The commands a transition asks for. Folds into the context are functions; what is named is asked of the runtime. */
export const commandsOf = ({ actions }: { readonly actions: ReadonlyArray<unknown> }): ReadonlyArray<string> =>
  actions.filter((action) => typeof action !== "function").flatMap((action) => nameOf(action) ?? [])

/** The name of a guard or an action; `undefined` for a function. */
export const nameOf = (named: unknown): string | undefined => {
  if (typeof named === "string") return named
  return typeof named === "object" && named !== null && "type" in named ? String(named.type) : undefined
}

const within = (node: StateNode, value: StateValue | undefined): ReadonlyArray<string> => {
  if (value === undefined) return [node.id]
  const children = typeof value === "string" ? { [value]: undefined } : value
  return [
    node.id,
    ...Object.entries(children).flatMap(([key, inner]) => {
      const child = node.states[key]
      return child === undefined ? [] : within(child, inner)
    })
  ]
}
