/**
 * From what a body answers to the output of its process, through the schemas that its kind declares.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import type * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import * as Output from "../../model/AwaitOutput.ts"
import { InputInvalid } from "../../model/errors.ts"
import { firstIssue, jsonProblem } from "../../model/json.ts"

/** How the value and the error of a process are read by whoever awaits it. */
export interface Outcomes<Success, Failure> {
  readonly decodeSuccess: (value: unknown) => Effect.Effect<Success, ParseResult.ParseError>
  readonly decodeFailure: (raw: unknown) => Effect.Effect<Failure, ParseResult.ParseError>
}

/** The readers of two schemas; without an error schema there is no error to read. */
export const outcomesOf = <Success, SuccessWire, Failure, FailureWire>(
  success: Schema.Schema<Success, SuccessWire>,
  failure: Schema.Schema<Failure, FailureWire> | undefined
): Outcomes<Success, Failure> => ({
  decodeSuccess: Schema.decodeUnknown(success),
  decodeFailure: failure ? Schema.decodeUnknown(failure) : () => Schema.decodeUnknown(Schema.Never)(undefined)
})

/** The refusal of a value; `field` names what it is, such as the payload of an engine. */
export const refusalOf = (field: readonly [what: string, of: string], error: ParseResult.ParseError): InputInvalid => {
  const { path, problem } = firstIssue(error)
  return new InputInvalid({
    field: `${field[0]}${path} of ${field[1]}`,
    problem: problem === undefined ? "does not fit its schema" : `does not fit its schema: ${problem}`
  })
}

/** Reads what was stored. A transformation that throws has refused it, too. */
export const decoderOf = <A, I>(
  field: readonly [what: string, of: string],
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

/** The output of a value that its schema has encoded, or could not. */
export const successOutput = (encoded: Either.Either<unknown, ParseResult.ParseError>): AwaitOutput => {
  if (encoded._tag === "Left") {
    return Output.failure("internal", "process_output_invalid", ParseResult.TreeFormatter.formatErrorSync(encoded.left))
  }
  const value = encoded.right === undefined ? null : encoded.right
  const problem = jsonProblem(value)
  return problem === undefined
    ? Output.success(value)
    : Output.failure(
        "internal",
        "process_output_invalid",
        `the outcome is not JSON at ${problem.path}: ${problem.problem}`
      )
}

/** The output of an error of the body's own: a failure of class `execution` under the error's tag. */
export const failureOutput = <Failure, FailureWire>(
  error: Failure,
  schema: Schema.Schema<Failure, FailureWire>
): Effect.Effect<AwaitOutput> =>
  Effect.map(Effect.either(Schema.encode(schema)(error)), (encoded) =>
    encoded._tag === "Right"
      ? Output.failure("execution", tagOf(error), messageOf(error), encoded.right)
      : Output.failure("internal", "process_error_invalid", ParseResult.TreeFormatter.formatErrorSync(encoded.left))
  )

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
    ? error._tag
    : "process_error"

/** What an error says, for people. */
export const messageOf = (error: unknown): string => {
  if (error instanceof Error && error.message !== "") return error.message
  return typeof error === "string" ? error : Cause.pretty(Cause.fail(error))
}
