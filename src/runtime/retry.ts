/**
 * A store that is out for a while delays a write and loses nothing: it is tried until the store answers.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as BackOff from "../../machines/backOff.ts"
import { StoreError } from "../model/errors.ts"

/** The pauses between tries: 10 ms, doubled up to one second. */
export const patience: Schedule.Schedule<unknown> = Schedule.addDelay(Schedule.forever, (retries) =>
  BackOff.delayMs({ baseMs: 10, maxMs: 1_000 }, retries + 1)
)

/** Tries a write until the store answers it; each outage is told. A write that is answered at once sets nothing up. */
export const insisting = <A, E, R>(
  attempt: Effect.Effect<A, E, R>,
  tell: (outage: StoreError) => Effect.Effect<void>
): Effect.Effect<A, Exclude<E, StoreError>, R> => {
  const again = Effect.retry(
    Effect.tapError(attempt, (error) => (error instanceof StoreError ? tell(error) : Effect.void)),
    { while: (error) => error instanceof StoreError, schedule: patience }
  )
  return Effect.catchAll(attempt, (error) =>
    error instanceof StoreError ? Effect.zipRight(tell(error), again) : Effect.fail(error)
  ) as Effect.Effect<A, Exclude<E, StoreError>, R> // the retry ends with no outage
}
