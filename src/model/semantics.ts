/**
 * Materialisation: what one event means, computed once at append from its declared semantics and its payload.
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { EndState } from "../../machines/process.ts"
import type { AwaitOutput } from "./AwaitOutput.ts"
import * as Output from "./AwaitOutput.ts"
import type { EventSemantics } from "./EventType.ts"
import type { MaterializedSemantics } from "./ProcessEvent.ts"
import { isTruthy, select, textOf } from "./selectors.ts"

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
  Either.gen(function* () {
    const terminal = semantics.terminal && (yield* terminalOf(semantics.terminal, event.payload))
    const wake = semantics.wake && (yield* wakeOf(semantics.wake, event))
    return { ...(terminal ? { terminal } : {}), ...(wake ? { wake } : {}) }
  })

const selected = (...args: Parameters<typeof select>): Either.Either<unknown, SemanticsProblem> =>
  Either.mapLeft(select(...args), (problem) => ({ _tag: "SelectorFailed", problem }))

const terminalOf = (
  spec: NonNullable<EventSemantics["terminal"]>,
  payload: unknown
): Either.Either<NonNullable<MaterializedSemantics["terminal"]>, SemanticsProblem> =>
  Either.gen(function* () {
    if (spec.awaitOutput === undefined) {
      if (spec.state === "completed") return { state: spec.state, awaitOutput: Output.success(payload) }
      const problem = "failed or cancelled terminal events must declare await output"
      return yield* Either.left<SemanticsProblem>({ _tag: "SelectorFailed", problem })
    }
    const value = yield* selected(spec.awaitOutput, payload)
    const awaitOutput = Option.getOrElse(Output.fromWire(value), () => wrap(spec.state, value))
    const outcome = Output.endStateOf(awaitOutput)
    if (outcome !== spec.state) {
      return yield* Either.left<SemanticsProblem>({ _tag: "OutcomeMismatch", declared: spec.state, outcome })
    }
    return { state: spec.state, awaitOutput }
  })

const wakeOf = (
  spec: NonNullable<EventSemantics["wake"]>,
  event: { readonly processId: string; readonly sequence: number; readonly payload: unknown }
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
