/**
 * From what a body answers to the output of its process, and from that output back, through the schemas that its kind declares.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import * as Output from "../../model/AwaitOutput.ts"
import { InputInvalid } from "../../model/errors.ts"
import { firstIssue, jsonProblem } from "../../model/json.ts"

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
  decodeSuccess: Schema.decodeUnknown(success),
  decodeFailure: failure ? Schema.decodeUnknown(failure) : () => Schema.decodeUnknown(Schema.Never)(undefined)
})

/** The writers of two schemas. */
export const outputsOf = <Success, SuccessWire, Failure, FailureWire>(
  success: Schema.Schema<Success, SuccessWire>,
  failure: Schema.Schema<Failure, FailureWire> | undefined
): Outputs<Success> => {
  const encode = Schema.encode(success)
  return {
    ofSuccess: (value) => Effect.match(encode(value), { onSuccess: successOf, onFailure: invalidOutput }),
    ofFailure: (error) =>
      failure !== undefined && Schema.is(failure)(error)
        ? Effect.match(Schema.encode(failure)(error), {
            onSuccess: (encoded) => Output.failure("execution", tagOf(error), messageOf(error), encoded),
            onFailure: (problem) =>
              Output.failure("internal", "process_error_invalid", ParseResult.TreeFormatter.formatErrorSync(problem))
          })
        : undefined
  }
}

/** Names a value in refusals, such as the payload of an engine. */
export type Field = readonly [what: string, of: string]

/** Encodes what will be stored; a value without JSON, such as `undefined`, is `null`. */
export const encoderOf = <A, I>(
  field: Field,
  schema: Schema.Schema<A, I>
): ((value: A) => Effect.Effect<unknown, InputInvalid>) => {
  const encode = Schema.encode(schema)
  return (value) =>
    Effect.mapBoth(encode(value), {
      onSuccess: (encoded) => (encoded === undefined ? null : encoded),
      onFailure: (error) => refusalOf(field, error)
    })
}

const refusalOf = (field: Field, error: ParseResult.ParseError): InputInvalid => {
  const { path, problem } = firstIssue(error)
  return new InputInvalid({
    field: `${field[0]}${path} of ${field[1]}`,
    problem: problem === undefined ? "does not fit its schema" : `does not fit its schema: ${problem}`
  })
}

/** Reads what was stored. A transformation that throws refuses the value, too. */
export const decoderOf = <A, I>(
  field: Field,
  schema: Schema.Schema<A, I>
): ((stored: unknown) => Effect.Effect<A, InputInvalid>) => {
  const decode = Schema.decodeUnknown(schema)
  return (stored) =>
    decode(stored).pipe(
      Effect.mapError((error) => refusalOf(field, error)),
      Effect.catchAllDefect((defect) =>
        Effect.fail(
          new InputInvalid({ field: `${field[0]} of ${field[1]}`, problem: `does not decode: ${String(defect)}` })
        )
      )
    )
}

/** What an error says, for people. */
export const messageOf = (error: unknown): string => {
  if (error instanceof Error && error.message !== "") return error.message
  return typeof error === "string" ? error : Cause.pretty(Cause.fail(error))
}

const successOf = (encoded: unknown): AwaitOutput => {
  const value = encoded === undefined ? null : encoded
  const problem = jsonProblem(value)
  return problem === undefined
    ? Output.success(value)
    : Output.failure(
        "internal",
        "process_output_invalid",
        `the outcome is not JSON at ${problem.path}: ${problem.problem}`
      )
}

const invalidOutput = (error: ParseResult.ParseError): AwaitOutput =>
  Output.failure("internal", "process_output_invalid", ParseResult.TreeFormatter.formatErrorSync(error))

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
    ? error._tag
    : "process_error"
