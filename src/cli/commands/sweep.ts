/**
 * `holdfast sweep`: does at once what needs no engine: gives up what may be given up, ends what was cancelled before it ran.
 */

import { randomUUID } from "node:crypto"
import * as Command from "@effect/cli/Command"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Activations from "../../operations/Activations.ts"
import { leftOf, verdictOf } from "../../operations/decisions/recover.ts"
import { OwnerLiveness } from "../../operations/OwnerLiveness.ts"
import * as RuntimeConfig from "../../runtime/RuntimeConfig.ts"
import type { Admission } from "../../runtime/worker/Worker.ts"
import { Worker } from "../../runtime/worker/Worker.ts"
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

const worker: Layer.Layer<Worker, never, ProcessStore | Activations.Activations | OwnerLiveness> = Layer.effect(
  Worker,
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const activations = yield* Activations.Activations
    const liveness = yield* OwnerLiveness
    const owner = yield* liveness.identify(`holdfast:cli:${randomUUID()}`)
    const claimant = () => ({ owner, ttlMs: RuntimeConfig.defaults.leaseTtlMs, token: randomUUID() })
    return Worker.of({
      owner,
      start: () => Effect.dieMessage("the command line starts nothing"),
      running: emptyRoster,
      slots: () => ({ free: 0, total: 0 }),
      claimant,
      admission: Effect.never,
      recheck: Effect.never,
      recover: (id, dead) =>
        Effect.gen(function* () {
          const found = yield* store.find(id)
          if (found._tag !== "Present") return { _tag: "Absent" } satisfies Admission
          const expected = verdictOf(found.row, { dead, engine: "present" }, yield* Clock.currentTimeMillis)
          if (expected._tag === "Leave") return leftOf(found.row, expected.reason)
          if (expected._tag === "Run") return leftOf(found.row, "no_engine")
          // Decided again in the transaction, and there without an engine: this program must never be told to run it.
          return yield* Effect.catchTag(
            activations.recover(id, { owner, claimant: claimant(), dead, engine: "missing" }),
            "ProcessUnknown",
            () => Effect.succeed({ _tag: "Absent" } as const)
          )
        })
    })
  })
)

/** Nothing runs here. */
const emptyRoster: typeof Worker.Service.running = {
  all: () => [],
  ownerBound: () => [],
  remind: () => Effect.void,
  passivate: () => undefined,
  passivateAfterMs: () => undefined,
  retake: () => Effect.void,
  interruptAll: Effect.void,
  accept: Effect.void,
  empty: Effect.void
}

/** A sweep on demand, without engines. */
export const layer: Layer.Layer<RecoverySweeps.RecoverySweep, never, ProcessStore | OwnerLiveness> =
  RecoverySweeps.layer.pipe(
    Layer.provide(worker),
    Layer.provide(Activations.layer),
    Layer.provide(Layer.succeed(RuntimeConfig.RuntimeConfig, { ...RuntimeConfig.defaults, sweepIntervalMs: 0 }))
  )
