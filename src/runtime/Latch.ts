/**
 * A sleep that a call ends early. Calls that come while the loop is awake are kept as one, so none is lost.
 */
import * as Effect from "effect/Effect"

/** One sleeper, woken by any number of callers. */
export interface Latch {
  /** Ends the present sleep, or else the next one. */
  readonly wake: () => void
  /** Sleeps at most this long; answers whether `wake` was called. Units: milliseconds. */
  readonly sleep: (ms: number) => Effect.Effect<boolean>
}

/** Makes a latch that is closed. */
export const make = (): Latch => {
  const latch = Effect.unsafeMakeLatch(false)
  let woken = false
  return {
    wake: () => {
      woken = true
      latch.unsafeOpen()
    },
    sleep: (ms) =>
      Effect.map(Effect.timeoutOption(latch.await, ms), () => {
        const wasWoken = woken
        woken = false
        latch.unsafeClose()
        return wasWoken
      })
  }
}
