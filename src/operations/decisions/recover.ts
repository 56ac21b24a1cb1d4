/**
 * Recovery of one row: look, decide by the verdict table, take the lease and act, all in one transaction.
 *
 * Nothing can change between the look and the act, so a verdict is never carried out on a row it was not made for.
 */
import * as BackOffs from "../../../machines/backOff.ts"
import { hasWork } from "../../../machines/chart/state.ts"
import { isStarted, nextAttempt } from "../../../machines/process/lifecycle.ts"
import type { LeaseState, LeaveReason, Verdict } from "../../../machines/recovery.ts"
import { sameIncarnation, verdict } from "../../../machines/recovery.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import * as Output from "../../model/AwaitOutput.ts"
import type { ProcessUnknown } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import { jsonEquals } from "../../model/json.ts"
import type { Lease, LeaseOwner } from "../../model/Lease.ts"
import { engineOf } from "../../model/Registration.ts"
import type { BackOff, Decision, ProcessRow, View } from "../../store/Decision.ts"
import { accept, runsAs } from "../../store/Decision.ts"
import * as Activation from "./activation.ts"
import { onRow } from "./authority.ts"
import * as Changes from "./change.ts"
import * as Children from "./children.ts"
import * as Completion from "./completion.ts"
import * as LeaseProtocol from "./lease.ts"

/** What a sweep brings to a row. */
export interface Recoverer {
  /** The worker's stable identity. */
  readonly owner: LeaseOwner
  /** A fresh identity for this attempt, so that a second sweep of the same worker is fenced by the first. */
  readonly claimant: LeaseProtocol.Claimant
  /** Holders that are proven dead. */
  readonly dead: ReadonlyArray<LeaseOwner>
  /** Whether this host can run the row: it has the engine and version, the payload decodes, a slot is free. */
  readonly engine: "present" | "missing"
}

/** What became of a row. `Run`: it is this worker's now, its activation begun. */
export type RecoveryOutcome =
  | { readonly _tag: "Run"; readonly row: ProcessRow; readonly lease: Lease }
  | { readonly _tag: "Ended"; readonly as: "cancelled" | "failed" | "abandoned" }
  | Deferred

/** A row that was left as it is. */
export interface Deferred {
  readonly _tag: "Deferred"
  readonly reason: LeftFor
}

/** Why a row was left, with what a reader needs to act on it: the owner id of its holder, the engine that is missing. */
export type LeftFor =
  | { readonly why: Exclude<LeaveReason, "busy" | "no_engine"> }
  | { readonly why: "busy"; readonly holder?: string }
  | { readonly why: "no_engine"; readonly kind: string; readonly version: string }

/** Decides and acts on one row. */
export const recover = (id: ProcessId, by: Recoverer): ((view: View) => Decision<RecoveryOutcome, ProcessUnknown>) =>
  onRow(id, (row, view): Decision<RecoveryOutcome, never> => {
    const decided = verdictOf(row, by, view.nowMs)
    if (decided._tag === "Leave") return accept(leftOf(row, decided.why))
    const taken = LeaseProtocol.acquire(Changes.of(row), by.claimant, view.nowMs)
    if (decided._tag === "Run") {
      const begun = Activation.begun(taken, by.owner, view.nowMs, { trace: by.claimant.trace })
      return accept({ _tag: "Run", row: begun.row, lease: LeaseProtocol.leaseOf(begun) } as const, begun)
    }
    const output = outputOf(decided, row, view.nowMs)
    const change = Completion.ended(taken, output, view.nowMs)
    const as = Output.endStateOf(output) as "cancelled" | "failed" | "abandoned" // a verdict never completes
    return accept({ _tag: "Ended", as } as const, ...Children.withParent(view, change))
  })

/** Leaves a row as it is. */
export const leftOf = (row: ProcessRow, why: LeaveReason): Deferred => {
  switch (why) {
    case "busy": {
      const holder = row.lease.held?.owner.ownerId
      return { _tag: "Deferred", reason: { why, ...(holder === undefined ? {} : { holder }) } }
    }
    case "no_engine":
      return { _tag: "Deferred", reason: { why, ...engineOf(runsAs(row)) } }
    default:
      return { _tag: "Deferred", reason: { why } }
  }
}

/** How long a row backs off after failures in a row to begin. */
const startBackOff: BackOffs.BackOffPolicy = { baseMs: 1_000, maxMs: 60_000 }

/**
 * Backs off a row whose start failed, unless a worker holds it or it ended meanwhile; answers until when. `before` is how often in
 * a row it failed before an activation that began, and could not go on either.
 */
export const backOff =
  (id: ProcessId, problem: string, before = 0) =>
  (view: View): Decision<BackOff | undefined, never> => {
    const row = view.row(id)
    if (row === undefined || row.dueAtMs === null || LeaseProtocol.liveLease(row, view.nowMs) !== undefined) {
      return accept(undefined)
    }
    const failures = (row.backOff?.failures ?? before) + 1
    const rest = {
      failures,
      untilMs: view.nowMs + BackOffs.delayMs(startBackOff, failures),
      problem: problem.slice(0, 500)
    }
    return accept(rest, Changes.backedOff(row, rest))
  }

/**
 * Gives up owner-bound work that this owner began and that no lease holds any more, with the owner's own evidence.
 *
 * `false`: not drained. A lease holds it, another owner began it, it was never begun, or it ended.
 */
export const drain =
  (id: ProcessId, by: Pick<Recoverer, "owner" | "claimant">) =>
  (view: View): Decision<boolean, never> => {
    const row = view.row(id)
    const first = row?.snapshot.context.firstStarted?.owner
    if (
      row === undefined ||
      row.snapshot.status === "done" ||
      row.base.registration.disposition !== "owner_bound" ||
      !jsonEquals(first, by.owner) ||
      LeaseProtocol.liveLease(row, view.nowMs) !== undefined
    ) {
      return accept(false)
    }
    const taken = LeaseProtocol.acquire(Changes.of(row), by.claimant, view.nowMs)
    const output = Output.abandoned({ writer: "owner_drain", owner: by.owner, epochMs: view.nowMs })
    const change = Completion.ended(taken, output, view.nowMs)
    return accept(true, ...Children.withParent(view, change))
  }

/** The verdict on a row in its present state. */
export const verdictOf = (row: ProcessRow, by: Pick<Recoverer, "dead" | "engine">, nowMs: number): Verdict => {
  const { registration } = row.base
  const { cancelRequest, abandonRequest, chart } = row.snapshot.context
  return verdict({
    disposition: registration.disposition,
    terminal: row.snapshot.status === "done",
    started: isStarted(row.snapshot),
    lease: leaseStateOf(row, by.dead, nowMs),
    cancelRequested: cancelRequest !== undefined,
    abandonRequested: abandonRequest !== undefined,
    nextAttempt: nextAttempt(row.snapshot),
    ...(registration.maxAttempts === undefined ? {} : { maxAttempts: registration.maxAttempts }),
    engine: by.engine,
    early: (registration.startAtMs ?? 0) > nowMs,
    ...(chart === undefined ? {} : { chart: hasWork(chart) ? "busy" : "at_rest" })
  })
}

const leaseStateOf = (row: ProcessRow, dead: ReadonlyArray<LeaseOwner>, nowMs: number): LeaseState => {
  const { held } = row.lease
  if (held === undefined) return "free"
  const lapsed = held.expiresAtMs <= nowMs
  // Evidence of death outlives the lease where a body may have run; external work was never run by its lease's holder.
  const counts = !lapsed || row.base.registration.disposition !== "externally_owned"
  if (counts && dead.some((owner) => sameIncarnation(owner, held.owner))) return "dead"
  return lapsed ? "lapsed" : "held"
}

const outputOf = (
  decided: Exclude<Verdict, { _tag: "Run" | "Leave" }>,
  row: ProcessRow,
  nowMs: number
): AwaitOutput => {
  switch (decided._tag) {
    case "Cancel":
      return Output.cancelled(row.snapshot.context.cancelRequest?.reason ?? "cancelled before it ran")
    case "Exhausted":
      return Output.failure(
        "resource_limit",
        "process_attempts_exhausted",
        `${row.snapshot.context.attempts} attempts left no result`
      )
    case "Abandon": {
      const owner =
        decided.owner === "holder"
          ? row.lease.held?.owner
          : decided.owner === "first_started"
            ? row.snapshot.context.firstStarted?.owner
            : undefined
      return Output.abandoned({ writer: decided.writer, epochMs: nowMs, ...(owner ? { owner } : {}) })
    }
  }
}
