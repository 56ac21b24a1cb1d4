/**
 * Checks of values from outside: plain JSON, copied, so that no caller changes a stored value through a reference.
 *
 * Each fails with `InputInvalid`, naming the field; nothing is written then.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { AppendRequest } from "../model/Append.ts"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import * as Output from "../model/AwaitOutput.ts"
import { InputInvalid } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import { firstIssue, jsonProblem, maxLength } from "../model/json.ts"
import type { Lease, LeaseOwner } from "../model/Lease.ts"
import { LeaseOwner as LeaseOwnerSchema, Lease as LeaseSchema } from "../model/Lease.ts"
import { SessionScope } from "../model/Provenance.ts"
import type { Authority } from "./decisions/authority.ts"

/** The largest value that a host accepts. Provide another value to the layers of the store to change it. */
export class Limits extends Context.Reference<Limits>()("holdfast/store/Limits", {
  defaultValue: () => ({ maxLength })
}) {}

/** The checks of values that may be large, under a host's limits. */
export interface Checks {
  readonly maxLength: number
  /** A value of plain JSON, copied. */
  readonly json: <A>(field: string, value: A) => Either.Either<A, InputInvalid>
  /** Plain JSON of a schema's type side, copied. */
  readonly shape: <A, I>(field: string, schema: Schema.Schema<A, I>, value: A) => Either.Either<A, InputInvalid>
  /** A request to append. */
  readonly appendRequest: (request: AppendRequest) => Either.Either<AppendRequest, InputInvalid>
  /** An output, through its wire form: what the log cannot say does not get into the record either. */
  readonly output: (value: AwaitOutput) => Either.Either<AwaitOutput, InputInvalid>
}

/** The checks under the limits in context. */
export const make: Effect.Effect<Checks> = Effect.map(Limits, (limits) => {
  const json = <A>(field: string, value: A): Either.Either<A, InputInvalid> => jsonUpTo(limits.maxLength, field, value)
  return {
    maxLength: limits.maxLength,
    json,
    shape: (field, schema, value) => Either.flatMap(json(field, value), (copy) => fitting(field, schema, copy)),
    appendRequest: (request) => {
      if (typeof request !== "object" || request === null) return invalid("request", "is no append request")
      const { eventType, payload, replayKey, wakeTargetScope } = request
      return text("request/event_type", eventType).pipe(
        Either.flatMap(() => (replayKey === undefined ? nothing : text("request/replay_key", replayKey))),
        Either.flatMap(() => json("payload", payload)),
        Either.flatMap((copy) =>
          wakeTargetScope === undefined
            ? Either.right({ ...request, payload: copy })
            : Either.map(fitting("request/wake_target_scope", SessionScope, wakeTargetScope), (scope) => ({
                ...request,
                payload: copy,
                wakeTargetScope: structuredClone(scope)
              }))
        )
      )
    },
    output: (value) =>
      Either.flatMap(json("await_output", value), (copy) =>
        Either.fromOption(
          Option.flatMap(Output.encode(copy), Output.fromWire),
          () =>
            new InputInvalid({ field: "await_output", problem: "is none of success, failure, cancelled, abandoned" })
        )
      )
  }
})

const jsonUpTo = <A>(most: number, field: string, value: A): Either.Either<A, InputInvalid> => {
  const found = jsonProblem(value)
  if (found !== undefined) return invalid(`${field}${found.path}`, `${found.problem}, not JSON`)
  const text = JSON.stringify(value)
  return text.length > most
    ? invalid(field, `is ${text.length} characters of JSON; at most ${most} are stored: keep large values elsewhere`)
    : Either.right(JSON.parse(text) as A) // JSON in, the same JSON out
}

/** A process id: text that any store can keep. Whether it is blank is the registration's question. */
export const id = (value: ProcessId, field = "id"): Either.Either<ProcessId, InputInvalid> =>
  text(field, value) as Either.Either<ProcessId, InputInvalid> // the same value, checked

/** Well-formed text. */
export const text = (field: string, value: string): Either.Either<string, InputInvalid> =>
  typeof value === "string" && value.isWellFormed()
    ? Either.right(value)
    : invalid(field, typeof value === "string" ? "has a lone surrogate" : `is ${kindOf(value)}; it must be text`)

/** A presented lease: its shape only. The transaction checks whether it is the present one. */
export const lease = (field: string, value: Lease): Either.Either<Lease, InputInvalid> => shaped(field, isLease, value)

/** An owner: its shape. */
export const owner = (field: string, value: LeaseOwner): Either.Either<LeaseOwner, InputInvalid> =>
  shaped(field, isOwner, value)

/** The authority of a write: one of the four, with a lease where one belongs. */
export const authority = (value: Authority): Either.Either<Authority, InputInvalid> => {
  switch ((value as Authority | null | undefined)?._tag) {
    case "External":
    case "Host":
      return Either.right(value)
    case "Body":
    case "Sweep":
      return Either.map(lease("authority/lease", (value as Extract<Authority, { lease: Lease }>).lease), () => value)
    default:
      return invalid("authority", "is none of Body, Sweep, External, Host")
  }
}

/** A count, a limit or a sequence: a whole number of at least 0. */
export const count = (field: string, value: number): Either.Either<number, InputInvalid> =>
  Number.isSafeInteger(value) && value >= 0
    ? Either.right(value)
    : invalid(field, `is ${String(value)}; it must be a whole number of at least 0`)

/** Where a page of events begins and how long it is. */
export const page = (
  sequence: number,
  limit: number | undefined
): Either.Either<{ readonly sequence: number; readonly limit?: number }, InputInvalid> =>
  Either.gen(function* () {
    const from = yield* count("sequence", sequence)
    return limit === undefined ? { sequence: from } : { sequence: from, limit: yield* count("limit", limit) }
  })

/** Checks a value against the type side of a schema, naming the first place where it does not fit. */
export const fitting = <A, I>(
  field: string,
  schema: Schema.Schema<A, I>,
  value: unknown
): Either.Either<A, InputInvalid> =>
  Either.mapLeft(validatorOf(schema)(value), (error) => {
    const { path, problem = "does not fit" } = firstIssue(error)
    return new InputInvalid({ field: `${field}${path}`, problem })
  })

/** The same, where an unknown field is a mistake too: what narrows an operation must not be overlooked. */
export const exactly = <A, I>(
  field: string,
  schema: Schema.Schema<A, I>,
  value: unknown
): Either.Either<A, InputInvalid> =>
  Either.mapLeft(Schema.validateEither(Schema.typeSchema(schema), { onExcessProperty: "error" })(value), (error) => {
    const { path, problem = "does not fit" } = firstIssue(error)
    return new InputInvalid({ field: `${field}${path}`, problem })
  })

const nothing = Either.right(undefined)

/** A validator is compiled from its schema, which costs more than many validations: once for each schema. */
const validatorOf = <A, I>(schema: Schema.Schema<A, I>) => {
  const known = validators.get(schema)
  if (known !== undefined) return known as Validator<A> // it was made for this schema
  const made: Validator<A> = Schema.validateEither(Schema.typeSchema(schema))
  validators.set(schema, made)
  return made
}

type Validator<A> = (value: unknown) => Either.Either<A, ParseResult.ParseError>

const validators = new WeakMap<object, Validator<unknown>>()

const isLease = Schema.is(Schema.typeSchema(LeaseSchema))

const isOwner = Schema.is(Schema.typeSchema(LeaseOwnerSchema))

const shaped = <A>(field: string, fits: (value: unknown) => boolean, value: A): Either.Either<A, InputInvalid> =>
  fits(value) && jsonProblem(value) === undefined
    ? Either.right(value)
    : invalid(field, `is ${kindOf(value)} that does not have its shape`)

const kindOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "an array" : `a value of type ${typeof value}`

/** Refuses a field. */
export const refuse = (field: string, problem: string): Either.Either<never, InputInvalid> => invalid(field, problem)

const invalid = (field: string, problem: string): Either.Either<never, InputInvalid> =>
  Either.left(new InputInvalid({ field, problem }))
