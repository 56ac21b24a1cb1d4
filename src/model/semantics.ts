/**
 * Materialisation: what one event means, computed once at append from its declared semantics and its payload.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { EndState } from "../../machines/process/types.ts"
import type { AwaitOutput } from "./AwaitOutput.ts"
import * as Output from "./AwaitOutput.ts"
import type { EventSemantics, Selector } from "./EventType.ts"
import { canonicalText } from "./json.ts"
import type { MaterializedSemantics } from "./ProcessEvent.ts"

/** Why an event has no meaning that can be stored: a selector missed, or the output contradicts the declared state. */
export type SemanticsProblem =
  | { readonly _tag: "SelectorFailed"; readonly problem: string }
  | { readonly _tag: "OutcomeMismatch"; readonly declared: EndState; readonly outcome: EndState }

/**
 * Evaluates the semantics of an event type on a payload.
 *
 * `sequence` is the one the event will get: an `event_identity` wake is named after it.
 */
export const materialize = (
  semantics: EventSemantics,
  event: { readonly processId: string; readonly sequence: number; readonly payload: unknown }
): Either.Either<MaterializedSemantics, SemanticsProblem> =>
  Either.flatMap(semantics.terminal ? terminalOf(semantics.terminal, event.payload) : nothing, (terminal) =>
    Either.map(semantics.wake ? (terminal ? certainly : wakeOf)(semantics.wake, event) : nothing, (wake) => ({
      ...(terminal ? { terminal } : {}),
      ...(wake ? { wake } : {})
    }))
  )

type Event = Parameters<typeof materialize>[1]

/** The wake of a fact that must not fail: where a selector misses, it carries the whole payload, and says why. */
export const certainWake = (spec: NonNullable<EventSemantics["wake"]>, event: Event): MaterializedSemantics["wake"] =>
  Either.getOrElse(wakeOf(spec, event), (missed) => ({
    input: textOf(event.payload),
    dedupeKey: `${event.processId}:${event.sequence}`,
    ...(missed._tag === "SelectorFailed" ? { problem: missed.problem } : {})
  }))

const certainly = (...args: Parameters<typeof certainWake>): ReturnType<typeof wakeOf> =>
  Either.right(certainWake(...args))

const nothing = Either.right(undefined)

const selected = (...args: Parameters<typeof select>): Either.Either<unknown, SemanticsProblem> =>
  Either.mapLeft(select(...args), (problem) => ({ _tag: "SelectorFailed", problem }))

const terminalOf = (
  spec: NonNullable<EventSemantics["terminal"]>,
  payload: unknown
): Either.Either<NonNullable<MaterializedSemantics["terminal"]>, SemanticsProblem> => {
  const { state } = spec
  if (spec.awaitOutput === undefined) {
    if (state === "completed") return Either.right({ state, awaitOutput: Output.success(payload) })
    const problem = "failed or cancelled terminal events must declare await output"
    return Either.left({ _tag: "SelectorFailed", problem })
  }
  return Either.flatMap(selected(spec.awaitOutput, payload), (value) => {
    const awaitOutput = Option.getOrElse(Output.fromWire(value), () => wrap(state, value))
    const outcome = Output.endStateOf(awaitOutput)
    return outcome === state
      ? Either.right({ state, awaitOutput })
      : Either.left({ _tag: "OutcomeMismatch", declared: state, outcome })
  })
}

const wakeOf = (
  spec: NonNullable<EventSemantics["wake"]>,
  event: Event
): Either.Either<MaterializedSemantics["wake"], SemanticsProblem> =>
  Either.gen(function* () {
    if (spec.when !== undefined && !isTruthy(yield* selected(spec.when, event.payload))) return undefined
    const input = textOf(yield* selected(spec.input, event.payload))
    if (spec.dedupeKey === "event_identity") return { input, dedupeKey: `${event.processId}:${event.sequence}` }
    if ("const" in spec.dedupeKey) return { input, dedupeKey: spec.dedupeKey.const }
    return { input, dedupeKey: textOf(yield* selected(spec.dedupeKey.selector, event.payload)) }
  })

/** A producer may select any value as its output; it is wrapped as the state it declared. */
const wrap = (state: EndState, value: unknown): AwaitOutput => {
  switch (state) {
    case "completed":
      return Output.success(value)
    case "failed":
      return Output.failure("execution", "process_failed", textOf(value), value)
    case "cancelled":
      return { _tag: "Cancelled", message: textOf(value), raw: value }
    case "abandoned":
      return Output.abandoned({ writer: "owner_drain", epochMs: 0 })
  }
}

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
