/**
 * The children of a process, found by an index, and the close requests that a closing parent leaves for them.
 *
 * ```
 * parent ends, or is asked to stop ─► same commit: a close request for each running child ─► dispatched to the child, removed
 * ```
 * Invariant: the commit that closes the parent writes the request, and the commit that asks the child removes it.
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

/** A request that a closing parent has still to make of one child. Units: epoch milliseconds, UTC. */
export interface CloseRequest {
  readonly childId: ProcessId
  readonly parentId: ProcessId
  readonly action: "cancel" | "abandon"
  /** The reason that the child will record: "parent …", and how the parent closed. */
  readonly reason: string
  readonly requestedAtMs: number
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

/** What a decision may know about close requests. */
export interface ChildView {
  /** The pending request for a child. */
  readonly closeRequest: (childId: ProcessId) => CloseRequest | undefined
  /** Whether a parent has requests pending. */
  readonly hasCloseRequests: (parentId: ProcessId) => boolean
}

/** Writes of close requests that a decision asks for. The store itself writes those of every end that it sees. */
export type ChildWrite =
  | { readonly _tag: "PutCloseRequest"; readonly request: CloseRequest }
  | { readonly _tag: "RemoveCloseRequest"; readonly childId: ProcessId }
