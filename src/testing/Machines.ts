/**
 * Checks of a host's own statechart: random histories held against XState itself, and what its graph says.
 */
import * as Arbitrary from "effect/Arbitrary"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { AnyStateMachine, ContextFrom } from "xstate"
import { namesOf } from "../../machines/chart/definition.ts"
import type { MachineEngine } from "../runtime/engine/fromMachine.ts"
import type { MachineOptions } from "../runtime/engine/MachineOptions.ts"
import { schemaOf } from "../runtime/engine/MachineOptions.ts"
import type { Models } from "./machines/models.ts"
import { play } from "./machines/play.ts"
import type { Script } from "./machines/script.ts"
import * as Scripts from "./machines/script.ts"

export type { ActionModel, Models } from "./machines/models.ts"
export { type Paths, paths } from "./machines/paths.ts"
export type { Script, Step } from "./machines/script.ts"

/** How much is tried. */
export interface CheckOptions<World, Context = unknown> extends Models<World, Context> {
  /** @default 100 */
  readonly runs?: number
  /** The same seed tries the same histories. @default another one each time */
  readonly seed?: number
}

/** A history that breaks a promise, as short as it was found. */
export class Counterexample extends Schema.TaggedError<Counterexample>()("Counterexample", {
  problem: Schema.String,
  seed: Schema.Number,
  script: Schema.Unknown
}) {
  override get message(): string {
    return `${this.problem}\n\nThe history, for \`Machines.replay\` (seed ${this.seed}):\n${Scripts.print(this.script as Script)}` // what was played
  }
}

/**
 * Tries random histories of events, time, failing actions, crashes at commits and a second host. The process must do what
 * XState's own actor does, in states, context and order of actions; an action that was recorded never runs again; every
 * invariant holds in every state.
 *
 * Fails with `Counterexample`, whose script is printed and can be played again.
 */
export const check = <Machine extends AnyStateMachine, R, World = unknown>(
  engine: MachineEngine<Machine, R>,
  options: CheckOptions<World, ContextFrom<Machine>> = {}
): Effect.Effect<void, Counterexample> =>
  Effect.flatMap(
    Effect.promise(() => {
      const { runs = 100, seed } = options
      const property = FastCheck.asyncProperty(Scripts.scripts(givensOf(engine, options)), (script) =>
        Effect.runPromise(play(engine, options, script))
      )
      return FastCheck.check(property, { numRuns: runs, ...(seed === undefined ? {} : { seed }) })
    }),
    ({ failed, counterexample, errorInstance, seed }) =>
      failed
        ? new Counterexample({ problem: problemOf(errorInstance), seed, script: counterexample?.[0] })
        : Effect.void
  )

/** Plays one history again. Fails with `Counterexample`. */
export const replay = <Machine extends AnyStateMachine, R, World = unknown>(
  engine: MachineEngine<Machine, R>,
  script: Script,
  models: Models<World, ContextFrom<Machine>> = {}
): Effect.Effect<void, Counterexample> =>
  Effect.catchAllDefect(
    play(engine, models, script),
    (thrown) => new Counterexample({ problem: problemOf(thrown), seed: 0, script })
  )

const problemOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown))

const givensOf = <Machine extends AnyStateMachine, R, World>(
  engine: MachineEngine<Machine, R>,
  models: Models<World, never>
): Scripts.Givens => {
  const options = engine.options as MachineOptions<AnyStateMachine, unknown> // its machine is any
  const events = Object.entries(options.events ?? {}).flatMap(
    ([type, schema]) =>
      schema === undefined
        ? []
        : [
            (models.events?.[type] ?? Arbitrary.make(schemaOf(schema))).map((fields) => ({
              ...(fields as object),
              type
            }))
          ] // a struct
  )
  return {
    input: models.input ?? Arbitrary.make(schemaOf(options.input)),
    events,
    delays: delaysOf(engine.machine),
    mayFail: Object.keys(options.actions ?? {}).length > 0
  }
}

/** The delays that a machine names or gives as numbers. */
const delaysOf = (machine: AnyStateMachine): ReadonlyArray<number> => {
  const given = Object.values(machine.implementations.delays).filter((delay) => typeof delay === "number")
  const words = namesOf(machine).delays.map((word) => Option.getOrUndefined(Duration.decodeUnknown(word)))
  const after = [...machine.events].flatMap((type) => {
    const [, ms] = /^xstate\.after\.(\d+)\./.exec(type) ?? []
    return ms === undefined ? [] : [Number(ms)]
  })
  return [...given, ...words.flatMap((word) => (word === undefined ? [] : [Duration.toMillis(word)])), ...after]
}
