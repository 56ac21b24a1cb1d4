/**
 * The lease keeper: renews every lease this worker holds, and tells the actors of those that were lost.
 *
 * Invariant: a body whose lease is lost is interrupted and writes nothing more.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { LeaseLost } from "../model/errors.ts"
import type { ProcessActor } from "../runtime/ProcessActor.ts"
import * as Actors from "../runtime/ProcessActor.ts"
import { RuntimeConfig } from "../runtime/RuntimeConfig.ts"
import { Worker } from "../runtime/Worker.ts"
import { LeaseStore } from "../store/LeaseStore.ts"

/** Renews in the background, for as long as the layer lives. */
export const layer: Layer.Layer<never, never, Worker | LeaseStore | RuntimeConfig> = Layer.scopedDiscard(
  Effect.gen(function* () {
    const worker = yield* Worker
    const leases = yield* LeaseStore
    const { leaseRenewalMs, leaseTtlMs } = yield* RuntimeConfig

    /**
     * A host that slept finds its lease expired. It goes on if and only if nobody held the process in between, which the
     * next fence says; otherwise it is a zombie, and stops.
     */
    const takeAgain = (actor: ProcessActor, lost: LeaseLost): Effect.Effect<void> =>
      Actors.takeAgain(actor, { leases, leaseTtlMs }).pipe(
        Effect.flatMap((held) => {
          if (held) {
            return Effect.logWarning(`the lease of ${actor.id} had expired; nobody held it in between, so it goes on`)
          }
          actor.inbox.offer({ _tag: "Stop", cause: "lease_lost" })
          return Effect.logWarning(lost.message)
        }),
        Effect.catchAll((error) => Effect.logWarning(`lease of ${actor.id} not taken again: ${error.message}`))
      )

    const renew = (actor: ProcessActor): Effect.Effect<void> =>
      leases.renewProcessLease(actor.lease, leaseTtlMs).pipe(
        Effect.map((lease) => {
          actor.lease = lease
        }),
        Effect.catchTags({
          // A renewal may meet the commit that ended the process: there was nothing left to renew.
          LeaseLost: (error) => (actor.exited ? Effect.void : takeAgain(actor, error)),
          // A lease of this worker's own making fits its shape.
          InputInvalid: (error) => Effect.die(error),
          // The store may be back before the lease runs out; if it is not, the next renewal says so.
          StoreError: (error) => Effect.logWarning(`lease of ${actor.id} not renewed: ${error.message}`)
        })
      )

    // The renewals of one round share their commits: the writer batches whatever arrives together.
    const round = Effect.suspend(() =>
      Effect.forEach(worker.running(), renew, { concurrency: "unbounded", discard: true })
    )
    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sleep(leaseRenewalMs), round)))
  })
)
