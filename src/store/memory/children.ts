/**
 * Children in memory: the index from a parent to its children, and the pending close requests.
 */
import * as Effect from "effect/Effect"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ChildReads, ChildSummary } from "../Children.ts"
import { actionOf, closingOf } from "../Children.ts"
import type { Change, ChildView, ChildWrite, CloseRequest, ProcessRow } from "../Decision.ts"

/** The rows that these children are among. */
export type Rows = ReadonlyMap<ProcessId, ProcessRow>

/** Children by their parent, in order of registration, and the pending request for each. */
export interface ChildState {
  readonly childrenOf: Map<ProcessId, Set<ProcessId>>
  /** By the child: it has one parent. */
  readonly requests: Map<ProcessId, CloseRequest>
  closeRequestsWritten: number
}

/** Makes an empty index. */
export const make = (): ChildState => ({ childrenOf: new Map(), requests: new Map(), closeRequestsWritten: 0 })

/** Follows a change that the rows contain already: lists a new child, and puts the requests of a closing parent. */
export const follow = (state: ChildState, rows: Rows, change: Change): void => {
  const { id, parent } = change.row.base.registration
  if (change.before === undefined && parent !== undefined) {
    state.childrenOf.set(parent.processId, (state.childrenOf.get(parent.processId) ?? new Set()).add(id))
  }
  const closing = closingOf(change)
  if (closing === undefined) return
  const { parentId, reason, atMs } = closing
  for (const { processId: childId, closePolicy, lifecycle } of summariesOf(state, rows, parentId)) {
    const action = lifecycle === "running" ? actionOf(closePolicy, closing) : undefined
    if (action !== undefined) put(state, { childId, parentId, action, reason, requestedAtMs: atMs })
  }
}

/** Applies a write of a request. */
export const write = (state: ChildState, asked: ChildWrite): void => {
  if (asked._tag === "PutCloseRequest") put(state, asked.request)
  else state.requests.delete(asked.childId)
}

/** Forgets a process that is pruned; its row is still among the rows. */
export const forget = (state: ChildState, rows: Rows, id: ProcessId): void => {
  const parent = rows.get(id)?.base.registration.parent
  const siblings = parent && state.childrenOf.get(parent.processId)
  siblings?.delete(id)
  if (parent !== undefined && siblings?.size === 0) state.childrenOf.delete(parent.processId)
  state.requests.delete(id)
}

/** What a decision sees. */
export const viewOf = (state: ChildState): ChildView => ({
  closeRequest: (childId) => state.requests.get(childId),
  hasCloseRequests: (parentId) => requestsOf(state, parentId).length > 0
})

/** The reads of the store contract. */
export const reads = (state: ChildState, rows: Rows, order: (a: string, b: string) => number): ChildReads => ({
  of: (parent) => Effect.sync(() => summariesOf(state, rows, parent).sort((a, b) => order(a.processId, b.processId))),
  closeRequests: (limit) => Effect.sync(() => [...state.requests.values()].slice(0, limit)),
  closeRequestsOf: (parent) => Effect.sync(() => requestsOf(state, parent)),
  closeRequestsWritten: () => state.closeRequestsWritten
})

/** One request is enough: what a child is asked for depends on its policy only. */
const put = (state: ChildState, request: CloseRequest): void => {
  if (state.requests.has(request.childId)) return
  state.requests.set(request.childId, request)
  state.closeRequestsWritten++
}

const summariesOf = (state: ChildState, rows: Rows, parent: ProcessId): Array<ChildSummary> =>
  [...(state.childrenOf.get(parent) ?? [])].flatMap((processId) => {
    const row = rows.get(processId)
    const closePolicy = row?.base.registration.parent?.closePolicy
    return row === undefined || closePolicy === undefined
      ? []
      : [{ processId, closePolicy, lifecycle: lifecycleOf(row.snapshot) }]
  })

const requestsOf = (state: ChildState, parent: ProcessId): ReadonlyArray<CloseRequest> =>
  [...(state.childrenOf.get(parent) ?? [])].flatMap((id) => state.requests.get(id) ?? [])
