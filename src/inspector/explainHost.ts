/**
 * What a live host adds to an explanation: which engines it has, and whether it has a free place.
 */
import * as Effect from "effect/Effect"
import { Engines } from "../runtime/Engines.ts"
import { Worker } from "../runtime/Worker.ts"
import type { HostView } from "./explain.ts"

/** The view of the host in context. */
export const hostView: Effect.Effect<HostView, never, Engines | Worker> = Effect.gen(function* () {
  const engines = yield* Engines
  const worker = yield* Worker
  return {
    engine: (registration) => (engines.has(registration) ? "present" : "missing"),
    slots: worker.slots
  }
})
