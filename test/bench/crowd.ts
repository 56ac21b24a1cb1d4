/**
 * W4 with 100,000: a host is killed, the next one opens its file, and signals come at once. How long until it accepts the first, and
 * how much memory does it take?
 */
import { strict as assert } from "node:assert"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { Processes } from "../../src/host/Processes.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { reading } from "./Contest.ts"
import { Go } from "./execution.ts"
import { loopHeld, loopHeldFigure } from "./HoldWatch.ts"
import { heapBytes } from "./host.ts"
import { multiply, namesOf } from "./multiply.ts"
import type { Waiting } from "./recovery.ts"
import { callers, engineOf, killedWith, onHost, prefix } from "./recovery.ts"
import { quantile } from "./statistics.ts"

const crowd = 100_000

/** How many of them get a signal: every hundredth, so that they lie apart in the file. */
const signalled = 1_000

/**
 * Measures `acceptedMs`, `firstMs` (both from the opening), `signalMs` (the median of the acknowledgements), `heapMb` (of the whole
 * program, three seconds after the last signalled one has ended) and `heldMs`. Needs `--expose-gc`.
 */
export const measureCrowd =
  (waiting: Waiting) =>
  async (folder: string): Promise<Run> => {
    const filename = join(folder, "crowd.db")
    await killedWith(filename, 1, waiting)
    assert.equal(multiply(filename, prefix, crowd)["state"], crowd)
    const openedAt = performance.now()
    const program = Effect.gen(function* () {
      const processes = yield* Processes
      const held = loopHeld()
      let acceptedMs = 0
      let firstMs = 0
      const tookMs: Array<number> = []
      yield* Effect.forEach(
        Array.from({ length: signalled }, (_, index) => index),
        (index) =>
          Effect.gen(function* () {
            const handle = processes.handle(engineOf[waiting], namesOf(prefix)(index * (crowd / signalled)))
            const startedAt = performance.now()
            yield* handle.signal(Go, index)
            tookMs.push(performance.now() - startedAt)
            if (acceptedMs === 0) acceptedMs = performance.now() - openedAt
            assert.equal(yield* handle.await, index)
            if (firstMs === 0) firstMs = performance.now() - openedAt
          }),
        { concurrency: callers, discard: true }
      )
      const heldMs = held()
      const heap = yield* Effect.delay(heapBytes, "3 seconds")
      return { acceptedMs, firstMs, signalMs: quantile(tookMs, 0.5), heapMb: heap / 1e6, heldMs }
    })
    return onHost(filename, program)
  }

/** Figures of a host with a crowd. */
export const crowdFigures: ReadonlyArray<FigureSpec> = [
  {
    name: "open, first signal accepted",
    unit: "ms",
    value: reading("acceptedMs"),
    target: { of: "figure", max: 1_000 }
  },
  { name: "first one resumed and ended", unit: "ms", value: reading("firstMs") },
  { name: "a signal accepted, p50", unit: "ms", value: reading("signalMs") },
  { name: "heap of the program", unit: "MB", value: reading("heapMb"), target: { of: "figure", max: 100 } },
  loopHeldFigure
]
