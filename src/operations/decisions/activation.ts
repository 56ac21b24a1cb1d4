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
import { leaseRefusal, onRow, onRowUnder } from "./authority.ts"
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
    return Changes.accepted(begun(Changes.of(row), owner, view.nowMs))
  }

/** Records who started a process first; later calls change nothing. Also accepted after the end. */
export const recordFirstStarted = (
  id: ProcessId,
  { owner, startedAtMs }: { readonly owner: LeaseOwner; readonly startedAtMs: number }
): ((view: View) => Decision<ProcessRow, ProcessUnknown>) =>
  onRow(id, (row, { nowMs }) =>
    isStarted(row.snapshot) ? accept(row) : Changes.accepted(begun(Changes.of(row), owner, nowMs, { startedAtMs }))
  )

/** Hands an activation back, with its lease: the next one goes on with the same attempt. */
export const suspend = (
  lease: Lease,
  reason: SuspendReason,
  awaited: ReadonlyArray<string> = []
): ((view: View) => Decision<ProcessRow, ProcessUnknown | LeaseLost>) =>
  onRowUnder(lease.processId, { _tag: "Body", lease }, (row, { nowMs }) => {
    // A wait that ended during the passivation is news for the body: it is handed back, to go on at once.
    const open = new Set(row.snapshot.context.waits.map(({ kind }) => kind.key))
    const isNews = reason === "passivated" && !awaited.every((key) => open.has(key))
    const fact = Facts.suspended(lease.processId, row.snapshot.context.activations, isNews ? "handed_back" : reason)
    const change = Changes.of(row)
    return Changes.accepted(Changes.released(isActive(row.snapshot) ? Changes.append(change, fact, nowMs) : change))
  })

const startedUnder = (payload: unknown): unknown =>
  (payload as { readonly started?: { readonly fencing_token?: unknown } }).started?.fencing_token

const conflict = (id: ProcessId, activation: number): EventRejected =>
  new EventRejected({
    processId: id,
    eventType: "process.started",
    reason: "replay_conflict",
    detail: `activation ${activation} conflicts with an existing event: somebody else began it`
  })
