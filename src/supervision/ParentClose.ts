/**
 * Pays what closing processes owe their children: each child is asked by a write of its own, which also removes the debt.
 *
 * ```
 * a commit wrote debts ─► nudge ┐
 * start, and every second ──────┴─► read debts by their index ─► ask each child ─► until none is left
 * ```
 * A child that is asked to stop owes its own children in turn, so a round goes on to any depth. Hosts that pay the same debt
 * at once do no harm: one of them finds it paid. Invariant: nothing is owed in memory; a crash loses at most a nudge.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import type { StoreError } from "../model/errors.ts"
import * as Children from "../operations/decisions/children.ts"
import { ProcessStore } from "../store/ProcessStore.ts"

/** What one round paid. */
export interface ParentCloseReport {
  /** Children that were asked. */
  readonly asked: number
  /** Children that had ended, had been asked before, or were asked by another host meanwhile. */
  readonly notNeeded: number
}

/** Pays debts on demand and in a loop. */
export class ParentClose extends Context.Tag("holdfast/supervision/Debts")<
  ParentClose,
  {
    /** Pays everything that is owed, at any depth. Fails with `StoreError`: what was not paid is still owed. */
    readonly pay: Effect.Effect<ParentCloseReport, StoreError>
    /** Pays at the start, after commits that owe something, and every second, for ever; for the supervision tree to run. */
    readonly run: Effect.Effect<never>
  }
>() {}

/** How often debts of other programs are looked for: those of this store's own commits are paid at once. Units: milliseconds. */
export const pollMs = 1_000

/** How many children are asked side by side, so that their writes share commits. */
const pageSize = 256

/** Pays the debts of the store in context. */
export const layer: Layer.Layer<ParentClose, never, ProcessStore> = Layer.scoped(
  ParentClose,
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const nudges = yield* Queue.sliding<void>(1)
    let seen = store.children.closeRequestsWritten()
    yield* store.onCommit(() => {
      const written = store.children.closeRequestsWritten()
      if (written === seen) return
      seen = written
      nudges.unsafeOffer(undefined)
    })

    const pay: Effect.Effect<ParentCloseReport, StoreError> = Effect.gen(function* () {
      let report: ParentCloseReport = { asked: 0, notNeeded: 0 }
      while (true) {
        const debts = yield* store.children.closeRequests(pageSize)
        if (debts.length === 0) return report
        const outcomes = yield* Effect.forEach(
          debts,
          ({ childId }) => store.transact(Children.dispatchPlan(childId), Children.dispatch(childId)),
          { concurrency: "unbounded" }
        )
        const asked = outcomes.filter((outcome) => outcome === "asked").length
        report = { asked: report.asked + asked, notNeeded: report.notNeeded + outcomes.length - asked }
      }
    })

    const round = Effect.catchAll(pay, (error) =>
      Effect.logWarning(`children not asked yet, a later round tries again: ${error.message}`)
    )

    return ParentClose.of({
      pay,
      run: Effect.forever(Effect.zipRight(round, Effect.timeoutOption(nudges.take, pollMs)))
    })
  })
)
