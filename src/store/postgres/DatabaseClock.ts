/**
 * The database's time as a host knows it without asking.
 *
 * Each answer with a time in it says what the database's clock showed between the question and the answer. In between the host counts
 * by a clock that no program sets, so that a step of the machine's own clock, in either direction, changes nothing.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** A clock that follows the database's. */
export interface DatabaseClock {
  readonly clock: Clock.Clock
  /** Takes a time that the database answered. Units: `databaseMs` is epoch milliseconds, `askedAtMs` is by `performance.now`. */
  readonly answered: (databaseMs: number, askedAtMs: number) => void
}

/** The database rounds its time to milliseconds. */
const roundedMs = 1

/** Makes a clock from a first answer. */
export const make = (databaseMs: number): DatabaseClock => {
  const own = Clock.make()
  let offsetMs = databaseMs - performance.now()
  const millis = () => Math.floor(performance.now() + offsetMs)
  const nanos = () => BigInt(millis()) * 1_000_000n
  return {
    clock: {
      ...own,
      sleep: own.sleep,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanos: Effect.sync(nanos),
      unsafeCurrentTimeMillis: millis,
      unsafeCurrentTimeNanos: nanos
    },
    answered: (answerMs, askedAtMs) => {
      // An answer that was long on its way says little: the clock is set only where it cannot be right.
      const least = answerMs - roundedMs - performance.now()
      const most = answerMs + roundedMs - askedAtMs
      offsetMs = Math.min(Math.max(offsetMs, least), most)
    }
  }
}
