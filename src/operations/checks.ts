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
import type { ParseOptions } from "effect/SchemaAST"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import * as Output from "../model/AwaitOutput.ts"
import { InputInvalid, RegistrationInvalid } from "../model/errors.ts"
import { messageOf } from "../model/Failure.ts"
import type { AppendRequest } from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import { lengthProblem } from "../model/ids.ts"
import type { Taking } from "../model/json.ts"
import { copyOf, firstIssue, snapshot, whenAsked, withAdvice } from "../model/json.ts"
import type { Lease, LeaseOwner } from "../model/Lease.ts"
import { LeaseOwner as LeaseOwnerSchema, Lease as LeaseSchema } from "../model/Lease.ts"
import { SessionScope, scopeId } from "../model/Provenance.ts"
import type { Registration } from "../model/Registration.ts"
import * as Registrations from "../model/Registration.ts"
import type { Authority } from "./decisions/authority.ts"

/** How a host takes values: the largest, and half surrogates. Provide another value to the layers of the store to change it. */
export class Limits extends Context.Reference<Limits>()("holdfast/store/Limits", {
  defaultValue: (): Taking => ({})
}) {}

/** The checks of values that may be large, under a host's limits. */
export interface Checks {
  readonly taking: Taking
  /** A value of plain JSON, copied. */
  readonly json: <A>(field: string, value: A) => Either.Either<A, InputInvalid>
  /** Plain JSON of a schema's type side, copied, where an unknown field is a mistake too. */
  readonly shape: <A, I>(field: string, schema: Schema.Schema<A, I>, value: A) => Either.Either<A, InputInvalid>
  /** A request to append. */
  readonly appendRequest: (request: AppendRequest) => Either.Either<AppendRequest, InputInvalid>
  /** An output, through its wire form: what the log cannot say does not get into the record either. */
  readonly output: (value: AwaitOutput) => Either.Either<AwaitOutput, InputInvalid>
}

/** The checks under the limits in context. */
export const make: Effect.Effect<Checks> = Effect.map(Limits, (limits) => {
  const json = <A>(field: string, value: A): Either.Either<A, InputInvalid> => taken(limits, field, value)
  return {
    taking: limits,
    json,
    shape: (field, schema, value) => Either.flatMap(json(field, value), (copy) => exactly(field, schema, copy)),
    appendRequest: (request) =>
      Either.flatMap(knownFieldsOf("request", fieldsOfRequest, request), (fields) => {
        const { eventType, payload, replayKey, wakeTargetScope } = fields
        // Every signal and event goes through here: steps of a generator would take longer than the checks.
        const type = text("request/event_type", eventType)
        if (Either.isLeft(type)) return Either.left(type.left)
        const key = replayKey === undefined ? undefined : text("request/replay_key", replayKey)
        if (key !== undefined && Either.isLeft(key)) return Either.left(key.left)
        return Either.flatMap(json("payload", payload), (copy) => {
          const checked = { eventType, payload: copy, ...(replayKey === undefined ? {} : { replayKey }) }
          if (wakeTargetScope === undefined) return Either.right(checked)
          const target = addressable("request/wake_target_scope", wakeTargetScope)
          return Either.map(target, (wakeTarget) => ({ ...checked, wakeTargetScope: wakeTarget }))
        })
      }),
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

const fieldsOfRequest = { eventType: true, payload: true, replayKey: true, wakeTargetScope: true } as const

const taken = <A>(taking: Taking, field: string, value: A): Either.Either<A, InputInvalid> => {
  // What a schema encodes to nothing is `null` by then; here nothing is a field that was forgotten.
  if (value === undefined) return invalid(field, "is undefined")
  return Either.mapBoth(snapshot(value, taking), {
    onLeft: (found) => new InputInvalid({ field: `${field}${found.path}`, problem: withAdvice(found) }),
    onRight: (copy) => copy as A // the same JSON
  })
}

/** A registration of known fields, normalised. Fails with `RegistrationInvalid`, which names the field. */
export const registration = (
  given: Registration,
  taking: Taking
): Either.Either<Registrations.Registered, RegistrationInvalid> =>
  exactly("", Registrations.Registration, given).pipe(
    Either.mapLeft(
      ({ field, problem }) =>
        new RegistrationInvalid({ processId: idOf(given), field: field.slice(1) || "registration", problem })
    ),
    Either.flatMap((checked) => Registrations.prepare(checked, taking))
  )

/** What names a registration that was refused, and whose id may be anything. */
const idOf = (given: unknown): string =>
  Either.match(fieldsOf<{ readonly id?: unknown }>("registration", given as object), {
    onLeft: () => "",
    onRight: ({ id }) => (typeof id === "string" ? id : "")
  })

/** A process id: text that any store can keep. Whether it is blank is the registration's question. */
export const id = (value: ProcessId, field = "id"): Either.Either<ProcessId, InputInvalid> =>
  text(field, value) as Either.Either<ProcessId, InputInvalid> // the same value, checked

/** Well-formed text. */
export const text = (field: string, value: unknown): Either.Either<string, InputInvalid> =>
  typeof value === "string" && value.isWellFormed()
    ? Either.right(value)
    : invalid(field, typeof value === "string" ? "has a lone surrogate" : `is ${kindOf(value)}; it must be text`)

/** A small value of a schema's type side, copied, where an unknown field is a mistake too: one that is misspelt narrows nothing. */
export const strict = <A, I>(field: string, schema: Schema.Schema<A, I>, value: A): Either.Either<A, InputInvalid> =>
  Either.flatMap(small(field, value), (copy) => exactly(field, schema, copy))

/** A scope, copied. */
export const scope = (field: string, value: SessionScope): Either.Either<SessionScope, InputInvalid> =>
  strict(field, SessionScope, value)

/** A scope that is not too long for what is to be kept under its address. */
export const addressable = (field: string, value: SessionScope): Either.Either<SessionScope, InputInvalid> =>
  Either.flatMap(scope(field, value), (checked) => {
    const problem = lengthProblem(scopeId(checked))
    return problem === undefined ? Either.right(checked) : invalid(field, problem)
  })

/** A presented lease, copied: its shape only. The transaction checks whether it is the present one. */
export const lease = (field: string, value: Lease): Either.Either<Lease, InputInvalid> => shaped(field, isLease, value)

/** An owner, copied: its shape. */
export const owner = (field: string, value: LeaseOwner): Either.Either<LeaseOwner, InputInvalid> =>
  shaped(field, isOwner, value)

/** The authority of a write, copied: one of the four, with a lease where one belongs. */
export const authority = (value: Authority): Either.Either<Authority, InputInvalid> =>
  Either.flatMap(small("authority", value), (copy): Either.Either<Authority, InputInvalid> => {
    switch (copy?._tag) {
      case "External":
      case "Host":
        return Either.right(copy)
      case "Body":
      case "Sweep":
        return Either.map(lease("authority/lease", copy.lease), () => copy)
      default:
        return invalid("authority", "is none of Body, Sweep, External, Host")
    }
  })

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
): Either.Either<A, InputInvalid> => fits(field, () => validatorOf(schema)(value))

/** The same, where an unknown field is a mistake too: what narrows an operation must not be overlooked. */
export const exactly = <A, I>(
  field: string,
  schema: Schema.Schema<A, I>,
  value: unknown
): Either.Either<A, InputInvalid> => fits(field, () => validatorOf(schema)(value, { onExcessProperty: "error" }))

const fits = <A>(
  field: string,
  validate: () => Either.Either<A, ParseResult.ParseError>
): Either.Either<A, InputInvalid> => {
  try {
    return Either.mapLeft(validate(), (error) => {
      const { path, problem = "does not fit" } = firstIssue(error)
      return new InputInvalid({ field: `${field}${path}`, problem })
    })
  } catch (thrown) {
    // What cannot be read may throw while it is validated, or while the refusal is put into words.
    return invalid(field, `cannot be read: ${messageOf(thrown)}`)
  }
}

/**
 * Makes the answers of a service's operations values of their receiver's own: they share nothing that could be changed with what
 * the store keeps, in memory or in its cache.
 */
export const answering = <Service extends object>(service: Service): Service => {
  const own = (answer: unknown): unknown => (Effect.isEffect(answer) ? Effect.map(answer, copyOf) : answer)
  const wrapped = Object.entries(service).map(([name, operation]) => [
    name,
    typeof operation === "function" ? (...args: ReadonlyArray<unknown>) => own(operation(...args)) : own(operation)
  ])
  return Object.fromEntries(wrapped) as Service // the same operations, by the same names
}

/** A validator is compiled from its schema, which costs more than many validations: once for each schema. */
const validatorOf = <A, I>(schema: Schema.Schema<A, I>) => {
  const known = validators.get(schema)
  if (known !== undefined) return known as Validator<A> // it was made for this schema
  const made: Validator<A> = Schema.validateEither(Schema.typeSchema(schema))
  validators.set(schema, made)
  return made
}

type Validator<A> = (value: unknown, options?: ParseOptions) => Either.Either<A, ParseResult.ParseError>

const validators = new WeakMap<object, Validator<unknown>>()

const isLease = whenAsked(() => Schema.is(Schema.typeSchema(LeaseSchema)))

const isOwner = whenAsked(() => Schema.is(Schema.typeSchema(LeaseOwnerSchema)))

const shaped = <A>(field: string, fits: (value: unknown) => boolean, value: A): Either.Either<A, InputInvalid> =>
  Either.flatMap(small(field, value), (copy) =>
    fits(copy) ? Either.right(copy) : invalid(field, `is ${kindOf(value)} that does not have its shape`)
  )

/** The fields of a record, each read once. */
export const fieldsOf = <A extends object>(field: string, record: A): Either.Either<A, InputInvalid> => {
  if (typeof record !== "object" || record === null || Array.isArray(record)) {
    return invalid(field, `is ${kindOf(record)}; it must be a record`)
  }
  try {
    return Either.right({ ...record })
  } catch (thrown) {
    return invalid(field, `cannot be read: ${messageOf(thrown)}`)
  }
}

/** The first field that is not known; one without a value is as if it were not there. */
export const unknownIn = (known: Readonly<Record<string, true>>, fields: object): string | undefined =>
  Object.keys(fields).find(
    (name) => !Object.hasOwn(known, name) && (fields as Readonly<Record<string, unknown>>)[name] !== undefined // its own key
  )

/** The same, where an unknown field is a mistake: one that was misspelt narrows nothing. */
export const knownFieldsOf = <A extends object>(
  field: string,
  known: Readonly<Record<keyof A, true>>,
  record: A
): Either.Either<A, InputInvalid> =>
  Either.flatMap(fieldsOf(field, record), (fields) => {
    const unknown = unknownIn(known, fields)
    return unknown === undefined
      ? Either.right(fields)
      : invalid(`${field}/${unknown}`, `is unknown; there are ${Object.keys(known).join(", ")}`)
  })

/** The same of options. */
export const optionsOf = <A extends object>(
  known: Readonly<Record<keyof A, true>>,
  options: A
): Either.Either<A, InputInvalid> => knownFieldsOf("options", known, options)

/** A value that no limit of a host is about, copied. */
const small = <A>(field: string, value: A): Either.Either<A, InputInvalid> => taken({}, field, value)

const kindOf = (value: unknown): string => {
  try {
    return value === null ? "null" : Array.isArray(value) ? "an array" : `a value of type ${typeof value}`
  } catch {
    return "a value that cannot be read"
  }
}

/** Refuses a field. */
export const refuse = (field: string, problem: string): Either.Either<never, InputInvalid> => invalid(field, problem)

const invalid = (field: string, problem: string): Either.Either<never, InputInvalid> =>
  Either.left(new InputInvalid({ field, problem }))
