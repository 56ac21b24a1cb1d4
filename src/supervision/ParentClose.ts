/**
 * Dispatches the close requests of ended and stopping parents: each child is asked by a write of its own, which also removes
 * the request.
 *
 * ```
 * a commit wrote close requests ─► wake-up ┐
 * start, and every second ─────────────────┴─► read them by their index ─► ask each child ─► until none is left
 * ```
 * A child that is asked to stop has close requests for its own children, so a round goes on to any depth. Several hosts may
 * dispatch the same request at once: one does, the others find it gone. Invariant: no request lives in memory only; a crash
 * loses at most a wake-up.
 * @see https://docs.temporal.io/parent-close-policy
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StoreError } from "../model/errors.ts"
import * as Children from "../operations/decisions/children.ts"
import * as Latch from "../runtime/Latch.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Loop from "./Loop.ts"

/** What one round dispatched. */
export interface ParentCloseReport {
  /** Children that were asked. */
  readonly asked: number
  /** Children that had ended, had been asked before, or were asked by another host meanwhile. */
  readonly notNeeded: number
}

/** Dispatches close requests, on demand and in a loop. */
export class ParentClose extends Context.Tag("holdfast/supervision/Debts")<
  ParentClose,
  {
    /** Dispatches every close request, at any depth. Fails with `StoreError`: the rest stays stored. */
    readonly dispatch: Effect.Effect<ParentCloseReport, StoreError>
    /** Dispatches at the start, after commits that write close requests, and every second; for the supervision tree to run. */
    readonly run: Effect.Effect<never>
  }
>() {}

/** How often close requests that other programs wrote are looked for. Units: milliseconds. */
const pollMs = 1_000

/** How many children are asked side by side, so that their writes share commits. */
const pageSize = 256

/** Dispatches the close requests of the store in context. */
export const layer: Layer.Layer<ParentClose, never, ProcessStore> = Layer.scoped(
  ParentClose,
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const latch = Latch.make()
    let seen = store.children.closeRequestsWritten()
    yield* store.onCommit(() => {
      const written = store.children.closeRequestsWritten()
      if (written === seen) return
      seen = written
      latch.wake()
    })

    const dispatch = Effect.gen(function* () {
      let report: ParentCloseReport = { asked: 0, notNeeded: 0 }
      while (true) {
        const requests = yield* store.children.closeRequests(pageSize)
        if (requests.length === 0) return report
        const outcomes = yield* Effect.forEach(
          requests,
          ({ childId }) => store.transact(Children.dispatchPlan(childId), Children.dispatch(childId)),
          { concurrency: "unbounded" }
        )
        const asked = outcomes.filter((outcome) => outcome === "asked").length
        report = { asked: report.asked + asked, notNeeded: report.notNeeded + outcomes.length - asked }
      }
    })

    return ParentClose.of({
      dispatch,
      run: Loop.run({
        round: Effect.as(dispatch, pollMs),
        problem: "children not asked yet, a later round tries again",
        retryMs: pollMs,
        latch
      })
    })
  })
)
