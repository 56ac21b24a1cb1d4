/**
 * Retention: ended processes are removed whole, and leave a tombstone without payload.
 */
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Decision, View, Write } from "../../store/Decision.ts"
import { acceptWith } from "../../store/Decision.ts"
import type { Candidate } from "../../store/ProcessStore.ts"

/** What one batch of a prune removed, and what it kept because it had changed meanwhile, or has work pending. */
export interface PruneBatch {
  readonly pruned: ReadonlyArray<{ readonly processId: ProcessId; readonly events: number }>
  readonly moved: ReadonlyArray<ProcessId>
  /** Kept because wakes are undelivered, or close requests for its children are pending. */
  readonly pending: ReadonlyArray<{
    readonly processId: ProcessId
    readonly reason: "owes_children" | "undelivered_wakes"
  }>
}

/** Removes ended processes that have not changed since they were chosen. A process that runs is never touched. */
export const prune =
  (candidates: ReadonlyArray<Candidate>) =>
  (view: View): Decision<PruneBatch, never> => {
    const pruned: Array<PruneBatch["pruned"][number]> = []
    const moved: Array<ProcessId> = []
    const pending: Array<PruneBatch["pending"][number]> = []
    const writes: Array<Write> = []
    for (const { processId, sequence } of candidates) {
      const row = view.row(processId)
      const state = row && lifecycleOf(row.snapshot)
      if (row === undefined || state === undefined || state === "running" || row.sequence !== sequence) {
        moved.push(processId)
        continue
      }
      const reason = view.hasCloseRequests(processId)
        ? "owes_children"
        : view.outbox.hasUndelivered(processId)
          ? "undelivered_wakes"
          : undefined
      if (reason !== undefined) {
        pending.push({ processId, reason })
        continue
      }
      const before = view.tombstone(processId)
      pruned.push({ processId, events: row.sequence - (before?.lastSequence ?? 0) })
      writes.push({
        _tag: "Prune",
        tombstone: {
          processId,
          terminalState: state,
          prunedAtMs: view.nowMs,
          lastSequence: row.sequence,
          lastFence: row.lease.fencingToken,
          compacted: false
        }
      })
    }
    return acceptWith({ pruned, moved, pending }, writes)
  }

/** Compacts tombstones: their ids may be registered again. */
export const compact =
  (ids: ReadonlyArray<ProcessId>) =>
  (view: View): Decision<ReadonlyArray<ProcessId>, never> => {
    const compacted = ids.filter((id) => view.tombstone(id)?.compacted === false)
    return acceptWith(
      compacted,
      compacted.map((processId) => ({ _tag: "Compact", processId }) as const)
    )
  }
