/**
 * The lease renewer: renews every lease of this worker in few statements, and notifies the actors of those that were lost.
 *
 * Invariant: a body whose lease is lost is interrupted and writes nothing more. A page of renewals is one transaction of at
 * most 1,000 leases, and the renewer yields between two.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import { Activations } from "../operations/Activations.ts"
import type { Activation } from "../runtime/body/Activation.ts"
import { reacquire } from "../runtime/body/Activation.ts"
import { keep } from "../runtime/body/underWay.ts"
import { RuntimeConfig } from "../runtime/RuntimeConfig.ts"
import { Worker } from "../runtime/worker/Worker.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Loop from "./Loop.ts"

/** What one round did. */
export interface RenewalReport {
  readonly renewed: number
  /** Expired while this host slept and held by no other worker since: acquired again, and their bodies go on. */
  readonly reacquired: ReadonlyArray<ProcessId>
  /** Held by another worker by now: their bodies were interrupted. */
  readonly lost: ReadonlyArray<ProcessId>
  /** Held in this worker's name for two rounds with nothing here that runs them: handed back. */
  readonly orphaned: ReadonlyArray<ProcessId>
}

interface Renewed {
  readonly processId: ProcessId
  readonly expiresAtMs: number
}

/** Renews the leases of the worker in context. */
export class LeaseRenewer extends Context.Tag("holdfast/supervision/LeaseKeeper")<
  LeaseRenewer,
  {
    /** Renews once. Fails with `StoreError`: the next round tries again, and leases last for three. */
    readonly renew: Effect.Effect<RenewalReport, StoreError>
    /** Renews at the interval; for the supervision tree to run. */
    readonly run: Effect.Effect<never>
  }
>() {}

/** A renewer for the worker in context. */
export const layer: Layer.Layer<LeaseRenewer, never, Worker | Activations | ProcessStore | RuntimeConfig> =
  Layer.effect(
    LeaseRenewer,
    Effect.gen(function* () {
      const worker = yield* Worker
      const store = yield* ProcessStore
      const activations = yield* Activations
      const { leaseRenewalMs, leaseTtlMs } = yield* RuntimeConfig
      const renewerId = worker.owner.incarnationId
      let suspected: ReadonlyMap<string, Renewed> = new Map()

      /** The tokens that were renewed, page by page, and those of which the next round knows more. */
      const renewAll = (
        after: number | undefined,
        tokens: Map<string, Renewed>,
        unsure: Set<string>
      ): Effect.Effect<void, StoreError> =>
        store.leases.renew({ renewerId, ttlMs: leaseTtlMs, ...(after === undefined ? {} : { after }) }).pipe(
          Effect.flatMap(({ renewed, busy = [], expiresAtMs, next }) => {
            for (const token of busy) unsure.add(token)
            for (const { leaseToken, processId } of renewed) tokens.set(leaseToken, { processId, expiresAtMs })
            return next === undefined ? Effect.void : Effect.zipRight(Effect.yieldNow(), renewAll(next, tokens, unsure))
          })
        )

      /**
       * A host that slept finds its lease expired. The body goes on if and only if no other worker held the process in
       * between, which the fence says; otherwise it is a zombie, and stops.
       */
      const renewExpired = (actor: Activation): Effect.Effect<"reacquired" | "lost" | "ended", StoreError> =>
        reacquire(actor).pipe(
          Effect.as("reacquired" as const),
          Effect.catchTag("LeaseLost", (lost) => {
            // A renewal may meet the commit that ended the process: there was nothing left to renew.
            if (actor.exit !== undefined) return Effect.succeed("ended" as const)
            actor.inbox.offer("lease.lost")
            return Effect.as(Effect.logWarning(lost.message), "lost" as const)
          })
        )

      /**
       * Hands back leases of this worker that no actor runs under: the commit that took them was applied, and its caller got
       * an error. A lease counts as orphaned when it is still there a round later, since a launch follows its commit.
       */
      const handBackOrphans = (tokens: ReadonlyMap<string, Renewed>) =>
        Effect.gen(function* () {
          const running = new Set(worker.running.all().map(({ lease }) => lease.leaseToken))
          const suspects = new Map([...tokens].filter(([token]) => !running.has(token)))
          const orphaned: Array<ProcessId> = []
          for (const [token, { processId }] of suspects) {
            const lease = suspected.has(token) ? yield* store.leases.of(processId) : undefined
            if (lease?.leaseToken !== token) continue
            yield* Effect.logWarning(`${processId}: this host holds its lease and does not run it: handed back`)
            yield* Effect.catchTags(activations.suspend(lease, "handed_back"), {
              LeaseLost: () => Effect.void,
              ProcessUnknown: () => Effect.void,
              ProcessPruned: () => Effect.void
            })
            orphaned.push(processId)
          }
          suspected = suspects
          return orphaned
        })

      const renew = Effect.gen(function* () {
        // Read before the renewal: an activation that begins meanwhile has a fresh lease, and must not count as lost.
        const actors = worker.running.all()
        // No actor: the renewer writes nothing, and an orphaned lease expires by itself.
        if (actors.length === 0) return { renewed: 0, reacquired: [], lost: [], orphaned: [] }
        const tokens = new Map<string, Renewed>()
        const unsure = new Set<string>()
        yield* renewAll(undefined, tokens, unsure)
        const reacquired: Array<ProcessId> = []
        const lost: Array<ProcessId> = []
        for (const actor of actors) {
          const kept = tokens.get(actor.lease.leaseToken)
          if (kept !== undefined) {
            actor.lease = { ...actor.lease, expiresAtMs: kept.expiresAtMs }
          } else if (actor.exit === undefined && !unsure.has(actor.lease.leaseToken)) {
            const outcome = yield* renewExpired(actor)
            if (outcome === "reacquired") reacquired.push(actor.id)
            if (outcome === "lost") lost.push(actor.id)
          }
        }
        // For the reader of a file whose host is gone: what the body was doing. What changes little is written once.
        const working = actors.filter(({ underWay, exit }) => (underWay?.size ?? 0) > 0 && exit === undefined)
        yield* Effect.forEach(working, (actor) => keep(actor, leaseRenewalMs), { concurrency: 256, discard: true })
        return { renewed: tokens.size, reacquired, lost, orphaned: yield* handBackOrphans(tokens) }
      })

      const loop = Loop.run({
        round: Effect.as(renew, leaseRenewalMs),
        problem: "leases not renewed",
        retryMs: leaseRenewalMs
      })
      return LeaseRenewer.of({ renew, run: Effect.zipRight(Effect.sleep(leaseRenewalMs), loop) })
    })
  )
