/**
 * What a live host adds to an explanation: which engines it has, and whether it has a free place.
 */
import * as Effect from "effect/Effect"
import { Engines } from "../runtime/Engines.ts"
import { RuntimeConfig } from "../runtime/RuntimeConfig.ts"
import { Worker } from "../runtime/Worker.ts"
import type { HostView } from "./explain.ts"

/**
 * The view of the host in context.
 *
 * A body that waits lends its place, and is counted here all the same: whoever stands in line takes a lent place at once, so a
 * row that is seen to be due on a host with as many bodies as places is one that found none.
 */
export const hostView: Effect.Effect<HostView, never, Engines | Worker | RuntimeConfig> = Effect.gen(function* () {
  const engines = yield* Engines
  const worker = yield* Worker
  const { maxConcurrent } = yield* RuntimeConfig
  return {
    engine: (registration) => (engines.has(registration) ? "present" : "missing"),
    slots: () => ({ free: Math.max(0, maxConcurrent - worker.running().length), total: maxConcurrent })
  }
})
