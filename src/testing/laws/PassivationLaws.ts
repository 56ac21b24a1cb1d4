/**
 * Laws of work that is not due yet: what was put away to wait, and what is to begin later.
 */
import * as Effect from "effect/Effect"
import { Activations } from "../../operations/Activations.ts"
import { BodyWrites } from "../../operations/BodyWrites.ts"
import { host } from "../../operations/decisions/authority.ts"
import { isFold, logOf, rowOf, writesNothing } from "../evidence.ts"
import { freshId, longMs, recoverer, registeredOf, registrationOf } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, law } from "../Law.ts"
import { begunProcess, draft, forReady, sendReady } from "./ExecutionLaws.ts"

/** The laws of work that is not due yet. */
export const laws: ReadonlyArray<Law> = [
  law(
    "what was put away to wait is due when one of its waits ends, and not before",
    "B10",
    Effect.gen(function* () {
      const executions = yield* BodyWrites
      const activations = yield* Activations
      const { id, lease } = yield* begunProcess
      const { waitKey } = yield* executions.enterWait(lease, draft(1, "await_signal"), forReady)
      yield* activations.suspend(lease, "passivated", [waitKey])
      yield* expectEquals("when it is due", (yield* rowOf(id)).dueAtMs, null)
      yield* expectEquals("its lease", (yield* rowOf(id)).lease.held, undefined)
      const { event } = yield* sendReady(id, "a")
      yield* expectEquals("when it is due after", (yield* rowOf(id)).dueAtMs, event.occurredAtMs)
      yield* isFold(id)
    })
  ),

  law(
    "a body whose wait ended while it was put away is handed back, and due at once",
    "B10",
    Effect.gen(function* () {
      const executions = yield* BodyWrites
      const activations = yield* Activations
      const { id, lease } = yield* begunProcess
      const { waitKey } = yield* executions.enterWait(lease, draft(1, "await_signal"), forReady)
      yield* executions.enterWait(lease, draft(2, "sleep"), { _tag: "Timer", deadlineMs: Number.MAX_SAFE_INTEGER })
      yield* sendReady(id, "a")
      const parked = [waitKey, `process:${id}:timer:k2#1`]
      const row = yield* activations.suspend(lease, "passivated", parked)
      yield* expectEquals("the hand-back", (yield* logOf(id)).at(-1)?.payload, { reason: "handed_back" })
      yield* expectEquals("whether it is due", row.dueAtMs !== null, true)
    })
  ),

  law(
    "a process with a later start is not due before it, and a sweep leaves it until then",
    "B10",
    Effect.gen(function* () {
      const activations = yield* Activations
      const clock = yield* LawClock
      const id = yield* freshId
      const startAtMs = (yield* clock.nowMs) + longMs
      const registered = yield* registeredOf(registrationOf(id, "rerunnable", { startAtMs }))
      yield* activations.start(registered, host)
      yield* expectEquals("when it is due", (yield* rowOf(id)).dueAtMs, startAtMs)
      const early = yield* writesNothing(
        [id],
        Effect.flatMap(recoverer(), (by) => activations.recover(id, by))
      )
      yield* expectEquals("before its time", early._tag === "Deferred" ? early.reason.why : early._tag, "not_yet")
      if (!clock.isExact) return
      yield* clock.advance(longMs)
      const outcome = yield* Effect.flatMap(recoverer(), (by) => activations.recover(id, by))
      yield* expectEquals("at its time", outcome._tag, "Run")
    })
  )
]
