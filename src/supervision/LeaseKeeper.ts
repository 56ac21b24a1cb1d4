/**
 * The lease keeper: renews every lease of this worker in few statements, and tells the actors of those that were lost.
 *
 * Invariant: a body whose lease is lost is interrupted and writes nothing more. A page of renewals is one transaction of at
 * most 1,000 leases, and the loop is let go between two.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ProcessActor } from "../runtime/ProcessActor.ts"
import { RuntimeConfig } from "../runtime/RuntimeConfig.ts"
import { Worker } from "../runtime/Worker.ts"
import { ActivationStore } from "../store/ActivationStore.ts"
import { ProcessStore } from "../store/ProcessStore.ts"

/** What one round did. */
export interface RenewalReport {
  readonly renewed: number
  /** Expired while this host slept; nobody held them in between, so they go on. */
  readonly retaken: ReadonlyArray<ProcessId>
  /** Somebody else's by now: their bodies were told to stop. */
  readonly lost: ReadonlyArray<ProcessId>
}

/** Keeps the leases of the worker in context. */
export class LeaseKeeper extends Context.Tag("holdfast/supervision/LeaseKeeper")<
  LeaseKeeper,
  {
    /** Renews once. Fails with `StoreError`: the next round tries again, and leases last for three. */
    readonly renew: Effect.Effect<RenewalReport, StoreError>
    /** Renews at the interval, for ever. */
    readonly run: Effect.Effect<never>
  }
>() {}

/** A keeper for the worker in context. Its loop is for the supervision tree to run. */
export const layer: Layer.Layer<LeaseKeeper, never, Worker | ActivationStore | ProcessStore | RuntimeConfig> =
  Layer.effect(
    LeaseKeeper,
    Effect.gen(function* () {
      const worker = yield* Worker
      const store = yield* ProcessStore
      const activations = yield* ActivationStore
      const { leaseRenewalMs, leaseTtlMs } = yield* RuntimeConfig
      const keeper = worker.owner.incarnationId

      /** The tokens that were renewed, page by page. */
      const renewAll = (after: number | undefined, tokens: Map<string, number>): Effect.Effect<void, StoreError> =>
        store.renewKept({ keeper, ttlMs: leaseTtlMs, ...(after === undefined ? {} : { after }) }).pipe(
          Effect.flatMap(({ renewed, expiresAtMs, next }) => {
            for (const { leaseToken } of renewed) tokens.set(leaseToken, expiresAtMs)
            return next === undefined ? Effect.void : Effect.zipRight(Effect.yieldNow(), renewAll(next, tokens))
          })
        )

      /**
       * A host that slept finds its lease expired. It goes on if and only if nobody held the process in between, which the
       * fence says; otherwise it is a zombie, and stops.
       */
      const takeAgain = (actor: ProcessActor): Effect.Effect<"retaken" | "lost" | "ended", StoreError> =>
        activations.retake(actor.lease, { ...worker.claimant("run"), owner: actor.lease.owner }).pipe(
          Effect.map((lease) => {
            actor.lease = lease
            return "retaken" as const
          }),
          Effect.tap(() => Effect.logWarning(`the lease of ${actor.id} had expired; nobody held it, so it goes on`)),
          Effect.catchTag("LeaseLost", (lost) => {
            // A renewal may meet the commit that ended the process: there was nothing left to renew.
            if (actor.exit !== undefined) return Effect.succeed("ended" as const)
            actor.inbox.offer("lease.lost")
            return Effect.as(Effect.logWarning(lost.message), "lost" as const)
          })
        )

      const renew = Effect.gen(function* () {
        // Read before the renewal: what begins meanwhile has a fresh lease, which is not missed below.
        const actors = worker.roster.all()
        if (actors.length === 0) return { renewed: 0, retaken: [], lost: [] }
        const tokens = new Map<string, number>()
        yield* renewAll(undefined, tokens)
        const retaken: Array<ProcessId> = []
        const lost: Array<ProcessId> = []
        for (const actor of actors) {
          const expiresAtMs = tokens.get(actor.lease.leaseToken)
          if (expiresAtMs !== undefined) {
            actor.lease = { ...actor.lease, expiresAtMs }
          } else if (actor.exit === undefined) {
            const outcome = yield* takeAgain(actor)
            if (outcome === "retaken") retaken.push(actor.id)
            if (outcome === "lost") lost.push(actor.id)
          }
        }
        return { renewed: tokens.size, retaken, lost }
      })

      const round = Effect.catchAll(renew, (error) =>
        // The store may be back before the leases run out; if it is not, the next round says so.
        Effect.logWarning(`leases not renewed: ${error.message}`)
      )

      return LeaseKeeper.of({
        renew,
        run: Effect.forever(Effect.zipRight(Effect.sleep(leaseRenewalMs), round))
      })
    })
  )
