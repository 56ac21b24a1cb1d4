/**
 * The sweep's verdict: what a recovery sweep may do with one row, as a total function of what is known about it.
 *
 * Invariant: no verdict rests on elapsed time alone. Owner-bound work that has begun is never run again; it is given up only
 * on proof that its holder died, or on a recorded request once nobody holds it.
 */
import type { Owner } from "./process/types.ts"

/** Who may run a process, and whether it may be run again: declared by its producer, never guessed. */
export type Disposition = "rerunnable" | "owner_bound" | "externally_owned"

/**
 * What is known of the lease of a row.
 *
 * `free`: never held or released. `lapsed`: expired without a release, its holder not provably dead. `held`: unexpired, its
 * holder not provably dead. `dead`: not released, and its holder is proven dead, whether or not it expired meanwhile.
 */
export type LeaseSighting = "free" | "lapsed" | "held" | "dead"

/** Everything the verdict looks at. */
export interface Sighting {
  readonly disposition: Disposition
  readonly terminal: boolean
  readonly started: boolean
  readonly lease: LeaseSighting
  readonly cancelRequested: boolean
  readonly abandonRequested: boolean
  /** The attempt that running it would be. */
  readonly nextAttempt: number
  readonly maxAttempts?: number
  /** Whether this host has the engine, in the version the row asks for. */
  readonly engine: "present" | "missing"
  /** Whether it was registered to begin later than now. */
  readonly early?: boolean
}

/** What to do with the row. Every verdict but `Leave` acts under a lease taken in the same transaction. */
export type Verdict =
  | { readonly _tag: "Run" }
  | { readonly _tag: "Cancel" }
  | { readonly _tag: "Exhausted" }
  | { readonly _tag: "Abandon"; readonly writer: "sweep"; readonly owner: "holder" }
  | { readonly _tag: "Abandon"; readonly writer: "reconciled_request"; readonly owner: "first_started" | "none" }
  | { readonly _tag: "Leave"; readonly reason: LeaveReason }

/** Why a row is left as it is. */
export type LeaveReason = "settled" | "externally_owned" | "busy" | "outcome_unknown" | "no_engine" | "not_yet"

/**
 * Decides one row.
 *
 * The order of the questions is the rule: ended, then whose work it is, then who holds it, then what was asked, then whether
 * it may run at all.
 */
export const verdict = (row: Sighting): Verdict => {
  if (row.terminal) return leave("settled")
  switch (row.disposition) {
    case "externally_owned":
      return row.abandonRequested ? whenUnheld(row, reconcile("none")) : leave("externally_owned")
    case "owner_bound":
      return row.started ? startedOnce(row) : whenUnheld(row, toRun(row))
    case "rerunnable":
      return whenUnheld(row, toRun(row))
  }
}

/**
 * When a row next deserves a look, in epoch milliseconds; `null` when only an event can move it.
 *
 * The lease is no part of it: a sweep skips rows that are held, and finds dead holders on its own.
 */
export const dueAtMs = (row: {
  readonly disposition: Disposition
  readonly terminal: boolean
  readonly started: boolean
  readonly waiting: boolean
  /** Whether nothing but the end of a wait gives it anything to do: it has not begun, or it left memory to wait. */
  readonly dormant: boolean
  readonly cancelRequested: boolean
  readonly abandonRequested: boolean
  /** When it may begin, if it has not. */
  readonly startAtMs?: number
  readonly nowMs: number
}): number | null => {
  if (row.terminal) return null
  if (row.disposition === "externally_owned") return row.abandonRequested ? row.nowMs : null
  if (row.disposition === "owner_bound" && row.started) return row.abandonRequested ? row.nowMs : null
  if (row.cancelRequested) return row.nowMs
  if (row.waiting && row.dormant) return null
  return row.started ? row.nowMs : Math.max(row.startAtMs ?? 0, row.nowMs)
}

/** Whether two identities are the same life of the same owner; evidence of liveness takes no part in it. */
export const sameIncarnation = (a: Owner, b: Owner): boolean =>
  a.ownerId === b.ownerId && a.incarnationId === b.incarnationId

const leave = (reason: LeaveReason): Verdict => ({ _tag: "Leave", reason })

const reconcile = (owner: "first_started" | "none"): Verdict => ({
  _tag: "Abandon",
  writer: "reconciled_request",
  owner
})

const whenUnheld = (row: Sighting, then: Verdict): Verdict =>
  row.lease === "held" || (row.lease === "dead" && row.disposition === "externally_owned") ? leave("busy") : then

const startedOnce = (row: Sighting): Verdict => {
  switch (row.lease) {
    case "dead":
      return { _tag: "Abandon", writer: "sweep", owner: "holder" }
    case "held":
      return leave("busy")
    case "free":
    case "lapsed":
      return row.abandonRequested ? reconcile("first_started") : leave("outcome_unknown")
  }
}

const toRun = (row: Sighting): Verdict => {
  const unstartable = !row.started || row.engine === "missing"
  if (row.cancelRequested && unstartable) return { _tag: "Cancel" }
  if (row.maxAttempts !== undefined && row.nextAttempt > row.maxAttempts) return { _tag: "Exhausted" }
  if (row.early === true && !row.started) return leave("not_yet")
  return row.engine === "missing" ? leave("no_engine") : { _tag: "Run" }
}
