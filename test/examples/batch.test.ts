import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/TestClock"
import { again, inTime, tooSlow } from "../../docs/examples/audit/work/batch.ts"

/** Reads as a batch does: each try in time, and tried again. */
const patiently = (read: Effect.Effect<string>) => Effect.retry(inTime("a/b", 2_000, read), again)

describe("a file that is read within a time limit", () => {
  it.effect("is tried three times when it hangs, and then reported", () =>
    Effect.gen(function* () {
      let tries = 0
      const hangs = Effect.zipRight(
        Effect.sync(() => tries++),
        Effect.never
      )
      const fiber = yield* Effect.fork(Effect.flip(patiently(hangs)))
      yield* TestClock.adjust("1 minute")
      const late = yield* Fiber.join(fiber)
      assert.strictEqual(tries, 3)
      assert.strictEqual(late.message, "a/b was not read within 2s")
      assert.deepStrictEqual(tooSlow(late), { path: "a/b", problem: "was not read within 2s, in 3 tries" })
    })
  )

  it.effect("is given up also when nothing can interrupt the read", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(Effect.flip(patiently(Effect.uninterruptible(Effect.never))))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "FileTimedOut")
    })
  )

  it.effect("is read when a later try is luckier", () =>
    Effect.gen(function* () {
      let tries = 0
      const slowAtFirst = Effect.suspend(() => (++tries < 3 ? Effect.never : Effect.succeed("read")))
      const fiber = yield* Effect.fork(patiently(slowAtFirst))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* Fiber.join(fiber), "read")
    })
  )
})
