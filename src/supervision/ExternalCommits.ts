/**
 * Notices what other OS processes commit to the same store: waiters read again, and actors get their hints.
 *
 * Only latency depends on it: waiters poll on their own, and a lost lease shows at the next renewal or write.
 */
import * as Effect from "effect/Effect"
import { ChangeHub } from "../runtime/client/ChangeHub.ts"
import { Worker } from "../runtime/worker/Worker.ts"
import { ProcessStore } from "../store/ProcessStore.ts"

/** How often the store is asked, while somebody listens. Units: milliseconds. */
export const pollMs = 20

/** Watches for ever; for the supervision tree to run. */
export const make: Effect.Effect<Effect.Effect<never>, never, ProcessStore | ChangeHub | Worker> = Effect.gen(
  function* () {
    const store = yield* ProcessStore
    const hub = yield* ChangeHub
    const { running: roster } = yield* Worker

    const poll = Effect.gen(function* () {
      if (hub.size() === 0 && roster.all().length === 0) return
      for (const id of yield* store.externalChanges) {
        hub.notify(id)
        yield* roster.remind(id)
      }
    }).pipe(Effect.catchAll((error) => Effect.logDebug(error.message)))

    return Effect.forever(Effect.zipRight(Effect.sleep(pollMs), poll))
  }
)
