/**
 * Activations: one run of a body under one lease, from `process.started` to an end or a hand-back.
 */
import { isActive, isStarted, lifecycleOf, nextAttempt } from "../../../machines/process/lifecycle.ts"
import type { LeaseLost } from "../../model/errors.ts"
import { EventRejected, ProcessAlreadyTerminal, ProcessUnknown } from "../../model/errors.ts"
import type { SuspendReason } from "../../model/facts.ts"
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import * as Ids from "../../model/ids.ts"
import type { Lease, LeaseOwner } from "../../model/Lease.ts"
import type { Change, Decision, Plan, ProcessRow, View } from "../../store/Decision.ts"
import { accept, refuse } from "../../store/Decision.ts"
import { leaseRefusal } from "./authority.ts"
import * as Changes from "./change.ts"

/** Appends the fact that an activation begins, under the lease that the change holds. */
export const begun = (
  change: Change,
  owner: LeaseOwner,
  nowMs: number,
  { startedAtMs = nowMs, trace }: { readonly startedAtMs?: number; readonly trace?: string | undefined } = {}
): Change => {
  const { base, snapshot, lease } = change.row
  const fact = Facts.started(base.registration.id, snapshot.context.activations + 1, {
    owner,
    startedAtMs,
    attempt: nextAttempt(snapshot),
    fencingToken: lease.fencingToken,
    ...(trace === undefined ? {} : { trace })
  })
  return Changes.append(change, fact, nowMs)
}

/** What beginning an activation touches. */
export const beginPlan = (lease: Lease, activation: number): Plan => ({
  lock: [lease.processId],
  replays: [{ processId: lease.processId, key: Ids.startedReplayKey(lease.processId, activation) }]
})

/**
 * Begins the activation that the worker expects to be the next one.
 *
 * The same activation under the same fence is a replay; another one's is a conflict, which means somebody else began it.
 */
export const begin =
  (lease: Lease, activation: number, owner: LeaseOwner) =>
  (view: View): Decision<ProcessRow, ProcessUnknown | ProcessAlreadyTerminal | LeaseLost | EventRejected> => {
    const id = lease.processId
    const row = view.row(id)
    if (row === undefined) return refuse(new ProcessUnknown({ processId: id }))
    const earlier = view.replayed(id, Ids.startedReplayKey(id, activation))
    if (earlier !== undefined) {
      return startedUnder(earlier.payload) === lease.fencingToken ? accept(row) : refuse(conflict(id, activation))
    }
    const refusal = leaseRefusal(row, lease, view.nowMs)
    if (refusal !== undefined) return refuse(refusal)
    const state = lifecycleOf(row.snapshot)
    if (state !== "running") return refuse(new ProcessAlreadyTerminal({ processId: id, state }))
    if (row.snapshot.context.activations + 1 !== activation) return refuse(conflict(id, activation))
    const change = begun(Changes.of(row), owner, view.nowMs)
    return accept(change.row, change)
  }

/** Records who started a process first; later calls change nothing. Also accepted after the end. */
export const recordFirstStarted =
  (id: ProcessId, first: { readonly owner: LeaseOwner; readonly startedAtMs: number }) =>
  (view: View): Decision<ProcessRow, ProcessUnknown> => {
    const row = view.row(id)
    if (row === undefined) return refuse(new ProcessUnknown({ processId: id }))
    if (isStarted(row.snapshot)) return accept(row)
    const change = begun(Changes.of(row), first.owner, view.nowMs, { startedAtMs: first.startedAtMs })
    return accept(change.row, change)
  }

/** Hands an activation back, with its lease: the next one goes on with the same attempt. */
export const suspend =
  (lease: Lease, reason: SuspendReason, parked: ReadonlyArray<string> = []) =>
  (view: View): Decision<ProcessRow, ProcessUnknown | LeaseLost> => {
    const row = view.row(lease.processId)
    if (row === undefined) return refuse(new ProcessUnknown({ processId: lease.processId }))
    const refusal = leaseRefusal(row, lease, view.nowMs)
    if (refusal !== undefined) return refuse(refusal)
    // A wait that ended while the body was being put away is news for it: then it is handed back, to go on at once.
    const open = new Set(row.snapshot.context.waits.map(({ kind }) => kind.key))
    const isNews = reason === "passivated" && !parked.every((key) => open.has(key))
    const fact = Facts.suspended(lease.processId, row.snapshot.context.activations, isNews ? "handed_back" : reason)
    const change = Changes.of(row)
    const handedBack = isActive(row.snapshot) ? Changes.append(change, fact, view.nowMs) : change
    const released = Changes.released(handedBack)
    return accept(released.row, released)
  }

const startedUnder = (payload: unknown): unknown =>
  (payload as { readonly started?: { readonly fencing_token?: unknown } }).started?.fencing_token

const conflict = (id: ProcessId, activation: number): EventRejected =>
  new EventRejected({
    processId: id,
    eventType: "process.started",
    reason: "replay_conflict",
    detail: `activation ${activation} conflicts with an existing event: somebody else began it`
  })
