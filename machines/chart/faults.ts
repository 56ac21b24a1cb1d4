/**
 * Faults of a machine that show only as it runs: a state in which it never rests, a function that is asked the same twice and gives
 * another answer.
 */
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode } from "xstate"

/**
 * Why a machine never rests in a state, if it does not: the state is where the machine ends, or one that it leaves at once. XState
 * is in such a state only on its way, and says nothing when it is given one.
 */
export const whyNoRest = ({ machine, _nodes: nodes }: AnyMachineSnapshot): string | undefined => {
  const active = nodes as ReadonlyArray<AnyStateNode>
  const isDone = (node: AnyStateNode): boolean =>
    node.type === "parallel"
      ? Object.values(node.states).every(isDone)
      : active.some(({ type, parent }) => type === "final" && parent === node)
  if (isDone((machine as AnyStateMachine).root))
    return "is where the machine ends: a migration leads to a state that goes on"
  const passing = active.find(
    (node) =>
      (node.always ?? []).some(({ guard }) => guard === undefined) ||
      (node.config.onDone !== undefined && node.type !== "atomic" && isDone(node))
  )
  return (
    passing && `is left at once, by state \`${passing.id}\`: a migration leads to a state in which the machine rests`
  )
}

/** What a function is asked with; a fresh one each time, since a function may change what it is given. */
export type Asked = () => { readonly context: unknown; readonly event: { readonly type: string } }

/**
 * Names a guard or an assignment that gives two answers, each asked by itself and outside of any transition: those of the event's
 * transitions first. `undefined` where none does that by itself. `textOf` is what two answers are compared by.
 */
export const impureIn = (
  machine: AnyStateMachine,
  asked: Asked,
  textOf: (answer: unknown) => string
): string | undefined => {
  const { type } = asked().event
  const places = nodesOf(machine.root as unknown as Node).flatMap((node): ReadonlyArray<Place> => {
    const { id, entry, exit, transitions, always = [] } = node
    const each = [...transitions.values(), always].flat()
    return [
      ...each.map(({ guard, actions, eventType }) => ({
        at: `of \`${id}\`${eventType === "" ? ", which is always tried" : ` on \`${eventType}\``}`,
        isAsked: eventType === type,
        guard,
        actions
      })),
      { at: `of \`${id}\`, as it is entered`, isAsked: false, actions: entry },
      { at: `of \`${id}\`, as it is left`, isAsked: false, actions: exit }
    ]
  })
  const { guards, actions } = machine.implementations as Implementations // of a machine of any type
  const differs = (answer: () => unknown): boolean => {
    try {
      const first = textOf(answer())
      // One that follows chance often gives the same answer again.
      return Array.from({ length: timesAsked }).some(() => textOf(answer()) !== first)
    } catch {
      return false // it needs more than is known here
    }
  }
  const inGuard = (given: unknown, at: string): string | undefined => {
    const { named, params } = referenceOf(given)
    const guard = named === undefined ? given : guards[named]
    if (typeof guard !== "function") return undefined
    if ("check" in guard) {
      const { guards: inner = [] } = guard as { readonly guards?: ReadonlyArray<unknown> } // of `and`, `or` and `not`
      return firstOf(inner, (one) => inGuard(one, at))
    }
    return differs(() => (guard as Anything)(asked(), params)) ? `the guard ${nameOf(named, at)}` : undefined
  }
  const inAction = (given: unknown, at: string): string | undefined => {
    const { named, params } = referenceOf(given)
    const action = named === undefined ? given : actions[named]
    if (typeof action !== "function" || !("assignment" in action)) return undefined
    return differs(() => assignedBy(action.assignment, { ...stubs, ...asked() }, params))
      ? `the assignment ${nameOf(named, at)}`
      : undefined
  }
  const inPlace = (place: Place): string | undefined =>
    inGuard(place.guard, place.at) ?? firstOf(place.actions, (action) => inAction(action, place.at))
  return firstOf([...places.filter(({ isAsked }) => isAsked), ...places.filter(({ isAsked }) => !isAsked)], inPlace)
}

/** How often a function is asked whether it gives the same answer again. */
const timesAsked = 20

/** A transition, or what a state does as it is entered or left. */
interface Place {
  readonly at: string
  /** Whether it is a transition of the event. */
  readonly isAsked: boolean
  readonly guard?: unknown
  readonly actions: ReadonlyArray<unknown>
}

type Anything = (...given: ReadonlyArray<unknown>) => unknown

interface Implementations {
  readonly guards: Readonly<Record<string, unknown>>
  readonly actions: Readonly<Record<string, unknown>>
}

interface Transition {
  readonly guard?: unknown
  readonly actions: ReadonlyArray<unknown>
  readonly eventType: string
}

/** A state as XState makes it. */
interface Node {
  readonly id: string
  readonly states: Readonly<Record<string, Node>>
  readonly entry: ReadonlyArray<unknown>
  readonly exit: ReadonlyArray<unknown>
  readonly transitions: ReadonlyMap<string, ReadonlyArray<Transition>>
  readonly always?: ReadonlyArray<Transition>
}

const nodesOf = (node: Node): ReadonlyArray<Node> => [node, ...Object.values(node.states).flatMap(nodesOf)]

const firstOf = <A>(all: ReadonlyArray<A>, find: (one: A) => string | undefined): string | undefined => {
  for (const one of all) {
    const found = find(one)
    if (found !== undefined) return found
  }
  return undefined
}

const nameOf = (named: string | undefined, at: string): string => (named === undefined ? at : `\`${named}\``)

/** A guard or an action that is named, with its parameters where they are plain. */
const referenceOf = (given: unknown): { readonly named?: string; readonly params?: unknown } => {
  if (typeof given === "string") return { named: given }
  if (typeof given !== "object" || given === null || !("type" in given) || typeof given.type !== "string") return {}
  return { named: given.type, params: "params" in given ? given.params : undefined }
}

/** What an `assign` makes of the context. */
const assignedBy = (assignment: unknown, asked: unknown, params: unknown): unknown => {
  if (typeof assignment === "function") return (assignment as Anything)(asked, params)
  return Object.fromEntries(
    Object.entries(assignment as object).map(([field, value]) => [
      field,
      typeof value === "function" ? (value as Anything)(asked, params) : value
    ])
  )
}

/** What XState hands to an assignment besides context and event. */
const stubs = { self: { id: "" }, system: {}, spawn: () => ({ id: "" }) }
