/**
 * Activations: one run of a body under one lease, from `process.started` to an end or a hand-back.
 */
import { isActive, isStarted, nextAttempt } from "../../../machines/process/lifecycle.ts"
import type { LeaseLost, ProcessUnknown } from "../../model/errors.ts"
import type { SuspendReason } from "../../model/facts.ts"
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { UnderWay } from "../../model/JournalEntry.ts"
import { keptOf, underWayKey } from "../../model/JournalEntry.ts"
import type { Lease, LeaseOwner } from "../../model/Lease.ts"
import type { Change, Decision, ProcessRow, View } from "../../store/Decision.ts"
import { accept, acceptWith } from "../../store/Decision.ts"
import { onRow, onRowUnder } from "./authority.ts"
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
  return Changes.appendFact(change, fact, nowMs)
}

/** Records who started a process first; later calls change nothing. Also accepted after the end. */
export const recordFirstStarted = (
  id: ProcessId,
  { owner, startedAtMs }: { readonly owner: LeaseOwner; readonly startedAtMs: number }
): ((view: View) => Decision<ProcessRow, ProcessUnknown>) =>
  onRow(id, (row, { nowMs }) =>
    isStarted(row.snapshot) ? accept(row) : Changes.accepted(begun(Changes.of(row), owner, nowMs, { startedAtMs }))
  )

/** What an activation waited for when it was passivated: the keys of its waits, and children. */
export interface Awaited {
  readonly waits?: ReadonlyArray<string>
  readonly children?: ReadonlyArray<ProcessId>
  /** What of the body was under way, for people: it is kept with the hand-back. */
  readonly underWay?: ReadonlyArray<UnderWay>
}

/** Hands an activation back, with its lease: the next one goes on with the same attempt. */
export const suspend = (
  lease: Lease,
  reason: SuspendReason,
  { waits = [], children = [], underWay = [] }: Awaited = {}
): ((view: View) => Decision<ProcessRow, ProcessUnknown | LeaseLost>) =>
  onRowUnder(lease.processId, { _tag: "Body", lease }, (row, { nowMs, row: rowOf }) => {
    // What ended during the passivation is news for the body: it is handed back, to go on at once.
    const open = new Set(row.snapshot.context.waits.map(({ kind }) => kind.key))
    const isOver = (child: ProcessId): boolean => rowOf(child)?.snapshot.status !== "active"
    const isNews = reason === "passivated" && (!waits.every((key) => open.has(key)) || children.some(isOver))
    const fact = Facts.suspended(lease.processId, row.snapshot.context.activations, isNews ? "handed_back" : reason)
    const change = Changes.of(row)
    const released = Changes.released(isActive(row.snapshot) ? Changes.appendFact(change, fact, nowMs) : change)
    if (underWay.length === 0) return Changes.accepted(released)
    const progress = { key: underWayKey, atMs: nowMs, detail: JSON.stringify(keptOf(row.lease.fencingToken, underWay)) }
    return acceptWith(released.row, [{ _tag: "PutProgress", processId: lease.processId, progress }], [released])
  })
