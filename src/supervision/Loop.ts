/**
 * The loop of a driver: a round, a sleep, and the next round. A round that fails is logged, and the loop goes on.
 *
 * Invariant: a store that is out for a while ends no loop. A defect does, and the supervisor starts the loop again.
 */
import * as Effect from "effect/Effect"
import * as LogLevel from "effect/LogLevel"
import type { StoreError } from "../model/errors.ts"
import * as Latch from "../runtime/Latch.ts"

/** What a driver repeats. */
export interface Loop {
  /** Works once; answers how long to sleep before the next round. Units: milliseconds. */
  readonly round: Effect.Effect<number, StoreError>
  /** What the log says of a round that failed, ahead of the store's own message. */
  readonly problem: string
  /** How long to sleep after a round that failed. Units: milliseconds. */
  readonly retryMs: number
  /** Ends a sleep early. */
  readonly latch?: Latch.Latch
  /** @default Warning */
  readonly level?: LogLevel.LogLevel
}

/** Repeats rounds until it is interrupted. */
export const run = ({
  round,
  problem,
  retryMs,
  latch = Latch.make(),
  level = LogLevel.Warning
}: Loop): Effect.Effect<never> =>
  round.pipe(
    Effect.catchAll((error) => Effect.as(Effect.logWithLevel(level, `${problem}: ${error.message}`), retryMs)),
    Effect.flatMap(latch.sleep),
    Effect.forever
  )
