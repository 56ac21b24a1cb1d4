/**
 * Steps: effects that run once. What one came to is recorded, value or failure, and handed to the body as it was recorded.
 *
 * Invariant: between the end of an effect and its record there is no interruption, so what has happened is known; and a body
 * meets the same outcome the first time and every time.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { InputInvalid, LeaseLost, StepFailed } from "../../model/errors.ts"
import type { FailureRecord } from "../../model/Failure.ts"
import { describe, errorOf } from "../../model/Failure.ts"
import type { OperationError, RuntimeError } from "../../model/failures.ts"
import { encodeError } from "../../model/failures.ts"
import type { Taking } from "../../model/json.ts"
import { snapshot } from "../../model/json.ts"
import * as Arguments from "../arguments.ts"
import { fits } from "../engine/outcomes.ts"
import type { Activation } from "./Activation.ts"
import * as Interruption from "./interruption.ts"
import type { Journal } from "./Journal.ts"
import type { Operate, Performing } from "./operate.ts"
import type { StepProgress } from "./progress.ts"
import { withProgress } from "./progress.ts"
import { retried } from "./underWay.ts"

/** How a step is recorded and tried. */
export interface StepOptions<Value, ValueWire, Failure> {
  /** Stores the value and reads it back. @default the value must be JSON as it is */
  readonly schema?: Schema.Schema<Value, ValueWire>
  /** When to try a failed step again, within this activation; the last failure is recorded. @default never */
  readonly retry?: Schedule.Schedule<unknown, Failure>
}

/**
 * A step that can fail says how its failure is stored and read back, or that it is not: then it is tried anew. The library's own
 * errors need no schema.
 */
export type FailureOptions<Failure, FailureWire> =
  | { readonly error: Schema.Schema<Failure, FailureWire>; readonly record?: "outcome" }
  | { readonly record: "success"; readonly error?: never }

/** What of a step's failures needs a schema. */
export type OwnFailure<Failure> = Exclude<Failure, RuntimeError>

/** Runs a step: see `BodyOperations.step`. A function is handed the progress of the step. */
export interface Step {
  <Value, Failure = never, R = never, ValueWire = Value, FailureWire = unknown>(
    name: string,
    effect: Effect.Effect<Value, Failure, R>,
    ...options: [OwnFailure<Failure>] extends [never]
      ? [options?: StepOptions<Value, ValueWire, Failure>]
      : [options: StepOptions<Value, ValueWire, Failure> & FailureOptions<OwnFailure<NoInfer<Failure>>, FailureWire>]
  ): Effect.Effect<Value, Failure | OperationError, R>
  <Value, Failure extends RuntimeError = never, R = never, ValueWire = Value>(
    name: string,
    run: (progress: StepProgress) => Effect.Effect<Value, Failure, R>,
    options?: StepOptions<Value, ValueWire, Failure>
  ): Effect.Effect<Value, Failure | OperationError, R>
  <Value, Failure, R = never, ValueWire = Value, FailureWire = unknown>(
    name: string,
    run: (progress: StepProgress) => Effect.Effect<Value, Failure, R>,
    options: StepOptions<Value, ValueWire, Failure> & FailureOptions<OwnFailure<NoInfer<Failure>>, FailureWire>
  ): Effect.Effect<Value, Failure | OperationError, R>
}

type AnyEffect = Effect.Effect<unknown, unknown, unknown>

/** What is known of a step at run time. */
export interface AnyStepOptions {
  readonly schema?: Schema.Schema<unknown, unknown> | undefined
  readonly error?: Schema.Schema<unknown, unknown> | undefined
  readonly record?: "outcome" | "success" | undefined
  readonly retry?: Schedule.Schedule<unknown, unknown> | undefined
  /** Aborted before the effect is interrupted, for one that hears of it in no other way. */
  readonly abort?: AbortController | undefined
}

/** Makes the steps of an activation. */
export const make = (activation: Activation, journal: Journal, operate: Operate): Step => {
  const run = (
    name: string,
    given: AnyEffect | ((progress: StepProgress) => AnyEffect),
    options: AnyStepOptions
  ): Effect.Effect<unknown, unknown, unknown> => {
    const { retry, abort, record } = options
    // A tag of a service is an effect, and a function too.
    const effectOf = (key: string): AnyEffect =>
      Effect.isEffect(given)
        ? Effect.zipRight(notLost(activation), given)
        : withProgress(activation, journal, { key, name }, (progress) =>
            Effect.zipRight(
              notLost(activation),
              Effect.suspend(() => given(progress))
            )
          )
    const tried = (key: string): AnyEffect =>
      retry === undefined ? effectOf(key) : retried(activation, key, effectOf(key), retry)
    return operate<unknown, unknown, unknown>("step", name, {
      perform: (key, performing) => {
        let isInterrupted = false
        const onInterrupted = (): void => {
          isInterrupted = true
          performing.onInterrupted()
        }
        const inside = journal.inside(name)
        return Effect.flatMap(outcomeOf(inside, tried(key), { ...performing, onInterrupted }, abort), (ended) => {
          const exit = !isInterrupted && Exit.isInterrupted(ended) ? itself(activation.id, name, ended) : ended
          const outcome = recordedOf(name, exit, options, activation.services.limits)
          if (outcome === undefined) return Effect.failCause(Exit.isFailure(exit) ? exit.cause : Cause.empty)
          return record === "success" && !("ok" in outcome)
            ? Effect.failCause(Exit.isFailure(exit) ? exit.cause : Cause.empty)
            : performing.record(outcome)
        })
      },
      takeUp: (end) =>
        end._tag === "Recorded"
          ? replayed(activation.id, name, end.outcome as Handed, options) // written above
          : Effect.dieMessage("a step has another end")
    })
  }
  const checked = (name: string, given: Parameters<typeof run>[1], options: AnyStepOptions | undefined) =>
    Arguments.refusing(() => {
      Arguments.text("name of `step`", name)
      if (typeof given !== "function") Arguments.effect("effect of `step`", given)
      return run(name, given, options === undefined ? none : optionsOf(options))
    })
  return checked as unknown as Step // the types of the value and the failure are those of the schemas
}

const none: AnyStepOptions = {}

const knownOptions = { schema: true, error: true, record: true, retry: true, abort: true } as const satisfies Readonly<
  Record<keyof AnyStepOptions, true>
>

const optionsOf = (given: AnyStepOptions): AnyStepOptions => {
  const options = Arguments.options("options of `step`", knownOptions, given)
  const { schema, error, record, retry } = options
  if (schema !== undefined) Arguments.schema("schema of `step`", schema)
  if (error !== undefined) Arguments.schema("error of `step`", error)
  if (record !== undefined) Arguments.oneOf("record of `step`", record, ["outcome", "success"])
  if (retry !== undefined) Arguments.schedule("retry of `step`", retry)
  return options
}

/** What a step came to, as it is stored. */
type Outcome =
  | { readonly ok: unknown }
  | { readonly error: unknown }
  /** A failure without a schema. */
  | { readonly failed: FailureRecord }
  /** An error of the library. */
  | { readonly refused: unknown }
  | { readonly defect: FailureRecord }
  /** What it came to cannot be recorded. */
  | { readonly invalid: { readonly field: string; readonly problem: string } }

/** What is left of it to be read here: an operation hands over what was refused. */
type Handed = Exclude<Outcome, { readonly refused: unknown }>

/**
 * Runs an effect to its end. It is interrupted where it can be: what cannot be interrupted keeps its outcome. So its fiber is
 * no child of the body's: an interruption would reach it at once. `begin` is the first that this fiber does.
 */
export const outcomeOf = <A, E, R>(
  begin: Effect.Effect<void, E>,
  effect: Effect.Effect<A, E, R>,
  { restore, onInterrupted }: Pick<Performing, "restore" | "onInterrupted">,
  abort: AbortController | undefined
): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.flatMap(Effect.forkDaemon(Effect.zipRight(begin, restore(effect))), (fiber) =>
    Effect.flatMap(Effect.exit(restore(fiber.await)), (awaited) =>
      Exit.isSuccess(awaited)
        ? Effect.succeed(awaited.value)
        : Effect.zipRight(
            Effect.sync(() => {
              onInterrupted()
              abort?.abort()
            }),
            Interruption.interrupted(fiber, "at rest")
          )
    )
  )

/**
 * Asked right before each try. The fiber of an effect is begun after those that go on already, and then it may wait for what is kept
 * of its progress, or for its next try: the body may have learned meanwhile that the lease is another's.
 */
const notLost = (activation: Activation): Effect.Effect<void, LeaseLost> =>
  Effect.suspend(() => (activation.lost === undefined ? Effect.void : Effect.fail(activation.lost)))

/** The body lets go of nothing where an effect interrupts itself, which has failed then. */
const itself = (
  processId: Activation["id"],
  step: string,
  ended: Exit.Exit<unknown, unknown>
): Exit.Exit<unknown, unknown> =>
  Exit.isFailure(ended) && Cause.isInterruptedOnly(ended.cause)
    ? Exit.fail(new StepFailed({ processId, step, failure: describe(new Error("its effect interrupted itself")) }))
    : ended

/** What to record of an exit; nothing of an interruption. */
const recordedOf = (
  name: string,
  exit: Exit.Exit<unknown, unknown>,
  { schema, error }: AnyStepOptions,
  limits: Taking
): Outcome | undefined => {
  const value = (ok: unknown): Outcome => ({ ok })
  if (Exit.isSuccess(exit)) return encoded(`value of step \`${name}\``, schema, exit.value, limits, value)
  const failure = Cause.failureOption(exit.cause)
  if (Option.isSome(failure)) {
    if (failure.value instanceof LeaseLost) return undefined
    if (error !== undefined && fits(error, failure.value)) {
      return encoded(`error of step \`${name}\``, error, failure.value, limits, (stored) => ({ error: stored }))
    }
    const refused = encodeError(failure.value)
    return refused === undefined ? { failed: describe(failure.value) } : { refused }
  }
  const defect = Cause.dieOption(exit.cause)
  return Option.isSome(defect) ? { defect: describe(defect.value) } : undefined
}

const encoded = (
  field: string,
  schema: Schema.Schema<unknown, unknown> | undefined,
  value: unknown,
  limits: Taking,
  outcome: (json: unknown) => Outcome
): Outcome => {
  const wire = schema === undefined ? Either.right(value) : encodeWith(schema, value)
  if (Either.isLeft(wire)) return { invalid: { field, problem: wire.left } }
  return Either.match(snapshot(wire.right, limits), {
    onRight: outcome,
    onLeft: ({ path, problem, advice = "give the step a schema that makes it JSON" }) => ({
      invalid: { field: `${field}${path}`, problem: `${problem}, so it cannot be recorded: ${advice}` }
    })
  })
}

const encodeWith = (schema: Schema.Schema<unknown, unknown>, value: unknown): Either.Either<unknown, string> => {
  try {
    return Either.mapLeft(Schema.encodeEither(schema)(value), (issue) => issue.message)
  } catch (thrown) {
    return Either.left(describe(thrown).message)
  }
}

/** What the body is handed of an outcome. */
const replayed = (
  processId: Activation["id"],
  step: string,
  outcome: Handed,
  { schema, error }: AnyStepOptions
): Effect.Effect<unknown, unknown> => {
  const field = `recorded outcome of step \`${step}\``
  const read = (by: Schema.Schema<unknown, unknown>, stored: unknown) =>
    Effect.mapError(
      Schema.decodeUnknown(by)(stored),
      (issue) => new InputInvalid({ field, problem: `does not fit its schema: ${issue.message}` })
    )
  if ("ok" in outcome) return schema === undefined ? Effect.succeed(outcome.ok) : read(schema, outcome.ok)
  if ("invalid" in outcome) return Effect.fail(new InputInvalid(outcome.invalid))
  if ("defect" in outcome) return Effect.die(errorOf(outcome.defect))
  if ("failed" in outcome) return Effect.fail(new StepFailed({ processId, step, failure: outcome.failed }))
  return error === undefined
    ? Effect.fail(new InputInvalid({ field, problem: "is a failure, and the step has no error schema" }))
    : Effect.flatMap(read(error, outcome.error), Effect.fail)
}
