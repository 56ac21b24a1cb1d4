/**
 * Ctrl-C, where it is the normal way to end a command.
 */
import * as Effect from "effect/Effect"

let wasExpected = false

/** Marks an effect that goes on until somebody interrupts it: then the program has done what it was asked. */
export const interruptIsItsEnd = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onInterrupt(effect, () =>
    Effect.sync(() => {
      wasExpected = true
    })
  )

/** Whether the interruption that came was the normal end. */
export const interruptWasExpected = (): boolean => wasExpected
