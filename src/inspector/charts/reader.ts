/**
 * A statechart as plain data: what a picture and a table of it need, read from an XState machine.
 */
import type { AnyStateMachine } from "xstate"

/** A state, or the machine itself, whose path is empty. */
export interface ChartState {
  readonly path: ReadonlyArray<string>
  readonly kind: "atomic" | "compound" | "parallel" | "final" | "history"
  readonly description?: string
  /** The key of the state that a compound one enters first. */
  readonly initial?: string
  readonly entry: ReadonlyArray<string>
  readonly transitions: ReadonlyArray<ChartTransition>
  readonly states: ReadonlyArray<ChartState>
}

/** What one event does in a state. */
export interface ChartTransition {
  readonly event: string
  readonly guard?: string
  /** Absent when the state stays as it is. */
  readonly target?: ReadonlyArray<string>
  readonly commands: ReadonlyArray<string>
}

type Node = AnyStateMachine["root"]
type Transition = NonNullable<ReturnType<Node["transitions"]["get"]>>[number]

/** Reads a machine. */
export const chartOf = (machine: AnyStateMachine): ChartState => stateOf(machine.root)

/** A state and everything within it, in the order in which they are written. */
export const flattened = (state: ChartState): ReadonlyArray<ChartState> => [state, ...state.states.flatMap(flattened)]

const stateOf = (node: Node): ChartState => {
  const initial = node.type === "compound" ? node.initial.target[0]?.key : undefined
  return {
    path: node.path,
    kind: node.type,
    ...(node.description === undefined ? {} : { description: node.description }),
    ...(initial === undefined ? {} : { initial }),
    entry: commandsIn(node.entry),
    transitions: [...node.transitions.values(), node.always ?? []].flat().map(transitionOf),
    states: Object.values<Node>(node.states).map(stateOf)
  }
}

const transitionOf = ({ eventType, guard, target, actions }: Transition): ChartTransition => ({
  event: eventType === "" ? "always" : eventType.startsWith("xstate.done.state.") ? "done" : eventType,
  ...(guard === undefined ? {} : { guard: nameOf(guard) ?? "condition" }),
  ...(target?.[0] === undefined ? {} : { target: target[0].path }),
  commands: commandsIn(actions)
})

/** Folds into the context are functions; what is named is asked of the runtime. */
const commandsIn = (actions: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  actions.filter((action) => typeof action !== "function").flatMap((action) => nameOf(action) ?? [])

const nameOf = (named: unknown): string | undefined => {
  if (typeof named === "string") return named
  return typeof named === "object" && named !== null && "type" in named ? String(named.type) : undefined
}
