/**
 * A law: one sentence about every store, and the effect that checks it. Laws are data; no test runner is imported here.
 *
 * Invariant: a law is kept or broken. Whatever goes wrong in its check, an unexpected failure of the store included, breaks
 * it with a message that says what was looked at, what was expected and what was there.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type { LawEnv } from "./LawEnv.ts"
import { LawClock } from "./LawEnv.ts"

/** One sentence about every store. `section` names where the rule stands in the specification of the behaviour. */
export interface Law {
  readonly name: string
  readonly section: string
  readonly check: Effect.Effect<void, LawBroken, LawEnv>
}

/** A store does not obey a law. `about` says what was looked at. */
export class LawBroken extends Data.TaggedError("LawBroken")<{
  readonly law: string
  readonly section: string
  readonly about: string
  readonly expected: unknown
  readonly actual: unknown
}> {
  override get message(): string {
    return `"${this.law}" (${this.section}) is broken: ${explain(this)}`
  }
}

/** What was looked at is not what was expected; a law makes a {@link LawBroken} of it. */
export class Mismatch extends Data.TaggedError("Mismatch")<{
  readonly about: string
  readonly expected: unknown
  readonly actual: unknown
}> {
  override get message(): string {
    return explain(this)
  }
}

/** Makes a law. Its body runs under the clock of the world; every failure of it breaks the law. */
export const law = <E extends { readonly _tag: string; readonly message: string }>(
  name: string,
  section: string,
  body: Effect.Effect<unknown, E, LawEnv>
): Law => ({
  name,
  section,
  check: Effect.flatMap(LawClock, ({ within }) => within(body)).pipe(
    Effect.asVoid,
    Effect.mapError((error) => {
      const { about, expected, actual } = mismatchOf(error)
      return new LawBroken({ law: name, section, about, expected, actual })
    })
  )
})

/** Expects deep equality of plain values; an absent property and an undefined one differ. */
export const expectEquals = (about: string, actual: unknown, expected: unknown): Effect.Effect<void, Mismatch> =>
  difference(actual, expected) === undefined ? Effect.void : Effect.fail(new Mismatch({ about, expected, actual }))

/** Expects a failure with this tag, and answers it. */
export const expectFailure = <A, E extends { readonly _tag: string }, R, Tag extends E["_tag"]>(
  about: string,
  tag: Tag,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Extract<E, { readonly _tag: Tag }>, Mismatch, R> =>
  Effect.flatMap(Effect.either(effect), (outcome) => {
    const expected = `a failure: ${tag}`
    if (Either.isRight(outcome)) return Effect.fail(new Mismatch({ about, expected, actual: outcome.right }))
    const error = outcome.left
    return error._tag === tag
      ? Effect.succeed(error as Extract<E, { readonly _tag: Tag }>) // the tag was compared just now
      : Effect.fail(new Mismatch({ about, expected, actual: `a failure: ${error._tag} ${textOf(error)}` }))
  })

/** The first place where two plain values differ, as an RFC 6901 pointer; `undefined` when they are equal. */
export const difference = (actual: unknown, expected: unknown, path = ""): string | undefined => {
  if (actual === expected) return undefined
  if (typeof actual !== "object" || typeof expected !== "object" || actual === null || expected === null) return path
  if (Array.isArray(actual) !== Array.isArray(expected)) return path
  const keys = new Set([...Object.keys(actual), ...Object.keys(expected)])
  for (const key of keys) {
    if (Object.hasOwn(actual, key) !== Object.hasOwn(expected, key)) return `${path}/${key}`
    const found = difference(fieldOf(actual, key), fieldOf(expected, key), `${path}/${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

const mismatchOf = (error: { readonly _tag: string; readonly message: string }) =>
  error instanceof Mismatch
    ? error
    : {
        about: "the operations of the law",
        expected: "no failure",
        actual: `a failure: ${error._tag}: ${error.message}`
      }

const explain = (found: { readonly about: string; readonly expected: unknown; readonly actual: unknown }): string => {
  const path = difference(found.actual, found.expected)
  const at = path === undefined || path === "" ? "" : `, at ${path}`
  const shown = at === "" ? "" : (path ?? "")
  return `${found.about}${at}: expected ${textOf(resolve(found.expected, shown))}, got ${textOf(resolve(found.actual, shown))}`
}

const resolve = (value: unknown, path: string): unknown =>
  path
    .split("/")
    .slice(1)
    .reduce<unknown>((at, key) => fieldOf(at, key), value)

const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined

const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  const text = JSON.stringify(value) ?? "nothing"
  return text.length <= maxText ? text : `${text.slice(0, maxText)}…`
}

const maxText = 400
