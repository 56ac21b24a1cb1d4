import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as TestClock from "effect/TestClock"
import * as Latch from "../../src/runtime/Latch.ts"
import { backOff } from "../../src/runtime/retry.ts"

describe("a latch", () => {
  it.effect("ends a sleep early, or lets it end by itself", () =>
    Effect.gen(function* () {
      const latch = Latch.make()
      const woken = yield* Effect.fork(latch.sleep(1_000))
      yield* TestClock.adjust("10 millis")
      latch.wake()
      assert.isTrue(yield* Fiber.join(woken))
      const asleep = yield* Effect.fork(latch.sleep(1_000))
      yield* TestClock.adjust("1 second")
      assert.isFalse(yield* Fiber.join(asleep))
    })
  )

  it.effect("keeps calls that come while the loop is awake, as one", () =>
    Effect.gen(function* () {
      const latch = Latch.make()
      latch.wake()
      latch.wake()
      assert.isTrue(yield* latch.sleep(1_000))
      const asleep = yield* Effect.fork(latch.sleep(1_000))
      yield* TestClock.adjust("1 second")
      assert.isFalse(yield* Fiber.join(asleep))
    })
  )
})

it.effect("retries during an outage wait 10 ms, doubled up to one second", () =>
  Effect.gen(function* () {
    const delays = yield* Schedule.run(Schedule.delays(backOff), 0, Array.from({ length: 9 }))
    assert.deepStrictEqual(
      Chunk.toReadonlyArray(delays).map(Duration.toMillis),
      [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]
    )
  })
)
