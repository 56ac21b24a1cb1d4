/**
 * That a process closes: it has ended, or it was asked to stop. Every store asks this of every change.
 *
 * Invariant: what a child is owed follows from how its parent closed and from the child's close policy alone.
 */
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { EndState } from "../../machines/process/types.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ClosePolicy } from "../model/Registration.ts"
import type { CloseRequest } from "./Children.ts"
import type { Change, ProcessRow } from "./Decision.ts"

/** That a process closes: what it says to its children, and whether it has ended. Units: epoch milliseconds, UTC. */
export interface Closing {
  readonly parentId: ProcessId
  readonly reason: string
  /** One that was only asked to stop owes nothing yet to children that are to be abandoned. */
  readonly hasEnded: boolean
  readonly atMs: number
}

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
export const actionOf = (
  policy: ClosePolicy,
  { hasEnded }: Pick<Closing, "hasEnded">
): CloseRequest["action"] | undefined =>
  policy === "cancel" || (policy === "abandon" && hasEnded) ? policy : undefined

/** That a process is closing, by its row; `undefined` while it runs and was not asked to stop. */
export const closingOfRow = ({ base, snapshot }: ProcessRow): Closing | undefined => {
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
