/**
 * What a sweep did, as data: every row it looked at, with what became of it or why it was left.
 */
import * as Effect from "effect/Effect"
import type { ProcessId } from "../model/ids.ts"
import type { Admission } from "../runtime/worker/Worker.ts"

/** Why a row was left: what the worker says, or that looking at it failed. Units: epoch milliseconds, UTC. */
export type Deferral =
  | Extract<Admission, { readonly _tag: "Deferred" }>["reason"]
  | { readonly why: "store_error"; readonly problem: string }

/** What became of one row. Reported only after the write was acknowledged. */
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

/** Whether a sweep met anything: most find nothing to do. */
export const isEventful = ({ dead, admitted, ended, deferred }: SweepReport): boolean =>
  dead.length + admitted.length + ended.length + deferred.length > 0

/** What a worker's answer means for a report. */
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

/** Whether a row cannot run on this host, though perhaps on another: nothing is written on the row then. */
export const isStuck = (row: RowReport): boolean =>
  row._tag === "Deferred" && (row.reason.why === "no_engine" || row.reason.why === "store_error")

/** What was said already: the processes that are stuck, and how many leases each dead holder had left. */
export interface Told {
  readonly stuck: { readonly has: (id: ProcessId) => boolean }
  /** By owner id. It is kept here. */
  readonly dead: Map<string, number>
}

/**
 * Says once for each process, and for each dead holder, what nobody would notice otherwise.
 *
 * Leases that are taken over one by one, as slots get free, are no news of their holder; more of them are.
 */
export const tell = ({ dead, ended, deferred }: SweepReport, told: Told): Effect.Effect<void> =>
  Effect.gen(function* () {
    const left = new Map<string, number>()
    for (const { ownerId, leases } of dead) left.set(ownerId, (left.get(ownerId) ?? 0) + leases)
    const news = [...left].filter(([ownerId, leases]) => leases > (told.dead.get(ownerId) ?? 0))
    // Whoever is gone by now would be news again.
    told.dead.clear()
    for (const [ownerId, leases] of left) told.dead.set(ownerId, leases)
    for (const [ownerId, leases] of news) {
      yield* Effect.logWarning(`${ownerId} is dead and left ${leases === 1 ? "1 lease" : `${leases} leases`}`)
    }
    for (const { id, as } of ended) yield* Effect.logWarning(`recovery ended ${id} as ${as}`)
    for (const { id, reason } of deferred) {
      const text = told.stuck.has(id) ? undefined : sentence(reason)
      if (text !== undefined) yield* Effect.logWarning(`${id} ${text}`)
    }
  })

const sentence = (reason: Deferral): string | undefined => {
  switch (reason.why) {
    case "no_engine":
      return `waits for an engine this host has not: ${reason.kind} in version ${reason.version}`
    case "store_error":
      return `could not be looked at: ${reason.problem}`
    case "backing_off":
      return `cannot begin here and rests until ${new Date(reason.untilMs).toISOString()}: ${reason.problem}`
    default:
      return undefined
  }
}
