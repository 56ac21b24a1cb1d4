/**
 * What a process that closes owes its children, and how a debt is paid.
 *
 * Invariant: whatever order "start a child" and "stop the parent" commit in, the child is refused or it is owed a request.
 */
import { lifecycleOf } from "../../../machines/lifecycle.ts"
import type { EndState } from "../../../machines/process.ts"
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ClosePolicy, Registration } from "../../model/Registration.ts"
import type { Debt } from "../Children.ts"
import type { Change, Decision, Plan, ProcessRow, View, Write } from "../ProcessStore.ts"
import { accept, acceptWith } from "../ProcessStore.ts"
import * as Changes from "./change.ts"

/** That a process closes: what it says to its children, and whether it has ended. Units: epoch milliseconds, UTC. */
export interface Closing {
  readonly parentId: ProcessId
  readonly reason: string
  /** One that was only asked to stop owes nothing yet to children that are to be abandoned. */
  readonly hasEnded: boolean
  readonly atMs: number
}

/** How paying one debt ended. `not_needed`: the child has ended, or was asked before. */
export type PaymentOutcome = "asked" | "not_needed" | "paid_before"

/** Whether a change closes its process: it ends it, or is the first to ask it to stop. Every store asks this of every change. */
export const closingOf = ({ before, row }: Change): Closing | undefined => {
  const { snapshot } = row
  const isNews =
    snapshot.status === "done"
      ? before?.snapshot.status !== "done"
      : snapshot.context.cancelRequest !== undefined && before?.snapshot.context.cancelRequest === undefined
  return isNews ? closingOfRow(row) : undefined
}

/** What a child of this policy is owed; `undefined` when that is nothing. */
export const actionOf = (policy: ClosePolicy, { hasEnded }: Pick<Closing, "hasEnded">): Debt["action"] | undefined =>
  policy === "cancel" || (policy === "abandon" && hasEnded) ? policy : undefined

/** What a child that is registered under a closing parent is owed from its first moment on. */
export const owedAtBirth = (view: View, { id, parent }: Registration): ReadonlyArray<Write> => {
  const row = parent && view.row(parent.processId)
  const closing = row && closingOfRow(row)
  const action = closing && parent && actionOf(parent.closePolicy, closing)
  if (closing === undefined || action === undefined) return []
  const { parentId, reason } = closing
  return [{ _tag: "Owe", debt: { childId: id, parentId, action, reason, owedAtMs: view.nowMs } }]
}

/** What paying a debt touches. */
export const payPlan = (childId: ProcessId): Plan => ({ lock: [childId] })

/** Asks the child what its parent owes it to ask, and removes the debt, in one transaction; once, however often it is tried. */
export const pay =
  (childId: ProcessId) =>
  (view: View): Decision<PaymentOutcome, never> => {
    const debt = view.debt(childId)
    if (debt === undefined) return accept("paid_before")
    const paid: ReadonlyArray<Write> = [{ _tag: "PayDebt", childId }]
    const row = view.row(childId)
    if (row === undefined || !isNeeded(debt, row)) return acceptWith("not_needed", paid)
    return acceptWith("asked", paid, [Changes.append(Changes.of(row), factOf(debt, view.nowMs), view.nowMs)])
  }

const isNeeded = ({ action }: Debt, { snapshot: { status, context } }: ProcessRow): boolean =>
  status !== "done" && (action === "cancel" ? context.cancelRequest : context.abandonRequest) === undefined

const factOf = ({ action, childId, parentId, reason }: Debt, nowMs: number): Facts.Fact =>
  action === "cancel"
    ? Facts.cancelRequested(childId, reason)
    : Facts.abandonRequested(childId, { requestedBy: `process:${parentId}`, requestedAtMs: nowMs, reason })

const closingOfRow = ({ base, snapshot }: ProcessRow): Closing | undefined => {
  const { id: parentId } = base.registration
  const state = lifecycleOf(snapshot)
  if (state === "running" && snapshot.context.cancelRequest === undefined) return undefined
  const what = state === "running" ? "was asked to stop" : ends[state]
  return {
    parentId,
    reason: `parent ${parentId} ${what}`,
    hasEnded: state !== "running",
    atMs: snapshot.context.updatedAtMs
  }
}

const ends: Readonly<Record<EndState, string>> = {
  completed: "completed",
  failed: "failed",
  cancelled: "was cancelled",
  abandoned: "was abandoned"
}
