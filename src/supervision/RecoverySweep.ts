/**
 * The recovery sweep: finds what should run and does not, and does what the verdict table says about each row.
 *
 * It looks at rows that are due and held by nobody, and at the rows of holders that are proven dead; its cost grows with
 * those, not with the number of processes.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import { RuntimeConfig } from "../runtime/RuntimeConfig.ts"
import type { Admission } from "../runtime/Worker.ts"
import { Worker } from "../runtime/Worker.ts"
import { OwnerLiveness } from "../store/OwnerLiveness.ts"
import { ProcessStore } from "../store/ProcessStore.ts"

/** Why a row was left for later. */
export type Deferral =
  | { readonly _tag: "Busy" }
  | { readonly _tag: "NoSlot" }
  | { readonly _tag: "NoEngine" }
  | { readonly _tag: "OutcomeUnknown" }
  | { readonly _tag: "ExternallyOwned" }
  | { readonly _tag: "Settled" }
  | { readonly _tag: "Failed"; readonly problem: string }

/** What one sweep did. Ids are reported only after the write was acknowledged. */
export interface SweepReport {
  readonly admitted: ReadonlyArray<ProcessId>
  readonly ended: ReadonlyArray<{ readonly id: ProcessId; readonly as: "cancelled" | "failed" | "abandoned" }>
  readonly deferred: ReadonlyArray<{ readonly id: ProcessId; readonly reason: Deferral }>
}

/** Sweeps on demand; the layer also sweeps at its start and at its interval. */
export class RecoverySweep extends Context.Tag("holdfast/supervision/RecoverySweep")<
  RecoverySweep,
  { readonly sweep: Effect.Effect<SweepReport, StoreError> }
>() {}

/** How many due rows one sweep takes. */
export const maxRows = 10_000

/** Sweeps in the background, for as long as the layer lives. */
export const layer: Layer.Layer<RecoverySweep, never, ProcessStore | Worker | OwnerLiveness | RuntimeConfig> =
  Layer.scoped(
    RecoverySweep,
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const worker = yield* Worker
      const liveness = yield* OwnerLiveness
      const { sweepIntervalMs } = yield* RuntimeConfig
      /** Rows that cannot run here: said once, and looked at less and less often. */
      const stuck = new Map<ProcessId, Stuck>()

      const deadHoldings = Effect.gen(function* () {
        const holdings = yield* store.holdings
        const verdicts = new Map<string, boolean>()
        return yield* Effect.filter(holdings, ({ owner }) => {
          // Every attempt has an identity of its own; the evidence is that of the OS process behind it.
          const { ownerId, incarnationId, liveness: shown } = owner
          const evidence = JSON.stringify(shown._tag === "LocalProcess" ? shown : [ownerId, incarnationId])
          const known = verdicts.get(evidence)
          if (known !== undefined) return Effect.succeed(known)
          return Effect.tap(liveness.isDefinitelyDead(owner, worker.owner), (dead) =>
            Effect.sync(() => verdicts.set(evidence, dead))
          )
        })
      })

      const sweep = Effect.gen(function* () {
        const dead = yield* deadHoldings
        const nowMs = yield* Clock.currentTimeMillis
        // Rows that are stuck here must not keep those behind them out of sight.
        const due = yield* store.due({ nowMs, limit: maxRows + stuck.size })
        const owners = dead.map(({ owner }) => owner)
        const all = [...new Set([...dead.flatMap(({ processIds }) => processIds), ...due])]
        const ids = all.filter((id) => (stuck.get(id)?.untilMs ?? 0) <= nowMs)
        const outcomes = yield* Effect.forEach(
          ids,
          (id) => Effect.map(look(id, owners), (outcome) => ({ id, outcome })),
          {
            concurrency: 16
          }
        )
        const report = reportOf(outcomes)
        yield* tell(report, stuck)
        for (const { id, outcome } of outcomes) {
          const backsOff = outcome._tag === "Problem" || (outcome._tag === "Left" && outcome.reason === "no_engine")
          if (backsOff) stuck.set(id, longer(stuck.get(id), nowMs))
          else stuck.delete(id)
        }
        return report
      })

      const look = (id: ProcessId, dead: ReadonlyArray<LeaseOwner>): Effect.Effect<Admission | Problem> =>
        Effect.catchAllCause(worker.recover(id, dead), (cause) => {
          const problem = Cause.squash(cause)
          const text = problem instanceof Error ? problem.message : String(problem)
          return Effect.succeed({ _tag: "Problem", problem: text } as const)
        })

      const quiet = Effect.catchAllCause(sweep, (cause) =>
        Effect.logError("sweep failed, the next one tries again", cause)
      )
      if (sweepIntervalMs > 0) {
        yield* Effect.forkScoped(Effect.forever(Effect.zipRight(quiet, Effect.sleep(sweepIntervalMs))))
      }
      return RecoverySweep.of({ sweep })
    })
  )

interface Stuck {
  readonly times: number
  readonly untilMs: number
}

/** One second, doubled up to a minute. */
const longer = (before: Stuck | undefined, nowMs: number): Stuck => {
  const times = (before?.times ?? 0) + 1
  return { times, untilMs: nowMs + Math.min(1_000 * 2 ** (times - 1), 60_000) }
}

interface Problem {
  readonly _tag: "Problem"
  readonly problem: string
}

interface Looked {
  readonly id: ProcessId
  readonly outcome: Admission | Problem
}

const reportOf = (outcomes: ReadonlyArray<Looked>): SweepReport => ({
  admitted: outcomes.flatMap(({ id, outcome }) => (outcome._tag === "Run" ? [id] : [])),
  ended: outcomes.flatMap(({ id, outcome }) => (outcome._tag === "Ended" ? [{ id, as: outcome.as }] : [])),
  deferred: outcomes.flatMap(({ id, outcome }) => {
    const reason = deferralOf(outcome)
    return reason === undefined ? [] : [{ id, reason }]
  })
})

const deferralOf = (outcome: Admission | Problem): Deferral | undefined => {
  switch (outcome._tag) {
    case "Run":
    case "Ended":
      return undefined
    case "NoSlot":
      return { _tag: "NoSlot" }
    case "Absent":
      return { _tag: "Settled" }
    case "Problem":
      return { _tag: "Failed", problem: outcome.problem }
    case "Left":
      return leftReasons[outcome.reason]
  }
}

const leftReasons = {
  settled: { _tag: "Settled" },
  externally_owned: { _tag: "ExternallyOwned" },
  busy: { _tag: "Busy" },
  outcome_unknown: { _tag: "OutcomeUnknown" },
  no_engine: { _tag: "NoEngine" }
} as const

/** What nobody would notice otherwise is said once for each process, not once a second. */
const tell = (report: SweepReport, stuck: ReadonlyMap<ProcessId, Stuck>): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (const { id, as } of report.ended) yield* Effect.logWarning(`recovery ended ${id} as ${as}`)
    for (const { id, reason } of report.deferred) {
      if (stuck.has(id) || (reason._tag !== "Failed" && reason._tag !== "NoEngine")) continue
      yield* Effect.logWarning(
        reason._tag === "Failed"
          ? `${id} cannot run here: ${reason.problem}`
          : `${id} waits for an engine this host has not`
      )
    }
  })
