/**
 * Where two values of JSON differ.
 */
import { isCut } from "./cut.ts"

/** A place where two values differ; absent is undefined. */
export interface Differing {
  readonly path: string
  readonly before?: unknown
  readonly after?: unknown
}

/** Where two values differ, each place by its path; what is equal is left out. */
export const differencesOf = (before: unknown, after: unknown, path = ""): ReadonlyArray<Differing> => {
  if (isEqual(before, after)) return []
  if (!isNested(before) || !isNested(after) || Array.isArray(before) !== Array.isArray(after)) {
    return [{ path: path === "" ? "/" : path, before, after }]
  }
  const keys = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...keys].flatMap((key): ReadonlyArray<Differing> => {
    const inner = `${path}/${key}`
    if (!Object.hasOwn(after, key)) return [{ path: inner, before: before[key] }]
    if (!Object.hasOwn(before, key)) return [{ path: inner, after: after[key] }]
    return differencesOf(before[key], after[key], inner)
  })
}

const isNested = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !isCut(value)

/** What was cut is equal where its size and its beginning are: where it is loaded from differs in any case. */
const isEqual = (a: unknown, b: unknown): boolean =>
  isCut(a) && isCut(b) ? a.$cut === b.$cut && a.$begins === b.$begins : Object.is(a, b)
