/**
 * The timer driver: ends the waits whose deadline has passed. One driver serves all the timers of a store.
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
import * as Latch from "../runtime/Latch.ts"
import { Worker } from "../runtime/worker/Worker.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Loop from "./Loop.ts"

/** Fires timers. */
export class TimerDriver extends Context.Tag("holdfast/supervision/TimerDriver")<
  TimerDriver,
  {
    /** Fires what is due now; answers how many processes that were. */
    readonly fire: Effect.Effect<number, StoreError>
    /** Fires what falls due; for the supervision tree to run. */
    readonly run: Effect.Effect<never>
  }
>() {}

/** How long the driver sleeps at most: other programs set timers too, and a clock may be set. Units: milliseconds. */
const maxSleepMs = 1_000

/** How many processes one round serves. */
const pageSize = 1_000

/** A driver for the store in context. Its loop also passivates idle bodies. */
export const layer: Layer.Layer<TimerDriver, never, ProcessStore | BodyWrites | Worker> = Layer.scoped(
  TimerDriver,
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const executions = yield* BodyWrites
    const { running } = yield* Worker
    const latch = Latch.make()
    /** When the present sleep ends by itself; a commit with an earlier deadline ends it. */
    let asleepUntilMs = 0

    yield* store.onCommit((changes) => {
      for (const { row } of changes) {
        const { waits, chart, updatedAtMs } = row.snapshot.context
        if (waits.length === 0 && (chart === undefined || chart.timers.length === 0)) continue
        const deadlineMs = nextDeadline(row.snapshot) ?? Number.POSITIVE_INFINITY
        const quietMs = running.passivateAfterMs(row.base.registration.id) ?? Number.POSITIVE_INFINITY
        if (Math.min(deadlineMs, updatedAtMs + quietMs) < asleepUntilMs) latch.wake()
      }
    })

    const fire: Effect.Effect<number, StoreError> = Effect.gen(function* () {
      const due = yield* store.execution.timersDue({ nowMs: yield* Clock.currentTimeMillis, limit: pageSize })
      yield* Effect.forEach(due, executions.fireTimers, { concurrency: 64, discard: true })
      return due.length
    })

    /** From here on a commit with an earlier deadline ends the next sleep, also the one after a look that failed. */
    const attend = Effect.map(Clock.currentTimeMillis, (nowMs) => {
      asleepUntilMs = nowMs + maxSleepMs
    })

    /** How long the next sleep is. */
    const untilNextMs = Effect.gen(function* () {
      const nowMs = yield* Clock.currentTimeMillis
      asleepUntilMs = Math.min(nowMs + maxSleepMs, running.passivate(nowMs) ?? Number.POSITIVE_INFINITY)
      // Read after the bound above is set: a timer that is committed meanwhile either is read here or ends the sleep.
      const next = yield* store.execution.nextTimer
      const ms = Math.max(0, Math.min(asleepUntilMs, next ?? asleepUntilMs) - nowMs)
      asleepUntilMs = nowMs + ms
      return ms
    })

    return TimerDriver.of({
      fire,
      run: Loop.run({
        round: Effect.flatMap(Effect.zipRight(attend, fire), (count) =>
          count < pageSize ? untilNextMs : Effect.succeed(0)
        ),
        problem: "timers wait",
        retryMs: maxSleepMs,
        latch
      })
    })
  })
)
