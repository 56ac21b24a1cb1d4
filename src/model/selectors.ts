/**
 * Evaluation of selectors over a payload: pure, total, with a typed problem instead of a throw.
 */
import * as Either from "effect/Either"
import { canonicalText } from "./canonical.ts"
import type { Selector } from "./EventType.ts"

/** What a selector yields, or one clause that says why it yields nothing. */
export type Selected = Either.Either<unknown, string>

/**
 * Evaluates a selector.
 *
 * Only a `pointer` can miss; a match on `null` is a match. Template fields are substituted one after the other in the order
 * of their names, so that a substituted text may itself contain a later placeholder.
 */
export const select = (selector: Selector, payload: unknown): Selected => {
  if (selector === "payload") return Either.right(payload)
  if ("const" in selector) return Either.right(selector.const)
  if ("present" in selector) return Either.right(resolvePointer(selector.present, payload)._tag === "Right")
  if ("pointer" in selector) return resolvePointer(selector.pointer, payload)
  return fillTemplate(selector.template.template, selector.template.fields, payload)
}

/** A selected value as text: strings as they are, everything else as canonical JSON. */
export const textOf = (value: unknown): string => (typeof value === "string" ? value : canonicalText(value))

/** Whether a selected value counts as true: any number does, zero included; empty strings, arrays and objects do not. */
export const isTruthy = (value: unknown): boolean => {
  switch (typeof value) {
    case "boolean":
      return value
    case "string":
      return value.length > 0
    case "number":
      return true
    default:
      return value !== null && Object.keys(value as object).length > 0
  }
}

/** Resolves an RFC 6901 pointer. */
export const resolvePointer = (pointer: string, document: unknown): Selected => {
  if (pointer === "") return Either.right(document)
  const miss = Either.left(`payload pointer \`${pointer}\` did not match`)
  if (!pointer.startsWith("/")) return miss
  let at: unknown = document
  for (const token of pointer.slice(1).split("/")) {
    const key = token.replaceAll("~1", "/").replaceAll("~0", "~")
    if (Array.isArray(at)) {
      if (!/^(0|[1-9][0-9]*)$/.test(key) || Number(key) >= at.length) return miss
      at = at[Number(key)]
    } else if (typeof at === "object" && at !== null && Object.hasOwn(at, key)) {
      at = (at as Record<string, unknown>)[key]
    } else {
      return miss
    }
  }
  return Either.right(at)
}

const fillTemplate = (template: string, fields: Readonly<Record<string, Selector>>, payload: unknown): Selected => {
  let text = template
  for (const name of Object.keys(fields).sort()) {
    const selected = select(fields[name] as Selector, payload)
    if (Either.isLeft(selected)) return selected
    text = text.replaceAll(`{${name}}`, () => textOf(selected.right))
  }
  return Either.right(text)
}
