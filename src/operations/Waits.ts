/**
 * Waits as operations: a body, or a caller that acts for it, enters a wait; the log says how the wait ended.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type { LeaseLost, ProcessAlreadyTerminal } from "../model/errors.ts"
import { InputInvalid } from "../model/errors.ts"
import type { WaitOutcome, WaitState } from "../model/facts.ts"
import * as Facts from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import { signalEventType, signalNameProblem } from "../model/ids.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import { recordOf } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"
import type { Authority } from "./decisions/authority.ts"
import { lockOf } from "./decisions/authority.ts"
import * as Decisions from "./decisions/waits.ts"
import type { Lookup } from "./existing.ts"
import { onKnown } from "./existing.ts"

/** Waits. */
export class Waits extends Context.Tag("holdfast/store/WaitStore")<
  Waits,
  {
    /**
     * Enters a wait; an equal one that is open is left as it is. An unconsumed signal ends it at once.
     *
     * Fails with `ProcessAlreadyTerminal`: an ended process waits for nothing; with `InputInvalid` (`wait/kind/key`) for a key
     * that a wait of the process's body has or had, and for any below `process:{id}:timer:`, where a body's waits for time are:
     * set it under another key; and (`wait/once`) for a wait that claims to be a body's: leave `once` out.
     */
    readonly setProcessWait: (
      id: ProcessId,
      wait: WaitState,
      authority: Authority
    ) => Effect.Effect<ProcessRecord, ProcessAlreadyTerminal | LeaseLost | InputInvalid | Lookup>

    /** Ends every open wait. Without one nothing happens. @default outcome cancelled */
    readonly clearProcessWait: (
      id: ProcessId,
      authority: Authority,
      outcome?: WaitOutcome
    ) => Effect.Effect<ProcessRecord, LeaseLost | InputInvalid | Lookup>
  }
>() {}

/** Builds the wait operations on a store. */
export const make: Effect.Effect<typeof Waits.Service, never, ProcessStore> = Effect.map(
  Effect.all([ProcessStore, Checks.make]),
  ([store, checks]) => {
    const known = onKnown(store)
    return Checks.answering(
      Waits.of({
        setProcessWait: Effect.fnUntraced(function* (id, wait, presented) {
          yield* Checks.id(id)
          const authority = yield* Checks.authority(presented)
          const checked = yield* signalWait(yield* checks.shape("wait", Facts.WaitState, wait))
          return recordOf(
            yield* known(id, Decisions.setPlan(id, checked, authority), Decisions.setWait(id, checked, authority))
          )
        }),
        clearProcessWait: Effect.fnUntraced(function* (id, presented, outcome = { _tag: "Cancelled" }) {
          yield* Checks.id(id)
          const authority = yield* Checks.authority(presented)
          const checked = yield* checks.shape("outcome", Facts.WaitOutcome, outcome)
          return recordOf(
            yield* known(id, { lock: lockOf(id, authority) }, Decisions.clearWait(id, checked, authority))
          )
        })
      })
    )
  }
)

/** The wait operations on the store in context. */
export const layer: Layer.Layer<Waits, never, ProcessStore> = Layer.effect(Waits, make)

/** A wait is for one signal, and says its name twice: both must say the same, or a signal could be consumed twice. */
const signalWait = (wait: WaitState): Either.Either<WaitState, InputInvalid> => {
  if (wait.once === true) {
    return Either.left(new InputInvalid({ field: "wait/once", problem: "only a body's own waits use their key once" }))
  }
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
