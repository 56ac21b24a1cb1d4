/**
 * Notices what other OS processes commit to the same store: waiters read again, and actors get their hints.
 *
 * Only latency depends on it: waiters poll on their own, and a lost lease shows at the next renewal or write.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ChangeHub } from "../runtime/ChangeHub.ts"
import { Worker } from "../runtime/Worker.ts"
import { ProcessStore } from "../store/ProcessStore.ts"

/** How often the store is asked, while somebody listens. Units: milliseconds. */
export const pollMs = 20

/** Watches in the background, for as long as the layer lives. */
export const layer: Layer.Layer<never, never, ProcessStore | ChangeHub | Worker> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const hub = yield* ChangeHub
    const worker = yield* Worker

    const poll = Effect.gen(function* () {
      if (hub.size() === 0 && worker.running().length === 0) return
      for (const id of yield* store.changedElsewhere) {
        hub.notify(id)
        yield* worker.remind(id)
      }
    }).pipe(Effect.catchAll((error) => Effect.logDebug(error.message)))

    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sleep(pollMs), poll)))
  })
)
