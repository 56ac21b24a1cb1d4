/**
 * `holdfast sweep`: reconciles without engines. It abandons what may be abandoned and ends what was cancelled before it ran.
 */

import { randomUUID } from "node:crypto"
import * as Command from "@effect/cli/Command"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { LeaseOwner } from "../../model/Lease.ts"
import * as Activations from "../../operations/Activations.ts"
import type { RecoveryOutcome } from "../../operations/decisions/recover.ts"
import { leftOf, verdictOf } from "../../operations/decisions/recover.ts"
import { OwnerLiveness } from "../../operations/OwnerLiveness.ts"
import * as RuntimeConfig from "../../runtime/RuntimeConfig.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import * as RecoverySweeps from "../../supervision/RecoverySweep.ts"
import { RecoverySweep } from "../../supervision/RecoverySweep.ts"
import type { Deferral, SweepReport } from "../../supervision/SweepReport.ts"
import { change } from "../database.ts"
import * as Shared from "../options.ts"
import { printAll } from "../rows.ts"
import { TheScreen } from "../Screen.ts"
import { harmless, table } from "../table.ts"

/** The command. */
export const command = Command.make("sweep", { db: Shared.db, json: Shared.json }, ({ db, json }) =>
  change(
    db,
    Effect.gen(function* () {
      const screen = yield* TheScreen
      const { sweep } = yield* RecoverySweep
      const report = yield* sweep
      if (json) return yield* screen.json(wireOf(report))
      const rows = [
        ...report.ended.map(({ id, as }) => [harmless(id), { text: `ended as ${as}`, paint: "strong" as const }]),
        ...report.deferred.map(({ id, reason }) => [harmless(id), `left: ${harmless(deferralText(reason))}`])
      ]
      const columns = [
        { title: "ID", yields: 2, least: 12 },
        { title: "WHAT BECAME OF IT", yields: 1, least: 12 }
      ]
      if (rows.length > 0) yield* printAll(screen, table(screen, columns, rows))
      yield* screen.remark(`${report.ended.length} ended, ${report.deferred.length} left as they are`)
    }).pipe(Effect.provide(layer))
  )
).pipe(
  Command.withDescription(
    "Reconcile without a host: abandon what may be abandoned, end what was cancelled before it ran. Bodies are left to hosts."
  )
)

const deferralText = (reason: Deferral): string => {
  switch (reason.why) {
    case "busy":
      return "a live host holds it"
    case "no_slot":
      return "no slot is free"
    case "no_engine":
      return "a host with its engine must run it"
    case "outcome_unknown":
      return "its outcome is unknown; see explain"
    case "externally_owned":
      return "an external system runs it"
    case "settled":
      return "there is nothing to do"
    case "backing_off":
      return `backs off until ${new Date(reason.untilMs).toISOString()}: ${reason.problem}`
    case "not_yet":
      return "its start time is still to come"
    case "at_rest":
      return "its machine waits for an event"
    case "store_error":
      return reason.problem
  }
}

const wireOf = ({ admitted, ended, deferred }: SweepReport): unknown => ({
  admitted,
  ended: ended.map(({ id, as }) => ({ process_id: id, as })),
  deferred: deferred.map(({ id, reason }) => ({
    process_id: id,
    reason: reason.why,
    ...("problem" in reason ? { problem: reason.problem } : {}),
    ...(reason.why === "backing_off" ? { until_ms: reason.untilMs } : {}),
    ...(reason.why === "no_engine" ? { kind: reason.kind, version: reason.version } : {})
  }))
})

const sweepWithoutEngines = Effect.gen(function* () {
  const store = yield* ProcessStore
  const activations = yield* Activations.Activations
  const liveness = yield* OwnerLiveness
  const owner = yield* liveness.identify(`holdfast:cli:${randomUUID()}`)
  const recover = (id: ProcessId, dead: ReadonlyArray<LeaseOwner>): Effect.Effect<RecoveryOutcome, StoreError> =>
    Effect.gen(function* () {
      const found = yield* store.find(id)
      if (found._tag !== "Present") return settled
      const expected = verdictOf(found.row, { dead, engine: "present" }, yield* Clock.currentTimeMillis)
      if (expected._tag === "Leave") return leftOf(found.row, expected.why)
      if (expected._tag === "Run") return leftOf(found.row, "no_engine")
      // The transaction decides again, without an engine, so that its verdict is never to run the row.
      const claimant = { owner, ttlMs: RuntimeConfig.defaults.leaseTtlMs, token: randomUUID() }
      return yield* activations.recover(id, { owner, claimant, dead, engine: "missing" })
    }).pipe(Effect.catchTag("ProcessUnknown", "ProcessPruned", () => Effect.succeed(settled)))
  return yield* RecoverySweeps.make({ owner, recover })
})

const settled = { _tag: "Deferred", reason: { why: "settled" } } as const

/** A sweep on demand, without engines. */
export const layer: Layer.Layer<RecoverySweep, never, ProcessStore | OwnerLiveness> = Layer.effect(
  RecoverySweep,
  sweepWithoutEngines
).pipe(
  Layer.provide(Activations.layer),
  Layer.provide(Layer.succeed(RuntimeConfig.RuntimeConfig, { ...RuntimeConfig.defaults, sweepIntervalMs: 0 }))
)
