/**
 * Reads that wait for a server which is away: a restart is not seen by who reads.
 */
import * as Effect from "effect/Effect"
import { StoreError } from "../../model/errors.ts"
import { realTime } from "../GroupCommit.ts"

/** The first pause before a read is tried again, and the longest. Units: milliseconds. */
const pauseMs = { first: 10, longest: 250 }

/** Makes a read that is tried again while the server is away or busy, until `patienceMs` after it was asked for. */
export const patient =
  (patienceMs: number) =>
  <A, E, R>(read: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.suspend(() => {
      const endMs = performance.now() + patienceMs
      const attempt = (waitMs: number): Effect.Effect<A, E, R> =>
        Effect.catchAll(read, (error) =>
          error instanceof StoreError && error.reason === "busy" && performance.now() + waitMs < endMs
            ? // Only the pause goes by the real clock: what is read may ask for the time.
              Effect.zipRight(
                realTime(Effect.sleep(waitMs)),
                Effect.suspend(() => attempt(Math.min(waitMs * 1.5, pauseMs.longest)))
              )
            : Effect.fail(error)
        )
      return attempt(pauseMs.first)
    })
