/**
 * Two small words for schemas whose type side is TypeScript's (camelCase, `_tag`) and whose encoded side is the wire's
 * (snake_case, its own tag field).
 */

import { createHash } from "node:crypto"
import canonicalize from "canonicalize"
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

/** The first place where a value does not fit a schema: its path, as `/a/b`, and why, when the schema says so. */
export const firstIssue = (error: ParseResult.ParseError): { readonly path: string; readonly problem?: string } => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  return issue === undefined
    ? { path: "" }
    : { path: issue.path.map((key) => `/${String(key)}`).join(""), problem: issue.message }
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

/** The first place where a value is not JSON: an RFC 6901 pointer, and the problem. */
export interface JsonProblem {
  readonly path: string
  readonly problem: string
}

/** How large one value may be unless a host says otherwise, as JSON text. Units: UTF-16 code units. */
export const maxLength: number = 16 * 1024 * 1024

/** How many values one value may consist of; a shared part counts each time it would be written. */
export const maxValues = 1_000_000

/** How deep a value may nest; deeper ones would overflow the stack of a reader. */
export const maxDepth = 200

/**
 * Finds the first place where a value is not plain JSON, or `undefined` when it is.
 *
 * Plain means: own enumerable string keys on ordinary objects, dense arrays, finite numbers, well-formed strings.
 */
export const jsonProblem = (value: unknown): JsonProblem | undefined =>
  inspect(value, { parents: new Set(), seen: 0 }, 0)

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

/** Structural equality of two JSON values. */
export const jsonEquals = (a: unknown, b: unknown): boolean =>
  a === b || (typeof a === "object" && typeof b === "object" && canonicalText(a) === canonicalText(b))

interface Walk {
  readonly parents: Set<object>
  seen: number
}

/** A problem's path is put together on the way back from it: a value without one, as nearly all are, costs no text. */
const inspect = (value: unknown, walk: Walk, depth: number): JsonProblem | undefined => {
  switch (typeof value) {
    case "boolean":
      return undefined
    case "string":
      return value.isWellFormed() ? undefined : here("has a lone surrogate")
    case "number":
      return Number.isFinite(value) ? undefined : here(`is ${value}`)
    case "object":
      return value === null ? undefined : inspectObject(value, walk, depth)
    default:
      return here(`is ${typeof value === "undefined" ? "undefined" : `a ${typeof value}`}`)
  }
}

const inspectObject = (value: object, walk: Walk, depth: number): JsonProblem | undefined => {
  if (walk.parents.has(value)) return here("contains itself")
  if (++walk.seen > maxValues) return here(`is part of more than ${maxValues} values`)
  if (depth >= maxDepth) return here(`nests deeper than ${maxDepth} levels`)
  const prototype = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) {
    return here(`is a ${prototype?.constructor?.name ?? "class instance"}, not a plain object`)
  }
  if (Object.getOwnPropertySymbols(value).length > 0) return here("has symbols as keys")
  if (Array.isArray(value) && Object.keys(value).length > value.length) {
    return here("is an array with properties of its own")
  }
  walk.parents.add(value)
  const found = Array.isArray(value) ? inspectItems(value, walk, depth) : inspectEntries(value, walk, depth)
  walk.parents.delete(value)
  return found
}

const inspectItems = (value: ReadonlyArray<unknown>, walk: Walk, depth: number): JsonProblem | undefined => {
  for (let index = 0; index < value.length; index++) {
    const found = inspect(value[index], walk, depth + 1)
    if (found !== undefined) return below(String(index), found)
  }
  return undefined
}

const inspectEntries = (value: object, walk: Walk, depth: number): JsonProblem | undefined => {
  for (const key of Object.keys(value)) {
    if (!key.isWellFormed()) return below(key, here("has a lone surrogate in its key"))
    // A key of this name would vanish into the prototype of whatever copies the value.
    if (key === "__proto__") return below(key, here("is named __proto__"))
    const found = inspect((value as Record<string, unknown>)[key], walk, depth + 1)
    if (found !== undefined) return below(key, found)
  }
  return undefined
}

const here = (problem: string): JsonProblem => ({ path: "", problem })

const below = (key: string, { path, problem }: JsonProblem): JsonProblem => ({
  path: `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}${path}`,
  problem
})
