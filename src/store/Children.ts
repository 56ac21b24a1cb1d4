/**
 * The children of a process, found by an index, and the close requests that a closing parent leaves for them.
 *
 * ```
 * parent ends, or is asked to stop ─► same commit: a close request for each running child ─► dispatched to the child, removed
 * ```
 * Invariant: the commit that closes the parent writes the request, and the commit that asks the child removes it.
 */
import type * as Effect from "effect/Effect"
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { EndState } from "../../machines/process/types.ts"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ClosePolicy } from "../model/Registration.ts"
import type { Change, CloseRequest, ProcessRow } from "./Decision.ts"

/** A child as its parent's index shows it. */
export interface ChildSummary {
  readonly processId: ProcessId
  readonly closePolicy: ClosePolicy
  readonly lifecycle: "running" | EndState
}

/** The reads of children and close requests, each answered from an index. */
export interface ChildReads {
  /** The children of a process, ended ones included, ascending by id; empty for an unknown process. */
  readonly of: (parent: ProcessId) => Effect.Effect<ReadonlyArray<ChildSummary>, StoreError>
  /** All pending requests, at most `limit`, in the order in which the children were registered. */
  readonly closeRequests: (limit: number) => Effect.Effect<ReadonlyArray<CloseRequest>, StoreError>
  /** The pending requests of one parent, in the order in which its children were registered. */
  readonly closeRequestsOf: (parent: ProcessId) => Effect.Effect<ReadonlyArray<CloseRequest>, StoreError>
  /** A number that grows whenever this store writes requests: a hint, on which nothing correct depends. */
  readonly closeRequestsWritten: () => number
}

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
