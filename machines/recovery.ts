/**
 * The sweep's verdict: what a recovery sweep may do with one row, and which question decided it. A total function.
 *
 * Invariant: no verdict rests on elapsed time alone. Owner-bound work that has begun is never run again; it is abandoned only
 * on proof that its holder died, or on a recorded request once its lease is free.
 */
import type { Owner } from "./process/types.ts"

/** Who may run a process, and whether it may be run again: declared by its producer, never guessed. */
export type Disposition = "rerunnable" | "owner_bound" | "externally_owned"

/**
 * The state of a row's lease.
 *
 * `free`: never held or released. `lapsed`: expired without a release, its holder not provably dead. `held`: unexpired, its
 * holder not provably dead. `dead`: not released, and its holder is proven dead, whether or not the lease has expired.
 */
export type LeaseState = "free" | "lapsed" | "held" | "dead"

/** Everything the verdict depends on. */
export interface RowFacts {
  readonly disposition: Disposition
  readonly terminal: boolean
  readonly started: boolean
  readonly lease: LeaseState
  readonly cancelRequested: boolean
  readonly abandonRequested: boolean
  /** The attempt that running it would be. */
  readonly nextAttempt: number
  readonly maxAttempts?: number
  /** Whether this host has the engine, in the version the row asks for. */
  readonly engine: "present" | "missing"
  /** Whether its registered start time is still to come. */
  readonly early?: boolean
  /** Whether the chart that is its body has anything to do; absent where its body is code, or has not begun. */
  readonly chart?: "busy" | "at_rest"
}

/**
 * What to do with the row, and the answer that decided it. Every verdict but `Leave` acts under a lease taken in the same
 * transaction.
 */
export type Verdict =
  | { readonly _tag: "Run"; readonly why: "runnable" | "holder_dead" | "lease_lapsed" }
  | { readonly _tag: "Cancel"; readonly why: "cancel_requested" }
  | { readonly _tag: "Exhausted"; readonly why: "attempts_exhausted" }
  | {
      readonly _tag: "Abandon"
      readonly why: "holder_dead"
      readonly writer: "sweep"
      readonly owner: "holder"
    }
  | {
      readonly _tag: "Abandon"
      readonly why: "abandon_requested"
      readonly writer: "reconciled_request"
      readonly owner: "first_started" | "none"
    }
  | { readonly _tag: "Leave"; readonly why: LeaveReason }

/** Why a row is left as it is. */
export type LeaveReason =
  | "settled"
  | "externally_owned"
  | "busy"
  | "outcome_unknown"
  | "no_engine"
  | "not_yet"
  /** Its chart waits for an event. */
  | "at_rest"

/**
 * Decides one row.
 *
 * The order of the questions is the rule: has it ended, who runs such work, who holds it, what was requested, may it run.
 */
export const verdict = (row: RowFacts): Verdict => {
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
 * When a sweep should next look at a row, in epoch milliseconds; `null` when only an event can move it.
 *
 * The lease plays no part: a sweep skips held rows, and finds dead holders on its own.
 */
export const dueAtMs = (row: {
  readonly disposition: Disposition
  readonly terminal: boolean
  readonly started: boolean
  readonly waiting: boolean
  /** Whether the chart that is its body has anything to do; absent where its body is code. */
  readonly chart?: "busy" | "at_rest"
  /** Whether only the end of a wait gives it work: it has not begun, or it left memory to wait. */
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
  if (row.chart !== undefined) return row.chart === "busy" ? row.nowMs : null
  if (row.dormant && (row.waiting || row.started)) return null
  return row.started ? row.nowMs : Math.max(row.startAtMs ?? 0, row.nowMs)
}

/** Whether two identities are the same life of the same owner; evidence of liveness takes no part in it. */
export const sameIncarnation = (a: Owner, b: Owner): boolean =>
  a.ownerId === b.ownerId && a.incarnationId === b.incarnationId

const leave = (why: LeaveReason): Verdict => ({ _tag: "Leave", why })

const reconcile = (owner: "first_started" | "none"): Verdict => ({
  _tag: "Abandon",
  why: "abandon_requested",
  writer: "reconciled_request",
  owner
})

const whenUnheld = (row: RowFacts, then: Verdict): Verdict =>
  row.lease === "held" || (row.lease === "dead" && row.disposition === "externally_owned") ? leave("busy") : then

const startedOnce = (row: RowFacts): Verdict => {
  switch (row.lease) {
    case "dead":
      return { _tag: "Abandon", why: "holder_dead", writer: "sweep", owner: "holder" }
    case "held":
      return leave("busy")
    case "free":
    case "lapsed":
      return row.abandonRequested ? reconcile("first_started") : leave("outcome_unknown")
  }
}

const toRun = (row: RowFacts): Verdict => {
  const isExhausted = row.maxAttempts !== undefined && row.nextAttempt > row.maxAttempts
  const willNotRun = !row.started || row.engine === "missing" || isExhausted
  if (row.cancelRequested && willNotRun) return { _tag: "Cancel", why: "cancel_requested" }
  if (isExhausted) return { _tag: "Exhausted", why: "attempts_exhausted" }
  if (row.early === true && !row.started) return leave("not_yet")
  if (row.chart === "at_rest" && !row.cancelRequested) return leave("at_rest")
  return row.engine === "missing" ? leave("no_engine") : { _tag: "Run", why: runs[row.lease] }
}

/** By the lease; what is held is never run. */
const runs = { free: "runnable", held: "runnable", lapsed: "lease_lapsed", dead: "holder_dead" } as const
