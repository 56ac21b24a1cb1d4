import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type { Ended } from "../../src/runtime/body/PendingWaits.ts"
import * as PendingWaits from "../../src/runtime/body/PendingWaits.ts"

const timer: Ended = { outcome: { _tag: "Timer" } }
const timeout: Ended = { outcome: { _tag: "Timeout" } }

/** Waits with a clock that the test moves. */
const waitsAt = () => {
  const clock = { nowMs: 10 }
  return { clock, waits: PendingWaits.make(() => clock.nowMs) }
}

const parked = (waits: PendingWaits.PendingWaits, key: string) =>
  Effect.tap(Effect.fork(waits.await(key)), Effect.yieldNow())

describe("the waits of a body", () => {
  it.effect("each end with what they are told, whether it comes before or after they are parked", () =>
    Effect.gen(function* () {
      const { waits } = waitsAt()
      waits.deliver("early", timer)
      const late = yield* parked(waits, "late")
      assert.deepStrictEqual(waits.keys(), ["late"])
      assert.deepStrictEqual(yield* waits.await("early"), timer)
      waits.deliver("late", timeout)
      assert.deepStrictEqual(yield* Fiber.join(late), timeout)
      assert.deepStrictEqual(waits.keys(), [])
    })
  )

  it.effect("are quiet from when the last thing besides ended, and only while one is parked", () =>
    Effect.gen(function* () {
      const { waits, clock } = waitsAt()
      assert.strictEqual(waits.idleSinceMs(), undefined)
      const wait = yield* parked(waits, "a")
      clock.nowMs = 20
      const more = yield* parked(waits, "b")
      assert.strictEqual(waits.idleSinceMs(), 10)
      const during = yield* waits.busy(Effect.sync(() => waits.idleSinceMs()))
      assert.deepStrictEqual([during, waits.idleSinceMs()], [undefined, 20])
      yield* Fiber.interrupt(wait)
      waits.deliver("b", timer)
      yield* Fiber.join(more)
      assert.strictEqual(waits.idleSinceMs(), undefined)
    })
  )

  it.effect("are not frozen while the body does anything else, whether it succeeds or not", () =>
    Effect.gen(function* () {
      const { waits } = waitsAt()
      assert.isFalse(waits.pause())
      const wait = yield* parked(waits, "a")
      yield* Effect.exit(
        waits.busy(
          Effect.zipRight(
            Effect.sync(() => assert.isFalse(waits.pause())),
            Effect.fail("no")
          )
        )
      )
      waits.deliver("a", timer)
      assert.deepStrictEqual(yield* Fiber.join(wait), timer)
    })
  )

  it.effect("that no interruption ends keep the body in memory, and go on although it is frozen", () =>
    Effect.gen(function* () {
      const { waits } = waitsAt()
      const wait = yield* parked(waits, "a")
      const held = yield* Effect.uninterruptible(parked(waits, "held"))
      assert.deepStrictEqual([waits.idleSinceMs(), waits.pause()], [undefined, false])
      waits.deliver("held", timer)
      assert.deepStrictEqual(yield* Fiber.join(held), timer)
      assert.isTrue(waits.pause())
      // Such as in a finaliser, once the interruption has come: its end may have come before it.
      const cleaning = yield* Effect.uninterruptible(parked(waits, "cleaning"))
      waits.deliver("cleaning", timer)
      assert.deepStrictEqual(yield* Fiber.join(cleaning), timer)
      waits.deliver("early", timeout)
      assert.deepStrictEqual(yield* Effect.uninterruptible(waits.await("early")), timeout)
      yield* Fiber.interrupt(wait)
    })
  )

  it.effect("go on where they were held up once they are thawed, each with its own end", () =>
    Effect.gen(function* () {
      const { waits } = waitsAt()
      const [a, b] = [yield* parked(waits, "a"), yield* parked(waits, "b")]
      assert.isTrue(waits.pause())
      waits.deliver("a", timer)
      waits.deliver("c", timeout)
      waits.resume()
      assert.deepStrictEqual(yield* Fiber.join(a), timer)
      assert.deepStrictEqual(waits.keys(), ["b"])
      waits.deliver("b", timeout)
      assert.deepStrictEqual(yield* Fiber.join(b), timeout)
      assert.deepStrictEqual(yield* waits.await("c"), timeout)
    })
  )

  it.effect("do not go on once they are frozen, and are still named as parked", () =>
    Effect.gen(function* () {
      const { waits } = waitsAt()
      const wait = yield* parked(waits, "a")
      assert.isTrue(waits.pause())
      waits.deliver("a", timer)
      const another = yield* parked(waits, "a")
      yield* Effect.yieldNow()
      assert.deepStrictEqual([wait.unsafePoll(), another.unsafePoll()], [null, null])
      assert.deepStrictEqual(waits.keys(), ["a"])
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(wait)))
      yield* Fiber.interrupt(another)
    })
  )
})
