import { assert, describe, it } from "@effect/vitest"
import * as BackOff from "../../machines/backOff.ts"

describe("the back-off", () => {
  it("doubles from the base up to the longest delay", () => {
    const delays = [1, 2, 3, 4, 5, 100].map((attempt) => BackOff.delayMs({ baseMs: 10, maxMs: 75 }, attempt))
    assert.deepStrictEqual(delays, [10, 20, 40, 75, 75, 75])
  })

  it("is a number for every base and count", () => {
    assert.strictEqual(BackOff.delayMs({ baseMs: 0, maxMs: 1_000 }, 5_000), 0)
    assert.strictEqual(BackOff.delayMs({ baseMs: 1, maxMs: 1_000 }, 5_000), 1_000)
  })
})
