/**
 * Waits on any store.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { InputInvalid } from "../model/errors.ts"
import type { WaitState } from "../model/facts.ts"
import * as Facts from "../model/facts.ts"
import { signalEventType, signalNameProblem } from "../model/ids.ts"
import * as Waits from "./decisions/waits.ts"
import * as Inputs from "./inputs.ts"
import { onKnown } from "./known.ts"
import { ProcessStore } from "./ProcessStore.ts"
import { recordOf } from "./registry.ts"
import { WaitStore } from "./WaitStore.ts"

/** Builds the wait operations on a store. */
export const make: Effect.Effect<typeof WaitStore.Service, never, ProcessStore> = Effect.map(
  Effect.all([ProcessStore, Inputs.make]),
  ([store, inputs]) => {
    const known = onKnown(store)
    return WaitStore.of({
      setProcessWait: Effect.fnUntraced(function* (id, wait, authority) {
        yield* Inputs.id(id)
        yield* Inputs.authority(authority)
        const checked = yield* signalWait(yield* inputs.shape("wait", Facts.WaitState, wait))
        return recordOf(yield* known(id, Waits.waitPlan(id, authority), Waits.setWait(id, checked, authority)))
      }),
      clearProcessWait: Effect.fnUntraced(function* (id, authority, outcome = { _tag: "Cancelled" }) {
        yield* Inputs.id(id)
        yield* Inputs.authority(authority)
        const checked = yield* inputs.shape("outcome", Facts.WaitOutcome, outcome)
        return recordOf(yield* known(id, Waits.waitPlan(id, authority), Waits.clearWait(id, checked, authority)))
      })
    })
  }
)

/** The wait operations on the store in context. */
export const layer: Layer.Layer<WaitStore, never, ProcessStore> = Layer.effect(WaitStore, make)

/** A wait is for one signal, and says its name twice: both must say the same, or a signal could be consumed twice. */
const signalWait = (wait: WaitState): Either.Either<WaitState, InputInvalid> => {
  if (wait.kind._tag === "Timer") {
    return wait.deadlineMs === undefined
      ? Either.left(new InputInvalid({ field: "wait/deadline_ms", problem: "a timer needs a deadline" }))
      : Either.right(wait)
  }
  const { name, eventType } = wait.kind
  const problem = signalNameProblem(name)
  if (problem !== undefined) return Either.left(new InputInvalid({ field: "wait/kind/name", problem }))
  return eventType === signalEventType(name)
    ? Either.right(wait)
    : Either.left(
        new InputInvalid({ field: "wait/kind/event_type", problem: `is ${eventType}, not ${signalEventType(name)}` })
      )
}
