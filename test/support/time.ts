/**
 * Tests in a time of their own, which stands still until the next alarm is let ring.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { Time } from "../../src/testing/bodies/Time.ts"
import { make } from "../../src/testing/bodies/Time.ts"

const times = new WeakMap<Clock.Clock, Time>()

/** Runs an effect in a time of its own: whenever everybody rests, the time moves on to the next alarm. */
export const inVirtualTime = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const time = make(Clock.make().unsafeCurrentTimeMillis() + 1_000)
    times.set(time.clock, time)
    return time.drive(Effect.withClock(effect, time.clock))
  })

/** In virtual time, moves the time at one stroke, as for a machine that slept. */
export const leap = (ms: number): Effect.Effect<void> => Effect.map(Effect.clock, (clock) => times.get(clock)?.leap(ms))
