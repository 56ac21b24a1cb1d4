/**
 * Machines of hosts, made again of their stored definitions: to be drawn and lit, also from a file whose program is gone.
 *
 * Invariant: the states and their ids are those of the machine that ran. It has no functions: what guards say and actions do is
 * not in it.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { AnyStateMachine } from "xstate"
import { createMachine } from "xstate"
import type { StateDefinition, TransitionDefinition } from "../../../machines/chart/definition.ts"
import type { ChartState } from "../../../machines/chart/state.ts"
import type { StoreError } from "../../model/errors.ts"
import { InputInvalid } from "../../model/errors.ts"
import { messageOf } from "../../model/Failure.ts"
import type { Registration } from "../../model/Registration.ts"
import { engineOf } from "../../model/Registration.ts"
import type { StoredDefinition } from "../../operations/Charts.ts"
import { definitionOf } from "../../operations/Charts.ts"
import type { ProcessStore } from "../../store/ProcessStore.ts"

type Definitions = (typeof ProcessStore.Service)["definitions"]

const prefix = "chart "

/** The kind, version and hash that an id names. */
const Named = Schema.parseJson(Schema.Tuple(Schema.String, Schema.String, Schema.String))

/** A machine that was made of its definition. */
export interface StoredMachine {
  readonly machine: AnyStateMachine
  readonly definition: StoredDefinition
}

/** Machines that were made, by store and id: as many as it has definitions that were looked at. */
const made = new WeakMap<Definitions, Map<string, StoredMachine>>()

/** Whether an id names a stored definition. */
export const isStored = (id: string): boolean => id.startsWith(prefix)

/** The machine of a chart, with its id; `undefined` where its definition is not in the store, or cannot be drawn. */
export const machineOf = (
  definitions: Definitions,
  registration: Pick<Registration, "input" | "identity">,
  { definition: { version, hash } }: ChartState
): Effect.Effect<({ readonly id: string } & StoredMachine) | undefined, StoreError> => {
  const id = `${prefix}${JSON.stringify([engineOf(registration).kind, version, hash])}`
  return storedMachine(definitions, id).pipe(
    Effect.map((found) => ({ id, ...found })),
    Effect.catchTag("InputInvalid", () => Effect.succeed(undefined))
  )
}

/** The machine of a definition in the store. Fails with `InputInvalid` for an id that names none. */
export const storedMachine = (
  definitions: Definitions,
  id: string
): Effect.Effect<StoredMachine, InputInvalid | StoreError> =>
  Effect.gen(function* () {
    const unknown = new InputInvalid({ field: "machine", problem: `names no machine: ${JSON.stringify(id)}` })
    const named = Schema.decodeOption(Named)(id.slice(prefix.length))
    if (Option.isNone(named)) return yield* unknown
    const [kind, version, hash] = named.value
    const key = JSON.stringify(named.value)
    const machines = made.get(definitions) ?? new Map<string, StoredMachine>()
    made.set(definitions, machines)
    const known = machines.get(key)
    if (known !== undefined) return known
    const definition = yield* definitionOf(definitions, kind, { version, hash })
    if (definition === undefined) return yield* unknown
    const stored = yield* Effect.try({
      try: () => ({ machine: machineFrom(definition), definition }),
      catch: (thrown) => new InputInvalid({ field: "machine", problem: `cannot be drawn: ${messageOf(thrown)}` })
    })
    machines.set(key, stored)
    return stored
  })

/** What a state or a transition has besides the actions of its definition: see `trace.ts`. */
export interface Marks {
  readonly entry: (state: StateDefinition) => ReadonlyArray<object>
  readonly exit: (state: StateDefinition) => ReadonlyArray<object>
  /** `index`: its place among those of the same event, in the same state. */
  readonly transition: (
    state: StateDefinition,
    transition: TransitionDefinition,
    index: number
  ) => ReadonlyArray<object>
}

const unmarked: Marks = { entry: () => [], exit: () => [], transition: () => [] }

/** Makes a machine of its definition. Throws where XState does not take it. */
export const machineFrom = (
  { version, structure }: Pick<StoredDefinition, "version" | "structure">,
  marks: Marks = unmarked
): AnyStateMachine => createMachine({ ...stateFrom(structure, marks), version } as never) as AnyStateMachine // a definition of any machine

const stateFrom = (definition: StateDefinition, marks: Marks): object => {
  const { id, type, initial, history, tags, description, entry, exit, invoke } = definition
  const { transitions = [], states = {} } = definition
  const first = Object.entries(states).find(([, state]) => state.id === initial)
  const events = new Set(transitions.map(({ event }) => event))
  /** What an event does, under the name that a config has for it. */
  const when = (name: string, event: string): object =>
    events.delete(event)
      ? {
          [name]: transitions
            .filter((transition) => transition.event === event)
            .map((transition, index) => transitionFrom(transition, marks.transition(definition, transition, index)))
        }
      : {}
  const always = when("always", "")
  const onDone = when("onDone", `xstate.done.state.${id}`)
  const invoked = (invoke ?? []).map(({ id: actor, src }) => ({
    id: actor,
    src,
    ...when("onDone", `xstate.done.actor.${actor}`),
    ...when("onError", `xstate.error.actor.${actor}`),
    ...when("onSnapshot", `xstate.snapshot.${actor}`)
  }))
  const after = [...events]
    .filter((event) => event.startsWith(delayed) && event.endsWith(`.${id}`))
    .map((event) => when(event.slice(delayed.length, -id.length - 1), event))
  return {
    id,
    ...(type === "atomic" || type === "compound" ? {} : { type }),
    ...(first === undefined ? {} : { initial: first[0] }),
    ...(history === undefined ? {} : { history }),
    ...(tags === undefined ? {} : { tags }),
    ...(description === undefined ? {} : { description }),
    entry: [...marks.entry(definition), ...(entry ?? []).filter(isOwn)],
    exit: [...(exit ?? []).filter(isOwn), ...marks.exit(definition)],
    ...(invoked.length === 0 ? {} : { invoke: invoked }),
    on: Object.assign({}, ...[...events].map((event) => when(event, event))),
    ...always,
    ...onDone,
    ...(after.length === 0 ? {} : { after: Object.assign({}, ...after) }),
    states: Object.fromEntries(Object.entries(states).map(([key, state]) => [key, stateFrom(state, marks)]))
  }
}

const delayed = "xstate.after."

/** Points in an id are no path. */
const reference = (id: string): string => `#${id.replace(special, "\\$&")}`

const special = /[\\.]/g

const transitionFrom = (
  { targets, guard, actions = [], reenter }: TransitionDefinition,
  marks: ReadonlyArray<object>
): object => ({
  ...(targets === undefined ? {} : { target: targets.map(reference) }),
  ...(guard === undefined ? {} : { guard }),
  actions: [...marks, ...actions.filter(isOwn)],
  ...(reenter ? { reenter } : {})
})

/** What XState performs is no name for a reader. */
const isOwn = (name: string): boolean => !name.startsWith("xstate.")
