/**
 * The timer driver: ends the waits whose deadline has passed. One for all the timers of a store, however many there are.
 *
 * Invariant: no timer fires before its time by the clock of this host, and none is forgotten: deadlines are columns of rows,
 * and the driver reads the earliest one anew in every round.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { nextDeadline } from "../../machines/process/lifecycle.ts"
import type { StoreError } from "../model/errors.ts"
import { BodyWrites } from "../operations/BodyWrites.ts"
import { Worker } from "../runtime/worker/Worker.ts"
import { ProcessStore } from "../store/ProcessStore.ts"

/** Fires timers. */
export class TimerDriver extends Context.Tag("holdfast/supervision/TimerDriver")<
  TimerDriver,
  {
    /** Fires what is due now; answers how many processes that were. */
    readonly fire: Effect.Effect<number, StoreError>
    /** Fires what falls due, for ever; for the supervision tree to run. */
    readonly run: Effect.Effect<never>
  }
>() {}

/** How long the driver sleeps at most: other programs set timers too, and a clock may be set. Units: milliseconds. */
export const longestNapMs = 1_000

/** How many processes one round serves. */
const pageSize = 1_000

/** A driver for the store in context. Its loop also puts bodies away that do nothing but wait. */
export const layer: Layer.Layer<TimerDriver, never, ProcessStore | BodyWrites | Worker> = Layer.scoped(
  TimerDriver,
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const executions = yield* BodyWrites
    const { running: roster } = yield* Worker
    /** When the present nap ends by itself; what is to be looked at earlier ends it. */
    let napUntilMs = 0
    let wake: (() => void) | undefined

    yield* store.onCommit((changes) => {
      for (const { row } of changes) {
        const { waits, updatedAtMs } = row.snapshot.context
        if (waits.length === 0) continue
        const deadlineMs = nextDeadline(row.snapshot) ?? Number.POSITIVE_INFINITY
        const quietMs = roster.passivateAfterMs(row.base.registration.id) ?? Number.POSITIVE_INFINITY
        if (Math.min(deadlineMs, updatedAtMs + quietMs) < napUntilMs) wake?.()
      }
    })

    const fire: Effect.Effect<number, StoreError> = Effect.gen(function* () {
      const due = yield* store.execution.timersDue({ nowMs: yield* Clock.currentTimeMillis, limit: pageSize })
      yield* Effect.forEach(due, executions.fireTimers, { concurrency: 64, discard: true })
      return due.length
    })

    const woken = Effect.async<void>((resume) => {
      wake = () => resume(Effect.void)
      return Effect.sync(() => {
        wake = undefined
      })
    })

    const nap = Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis
      napUntilMs = Math.min(nowMs + longestNapMs, roster.passivate(nowMs) ?? Number.POSITIVE_INFINITY)
      // Read after the bound above is set: a timer that is committed meanwhile either is read here or ends the nap.
      const next = yield* store.execution.nextTimer
      const ms = Math.max(0, Math.min(napUntilMs, next ?? napUntilMs) - nowMs)
      napUntilMs = nowMs + ms
      yield* Effect.raceFirst(Effect.sleep(ms), woken)
    })

    const round = Effect.gen(function* () {
      if ((yield* fire) < pageSize) yield* nap
    }).pipe(
      Effect.catchAll((error) =>
        Effect.zipRight(Effect.logWarning(`timers wait: ${error.message}`), Effect.sleep(longestNapMs))
      )
    )

    return TimerDriver.of({ fire, run: Effect.forever(round) })
  })
)
