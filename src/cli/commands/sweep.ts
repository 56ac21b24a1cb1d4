/**
 * `holdfast sweep`: does at once what needs no engine: gives up what may be given up, ends what was cancelled before it ran.
 */
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { RecoverySweep } from "../../supervision/RecoverySweep.ts"
import type { Deferral, SweepReport } from "../../supervision/SweepReport.ts"
import { change } from "../database.ts"
import * as Shared from "../options.ts"
import { printAll } from "../rows.ts"
import { TheScreen } from "../Screen.ts"
import * as Sweeping from "../sweeping.ts"
import { table } from "../table.ts"
import { harmless } from "../text.ts"

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
    }).pipe(Effect.provide(Sweeping.layer))
  )
).pipe(
  Command.withDescription(
    "Reconcile without a host: give up what may be given up, end what was cancelled before it ran. Bodies are left to hosts."
  )
)

const deferralText = (reason: Deferral): string => {
  switch (reason._tag) {
    case "Busy":
      return "somebody holds it"
    case "NoSlot":
      return "no place is free"
    case "NoEngine":
      return "a host with its engine must run it"
    case "OutcomeUnknown":
      return "nobody knows how far it came; see explain"
    case "ExternallyOwned":
      return "the work is an outside system's"
    case "Settled":
      return "there is nothing to do"
    case "BackingOff":
      return `it rests until ${new Date(reason.untilMs).toISOString()}: ${reason.problem}`
    case "NotYet":
      return "it was registered to begin later"
    case "StoreError":
      return reason.problem
  }
}

const wireOf = ({ admitted, ended, deferred }: SweepReport): unknown => ({
  admitted,
  ended: ended.map(({ id, as }) => ({ process_id: id, as })),
  deferred: deferred.map(({ id, reason }) => ({
    process_id: id,
    reason: deferralNames[reason._tag],
    ...("problem" in reason ? { problem: reason.problem } : {}),
    ...(reason._tag === "BackingOff" ? { until_ms: reason.untilMs } : {}),
    ...(reason._tag === "NoEngine" ? { kind: reason.kind, version: reason.version } : {})
  }))
})

const deferralNames: Readonly<Record<Deferral["_tag"], string>> = {
  Busy: "busy",
  NoSlot: "no_slot",
  NoEngine: "no_engine",
  OutcomeUnknown: "outcome_unknown",
  ExternallyOwned: "externally_owned",
  Settled: "settled",
  BackingOff: "backing_off",
  NotYet: "not_yet",
  StoreError: "store_error"
}
