/**
 * Children and debts in memory: the index from a parent to its children, and what is owed to whom.
 */
import * as Effect from "effect/Effect"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ChildReads, ChildSummary, ChildView, ChildWrite, CloseRequest } from "../Children.ts"
import { actionOf, closingOf } from "../closing.ts"
import type { Change, ProcessRow } from "../Decision.ts"

/** The rows that these children are among. */
export type Rows = ReadonlyMap<ProcessId, ProcessRow>

/** Who is whose child, in order of registration, and what is owed to each. */
export interface Kin {
  readonly childrenOf: Map<ProcessId, Set<ProcessId>>
  /** By the child: it has one parent. */
  readonly debts: Map<ProcessId, CloseRequest>
  closeRequestsWritten: number
}

/** Makes an empty index. */
export const make = (): Kin => ({ childrenOf: new Map(), debts: new Map(), closeRequestsWritten: 0 })

/** Takes a change over that stands in the rows already: a new child, or an end and what it owes. */
export const follow = (kin: Kin, rows: Rows, change: Change): void => {
  const { id, parent } = change.row.base.registration
  if (change.before === undefined && parent !== undefined) {
    kin.childrenOf.set(parent.processId, (kin.childrenOf.get(parent.processId) ?? new Set()).add(id))
  }
  const closing = closingOf(change)
  if (closing === undefined) return
  const { parentId, reason, atMs } = closing
  for (const { processId: childId, closePolicy, lifecycle } of sightsOf(kin, rows, parentId)) {
    const action = lifecycle === "running" ? actionOf(closePolicy, closing) : undefined
    if (action !== undefined) owe(kin, { childId, parentId, action, reason, requestedAtMs: atMs })
  }
}

/** Takes a write of a debt over. */
export const write = (kin: Kin, asked: ChildWrite): void => {
  if (asked._tag === "Owe") owe(kin, asked.debt)
  else kin.debts.delete(asked.childId)
}

/** Forgets a process that is pruned; its row is still among the rows. */
export const forget = (kin: Kin, rows: Rows, id: ProcessId): void => {
  const parent = rows.get(id)?.base.registration.parent
  const siblings = parent && kin.childrenOf.get(parent.processId)
  siblings?.delete(id)
  if (parent !== undefined && siblings?.size === 0) kin.childrenOf.delete(parent.processId)
  kin.debts.delete(id)
}

/** What a decision sees. */
export const viewOf = (kin: Kin): ChildView => ({
  closeRequest: (childId) => kin.debts.get(childId),
  owesCloseRequests: (parentId) => owedBy(kin, parentId).length > 0
})

/** The reads of the store contract. */
export const reads = (kin: Kin, rows: Rows, order: (a: string, b: string) => number): ChildReads => ({
  of: (parent) => Effect.sync(() => sightsOf(kin, rows, parent).sort((a, b) => order(a.processId, b.processId))),
  closeRequests: (limit) => Effect.sync(() => [...kin.debts.values()].slice(0, limit)),
  closeRequestsOf: (parent) => Effect.sync(() => owedBy(kin, parent)),
  closeRequestsWritten: () => kin.closeRequestsWritten
})

/** One debt is enough: what a child is asked for depends on its policy only. */
const owe = (kin: Kin, debt: CloseRequest): void => {
  if (kin.debts.has(debt.childId)) return
  kin.debts.set(debt.childId, debt)
  kin.closeRequestsWritten++
}

const sightsOf = (kin: Kin, rows: Rows, parent: ProcessId): Array<ChildSummary> =>
  [...(kin.childrenOf.get(parent) ?? [])].flatMap((processId) => {
    const row = rows.get(processId)
    const closePolicy = row?.base.registration.parent?.closePolicy
    return row === undefined || closePolicy === undefined
      ? []
      : [{ processId, closePolicy, lifecycle: lifecycleOf(row.snapshot) }]
  })

const owedBy = (kin: Kin, parent: ProcessId): ReadonlyArray<CloseRequest> =>
  [...(kin.childrenOf.get(parent) ?? [])].flatMap((id) => kin.debts.get(id) ?? [])
