/**
 * Memoises transitions: XState computes each (state, transitions) pair once; later steps reuse its target and re-run only
 * assigns and command params, which depend on the context.
 *
 * Invariant: a memoised step equals XState's. It is compared with XState's own when it is kept, and by a property over all
 * histories in the tests; `verify` folds logs by XState alone.
 */
import type { AnyMachineSnapshot, AnyStateMachine, EventFromLogic, SnapshotFrom, StateValue } from "xstate"
import type { Command, CommandFrom } from "./step.ts"
import * as Step from "./step.ts"

/** A machine that is advanced as `Step.advance` does it, several times faster. */
export interface Compiled<Machine extends AnyStateMachine> {
  readonly advance: (
    snapshot: SnapshotFrom<Machine>,
    event: EventFromLogic<Machine>
  ) => Step.Step<SnapshotFrom<Machine>, CommandFrom<Machine>>
}

/** What a set of transitions does from one set of states. */
interface Plan {
  /** The snapshot after it, but for its context. */
  readonly next: AnyMachineSnapshot
  readonly actions: ReadonlyArray<Action>
}

/** A fold of the context, as `assign` makes it, or a command. */
type Action =
  | { readonly assignment: (now: object) => object }
  | { readonly type: string; readonly params?: unknown | ((now: object) => unknown) }

/**
 * Compiles a machine.
 *
 * Throws for a machine with states that act on their own (`entry`, `exit`, `invoke`, `always`, `after`): what such a
 * machine does is not said by the transitions that an event takes.
 */
export const compile = <Machine extends AnyStateMachine>(machine: Machine): Compiled<Machine> => {
  refuseOwnWork(machine, machine.root)
  const plans = new Map<string, Plan | "interpret">()
  const steps = new Map<string, Steps>()
  const stepsOf = new WeakMap<object, Steps>()
  const numbers = new WeakMap<object, number>()
  let transitions = 0

  const stepsFrom = (value: StateValue): Steps => {
    const found = typeof value === "string" ? steps.get(value) : stepsOf.get(value)
    if (found !== undefined) return found
    const key = typeof value === "string" ? value : JSON.stringify(value)
    const known = steps.get(key) ?? { key, unguarded: new Map() }
    steps.set(key, known)
    if (typeof value !== "string") stepsOf.set(value, known)
    return known
  }
  const numberOf = (transition: object): number => {
    const number = numbers.get(transition) ?? transitions++
    numbers.set(transition, number)
    return number
  }

  return {
    advance: (snapshot, event) => {
      const { value, context }: AnyMachineSnapshot = snapshot
      const { key: states, unguarded } = stepsFrom(value)
      const known = unguarded.get(event.type)
      if (known === "ignored") return { snapshot, commands: [] }
      // The type is lost in the table: a plan is kept under what this machine's own step has come to.
      if (known !== undefined && known !== "depends") return follow(known, context, event) as never
      const learn = (found: Plan | "ignored" | "interpret"): void => {
        if (known !== undefined) return
        unguarded.set(event.type, found === "interpret" || isGuarded(snapshot, event.type) ? "depends" : found)
      }
      const taken = machine.getTransitionData(snapshot, event)
      if (taken.length === 0) {
        learn("ignored")
        return { snapshot, commands: [] }
      }
      let key = states
      for (const transition of taken) key += ` ${numberOf(transition)}`
      const plan = plans.get(key)
      if (plan !== undefined) {
        learn(plan)
        return plan === "interpret" ? Step.advance(machine, snapshot, event) : (follow(plan, context, event) as never)
      }
      const step = Step.advance(machine, snapshot, event)
      const made = planOf(step, taken, context, event) ?? "interpret"
      plans.set(key, made)
      learn(made)
      return step
    }
  }
}

/** What is known of the steps from one set of states. */
interface Steps {
  /** The states as text. */
  readonly key: string
  /**
   * What an event does that no guard decides about, by its type: nothing, or always the same transitions. `depends`: which ones it
   * takes is to be found out each time.
   */
  readonly unguarded: Map<string, Plan | "ignored" | "depends">
}

/** Whether a guard has a say in what an event does in the states of a snapshot. */
const isGuarded = ({ _nodes: nodes }: AnyMachineSnapshot, type: string): boolean =>
  nodes.some(({ transitions }) =>
    [...transitions].some(
      ([descriptor, candidates]) =>
        (descriptor === type || descriptor.includes("*")) && candidates.some(({ guard }) => guard !== undefined)
    )
  )

/** What a state may do of its own accord. */
const ownWork = ["entry", "exit", "invoke", "always", "after"] as const

const refuseOwnWork = (machine: AnyStateMachine, node: AnyStateMachine["root"]): void => {
  for (const what of ownWork) {
    if ((node[what] ?? []).length > 0)
      throw new TypeError(`machine ${machine.id} cannot be compiled: ${node.id} has \`${what}\``)
  }
  for (const child of Object.values(node.states)) refuseOwnWork(machine, child)
}

/** Keeps what a step did to the states; `undefined` when following that would not come to the same step. */
const planOf = (
  step: Step.Step<AnyMachineSnapshot, Command>,
  taken: ReadonlyArray<{ readonly actions: ReadonlyArray<unknown> }>,
  context: unknown,
  event: unknown
): Plan | undefined => {
  const actions = taken.flatMap((transition) => transition.actions)
  if (!actions.every(isFollowable)) return undefined
  const plan = { next: step.snapshot, actions }
  const followed = follow(plan, context, event)
  return textOf(followed) === textOf(step) ? plan : undefined
}

const isFollowable = (action: unknown): action is Action =>
  typeof action === "function"
    ? "assignment" in action && typeof action.assignment === "function"
    : typeof action === "object" && action !== null && "type" in action

const textOf = ({ snapshot, commands }: Step.Step<AnyMachineSnapshot, Command>): string =>
  JSON.stringify([Step.persist(snapshot), snapshot.status, commands])

const follow = ({ next, actions }: Plan, before: unknown, event: unknown): Step.Step<AnyMachineSnapshot, Command> => {
  const commands: Array<Command> = []
  let context = before as object
  for (const action of actions) {
    if ("assignment" in action) {
      context = Object.assign({}, context, action.assignment({ context, event }))
    } else {
      const { type, params = {} } = action
      commands.push({ type, params: typeof params === "function" ? params({ context, event }) : params })
    }
  }
  return { snapshot: { ...next, context } as AnyMachineSnapshot, commands }
}
