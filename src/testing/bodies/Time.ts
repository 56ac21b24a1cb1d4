/**
 * A time that only a test moves: it does not move until the next alarm is let ring, however far off that is.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

interface Alarm {
  readonly atMs: number
  readonly ring: () => void
}

/** A time with its clock. Units: milliseconds. */
export interface Time {
  readonly nowMs: () => number
  readonly clock: Clock.Clock
  /** Lets the next alarm ring that is due by then, at its time; answers whether there was one. */
  readonly ring: (byMs?: number) => boolean
  /** Moves the time at one stroke; what came due rings afterwards. */
  readonly leap: (ms: number) => void
  /** Lets everybody who has something to do do a little of it, while the time does not move. */
  readonly turns: (count: number) => Effect.Effect<void>
  /** Runs an effect whose clocks are of this time, and moves the time whenever everybody rests. */
  readonly drive: <A, E>(effect: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

/** A clock of a number that the caller moves. Units: milliseconds. */
export const clockOf = (nowMs: () => number, sleep: Clock.Clock["sleep"]): Clock.Clock => {
  const nanos = () => BigInt(nowMs()) * 1_000_000n
  return {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: nowMs,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(nowMs),
    currentTimeNanos: Effect.sync(nanos),
    sleep
  }
}

/** How often a time may ring before something that should have ended counts as hanging. */
const mostRings = 20_000

/** Makes a time that begins at `startMs`. Turns last for as long as something outside of the program is under way. */
export const make = (startMs: number, isBusy: () => boolean = () => false): Time => {
  let nowMs = startMs
  const alarms = new Set<Alarm>()

  const clock = clockOf(
    () => nowMs,
    (duration) =>
      Effect.async<void>((resume) => {
        const alarm = { atMs: nowMs + Duration.toMillis(duration), ring: () => resume(Effect.void) }
        alarms.add(alarm)
        return Effect.sync(() => alarms.delete(alarm))
      })
  )

  const ring: Time["ring"] = (byMs = Number.POSITIVE_INFINITY) => {
    let next: Alarm | undefined
    for (const alarm of alarms) if (next === undefined || alarm.atMs < next.atMs) next = alarm
    if (next === undefined || next.atMs > byMs) return false
    alarms.delete(next)
    nowMs = Math.max(nowMs, next.atMs)
    next.ring()
    return true
  }

  const turns: Time["turns"] = (count) =>
    Effect.async<void>((resume) => {
      const turn = (left: number): unknown =>
        left === 0 ? resume(Effect.void) : setImmediate(() => turn(isBusy() ? count : left - 1))
      turn(count)
    })

  const drive: Time["drive"] = (effect) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(effect)
      for (let rings = 0; fiber.unsafePoll() === null; rings++) {
        if (rings > mostRings) return yield* Effect.dieMessage("it does not end, however much time passes")
        yield* turns(4)
        if (fiber.unsafePoll() === null) ring()
      }
      return yield* Fiber.join(fiber)
    })

  return {
    nowMs: () => nowMs,
    clock,
    ring,
    turns,
    drive,
    leap: (ms) => {
      nowMs += ms
    }
  }
}
