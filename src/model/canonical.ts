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
