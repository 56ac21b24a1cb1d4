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
import type { Json } from "../../model/json.ts"
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
  decodeSuccess: readerOf(success),
  decodeFailure: failure ? readerOf(failure) : () => Schema.decodeUnknown(Schema.Never)(undefined)
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
  const encode = Schema.encode(schema)
  return (value) =>
    Effect.suspend(() => encode(value)).pipe(
      Effect.mapError((error) => misfit(field, error)),
      Effect.catchAllDefect((defect) =>
        Effect.fail(new InputInvalid({ field: nameOf(field), problem: `does not encode: ${messageOf(defect)}` }))
      ),
      Effect.flatMap((encoded) =>
        Effect.flatMap(Limits, (limits) =>
          Either.mapLeft(
            snapshot(encoded, limits),
            (found) => new InputInvalid({ field: nameOf(field, found.path), problem: withAdvice(found) })
          )
        )
      )
    )
}

/** Reads what was kept. Fails with `InputInvalid`, also where a transformation throws. */
export const decoderOf = <A, I>(
  field: Field,
  schema: Schema.Schema<A, I>
): ((stored: unknown) => Effect.Effect<A, InputInvalid>) => {
  const read = readerOf(schema)
  return (stored) => Effect.mapError(read(stored), (error) => misfit(field, error))
}

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
const readerOf = <A, I>(
  schema: Schema.Schema<A, I>
): ((stored: unknown) => Effect.Effect<A, ParseResult.ParseError>) => {
  const decode = Schema.decodeUnknown(schema)
  return (stored) => {
    const read = Effect.suspend(() => decode(copyOf(stored)))
    const either =
      stored === null ? Effect.catchAll(read, (error) => Effect.mapError(decode(undefined), () => error)) : read
    return Effect.catchAllDefect(either, (defect) =>
      Effect.fail(
        ParseResult.parseError(new ParseResult.Type(schema.ast, stored, `does not decode: ${messageOf(defect)}`))
      )
    )
  }
}

const misfit = (field: Field, error: ParseResult.ParseError): InputInvalid => {
  const { path, problem } = firstIssue(error)
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
