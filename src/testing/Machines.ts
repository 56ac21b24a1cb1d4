/**
 * Checks of a host's own statechart: random histories held against XState itself, and what its graph says.
 */
import { existsSync } from "node:fs"
import * as Arbitrary from "effect/Arbitrary"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { AnyStateMachine, StateValue } from "xstate"
import { namesOf } from "../../machines/chart/definition.ts"
import type { MachineEngine } from "../runtime/engine/fromMachine.ts"
import type { MachineOptions } from "../runtime/engine/MachineOptions.ts"
import { schemaOf } from "../runtime/engine/MachineOptions.ts"
import type { Database } from "./bodies/World.ts"
import { isActiveIn, playedOf } from "./machines/cases.ts"
import type { Migrations } from "./machines/migrations.ts"
import { reportOf, takeOver } from "./machines/migrations.ts"
import type { Models } from "./machines/models.ts"
import { play } from "./machines/play.ts"
import type { Script } from "./machines/script.ts"
import * as Scripts from "./machines/script.ts"

export type { Migrations } from "./machines/migrations.ts"
export type { ActionModel, Models } from "./machines/models.ts"
export { type Paths, paths } from "./machines/paths.ts"
export type { Script, Step } from "./machines/script.ts"

/** How much is tried. */
export interface CheckOptions<Machine extends AnyStateMachine, World> extends Models<Machine, World>, Keeping {
  /** @default 100 */
  readonly runs?: number
  /** The same seed tries the same histories. @default another one each time */
  readonly seed?: number
}

/** Where a history is kept. */
export interface Keeping {
  /**
   * A database in which the history is played, a counterexample once more: `holdfast inspect --db FILE` shows it. A file that is
   * there is left alone.
   */
  readonly file?: string
}

/** How a migration is tried: with the models of the earlier version, and the promises of the later one. */
export interface MigrationsOptions<From extends AnyStateMachine, To extends AnyStateMachine>
  extends Omit<CheckOptions<From, never>, "actions" | "world" | "invariants" | "file">,
    Pick<Models<To>, "invariants"> {
  /** The one history that is tried. @default random ones */
  readonly script?: Script
}

/** A history that breaks a promise, as short as it was found. */
export class Counterexample extends Schema.TaggedError<Counterexample>()("Counterexample", {
  problem: Schema.String,
  seed: Schema.Number,
  script: Schema.Unknown as unknown as Schema.Schema<Script>, // what was played, and nothing decodes it
  /** Where it can be seen, as a sentence. */
  seen: Schema.optional(Schema.String)
}) {
  override get message(): string {
    const { problem, seed, script, seen } = this
    const history = `The history, which can be played again (seed ${seed}):\n${Scripts.print(script)}`
    return [problem, history, ...(seen === undefined ? [] : [seen])].join("\n\n")
  }
}

/**
 * Tries random histories of events, time, failing actions, crashes at commits and a second host. The process must do what
 * XState's own actor does, in states, context and order of actions; an action that was recorded never runs again; every
 * invariant holds in every state.
 *
 * Fails with `Counterexample`, whose script is printed and can be played again; with a `file`, the page shows it.
 */
export const check = <Machine extends AnyStateMachine, R, World = unknown>(
  engine: MachineEngine<Machine, R>,
  options: CheckOptions<Machine, World> = {}
): Effect.Effect<void, Counterexample> => {
  const { file } = options
  const checked = tried(Scripts.scripts(givensOf(engine, ofAny(options), true)), options, (script) =>
    play(engine, ofAny(options), script)
  )
  if (file === undefined) return checked
  return Effect.catchAll(checked, ({ problem, seed, script }) =>
    Effect.flatMap(Effect.either(replay(engine, script, options)), (again) => {
      const seen = Either.isLeft(again) ? again.left.seen : `Played once more, in ${file}, it did not fail.`
      return new Counterexample({ problem, seed, script, seen })
    })
  )
}

/**
 * Plays random histories on an earlier version of a machine, and takes over each state that they reach, as `migrate` of the later
 * version has it. Each must land in a legal state with a context that fits, and in which the invariants hold; the models are those
 * of the earlier version. What it answers says which states were reached, and what a migration leaves behind.
 *
 * Fails with `Counterexample`, whose script reaches the state. Given as the option `script`, it is the one history that is tried.
 */
export const migrations = <From extends AnyStateMachine, To extends AnyStateMachine, R, S>(
  from: MachineEngine<From, R>,
  to: MachineEngine<To, S>,
  options: MigrationsOptions<From, To> = {}
): Effect.Effect<Migrations, Counterexample> =>
  Effect.suspend(() => {
    const findings = { reached: new Set<string>(), unknown: new Set<string>(), missing: new Set<string>() }
    const models = ofAny(options as Models<From>) // the invariants are called in states of the later version
    return Effect.as(
      tried(
        options.script === undefined
          ? Scripts.scripts(givensOf(from, models, false))
          : FastCheck.constant(options.script),
        options,
        (script) => takeOver(from, to, models, script, findings)
      ),
      findings
    )
  }).pipe(Effect.map((findings) => reportOf(from.machine, findings)))

/** Tries scripts; the one that fails is shrunk, and of its steps no fewer fail, as far as that is tried. */
const tried = (
  scripts: FastCheck.Arbitrary<Script>,
  { runs = 100, seed }: { readonly runs?: number; readonly seed?: number },
  run: (script: Script) => Effect.Effect<void>
): Effect.Effect<void, Counterexample> =>
  Effect.flatMap(
    Effect.promise(() =>
      FastCheck.check(
        FastCheck.asyncProperty(scripts, (script) => Effect.runPromise(run(script))),
        { numRuns: runs, ...(seed === undefined ? {} : { seed }) }
      )
    ),
    ({ counterexample, errorInstance, seed: used }) =>
      counterexample === null
        ? Effect.void
        : Effect.gen(function* () {
            const [found] = counterexample
            for (const script of Scripts.shorter(found)) {
              const problem = yield* Effect.catchAllDefect(Effect.as(run(script), undefined), (thrown) =>
                Effect.succeed(problemOf(thrown))
              )
              if (problem !== undefined) return yield* new Counterexample({ problem, seed: used, script })
            }
            return yield* new Counterexample({ problem: problemOf(errorInstance), seed: used, script: found })
          })
  )

/** Plays one history again, in a file where there is one. Fails with `Counterexample`. */
export const replay = <Machine extends AnyStateMachine, R, World = unknown>(
  engine: MachineEngine<Machine, R>,
  script: Script,
  models: Models<Machine, World> & Keeping = {}
): Effect.Effect<void, Counterexample> =>
  Effect.gen(function* () {
    const { file } = models
    const isThere = file !== undefined && existsSync(file)
    const database = file === undefined || isThere ? undefined : yield* inFile(file)
    yield* Effect.catchAllDefect(play(engine, ofAny(models), script, database), (thrown) => {
      const seen = isThere
        ? { seen: `${file} is there already: without it, this history is kept in it.` }
        : seenIn(file)
      return new Counterexample({ problem: problemOf(thrown), seed: 0, script, ...seen })
    })
  })

const seenIn = (file: string | undefined) =>
  file === undefined ? {} : { seen: `To see it: npx holdfast inspect --db ${file}` }

/** A database in a file. What needs none does not load SQLite. */
const inFile = (filename: string): Effect.Effect<Database> =>
  Effect.map(
    Effect.promise(() => import("../store/sqlite/SqliteStore.ts")),
    ({ layer }) => Effect.succeed(Layer.orDie(layer({ filename, synchronous: "NORMAL" })))
  )

/** A way to a state, as a test: `run` fails where the process does not come to rest there, or does not what XState does. */
export interface PathCase {
  /** The state, and the events that lead there. */
  readonly name: string
  readonly script: Script
  readonly run: Effect.Effect<void, Counterexample>
}

/**
 * The paths of a machine as tests, for any test runner: the shortest history to each state in which it may rest. Guards count as
 * open, so a case fails that a guard is in the way of: give it events that it lets pass, as `events` of the models. On a way that an
 * actor fails on, its model fails. A way that no script can play has no case: over an event that only another process sends, or a
 * delay that a function makes.
 */
export const cases = <Machine extends AnyStateMachine, R, World = unknown>(
  engine: MachineEngine<Machine, R>,
  models: Models<Machine, World> = {},
  { mostSteps = 10_000 }: { readonly mostSteps?: number } = {}
): ReadonlyArray<PathCase> => {
  const any = ofAny(models)
  return playedOf(engine.machine, givensOf(engine, any, false), mostSteps).map(({ state, path, script, ends }) => {
    const run = Effect.suspend(() => {
      const values: Array<StateValue> = []
      const began = new Map<string, number>()
      const actors = Object.entries(ends).map(([src, all]) => {
        const model = (input: unknown): unknown => {
          const nth = began.get(src) ?? 0
          began.set(src, nth + 1)
          if (all[nth] === "error") throw new Error("the way to the state lets it fail")
          return any.actors?.[src]?.(input as never) ?? null // as its machine gives it
        }
        return [src, model] as const
      })
      const seen = ({ value }: { readonly value: StateValue }): boolean => values.push(value) > 0
      const played = {
        ...any,
        actors: { ...any.actors, ...Object.fromEntries(actors) },
        invariants: { ...any.invariants, "a state is seen": seen }
      } as Models<AnyStateMachine, World> // the same models, and those of the way
      return Effect.flatMap(replay(engine as MachineEngine<AnyStateMachine, R>, script, played), () =>
        values.some((value) => isActiveIn(engine.machine, value, state))
          ? Effect.void
          : new Counterexample({
              problem: `the process did not come into ${state} by ${path.join(", ")}: it was in ${[...new Set(values.map((value) => JSON.stringify(value)))].join(", ")}`,
              seed: 0,
              script
            })
      )
    })
    return { name: `${state}: ${path.length === 0 ? "at the beginning" : path.join(", ")}`, script, run }
  })
}

/** A machine of any type has models of any. */
const ofAny = <Machine extends AnyStateMachine, World>(models: Models<Machine, World>) =>
  models as unknown as Models<AnyStateMachine, World> // each is called as the machine's types say

const problemOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown))

const givensOf = <Machine extends AnyStateMachine, R, World>(
  engine: MachineEngine<Machine, R>,
  models: Models<AnyStateMachine, World>,
  mayDie: boolean
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
    mayAct: Object.keys(options.actions ?? {}).length > 0,
    mayDie
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
