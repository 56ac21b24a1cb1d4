/**
 * Machines of hosts, made again of their stored definitions: to be drawn and lit, also from a file whose program is gone.
 *
 * Invariant: the states and their ids are those of the machine that ran. It has no functions, so it cannot be stepped.
 */
import * as Effect from "effect/Effect"
import type { AnyStateMachine } from "xstate"
import { createMachine } from "xstate"
import type { StateDefinition, TransitionDefinition } from "../../../machines/chart/definition.ts"
import type { ChartState } from "../../../machines/chart/state.ts"
import type { StoreError } from "../../model/errors.ts"
import { InputInvalid } from "../../model/errors.ts"
import { engineOf } from "../../model/Registration.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import type { ProcessStore } from "../../store/ProcessStore.ts"

type Definitions = (typeof ProcessStore.Service)["definitions"]

/** A machine by the id of its definition. */
const known = new Map<string, AnyStateMachine>()

const prefix = "chart "

/** Names the definition that a chart follows, of an engine. */
const idOf = (kind: string, { version, hash }: ChartState["definition"]): string =>
  `${prefix}${JSON.stringify([kind, version, hash])}`

/** Whether an id names a stored definition. */
export const isStored = (id: string): boolean => id.startsWith(prefix)

/** The machine of a chart with its id; `undefined` for a body of code, or when its definition is not in the store. */
export const machineOfChart = (
  definitions: Definitions,
  row: ProcessRow
): Effect.Effect<{ readonly id: string; readonly machine: AnyStateMachine } | undefined, StoreError> => {
  const { chart } = row.snapshot.context
  if (chart === undefined) return Effect.succeed(undefined)
  const id = idOf(engineOf(row.base.registration).kind, chart.definition)
  return Effect.match(storedMachine(definitions, id), {
    onSuccess: (machine) => ({ id, machine }),
    onFailure: () => undefined
  })
}

/** The machine of a definition in the store. Fails with `InputInvalid` for an id that names none. */
export const storedMachine = (
  definitions: Definitions,
  id: string
): Effect.Effect<AnyStateMachine, InputInvalid | StoreError> =>
  Effect.gen(function* () {
    const made = known.get(id)
    if (made !== undefined) return made
    const [kind, version, hash] = yield* Effect.try({
      try: () => JSON.parse(id.slice(prefix.length)) as readonly [string, string, string],
      catch: () => new InputInvalid({ field: "machine", problem: `names no machine: ${JSON.stringify(id)}` })
    })
    const found = (yield* definitions.of(kind, version)).find((definition) => definition.hash === hash)
    if (found === undefined) {
      return yield* new InputInvalid({ field: "machine", problem: `names no machine: ${JSON.stringify(id)}` })
    }
    const machine = machineFrom(found.body)
    known.set(id, machine)
    return machine
  })

/** Makes a machine of the JSON text of its definition. */
export const machineFrom = (body: string): AnyStateMachine => {
  const { version, structure } = JSON.parse(body) as { readonly version: string; readonly structure: StateDefinition } // written from a chart
  return createMachine({ ...stateFrom(structure), version } as never) as AnyStateMachine // a definition of any machine
}

const stateFrom = ({
  id,
  type,
  initial,
  history,
  tags,
  description,
  entry,
  exit,
  invoke,
  transitions = [],
  states = {}
}: StateDefinition): object => {
  const first = Object.entries(states).find(([, state]) => initial === state.id || initial?.startsWith(`${state.id}.`))
  const always = transitions.filter(({ event }) => event === "")
  const events = [...new Set(transitions.map(({ event }) => event))].filter((event) => event !== "")
  return {
    id,
    ...(type === "atomic" || type === "compound" ? {} : { type }),
    ...(first === undefined ? {} : { initial: first[0] }),
    ...(history === undefined ? {} : { history }),
    ...(tags === undefined ? {} : { tags }),
    ...(description === undefined ? {} : { description }),
    entry: (entry ?? []).filter(isOwn),
    exit: (exit ?? []).filter(isOwn),
    ...(invoke === undefined ? {} : { invoke: invoke.map(({ id: actor, src }) => ({ id: actor, src })) }),
    on: Object.fromEntries(
      events.map((event) => [event, transitions.filter((other) => other.event === event).map(transitionFrom)])
    ),
    ...(always.length === 0 ? {} : { always: always.map(transitionFrom) }),
    states: Object.fromEntries(Object.entries(states).map(([key, state]) => [key, stateFrom(state)]))
  }
}

const transitionFrom = ({ targets, guard, actions = [], reenter }: TransitionDefinition): object => ({
  ...(targets === undefined ? {} : { target: targets.map((target) => `#${target}`) }),
  ...(guard === undefined ? {} : { guard }),
  actions: actions.filter(isOwn),
  ...(reenter ? { reenter } : {})
})

/** What XState performs is no name for a reader. */
const isOwn = (name: string): boolean => !name.startsWith("xstate.")
