/**
 * Canonical JSON (RFC 8785) and the hashes taken over it.
 *
 * Invariant: only plain JSON gets in. What JSON cannot say (`undefined`, functions, cycles, dates, NaN, lone surrogates) is
 * refused with the path where it stands, instead of being dropped or changed on the way.
 */
import { createHash } from "node:crypto"
import canonicalize from "canonicalize"

/** A value that JSON can say exactly. */
export type Json = null | boolean | number | string | ReadonlyArray<Json> | { readonly [key: string]: Json }

/** The first place where a value is not JSON: an RFC 6901 pointer, and what stands there. */
export interface JsonProblem {
  readonly path: string
  readonly problem: string
}

/** How large one value may be unless a host says otherwise, as JSON text. Units: UTF-16 code units. */
export const maxLength: number = 16 * 1024 * 1024

/** How many values one value may consist of; a shared part counts each time it would be written. */
export const maxValues = 1_000_000

/** How deep a value may nest; deeper ones would overflow the stack of whoever reads them. */
export const maxDepth = 200

/**
 * Finds the first place where a value is not plain JSON, or `undefined` when it is.
 *
 * Plain means: own enumerable string keys on ordinary objects, dense arrays, finite numbers, well-formed strings.
 */
export const jsonProblem = (value: unknown): JsonProblem | undefined =>
  inspect(value, "", { parents: new Set(), seen: 0 }, 0)

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

const inspect = (value: unknown, path: string, walk: Walk, depth: number): JsonProblem | undefined => {
  switch (typeof value) {
    case "boolean":
      return undefined
    case "string":
      return value.isWellFormed() ? undefined : { path, problem: "has a lone surrogate" }
    case "number":
      return Number.isFinite(value) ? undefined : { path, problem: `is ${value}` }
    case "object":
      return value === null ? undefined : inspectObject(value, path, walk, depth)
    default:
      return { path, problem: `is ${typeof value === "undefined" ? "undefined" : `a ${typeof value}`}` }
  }
}

const inspectObject = (value: object, path: string, walk: Walk, depth: number): JsonProblem | undefined => {
  if (walk.parents.has(value)) return { path, problem: "contains itself" }
  if (++walk.seen > maxValues) return { path, problem: `is part of more than ${maxValues} values` }
  if (depth >= maxDepth) return { path, problem: `nests deeper than ${maxDepth} levels` }
  const prototype = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) {
    return { path, problem: `is a ${prototype?.constructor?.name ?? "class instance"}, not a plain object` }
  }
  if (Object.getOwnPropertySymbols(value).length > 0) return { path, problem: "has symbols as keys" }
  if (Array.isArray(value) && Object.keys(value).length > value.length) {
    return { path, problem: "is an array with properties of its own" }
  }
  walk.parents.add(value)
  const found = Array.isArray(value)
    ? firstProblem(value.keys(), (index) => inspect(value[index], `${path}/${index}`, walk, depth + 1))
    : firstProblem(Object.keys(value), (key) => inspectEntry(value, key, path, walk, depth))
  walk.parents.delete(value)
  return found
}

const inspectEntry = (value: object, key: string, path: string, walk: Walk, depth: number) => {
  const at = `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`
  if (!key.isWellFormed()) return { path: at, problem: "has a lone surrogate in its key" }
  // A key of this name would vanish into the prototype of whatever copies the value.
  if (key === "__proto__") return { path: at, problem: "is named __proto__" }
  return inspect((value as Record<string, unknown>)[key], at, walk, depth + 1)
}

const firstProblem = <A>(items: Iterable<A>, check: (item: A) => JsonProblem | undefined) => {
  for (const item of items) {
    const problem = check(item)
    if (problem !== undefined) return problem
  }
  return undefined
}
