/**
 * Arguments from programs, which may be of any kind whatever their types say.
 *
 * Invariant: each check answers the argument or throws `InputInvalid`, which names it. A getter or a proxy that throws is a refusal
 * like any other. `refusing` makes an effect of checks.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { InputInvalid } from "../model/errors.ts"
import { messageOf } from "../model/Failure.ts"
import type { SessionScope } from "../model/Provenance.ts"
import * as Checks from "../operations/checks.ts"

/** Runs checks, and what follows from them. Fails with the `InputInvalid` that one of them throws. */
export const refusing = <A, E, R>(run: () => Effect.Effect<A, E, R>): Effect.Effect<A, E | InputInvalid, R> =>
  Effect.suspend((): Effect.Effect<A, E | InputInvalid, R> => {
    try {
      return run()
    } catch (thrown) {
      return thrown instanceof InputInvalid ? Effect.fail(thrown) : Effect.die(thrown)
    }
  })

/** What the first check that throws refuses; `undefined` when each answers. */
export const refusalOf = (check: () => unknown): InputInvalid | undefined => {
  try {
    check()
    return undefined
  } catch (thrown) {
    if (thrown instanceof InputInvalid) return thrown
    throw thrown
  }
}

/** The fields of a record, each read once. */
export const record = <A extends object>(field: string, value: A): A => {
  try {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value }
  } catch (thrown) {
    return refuse(field, `cannot be read: ${messageOf(thrown)}`)
  }
  return refuse(field, `is ${kindOf(value)}; it must be a record`)
}

/** The options that there are, by name. */
export type Known = Readonly<Record<string, true>>

/** Refuses options that have another one than those that are known: what is misspelt would be taken for the default. */
export const known = (names: Known, options: object, fieldOf: (name: string) => string = (name) => name): void => {
  const unknown = Checks.unknownIn(names, options)
  if (unknown !== undefined) refuse(fieldOf(unknown), `is no option; there are ${Object.keys(names).join(", ")}`)
}

/** The options of an operation, each read once; every one of them is known. */
export const options = <A extends object>(field: string, names: Known, value: A): A => {
  const read = record(field, value)
  known(names, read, (name) => `${field}/${name}`)
  return read
}

/** The same where all of them may be left out, and so may the record. */
export const fields = <A extends object>(field: string, names: Known, value: A | undefined): Partial<A> =>
  value === undefined ? {} : options(field, names, value)

/** The items of a list, each read once and checked. */
export const list = <A>(
  field: string,
  value: ReadonlyArray<A>,
  check: (field: string, item: A) => A
): ReadonlyArray<A> => {
  const items = reading(field, () => (Array.isArray(value) ? Array.from<A>(value) : undefined))
  return items === undefined
    ? refuse(field, `is ${kindOf(value)}; it must be a list`)
    : items.map((item, index) => check(`${field}/${index}`, item))
}

/** Something that has these members, each of one kind: an engine, a signal, a runner, whichever copy of the library made it. */
export const like = <A extends object>(
  field: string,
  what: string,
  value: A,
  members: Readonly<Record<string, "boolean" | "function" | "object" | "string">>
): A => {
  const isLike = reading(field, () =>
    typeof value === "object" && value !== null
      ? Object.entries(members).every(([name, kind]) => typeof (value as Record<string, unknown>)[name] === kind)
      : false
  )
  return isLike ? value : refuse(field, `is ${kindOf(value)}; it must be ${what}`)
}

/** Text. */
export const text = (field: string, value: string): string =>
  typeof value === "string" ? value : refuse(field, `is ${kindOf(value)}; it must be text`)

/** Texts, each of its own. */
export const texts = (field: string, value: ReadonlyArray<string>): ReadonlyArray<string> =>
  list(field, value, text).map((item, index, all) =>
    all.indexOf(item) === index ? item : refuse(`${field}/${index}`, `has "${item.slice(0, 40)}" twice`)
  )

/** One of a few words. */
export const oneOf = <A extends string>(field: string, value: A, words: ReadonlyArray<A>): A =>
  words.includes(value) ? value : refuse(field, `must be ${words.map((word) => `"${word}"`).join(" or ")}`)

/** Yes or no. */
export const truth = (field: string, value: boolean): boolean =>
  typeof value === "boolean" ? value : refuse(field, `is ${kindOf(value)}; it must be \`true\` or \`false\``)

/** A function. */
export const callable = <A>(field: string, value: A): A =>
  typeof value === "function" ? value : refuse(field, `is ${kindOf(value)}; it must be a function`)

/** An effect. */
export const effect = <A>(field: string, value: A): A =>
  reading(field, () => Effect.isEffect(value)) ? value : refuse(field, `is ${kindOf(value)}; it must be an Effect`)

/** A signal of the platform's, or what can be listened to as one can. */
export const abortSignal = (field: string, value: AbortSignal): AbortSignal =>
  reading(field, () => value instanceof AbortSignal)
    ? value
    : like(field, "an AbortSignal", value, {
        aborted: "boolean",
        addEventListener: "function",
        removeEventListener: "function"
      })

/** A schema of Effect's. */
export const schema = <A>(field: string, value: A): A =>
  reading(field, () => Schema.isSchema(value))
    ? value
    : refuse(field, `is ${kindOf(value)}; it must be a Schema of Effect`)

/** A schedule of Effect's. */
export const schedule = <A>(field: string, value: A): A =>
  reading(field, () => Schedule.isSchedule(value))
    ? value
    : refuse(field, `is ${kindOf(value)}; it must be a Schedule of Effect`)

/** A layer of Effect's. */
export const layer = <A>(field: string, value: A): A =>
  reading(field, () => Layer.isLayer(value))
    ? value
    : refuse(field, `is ${kindOf(value)}; it must be a Layer of Effect`)

/** A session, or one of its frames. */
export const sessionScope = (field: string, value: SessionScope): SessionScope =>
  Either.getOrThrowWith(Checks.scope(field, value), (refusal) => refusal)

/** A check of an argument that may be left out. */
export const optional =
  <A>(check: (field: string, value: A) => A) =>
  (field: string, value: A | undefined): A | undefined =>
    value === undefined ? undefined : check(field, value)

/** A whole number of at least so much. */
export const whole = (field: string, value: number, least: number = 1): number =>
  Number.isSafeInteger(value) && value >= least ? value : refuse(field, `must be a whole number of at least ${least}`)

/** The moment of a date. Units: epoch milliseconds, UTC. */
export const timeMs = (field: string, value: Date): number => {
  const ms = reading(field, () => (value instanceof Date ? Date.prototype.getTime.call(value) : undefined))
  if (ms === undefined) return refuse(field, `is ${kindOf(value)}; it must be a Date`)
  return Number.isNaN(ms) ? refuse(field, "is a Date of no time") : ms
}

/**
 * How long a duration is. Units: milliseconds, not always whole.
 *
 * A number is milliseconds. Words have their unit, as "5 seconds" has. What has no length, or a negative one, is refused, while
 * `Infinity` is a length.
 */
export const durationMs = (field: string, value: Duration.DurationInput): number => {
  const wrong = () =>
    refuse(field, `is ${kindOf(value)}; it must be a duration, such as "5 seconds" or a number of milliseconds`)
  if (typeof value === "number" || typeof value === "bigint") {
    return value >= 0 ? Number(typeof value === "bigint" ? value / 1_000_000n : value) : wrong()
  }
  const isList = reading(field, () => Array.isArray(value))
  if (isList && !(value as ReadonlyArray<number>).every((part) => part >= 0)) return wrong() // seconds and nanoseconds
  // Effect takes a negative length for none.
  if (typeof value === "string" && value.trim().startsWith("-")) return wrong()
  const length = reading(field, () => Duration.decodeUnknown(value))
  return length._tag === "Some" ? Duration.toMillis(length.value) : wrong()
}

const reading = <A>(field: string, read: () => A): A => {
  try {
    return read()
  } catch (thrown) {
    return refuse(field, `cannot be read: ${messageOf(thrown)}`)
  }
}

const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return String(value)
  if (typeof value === "string") return `"${value.slice(0, 40)}"`
  if (typeof value === "number" || typeof value === "boolean") return String(value)
  return typeof value === "object" ? "an object of another kind" : `a ${typeof value}`
}

const refuse = (field: string, problem: string): never => {
  throw new InputInvalid({ field, problem })
}
