/**
 * What schemas make of values that are kept: payloads, events, outcomes, each encoded once and read back.
 *
 * Invariant: what is kept is a snapshot, and what is read is a copy of it, so that nothing the program does to its objects, before
 * or after, changes what is kept. Whatever cannot be encoded or decoded is a typed failure with its path.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import * as Output from "../../model/AwaitOutput.ts"
import { InputInvalid } from "../../model/errors.ts"
import { messageOf } from "../../model/Failure.ts"
import type { Json, Taking } from "../../model/json.ts"
import { copyOf, firstIssue, snapshot, withAdvice } from "../../model/json.ts"
import { Limits } from "../../operations/checks.ts"

/** Reads the value or the error that a process ended with. */
export interface Outcomes<Success, Failure> {
  readonly decodeSuccess: (value: unknown) => Effect.Effect<Success, ParseResult.ParseError>
  readonly decodeFailure: (raw: unknown) => Effect.Effect<Failure, ParseResult.ParseError>
}

/** Writes the outputs of the bodies of one kind. */
export interface Outputs<Success> {
  /** The output of a value; a value that does not encode to JSON is a failure of class `internal`. */
  readonly ofSuccess: (value: Success) => Effect.Effect<AwaitOutput>
  /** The output of an error of the declared schema: class `execution`, under the error's tag. Any other error has none. */
  readonly ofFailure: (error: unknown) => Effect.Effect<AwaitOutput> | undefined
}

/** The readers of two schemas; without an error schema there is no error to read. */
export const outcomesOf = <Success, SuccessWire, Failure, FailureWire>(
  success: Schema.Schema<Success, SuccessWire>,
  failure: Schema.Schema<Failure, FailureWire> | undefined
): Outcomes<Success, Failure> => ({
  decodeSuccess: readerOf(success, ParseResult.parseError),
  decodeFailure: failure
    ? readerOf(failure, ParseResult.parseError)
    : () => Schema.decodeUnknown(Schema.Never)(undefined)
})

/** The writers of two schemas. */
export const outputsOf = <Success, SuccessWire, Failure, FailureWire>(
  success: Schema.Schema<Success, SuccessWire>,
  failure: Schema.Schema<Failure, FailureWire> | undefined
): Outputs<Success> => {
  const encode = encoderOf(["the outcome", undefined], success)
  return {
    ofSuccess: (value) =>
      Effect.match(encode(value), { onSuccess: Output.success, onFailure: unsayable("process_output_invalid") }),
    ofFailure: (error) =>
      failure !== undefined && fits(failure, error)
        ? Effect.match(encoderOf(["the error", undefined], failure)(error), {
            onSuccess: (raw) => Output.thrown("execution", tagOf(error), error, { raw }),
            onFailure: unsayable("process_error_invalid", error)
          })
        : undefined
  }
}

/** Names a value in refusals, such as the payload of an engine. */
export type Field = readonly [what: string, of: string | undefined]

/**
 * Encodes what will be kept, once: a copy as JSON, in which fields that are `undefined` are absent, and `undefined` is `null`. It is
 * taken under the limits in context, which are those of the host that keeps it.
 *
 * Fails with `InputInvalid`, which names the first place that does not fit the schema or that JSON cannot say.
 */
export const encoderOf = <A, I>(
  field: Field,
  schema: Schema.Schema<A, I>
): ((value: A) => Effect.Effect<Json, InputInvalid>) => {
  const encode = encodingOf(field, schema)
  return (value) => Effect.flatMap(Limits, (limits) => encode(value, limits))
}

/** The same under given limits; an `Either` where the schema needs no effect, as nearly all do. */
export const encodingOf = <A, I>(
  field: Field,
  schema: Schema.Schema<A, I>
): ((value: A, limits: Taking) => AtOnce<Json, InputInvalid>) => {
  const encode = ParseResult.encode(schema)
  const refusal = {
    onFailure: (issue: ParseResult.ParseIssue) => misfit(field, issue),
    onDefect: (defect: unknown) =>
      new InputInvalid({ field: nameOf(field), problem: `does not encode: ${messageOf(defect)}` })
  }
  return (value, limits) => {
    const kept = (wire: I): Either.Either<Json, InputInvalid> =>
      Either.mapLeft(
        snapshot(wire, limits),
        (found) => new InputInvalid({ field: nameOf(field, found.path), problem: withAdvice(found) })
      )
    const wire = atOnce(() => encode(value), refusal)
    return Either.isEither(wire) ? Either.flatMap(wire, kept) : Effect.flatMap(wire, kept)
  }
}

/** Reads what was kept, at once. Fails with `InputInvalid`, also where a transformation throws. */
export const decoderOf = <A, I>(
  field: Field,
  schema: Schema.Schema<A, I>
): ((stored: unknown) => AtOnce<A, InputInvalid>) => readerOf(schema, (issue) => misfit(field, issue))

/** Fails with whatever was thrown: `Effect.fail` looks into it, and there are things that throw then. */
export const failing = (thrown: unknown): Effect.Effect<never, unknown> => Effect.failCause(Cause.fail(thrown))

/** Whether a value is of a schema's type; one that cannot even be looked at is not. */
export const fits = <A, I>(schema: Schema.Schema<A, I>, value: unknown): value is A => {
  try {
    return Schema.is(schema)(value)
  } catch {
    return false
  }
}

/** `null` may stand for `undefined`, which JSON cannot say. */
const readerOf = <A, I, E>(
  schema: Schema.Schema<A, I>,
  refused: (issue: ParseResult.ParseIssue) => E
): ((stored: unknown) => AtOnce<A, E>) => {
  const decode = ParseResult.decodeUnknown(schema)
  return (stored) => {
    const read = (value: unknown) =>
      atOnce(() => decode(copyOf(value)), {
        onFailure: (issue): ParseResult.ParseIssue => issue,
        onDefect: (defect) => new ParseResult.Type(schema.ast, stored, `does not decode: ${messageOf(defect)}`)
      })
    const first = read(stored)
    if (Either.isEither(first)) {
      if (stored !== null || Either.isRight(first)) return Either.mapLeft(first, refused)
      const second = read(undefined)
      return Either.isEither(second)
        ? Either.mapLeft(second, () => refused(first.left))
        : Effect.mapError(second, () => refused(first.left))
    }
    return Effect.mapError(
      stored === null ? Effect.catchAll(first, (issue) => Effect.mapError(read(undefined), () => issue)) : first,
      refused
    )
  }
}

/** What a schema makes of a value: an `Either` where it needs no effect. */
type AtOnce<A, E> = Either.Either<A, E> | Effect.Effect<A, E>

/** Carries out what a schema does with a value; a defect of it is a refusal. */
const atOnce = <A, E>(
  run: () => Effect.Effect<A, ParseResult.ParseIssue>,
  {
    onFailure,
    onDefect
  }: {
    readonly onFailure: (issue: ParseResult.ParseIssue) => E
    readonly onDefect: (defect: unknown) => E
  }
): AtOnce<A, E> => {
  try {
    const answer = run()
    return Either.isEither(answer)
      ? Either.mapLeft(answer as Either.Either<A, ParseResult.ParseIssue>, onFailure) // an effect of that type
      : Effect.catchAllDefect(Effect.mapError(answer, onFailure), (defect) => Effect.fail(onDefect(defect)))
  } catch (defect) {
    return Either.left(onDefect(defect))
  }
}

const misfit = (field: Field, issue: ParseResult.ParseIssue): InputInvalid => {
  const { path, problem } = firstIssue(ParseResult.parseError(issue))
  return new InputInvalid({
    field: nameOf(field, path),
    problem: problem === undefined ? "does not fit its schema" : `does not fit its schema: ${problem}`
  })
}

const nameOf = ([what, of]: Field, path = ""): string => `${what}${path}${of === undefined ? "" : ` of ${of}`}`

/** The failure of a body whose outcome cannot be kept. Its work is done: to do it again would change nothing. */
const unsayable =
  (code: string, cause?: unknown) =>
  ({ message }: InputInvalid): AwaitOutput =>
    cause === undefined
      ? Output.failure("internal", code, message)
      : Output.thrown("internal", code, cause, { message })

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
    ? error._tag
    : "process_error"
