/**
 * Two small words for schemas whose type side is TypeScript's (camelCase, `_tag`) and whose encoded side is the wire's
 * (snake_case, its own tag field).
 */

import { createHash } from "node:crypto"
import canonicalize from "canonicalize"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** A required field that is called `key` on the wire. */
export const renamed = <const Key extends string, A, I, R>(
  key: Key,
  schema: Schema.Schema<A, I, R>
): Schema.PropertySignature<":", A, Key, ":", I, false, R> => Schema.fromKey(Schema.propertySignature(schema), key)

/** An optional field that is called `key` on the wire; absent rather than `undefined`. */
export const renamedOptional = <const Key extends string, A, I, R>(
  key: Key,
  schema: Schema.Schema<A, I, R>
): Schema.PropertySignature<"?:", A, Key, "?:", I, false, R> =>
  Schema.optionalWith(schema, { exact: true }).pipe(Schema.fromKey(key))

/** An optional field with the same name on both sides; absent rather than `undefined`. */
export const optional = <A, I, R>(
  schema: Schema.Schema<A, I, R>
): Schema.PropertySignature<"?:", A, never, "?:", I, false, R> => Schema.optionalWith(schema, { exact: true })

/** Any JSON value, which must be there: `null` is one, absence is none. */
export const AnyJson: Schema.Schema<unknown> = Schema.Unknown.pipe(
  Schema.filter((value): boolean => value !== undefined, { message: () => "must be a JSON value" })
)

/** The tag of a union's member: `key: wire` on the wire, `_tag: type` in TypeScript. */
export const tagged = <const Key extends string, const Wire extends string, const Type extends string>(
  key: Key,
  wire: Wire,
  type: Type
): Schema.PropertySignature<":", Type, Key, ":", Wire, false, never> =>
  Schema.fromKey(
    Schema.propertySignature(Schema.transformLiteral(wire, type) as Schema.Schema<Type, Wire>), // widens the class type
    key
  )

/** A reader or writer that is made when it is first used: a schema takes a while to become one, and most are never used. */
export const whenAsked = <In, Out>(make: () => (value: In) => Out): ((value: In) => Out) => {
  let made: ((value: In) => Out) | undefined
  return (value) => {
    made ??= make()
    return made(value)
  }
}

/** The first place where a value does not fit a schema: its path, as `/a/b`, and why, when the schema says so. */
export const firstIssue = (error: ParseResult.ParseError): { readonly path: string; readonly problem?: string } => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return issue === undefined
    ? { path: "" }
    : { path: issue.path.map((key) => `/${String(key)}`).join(""), problem: issue.message }
}

/** A copy of JSON that is kept: its receiver may change it. What is frozen, as lists of event types are, is shared. */
export const copyOf = <A>(json: A): A => {
  if (typeof json !== "object" || json === null || Object.isFrozen(json)) return json
  const copy = Array.isArray(json) ? json.map(copyOf) : copyOfFields(json)
  return copy as A // of the same form
}

const copyOfFields = (fields: object): object => {
  const copy: Record<string, unknown> = {}
  for (const [key, field] of Object.entries(fields)) copy[key] = copyOf(field)
  return copy
}

/** Freezes a value through and through, and answers it. */
export const freeze = <A>(value: A): A => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const child of Object.values(value)) freeze(child)
  }
  return value
}

/** A value that JSON can say exactly. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** Where a value is not JSON: an RFC 6901 pointer, and the problem. */
export interface JsonProblem {
  readonly path: string
  readonly problem: string
  /** What to do about it, as one clause, where the problem knows. */
  readonly advice?: string
}

/** How a host takes values that it keeps. */
export interface Taking {
  /** The length of one value as JSON text. Units: UTF-16 code units. @default limits.maxLength */
  readonly maxLength?: number
  /** What becomes of half a surrogate pair, which no text file can say: a refusal, or U+FFFD. @default "refuse" */
  readonly halfSurrogates?: "refuse" | "replace"
}

/** A problem and what to do about it, as one text. */
export const withAdvice = ({ problem, advice }: JsonProblem, otherwise?: string): string => {
  const said = advice ?? otherwise
  return said === undefined ? problem : `${problem}: ${said}`
}

/** How much of a value is kept: larger ones are refused, and what is only said about a failure is cut. */
export const limits = {
  /** One value as JSON text, unless a host says otherwise. Units: UTF-16 code units. */
  maxLength: 16 * 1024 * 1024,
  /** Of how many objects and arrays a value may consist; a shared part counts each time it would be written. */
  maxValues: 1_000_000,
  /** How deep a value may nest; deeper ones would overflow the stack of a reader. */
  maxDepth: 200,
  /** The message of a failure. Units: UTF-16 code units. */
  maxMessage: 4_000,
  /** The stack of a failure. Units: UTF-16 code units. */
  maxStack: 4_000,
  /** The fields of a failure's own, as JSON text. Units: UTF-16 code units. */
  maxData: 4_000,
  /** How many causes of a failure are kept. */
  maxCauses: 8
} as const

/**
 * Copies a value as JSON, or says where it is none. It never throws, and the copy shares nothing with the value.
 *
 * JSON is: own enumerable string keys on plain objects, dense arrays, finite numbers, well-formed strings (or mended ones, where
 * `halfSurrogates` says so), within the limits. A field that is `undefined` is absent, and `undefined` itself is `null`. Every field is read once, so that a getter or a proxy
 * cannot answer differently later; one that throws is refused at its path.
 */
export const snapshot = (value: unknown, taking: Taking = {}): Either.Either<Json, JsonProblem> => {
  const { maxLength = limits.maxLength, halfSurrogates = "refuse" } = taking
  const walk: Walk = {
    parents: new Set(),
    path: [],
    maxLength,
    mends: halfSurrogates === "replace",
    length: 0,
    values: 0
  }
  try {
    return Either.right(taken(value === undefined ? null : value, walk))
  } catch (thrown) {
    return Either.left({
      path: walk.path.map(segment).join(""),
      ...(walk.refusal ?? { problem: unreadable(thrown) })
    })
  }
}

/** The first place where a value is not JSON, as {@link snapshot} finds it, or `undefined` when it is. Nothing is no JSON. */
export const jsonProblem = (value: unknown): JsonProblem | undefined =>
  value === undefined ? { path: "", problem: "is undefined" } : Option.getOrUndefined(Either.getLeft(snapshot(value)))

/**
 * The canonical text of a JSON value: keys sorted by UTF-16 code units, no white space.
 *
 * The value must be JSON (see {@link jsonProblem}); anything else is a defect of the caller.
 */
export const canonicalText = (value: unknown): string => canonicalize(value) as string // only undefined has no text

/** SHA-256 of a text, in lower-case hex. */
export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

/** SHA-256 over the canonical text of a value: the same for equal values, whatever the order of their keys. */
export const hashOf = (value: unknown): string => sha256(canonicalText(value))

/** Structural equality of two JSON values: equal exactly where their canonical texts are. */
export const jsonEquals = (a: unknown, b: unknown): boolean => {
  if (a === b) return true
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((one, at) => jsonEquals(one, b[at]))
  }
  const [one, other] = [a, b] as ReadonlyArray<Readonly<Record<string, unknown>>> as [Fields, Fields] // neither is a list
  let more = 0
  for (const key in one) {
    if (one[key] === undefined) continue
    if (!Object.hasOwn(other, key) || !jsonEquals(one[key], other[key])) return false
    more++
  }
  for (const key in other) if (other[key] !== undefined) more--
  return more === 0
}

type Fields = Readonly<Record<string, unknown>>

interface Walk {
  readonly parents: Set<object>
  readonly path: Array<string>
  readonly maxLength: number
  readonly mends: boolean
  length: number
  values: number
  refusal?: Omit<JsonProblem, "path">
}

/** Whatever is thrown on the way leaves the path at the place where it was thrown. */
const taken = (value: unknown, walk: Walk): Json => {
  switch (typeof value) {
    case "boolean":
      return counted(value, value ? 4 : 5, walk)
    case "string":
      return textOf(value, "has a lone surrogate", walk)
    case "number":
      if (!Number.isFinite(value)) return refuse(walk, `is ${value}`)
      // JSON has no negative zero.
      return counted(value === 0 ? 0 : value, String(value).length, walk)
    case "object":
      return value === null ? counted(null, 4, walk) : takenObject(value, walk)
    default:
      return refuse(walk, `is ${value === undefined ? "undefined" : `a ${typeof value}`}`)
  }
}

const takenObject = (value: object, walk: Walk): Json => {
  if (walk.parents.has(value)) return refuse(walk, "contains itself")
  if (++walk.values > limits.maxValues) {
    return refuse(walk, `is part of more than ${limits.maxValues} values`, byReference)
  }
  if (walk.path.length >= limits.maxDepth) return refuse(walk, `nests deeper than ${limits.maxDepth} levels`)
  const isArray = Array.isArray(value)
  if (!isArray && !isPlain(value)) {
    return refuse(walk, `is a ${value.constructor?.name ?? "class instance"}, not a plain object`)
  }
  if (Object.getOwnPropertySymbols(value).length > 0) return refuse(walk, "has symbols as keys")
  walk.parents.add(value)
  const copy = isArray ? takenItems(value, walk) : takenFields(value as Readonly<Record<string, unknown>>, walk) // plain
  walk.parents.delete(value)
  return counted(copy, 2, walk)
}

const takenItems = (items: ReadonlyArray<unknown>, walk: Walk): ReadonlyArray<Json> => {
  const { length } = items
  if (Object.keys(items).length > length) return refuse(walk, "is an array with properties of its own")
  const copy: Array<Json> = []
  for (let index = 0; index < length; index++) {
    walk.path.push(String(index))
    copy.push(taken(items[index], walk))
    walk.path.pop()
    if (index > 0) counted(null, 1, walk)
  }
  return copy
}

const takenFields = (fields: Readonly<Record<string, unknown>>, walk: Walk): Json => {
  const copy: Record<string, Json> = {}
  let isFirst = true
  for (const key of Object.keys(fields)) {
    walk.path.push(key)
    const field = fields[key]
    if (field !== undefined) {
      const name = textOf(key, "has a lone surrogate in its key", walk)
      // A key of this name would vanish into the prototype of whatever copies the value.
      if (name === "__proto__") return refuse(walk, "is named __proto__")
      if (name !== key && (Object.hasOwn(copy, name) || Object.hasOwn(fields, name))) {
        return refuse(walk, "has the key of another field once its lone surrogate is replaced")
      }
      copy[name] = taken(field, walk)
      counted(null, isFirst ? 1 : 2, walk)
      isFirst = false
    }
    walk.path.pop()
  }
  return copy
}

/** Objects of another realm are plain too: their prototype is one that has none. */
const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const textOf = (text: string, problem: string, walk: Walk): string => {
  if (text.length > walk.maxLength) return refuse(walk, tooLong(walk), byReference)
  if (!text.isWellFormed()) {
    return walk.mends ? textOf(text.toWellFormed(), problem, walk) : refuse(walk, problem, mending)
  }
  counted(text, isWrittenAsItIs(text) ? text.length + 2 : JSON.stringify(text).length, walk)
  return text
}

const mending = 'mend the text, or give the host `halfSurrogates: "replace"`, which keeps U+FFFD in its place'

const byReference = "keep it as an attachment (`Attachments.put`), and its reference here"

const mayNeedEscapes = /["\\\p{Cc}]/u

const isWrittenAsItIs = (text: string): boolean => !mayNeedEscapes.test(text)

/** Counts what a value adds to the text; the whole is too long, not the part that came last. */
const counted = <A>(value: A, length: number, walk: Walk): A => {
  walk.length += length
  if (walk.length <= walk.maxLength) return value
  walk.path.length = 0
  return refuse(walk, tooLong(walk), byReference)
}

const tooLong = ({ maxLength }: Walk): string => `is more than ${maxLength} characters of JSON`

const refuse = (walk: Walk, problem: string, advice?: string): never => {
  walk.refusal = { problem, ...(advice === undefined ? {} : { advice }) }
  throw new Error(problem)
}

/** What a getter or a proxy throws may be anything. */
const unreadable = (thrown: unknown): string => {
  try {
    return `cannot be read: ${String((thrown as Error).message)}` // or whatever else was thrown
  } catch {
    return "cannot be read"
  }
}

const segment = (key: string): string => `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`
