/**
 * Retention: ended processes are removed whole, and leave a tombstone without payload.
 */
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Decision, View, Write } from "../../store/Decision.ts"
import { acceptWith } from "../../store/Decision.ts"
import type { Candidate } from "../../store/ProcessStore.ts"

/** What one batch of a prune removed, and what it kept because it had moved on meanwhile, or still owes something. */
export interface PruneBatch {
  readonly pruned: ReadonlyArray<{ readonly processId: ProcessId; readonly events: number }>
  readonly moved: ReadonlyArray<ProcessId>
  /** Kept because sessions have not got all their wakes, or children not what their parent's end means for them. */
  readonly owing: ReadonlyArray<{
    readonly processId: ProcessId
    readonly reason: "owes_children" | "undelivered_wakes"
  }>
}

/** Buries processes that still stand as they did when they were chosen. A process that runs is never touched. */
export const prune =
  (candidates: ReadonlyArray<Candidate>) =>
  (view: View): Decision<PruneBatch, never> => {
    const pruned: Array<PruneBatch["pruned"][number]> = []
    const moved: Array<ProcessId> = []
    const owing: Array<PruneBatch["owing"][number]> = []
    const writes: Array<Write> = []
    for (const { processId, sequence } of candidates) {
      const row = view.row(processId)
      const state = row && lifecycleOf(row.snapshot)
      if (row === undefined || state === undefined || state === "running" || row.sequence !== sequence) {
        moved.push(processId)
        continue
      }
      const reason = view.owesCloseRequests(processId)
        ? "owes_children"
        : view.outbox.owes(processId)
          ? "undelivered_wakes"
          : undefined
      if (reason !== undefined) {
        owing.push({ processId, reason })
        continue
      }
      const before = view.tombstone(processId)
      pruned.push({ processId, events: row.sequence - (before?.lastSequence ?? 0) })
      writes.push({
        _tag: "Bury",
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
    return acceptWith({ pruned, moved, owing }, writes)
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
