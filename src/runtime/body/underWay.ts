/**
 * What the body of an activation has under way: in memory while it runs, and kept for the reader of a file once it lasts.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Decision from "effect/ScheduleDecision"
import * as Intervals from "effect/ScheduleIntervals"
import { LeaseLost } from "../../model/errors.ts"
import { describe, headOf } from "../../model/Failure.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { JournalOperation, UnderWay } from "../../model/JournalEntry.ts"
import { keptOf, underWayKey } from "../../model/JournalEntry.ts"
import type { Activation } from "./Activation.ts"
import { fenced } from "./Activation.ts"

/** Notes that a step, or the wait for another process, begins. Any other operation ends with its write, or is a stored wait. */
export const begun = (activation: Activation, operation: JournalOperation, key: string, name: string): void => {
  if (operation !== "step" && operation !== "await_child") return
  activation.underWay ??= new Map()
  activation.underWay.set(key, {
    key,
    name,
    operation,
    sinceMs: activation.services.clock.unsafeCurrentTimeMillis(),
    tries: 1,
    ...(operation === "await_child" ? { child: name.slice("await ".length) as ProcessId } : {}) // named so by its handle
  })
}

/** Runs a step again by its schedule, and notes each failure and when the next try is. No try follows the loss of the lease. */
export const retried = <A, E, R>(
  activation: Activation,
  key: string,
  effect: Effect.Effect<A, E, R>,
  retry: Schedule.Schedule<unknown, unknown>
): Effect.Effect<A, E, R> => {
  const note = (change: (step: UnderWay) => UnderWay) =>
    Effect.sync(() => {
      const step = activation.underWay?.get(key)
      if (step !== undefined) activation.underWay?.set(key, change(step))
    })
  const again = note(({ nextTryAtMs, tries, ...step }) => ({
    ...step,
    tries: nextTryAtMs === undefined ? tries : tries + 1
  }))
  const failed = (error: unknown) =>
    note((step) => {
      const { name, message } = describe(error)
      return { ...step, error: error instanceof Object ? headOf(name, message) : message }
    })
  const decided = Schedule.onDecision(retry, (_, decision) =>
    Decision.isContinue(decision)
      ? note((step) => ({ ...step, nextTryAtMs: Math.ceil(Intervals.start(decision.intervals)) }))
      : Effect.void
  )
  const isOurs = (error: E): boolean => !(error instanceof LeaseLost && error.processId === activation.id)
  return Effect.retry(Effect.zipRight(again, Effect.tapError(effect, failed)), { schedule: decided, while: isOurs })
}

/** What is under way, the oldest first. */
export const underWayIn = ({ underWay }: Activation): ReadonlyArray<UnderWay> => [...(underWay?.values() ?? [])]

/** Keeps what has been under way for so long, if it is not kept already. A lost lease is the renewer's to find. */
export const keep = (activation: Activation, forMs: number): Effect.Effect<void> =>
  Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
    const lasting = underWayIn(activation).filter(({ sinceMs }) => nowMs - sinceMs >= forMs)
    const text = JSON.stringify(lasting)
    if (lasting.length === 0 || text === activation.keptUnderWay) return Effect.void
    activation.keptUnderWay = text
    const { writes } = activation.services
    return Effect.ignore(
      fenced(activation, (lease) => writes.keepProgress(lease, underWayKey, keptOf(lease.fencingToken, lasting)))
    )
  })
