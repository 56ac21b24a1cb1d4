/**
 * The lease renewer: renews every lease of this worker in few statements, and tells the actors of those that were lost.
 *
 * Invariant: a body whose lease is lost is interrupted and writes nothing more. A page of renewals is one transaction of at
 * most 1,000 leases, and the loop is let go between two.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import { Activations } from "../operations/Activations.ts"
import { RuntimeConfig } from "../runtime/RuntimeConfig.ts"
import type { ProcessActor } from "../runtime/worker/ActivationActor.ts"
import { Worker } from "../runtime/worker/Worker.ts"
import { ProcessStore } from "../store/ProcessStore.ts"

/** What one round did. */
export interface RenewalReport {
  readonly renewed: number
  /** Expired while this host slept; nobody held them in between, so they go on. */
  readonly retaken: ReadonlyArray<ProcessId>
  /** Somebody else's by now: their bodies were told to stop. */
  readonly lost: ReadonlyArray<ProcessId>
  /** Held in this worker's name for two rounds with nothing here that runs them: handed back. */
  readonly orphaned: ReadonlyArray<ProcessId>
}

interface Renewed {
  readonly processId: ProcessId
  readonly expiresAtMs: number
}

/** Keeps the leases of the worker in context. */
export class LeaseRenewer extends Context.Tag("holdfast/supervision/LeaseKeeper")<
  LeaseRenewer,
  {
    /** Renews once. Fails with `StoreError`: the next round tries again, and leases last for three. */
    readonly renew: Effect.Effect<RenewalReport, StoreError>
    /** Renews at the interval, for ever. */
    readonly run: Effect.Effect<never>
  }
>() {}

/** A keeper for the worker in context. Its loop is for the supervision tree to run. */
export const layer: Layer.Layer<LeaseRenewer, never, Worker | Activations | ProcessStore | RuntimeConfig> =
  Layer.effect(
    LeaseRenewer,
    Effect.gen(function* () {
      const worker = yield* Worker
      const store = yield* ProcessStore
      const activations = yield* Activations
      const { leaseRenewalMs, leaseTtlMs } = yield* RuntimeConfig
      const keeper = worker.owner.incarnationId
      let suspected: ReadonlyMap<string, Renewed> = new Map()

      /** The tokens that were renewed, page by page. */
      const renewAll = (after: number | undefined, tokens: Map<string, Renewed>): Effect.Effect<void, StoreError> =>
        store.leases.renew({ renewerId: keeper, ttlMs: leaseTtlMs, ...(after === undefined ? {} : { after }) }).pipe(
          Effect.flatMap(({ renewed, expiresAtMs, next }) => {
            for (const { leaseToken, processId } of renewed) tokens.set(leaseToken, { processId, expiresAtMs })
            return next === undefined ? Effect.void : Effect.zipRight(Effect.yieldNow(), renewAll(next, tokens))
          })
        )

      /**
       * A host that slept finds its lease expired. It goes on if and only if nobody held the process in between, which the
       * fence says; otherwise it is a zombie, and stops.
       */
      const takeAgain = (actor: ProcessActor): Effect.Effect<"retaken" | "lost" | "ended", StoreError> =>
        worker.running.retake(actor).pipe(
          Effect.as("retaken" as const),
          Effect.catchTag("LeaseLost", (lost) => {
            // A renewal may meet the commit that ended the process: there was nothing left to renew.
            if (actor.exit !== undefined) return Effect.succeed("ended" as const)
            actor.inbox.offer("lease.lost")
            return Effect.as(Effect.logWarning(lost.message), "lost" as const)
          })
        )

      /**
       * A lease that nothing here runs under would be renewed for ever: the commit that took it was applied, and its caller
       * was told otherwise. It is handed back when it is still there a round later, since a launch follows its commit.
       */
      const handBackOrphans = (tokens: ReadonlyMap<string, Renewed>) =>
        Effect.gen(function* () {
          const running = new Set(worker.running.all().map(({ lease }) => lease.leaseToken))
          const suspects = new Map([...tokens].filter(([token]) => !running.has(token)))
          const orphaned: Array<ProcessId> = []
          for (const [token, { processId }] of suspects) {
            const lease = suspected.has(token) ? yield* store.leases.of(processId) : undefined
            if (lease?.leaseToken !== token) continue
            yield* Effect.logWarning(`${processId} is held in this host's name, and nothing runs it: handed back`)
            yield* Effect.catchTags(activations.suspend(lease, "handed_back"), {
              LeaseLost: () => Effect.void,
              ProcessUnknown: () => Effect.void
            })
            orphaned.push(processId)
          }
          suspected = suspects
          return orphaned
        })

      const renew = Effect.gen(function* () {
        // Read before the renewal: what begins meanwhile has a fresh lease, which is not missed below.
        const actors = worker.running.all()
        // Nothing to renew, nothing written. What is held here without an actor then runs out by itself.
        if (actors.length === 0) return { renewed: 0, retaken: [], lost: [], orphaned: [] }
        const tokens = new Map<string, Renewed>()
        yield* renewAll(undefined, tokens)
        const retaken: Array<ProcessId> = []
        const lost: Array<ProcessId> = []
        for (const actor of actors) {
          const kept = tokens.get(actor.lease.leaseToken)
          if (kept !== undefined) {
            actor.lease = { ...actor.lease, expiresAtMs: kept.expiresAtMs }
          } else if (actor.exit === undefined) {
            const outcome = yield* takeAgain(actor)
            if (outcome === "retaken") retaken.push(actor.id)
            if (outcome === "lost") lost.push(actor.id)
          }
        }
        return { renewed: tokens.size, retaken, lost, orphaned: yield* handBackOrphans(tokens) }
      })

      const round = Effect.catchAll(renew, (error) =>
        // The store may be back before the leases run out; if it is not, the next round says so.
        Effect.logWarning(`leases not renewed: ${error.message}`)
      )

      return LeaseRenewer.of({
        renew,
        run: Effect.forever(Effect.zipRight(Effect.sleep(leaseRenewalMs), round))
      })
    })
  )
