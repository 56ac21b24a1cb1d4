/**
 * W1: start → complete of an engine that does nothing, many times, by a number of callers that each wait for the end.
 */
import { strict as assert } from "node:assert"
import * as Effect from "effect/Effect"
import { Processes } from "../../src/host/Processes.ts"
import type { Run } from "./Contest.ts"
import * as HoldWatch from "./HoldWatch.ts"
import type { BenchHostOptions } from "./host.ts"
import { cpuUsSince, onHost, repeatedly, Trivial, warmUpShare } from "./host.ts"
import { quantile } from "./statistics.ts"

/** How W1 runs. */
export interface LifecycleOptions extends BenchHostOptions {
  /** How many callers start a process, await it and start the next. */
  readonly callers: number
}

/**
 * Runs W1 on a new file for a while, after a time that only warms the host up.
 *
 * Measures `perSecond` (processes), `p50Ms` and `p99Ms` (of one process, start to awaited end), `cpuUs` (of one process, all
 * threads) and how long the loop was held (see `HoldWatch`). Units: seconds.
 */
export const measureLifecycle = async (
  folder: string,
  seconds: number,
  { callers, ...options }: LifecycleOptions
): Promise<Run> => {
  const watch = HoldWatch.make()
  try {
    return await onHost(folder, options, lifecycles(callers, seconds, watch))
  } finally {
    watch.close()
  }
}

const lifecycles = (callers: number, seconds: number, watch: HoldWatch.HoldWatch) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    const latenciesMs: Array<number> = []
    let started = 0

    const once = Effect.suspend(() => {
      const item = started++
      const startedAt = performance.now()
      const answer = Effect.flatMap(
        processes.start(Trivial, { id: `w1-${item}`, payload: { item } }),
        (handle) => handle.await
      )
      return Effect.map(answer, (value) => {
        latenciesMs.push(performance.now() - startedAt)
        assert.equal(value, item)
      })
    })

    yield* repeatedly(once, callers, seconds * warmUpShare)
    latenciesMs.length = 0

    watch.start()
    const held = HoldWatch.loopHeld()
    const cpuAtStart = process.cpuUsage()
    const elapsedMs = yield* repeatedly(once, callers, seconds)
    const cpuUs = cpuUsSince(cpuAtStart) / latenciesMs.length
    const holds = { ...watch.stop(), heldMs: held() }

    assert.deepEqual(yield* processes.listNonTerminal, [], "a process that was awaited has not ended")
    return {
      perSecond: (latenciesMs.length * 1_000) / elapsedMs,
      p50Ms: quantile(latenciesMs, 0.5),
      p99Ms: quantile(latenciesMs, 0.99),
      cpuUs,
      ...holds
    }
  })
