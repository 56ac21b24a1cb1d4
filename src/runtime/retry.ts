/**
 * Retries a write while the store is unavailable (10 ms doubling to 1 s). Other errors fail at once.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as BackOff from "../../machines/backOff.ts"
import { StoreError } from "../model/errors.ts"

/** The pauses between tries: 10 ms, doubled up to one second. */
export const backOff: Schedule.Schedule<unknown> = Schedule.addDelay(Schedule.forever, (retries) =>
  BackOff.delayMs({ baseMs: 10, maxMs: 1_000 }, retries + 1)
)

/** Tries a write until the store answers it; `report` hears of each outage. A write that is answered at once sets nothing up. */
export const whileUnavailable = <A, E, R>(
  attempt: Effect.Effect<A, E, R>,
  report: (outage: StoreError) => Effect.Effect<void>
): Effect.Effect<A, Exclude<E, StoreError>, R> => {
  const again = Effect.retry(
    Effect.tapError(attempt, (error) => (error instanceof StoreError ? report(error) : Effect.void)),
    { while: (error) => error instanceof StoreError, schedule: backOff }
  )
  return Effect.catchAll(attempt, (error) =>
    error instanceof StoreError ? Effect.zipRight(report(error), again) : Effect.fail(error)
  ) as Effect.Effect<A, Exclude<E, StoreError>, R> // the retry ends with no outage
}
