/**
 * What parents and children learn of each other: the end of a child, in its parent's log; the close requests of a parent,
 * written for a child that is registered late, and dispatched to the child.
 *
 * Invariant: the commit that ends a child tells its running parent. Whatever order "start a child" and "stop the parent" commit in, the child is refused or a request is pending.
 */
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { EndState } from "../../../machines/process/types.ts"
import type { LeaseLost, ProcessPruned } from "../../model/errors.ts"
import { ProcessUnknown } from "../../model/errors.ts"
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Lease } from "../../model/Lease.ts"
import type { Registration } from "../../model/Registration.ts"
import { actionOf, closingOfRow } from "../../store/Children.ts"
import type { Change, CloseRequest, Decision, Plan, ProcessRow, View, Write } from "../../store/Decision.ts"
import { accept, acceptWith, refuse } from "../../store/Decision.ts"
import { prunedIn } from "../existing.ts"
import { onLease } from "./authority.ts"
import * as Changes from "./change.ts"

/** How dispatching one request ended. `not_needed`: the child has ended, or was asked by another caller. */
export type DispatchOutcome = "asked" | "not_needed" | "none_pending"

/** The close request for a child that is registered while its parent is closing. */
export const requestsAtRegistration = (view: View, { id, parent }: Registration): ReadonlyArray<Write> => {
  const row = parent && view.row(parent.processId)
  const closing = row && closingOfRow(row)
  const action = closing && parent && actionOf(parent.closePolicy, closing)
  if (closing === undefined || action === undefined) return []
  const { parentId, reason } = closing
  return [{ _tag: "PutCloseRequest", request: { childId: id, parentId, action, reason, requestedAtMs: view.nowMs } }]
}

/**
 * A change that ends a process, with what its running parent learns of it in the same commit: the end of a child has a place
 * in its parent's log, among the ends of everything else that the parent's body waits for.
 */
export const withParent = (view: View, change: Change): ReadonlyArray<Change> => {
  const { registration } = change.row.base
  const parent = registration.parent && view.row(registration.parent.processId)
  const state = lifecycleOf(change.row.snapshot)
  if (state === "running" || parent === undefined || lifecycleOf(parent.snapshot) !== "running") return [change]
  return [change, childEnded(Changes.of(parent), change.row, state, view.nowMs)]
}

/** Notes in the log of a running process how another one ended, unless it is there: for a child that ended without that. */
export const noteEnd = (
  lease: Lease,
  childId: ProcessId
): ((view: View) => Decision<"noted" | "running", LeaseLost | ProcessUnknown | ProcessPruned>) =>
  onLease(lease, (row, view): Decision<"noted" | "running", ProcessUnknown | ProcessPruned> => {
    const child = view.row(childId)
    if (child === undefined) return refuse(prunedIn(view, childId) ?? new ProcessUnknown({ processId: childId }))
    const state = lifecycleOf(child.snapshot)
    if (state === "running") return accept("running")
    const key = Facts.childEndedKey(lease.processId, childId, child.base.createdAtMs)
    return view.replayed(lease.processId, key) === undefined
      ? accept("noted", childEnded(Changes.of(row), child, state, view.nowMs))
      : accept("noted")
  })

const childEnded = (parent: Change, { base }: ProcessRow, state: EndState, nowMs: number): Change => {
  const { id: childId } = base.registration
  const fact = Facts.childEnded(parent.row.base.registration.id, { childId, state, createdAtMs: base.createdAtMs })
  return Changes.appendFact(parent, fact, nowMs)
}

/** What dispatching a request touches. */
export const dispatchPlan = (childId: ProcessId): Plan => ({ lock: [childId] })

/** Makes the request of the child and removes it, in one transaction; once, however often it is tried. */
export const dispatch =
  (childId: ProcessId) =>
  (view: View): Decision<DispatchOutcome, never> => {
    const request = view.closeRequest(childId)
    if (request === undefined) return accept("none_pending")
    const removal: ReadonlyArray<Write> = [{ _tag: "RemoveCloseRequest", childId }]
    const row = view.row(childId)
    if (row === undefined || !isNeeded(request, row)) return acceptWith("not_needed", removal)
    return acceptWith("asked", removal, [Changes.appendFact(Changes.of(row), factOf(request, view.nowMs), view.nowMs)])
  }

const isNeeded = ({ action }: CloseRequest, { snapshot: { status, context } }: ProcessRow): boolean =>
  status !== "done" && (action === "cancel" ? context.cancelRequest : context.abandonRequest) === undefined

const factOf = ({ action, childId, parentId, reason }: CloseRequest, nowMs: number): Facts.Fact =>
  action === "cancel"
    ? Facts.cancelRequested(childId, reason)
    : Facts.abandonRequested(childId, { requestedBy: `process:${parentId}`, requestedAtMs: nowMs, reason })
