/**
 * What a process that closes owes its children, and how a debt is paid.
 *
 * Invariant: whatever order "start a child" and "stop the parent" commit in, the child is refused or it is owed a request.
 */
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Registration } from "../../model/Registration.ts"
import type { CloseRequest } from "../../store/Children.ts"
import { actionOf, closingOfRow } from "../../store/closing.ts"
import type { Decision, Plan, ProcessRow, View, Write } from "../../store/Decision.ts"
import { accept, acceptWith } from "../../store/Decision.ts"
import * as Changes from "./change.ts"

/** How paying one debt ended. `not_needed`: the child has ended, or was asked before. */
export type DispatchOutcome = "asked" | "not_needed" | "paid_before"

/** What a child that is registered under a closing parent is owed from its first moment on. */
export const requestsAtRegistration = (view: View, { id, parent }: Registration): ReadonlyArray<Write> => {
  const row = parent && view.row(parent.processId)
  const closing = row && closingOfRow(row)
  const action = closing && parent && actionOf(parent.closePolicy, closing)
  if (closing === undefined || action === undefined) return []
  const { parentId, reason } = closing
  return [{ _tag: "Owe", debt: { childId: id, parentId, action, reason, requestedAtMs: view.nowMs } }]
}

/** What paying a debt touches. */
export const dispatchPlan = (childId: ProcessId): Plan => ({ lock: [childId] })

/** Asks the child what its parent owes it to ask, and removes the debt, in one transaction; once, however often it is tried. */
export const dispatch =
  (childId: ProcessId) =>
  (view: View): Decision<DispatchOutcome, never> => {
    const debt = view.closeRequest(childId)
    if (debt === undefined) return accept("paid_before")
    const paid: ReadonlyArray<Write> = [{ _tag: "PayDebt", childId }]
    const row = view.row(childId)
    if (row === undefined || !isNeeded(debt, row)) return acceptWith("not_needed", paid)
    return acceptWith("asked", paid, [Changes.append(Changes.of(row), factOf(debt, view.nowMs), view.nowMs)])
  }

const isNeeded = ({ action }: CloseRequest, { snapshot: { status, context } }: ProcessRow): boolean =>
  status !== "done" && (action === "cancel" ? context.cancelRequest : context.abandonRequest) === undefined

const factOf = ({ action, childId, parentId, reason }: CloseRequest, nowMs: number): Facts.Fact =>
  action === "cancel"
    ? Facts.cancelRequested(childId, reason)
    : Facts.abandonRequested(childId, { requestedBy: `process:${parentId}`, requestedAtMs: nowMs, reason })
