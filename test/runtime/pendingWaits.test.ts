import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Ended } from "../../src/runtime/body/PendingWaits.ts"
import * as Parkings from "../../src/runtime/body/PendingWaits.ts"

const timer: Ended = { outcome: { _tag: "Timer" } }
const timeout: Ended = { outcome: { _tag: "Timeout" } }

/** A parking with a clock that the test moves. */
const parkingAt = () => {
  const clock = { nowMs: 10 }
  return { clock, parking: Parkings.make(() => clock.nowMs) }
}

const parked = (parking: Parkings.Parking, key: string) => Effect.tap(Effect.fork(parking.park(key)), Effect.yieldNow())

describe("the waits of a body", () => {
  it.effect("each end with what they are told, whether it comes before or after they are parked", () =>
    Effect.gen(function* () {
      const { parking } = parkingAt()
      parking.deliver("early", timer)
      const late = yield* parked(parking, "late")
      assert.deepStrictEqual(parking.parked(), ["late"])
      assert.deepStrictEqual(yield* parking.park("early"), timer)
      parking.deliver("late", timeout)
      assert.deepStrictEqual(yield* Fiber.join(late), timeout)
      assert.deepStrictEqual(parking.parked(), [])
    })
  )

  it.effect("are quiet from when the last thing besides ended, and only while one is parked", () =>
    Effect.gen(function* () {
      const { parking, clock } = parkingAt()
      assert.strictEqual(parking.quietSinceMs(), undefined)
      const wait = yield* parked(parking, "a")
      clock.nowMs = 20
      const more = yield* parked(parking, "b")
      assert.strictEqual(parking.quietSinceMs(), 10)
      const during = yield* parking.busy(Effect.sync(() => parking.quietSinceMs()))
      assert.deepStrictEqual([during, parking.quietSinceMs()], [undefined, 20])
      yield* Fiber.interrupt(wait)
      parking.deliver("b", timer)
      yield* Fiber.join(more)
      assert.strictEqual(parking.quietSinceMs(), undefined)
    })
  )

  it.effect("are not frozen while the body does anything else, whether it succeeds or not", () =>
    Effect.gen(function* () {
      const { parking } = parkingAt()
      assert.isFalse(parking.freeze())
      const wait = yield* parked(parking, "a")
      yield* Effect.exit(
        parking.busy(
          Effect.zipRight(
            Effect.sync(() => assert.isFalse(parking.freeze())),
            Effect.fail("no")
          )
        )
      )
      parking.deliver("a", timer)
      assert.deepStrictEqual(yield* Fiber.join(wait), timer)
    })
  )

  it.effect("that no interruption ends keep the body in memory, and go on although it is frozen", () =>
    Effect.gen(function* () {
      const { parking } = parkingAt()
      const wait = yield* parked(parking, "a")
      const held = yield* Effect.uninterruptible(parked(parking, "held"))
      assert.deepStrictEqual([parking.quietSinceMs(), parking.freeze()], [undefined, false])
      parking.deliver("held", timer)
      assert.deepStrictEqual(yield* Fiber.join(held), timer)
      assert.isTrue(parking.freeze())
      // Such as in a finaliser, once the interruption has come: its end may have come before it.
      const cleaning = yield* Effect.uninterruptible(parked(parking, "cleaning"))
      parking.deliver("cleaning", timer)
      assert.deepStrictEqual(yield* Fiber.join(cleaning), timer)
      parking.deliver("early", timeout)
      assert.deepStrictEqual(yield* Effect.uninterruptible(parking.park("early")), timeout)
      yield* Fiber.interrupt(wait)
    })
  )

  it.effect("go on where they were held up once they are thawed, each with its own end", () =>
    Effect.gen(function* () {
      const { parking } = parkingAt()
      const [a, b] = [yield* parked(parking, "a"), yield* parked(parking, "b")]
      assert.isTrue(parking.freeze())
      parking.deliver("a", timer)
      parking.deliver("c", timeout)
      parking.thaw()
      assert.deepStrictEqual(yield* Fiber.join(a), timer)
      assert.deepStrictEqual(parking.parked(), ["b"])
      parking.deliver("b", timeout)
      assert.deepStrictEqual(yield* Fiber.join(b), timeout)
      assert.deepStrictEqual(yield* parking.park("c"), timeout)
    })
  )

  it.effect("do not go on once they are frozen, and are still named as parked", () =>
    Effect.gen(function* () {
      const { parking } = parkingAt()
      const wait = yield* parked(parking, "a")
      assert.isTrue(parking.freeze())
      parking.deliver("a", timer)
      const another = yield* parked(parking, "a")
      yield* Effect.yieldNow()
      assert.deepStrictEqual([wait.unsafePoll(), another.unsafePoll()], [null, null])
      assert.deepStrictEqual(parking.parked(), ["a"])
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(wait)))
      yield* Fiber.interrupt(another)
    })
  )
})
