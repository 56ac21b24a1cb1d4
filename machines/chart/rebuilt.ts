/**
 * A machine made again of its stored definition.
 *
 * Invariant: the states and their ids are those of the machine that ran. It has no functions: what guards say and actions do is
 * not in it.
 */
import type { AnyStateMachine } from "xstate"
import { and, createMachine, not, or, raise, stateIn } from "xstate"
import type { StateDefinition, TransitionDefinition } from "./definition.ts"
import type { Condition } from "./parts.ts"
import { raisedBy, stateGuard } from "./parts.ts"

/** What a state or a transition has in the place of the actions of its definition, and besides them: see `traced.ts`. */
export interface Marks {
  readonly entry: (state: StateDefinition) => ReadonlyArray<object>
  readonly exit: (state: StateDefinition) => ReadonlyArray<object>
  /** `index`: its place among those of the same event, in the same state. */
  readonly transition: (
    state: StateDefinition,
    transition: TransitionDefinition,
    index: number
  ) => ReadonlyArray<object>
  /** What performs an action that the definition names. */
  readonly perform: (name: string) => ReadonlyArray<unknown>
}

/** What XState performs is no name for a reader. */
const unmarked: Marks = {
  entry: () => [],
  exit: () => [],
  transition: () => [],
  perform: (name) => raising(name) ?? (name.startsWith("xstate.") ? [] : [name])
}

/** The action that raises the event of a name; `undefined` for any other one. */
export const raising = (name: string): ReadonlyArray<unknown> | undefined => {
  const type = raisedBy(name)
  return type === undefined ? undefined : [raise({ type })]
}

/** Makes a machine of its definition. Throws where XState does not take it. */
export const machineFrom = (
  { version, structure }: { readonly version: string; readonly structure: StateDefinition },
  marks: Marks = unmarked
): AnyStateMachine => {
  const actions = Object.entries(structure.raises ?? {}).flatMap(([name, raised]) =>
    (raising(raised) ?? []).map((action) => [name, action] as const)
  )
  return createMachine(
    { ...stateFrom(structure, marks), version } as never,
    { actions: Object.fromEntries(actions) } as never
  ) as AnyStateMachine // a definition of any machine
}

const stateFrom = (definition: StateDefinition, marks: Marks): object => {
  const { id, type, history, target, tags, description, exit = [], invoke } = definition
  const { transitions = [], states = {}, order = Object.keys(states) } = definition
  const events = new Set(transitions.map(({ event }) => event))
  /** What an event does, under the name that a config has for it. */
  const when = (name: string, event: string): object =>
    events.delete(event)
      ? {
          [name]: transitions
            .filter((transition) => transition.event === event)
            .map((transition, index) =>
              transitionFrom(transition, marks.transition(definition, transition, index), marks)
            )
        }
      : {}
  const always = when("always", "")
  const onDone = when("onDone", `xstate.done.state.${id}`)
  const invoked = (invoke ?? []).map(({ id: actor, src, systemId }) => ({
    id: actor,
    src,
    ...(systemId === undefined ? {} : { systemId }),
    ...when("onDone", `xstate.done.actor.${actor}`),
    ...when("onError", `xstate.error.actor.${actor}`),
    ...when("onSnapshot", `xstate.snapshot.${actor}`)
  }))
  const delays = delaysOf(definition)
  const after = delays.map((delay) => when(delay, `${delayed}${delay}.${id}`))
  return {
    id,
    ...(type === "atomic" || type === "compound" ? {} : { type }),
    ...initialFrom(definition, marks),
    ...(history === undefined ? {} : { history }),
    ...(target === undefined ? {} : { target: target.map(reference) }),
    ...(tags === undefined ? {} : { tags }),
    ...(description === undefined ? {} : { description }),
    entry: [...marks.entry(definition), ...ownEntry(definition, delays.length).flatMap(marks.perform)],
    exit: [...exit.flatMap(marks.perform), ...marks.exit(definition)],
    ...(invoked.length === 0 ? {} : { invoke: invoked }),
    on: Object.assign({}, ...[...events].map((event) => when(event, event))),
    ...always,
    ...onDone,
    ...(after.length === 0 ? {} : { after: Object.assign({}, ...after) }),
    states: Object.fromEntries(
      order.flatMap((key) => {
        const state = states[key]
        return state === undefined ? [] : [[key, stateFrom(state, marks)]]
      })
    )
  }
}

const initialFrom = ({ initial, initialActions = [], states = {} }: StateDefinition, marks: Marks): object => {
  const first = Object.entries(states).find(([, state]) => state.id === initial)
  if (first === undefined) return {}
  const actions = initialActions.flatMap(marks.perform)
  return { initial: actions.length === 0 ? first[0] : { target: first[0], actions } }
}

const delayed = "xstate.after."

/** The delays after which a state is left, each once. */
export const delaysOf = ({ id, transitions = [] }: StateDefinition): ReadonlyArray<string> => {
  const events = transitions
    .map(({ event }) => event)
    .filter((event) => event.startsWith(delayed) && event.endsWith(`.${id}`))
  return [...new Set(events)].map((event) => event.slice(delayed.length, -id.length - 1))
}

/** What entering a state does but for its delays, each of which XState raises after all else. */
const ownEntry = ({ entry = [] }: StateDefinition, delays: number): ReadonlyArray<string> => {
  const raised = entry.flatMap((name, index) => (name === "xstate.raise" ? [index] : []))
  const ofDelays = new Set(delays === 0 ? [] : raised.slice(-delays))
  return entry.filter((_name, index) => !ofDelays.has(index))
}

/** Points in an id are no path. */
const reference = (id: string): string => `#${id.replace(special, "\\$&")}`

const special = /[\\.]/g

const transitionFrom = (
  { targets, guard, condition, actions = [], reenter }: TransitionDefinition,
  marks: ReadonlyArray<object>,
  { perform }: Marks
): object => ({
  ...(targets === undefined ? {} : { target: targets.map(reference) }),
  ...(guard === undefined ? {} : { guard: condition === undefined ? guard : guardFrom(condition) }),
  actions: [...marks, ...actions.flatMap(perform)],
  ...(reenter ? { reenter } : {})
})

const guardFrom = ({ guard, params, of }: Condition): unknown => {
  if (of === undefined) {
    return guard === stateGuard
      ? stateIn(params as string) // as it was given
      : { type: guard, ...(params === undefined ? {} : { params }) }
  }
  const [first, ...others] = of.map(guardFrom) as Array<never> // guards of any names
  if (guard === "not") return not(first as never)
  return (guard === "and" ? and : or)([first, ...others] as never)
}
