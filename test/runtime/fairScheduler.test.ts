import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import { fairScheduler, hasPutOff } from "../../src/runtime/body/fairScheduler.ts"

/** Holds the event loop. */
const burn = (ms: number): void => {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}

describe("the fibers of bodies", () => {
  it("let the event loop have its turn between them, and begin in their order", async () => {
    const ran: Array<number> = []
    let ranBefore = 0
    let most = 0
    const turn = (): void => {
      most = Math.max(most, ran.length - ranBefore)
      ranBefore = ran.length
      if (ran.length < 60) setImmediate(turn)
    }
    const all = Effect.forEach(
      Array.from({ length: 60 }, (_, n) => n),
      (n) =>
        Effect.sync(() => {
          burn(1)
          ran.push(n)
        }),
      { concurrency: "unbounded", discard: true }
    )
    setImmediate(turn)
    await Effect.runPromise(Effect.locally(all, FiberRef.currentScheduler, fairScheduler))
    assert.isAtMost(most, 10, "fibers in one turn")
    assert.deepStrictEqual(
      ran,
      ran.toSorted((one, other) => one - other)
    )
    assert.isFalse(hasPutOff())
  })
})
