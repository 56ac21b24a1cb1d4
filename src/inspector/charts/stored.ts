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
import { machineFrom } from "../../../machines/chart/rebuilt.ts"
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
