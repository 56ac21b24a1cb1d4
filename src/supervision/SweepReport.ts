/**
 * What a sweep did, as data: every row it looked at, with its outcome or the reason it was left.
 */
import * as Effect from "effect/Effect"
import type { ProcessId } from "../model/ids.ts"
import type { Admission } from "../runtime/worker/Worker.ts"

/** Why a row was left: what the worker says, or that looking at it failed. Units: epoch milliseconds, UTC. */
export type Deferral =
  | Extract<Admission, { readonly _tag: "Deferred" }>["reason"]
  | { readonly why: "store_error"; readonly problem: string }

/** The outcome of one row, reported after its write was acknowledged. */
export type RowReport = { readonly id: ProcessId } & (
  | { readonly _tag: "Admitted" }
  | { readonly _tag: "Ended"; readonly as: "cancelled" | "failed" | "abandoned" }
  | { readonly _tag: "Deferred"; readonly reason: Deferral }
)

/** A holder that is proven dead, and how many leases it left. */
export interface DeadHolder {
  readonly ownerId: string
  readonly leases: number
}

/** What one sweep did. Units: `beganAtMs` and `endedAtMs` are epoch milliseconds, UTC. */
export interface SweepReport {
  readonly beganAtMs: number
  readonly endedAtMs: number
  readonly dead: ReadonlyArray<DeadHolder>
  readonly admitted: ReadonlyArray<ProcessId>
  readonly ended: ReadonlyArray<{ readonly id: ProcessId; readonly as: "cancelled" | "failed" | "abandoned" }>
  readonly deferred: ReadonlyArray<{ readonly id: ProcessId; readonly reason: Deferral }>
}

/** Puts the rows of one sweep together, in the order in which they were looked at. */
export const make = (
  beganAtMs: number,
  endedAtMs: number,
  dead: ReadonlyArray<DeadHolder>,
  rows: ReadonlyArray<RowReport>
): SweepReport => ({
  beganAtMs,
  endedAtMs,
  dead,
  admitted: rows.flatMap((row) => (row._tag === "Admitted" ? [row.id] : [])),
  ended: rows.flatMap((row) => (row._tag === "Ended" ? [{ id: row.id, as: row.as }] : [])),
  deferred: rows.flatMap((row) => (row._tag === "Deferred" ? [{ id: row.id, reason: row.reason }] : []))
})

/** Whether a sweep found anything; most do not. */
export const isEventful = ({ dead, admitted, ended, deferred }: SweepReport): boolean =>
  dead.length + admitted.length + ended.length + deferred.length > 0

/** The report line of a worker's answer. */
export const rowReport = (id: ProcessId, admission: Admission): RowReport => {
  switch (admission._tag) {
    case "Run":
      return { id, _tag: "Admitted" }
    case "Ended":
      return { id, _tag: "Ended", as: admission.as }
    case "Deferred":
      return { id, ...admission }
  }
}

/** Whether this host cannot run a row, though perhaps another can: nothing is written on the row then. */
export const isUnrunnable = (row: RowReport): boolean =>
  row._tag === "Deferred" && (row.reason.why === "no_engine" || row.reason.why === "store_error")

/** What was logged already: rows that cannot run here, and how many leases each dead holder had left. */
export interface Logged {
  readonly unrunnable: { readonly has: (id: ProcessId) => boolean }
  /** By owner id; `log` updates it. */
  readonly deadLeases: Map<string, number>
}

/**
 * Logs problems once for each process and each dead holder.
 *
 * A dead holder is logged again only when it left more leases than before: fewer are left as slots free up.
 */
export const log = ({ dead, ended, deferred }: SweepReport, logged: Logged): Effect.Effect<void> =>
  Effect.gen(function* () {
    const left = new Map<string, number>()
    for (const { ownerId, leases } of dead) left.set(ownerId, (left.get(ownerId) ?? 0) + leases)
    const news = [...left].filter(([ownerId, leases]) => leases > (logged.deadLeases.get(ownerId) ?? 0))
    logged.deadLeases.clear()
    for (const [ownerId, leases] of left) logged.deadLeases.set(ownerId, leases)
    for (const [ownerId, leases] of news) {
      yield* Effect.logWarning(`${ownerId} is dead and left ${leases === 1 ? "1 lease" : `${leases} leases`}`)
    }
    for (const { id, as } of ended) yield* Effect.logWarning(`recovery ended ${id} as ${as}`)
    for (const { id, reason } of deferred) {
      const text = logged.unrunnable.has(id) ? undefined : sentence(reason)
      if (text !== undefined) yield* Effect.logWarning(`${id}: ${text}`)
    }
  })

const sentence = (reason: Deferral): string | undefined => {
  switch (reason.why) {
    case "no_engine":
      return `no engine "${reason.kind}" version "${reason.version}" on this host`
    case "store_error":
      return `the sweep could not look at it: ${reason.problem}`
    case "backing_off":
      return `it could not start, and backs off until ${new Date(reason.untilMs).toISOString()}: ${reason.problem}`
    default:
      return undefined
  }
}
