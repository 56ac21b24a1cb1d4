/**
 * The closing of a process: it has ended, or it was asked to stop. Every store looks for it in every change.
 *
 * Invariant: the request for a child follows from how its parent closed and from the child's close policy alone.
 */
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { EndState } from "../../machines/process/types.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ClosePolicy } from "../model/Registration.ts"
import type { CloseRequest } from "./Children.ts"
import type { Change, ProcessRow } from "./Decision.ts"

/** How a process closes: the reason for its children, and whether it has ended. Units: epoch milliseconds, UTC. */
export interface Closing {
  readonly parentId: ProcessId
  readonly reason: string
  /** A parent that was only asked to stop does not abandon children yet. */
  readonly hasEnded: boolean
  readonly atMs: number
}

/** The closing that a change brings: it ends its process, or is the first to ask it to stop. Otherwise `undefined`. */
export const closingOf = ({ before, row }: Change): Closing | undefined => {
  const { snapshot } = row
  const isNews =
    snapshot.status === "done"
      ? before?.snapshot.status !== "done"
      : snapshot.context.cancelRequest !== undefined && before?.snapshot.context.cancelRequest === undefined
  return isNews ? closingOfRow(row) : undefined
}

/** The request for a child of this policy; `undefined` when there is none. */
export const actionOf = (
  policy: ClosePolicy,
  { hasEnded }: Pick<Closing, "hasEnded">
): CloseRequest["action"] | undefined =>
  policy === "cancel" || (policy === "abandon" && hasEnded) ? policy : undefined

/** How a process is closing, by its row; `undefined` while it runs and was not asked to stop. */
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
