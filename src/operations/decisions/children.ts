/**
 * The close requests of a parent: written for a child that is registered late, and dispatched to the child.
 *
 * Invariant: whatever order "start a child" and "stop the parent" commit in, the child is refused or a request is pending.
 */
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Registration } from "../../model/Registration.ts"
import { actionOf, closingOfRow } from "../../store/Children.ts"
import type { CloseRequest, Decision, Plan, ProcessRow, View, Write } from "../../store/Decision.ts"
import { accept, acceptWith } from "../../store/Decision.ts"
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
