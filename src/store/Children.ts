/**
 * The children of a process, found by an index, and what a process that closes owes them.
 *
 * ```
 * parent ends, or is asked to stop ─► same commit: one debt for each child that runs ─► the child is asked, the debt is gone
 * ```
 * Invariant: a debt is written by the commit that closes the parent, and removed by the commit that asks the child.
 */
import type * as Effect from "effect/Effect"
import type { EndState } from "../../machines/process/types.ts"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ClosePolicy } from "../model/Registration.ts"

/** A child as its parent's index shows it. */
export interface ChildSummary {
  readonly processId: ProcessId
  readonly closePolicy: ClosePolicy
  readonly lifecycle: "running" | EndState
}

/** What a process that closes still owes one child. Units: epoch milliseconds, UTC. */
export interface CloseRequest {
  readonly childId: ProcessId
  readonly parentId: ProcessId
  readonly action: "cancel" | "abandon"
  /** What the child will be told: "parent …", and what became of it. */
  readonly reason: string
  readonly requestedAtMs: number
}

/** The reads of children and debts, each answered from an index. */
export interface ChildReads {
  /** The children of a process, ended ones included, ascending by id; empty for an unknown process. */
  readonly of: (parent: ProcessId) => Effect.Effect<ReadonlyArray<ChildSummary>, StoreError>
  /** What is owed to anybody, at most `limit`, in the order in which the children were registered. */
  readonly closeRequests: (limit: number) => Effect.Effect<ReadonlyArray<CloseRequest>, StoreError>
  /** What one process still owes, in the order in which its children were registered. */
  readonly closeRequestsOf: (parent: ProcessId) => Effect.Effect<ReadonlyArray<CloseRequest>, StoreError>
  /** A number that grows whenever this store writes debts: a hint, on which nothing correct depends. */
  readonly closeRequestsWritten: () => number
}

/** What a decision may know about debts. */
export interface ChildView {
  /** What is owed to a child. */
  readonly closeRequest: (childId: ProcessId) => CloseRequest | undefined
  /** Whether a process still owes anything. */
  readonly owesCloseRequests: (parentId: ProcessId) => boolean
}

/** Writes of debts that a decision asks for. What an end owes is no such write: the store sees every end by itself. */
export type ChildWrite =
  | { readonly _tag: "Owe"; readonly debt: CloseRequest }
  | { readonly _tag: "PayDebt"; readonly childId: ProcessId }
