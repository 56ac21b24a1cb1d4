/**
 * Forks of a journal: a process goes on from an entry as if its body had not got there yet.
 *
 * Invariant: the log and the journal stay as they are. One event says which entries count no more; what was open behind it is
 * closed in the same commit, and what was taken there is given back.
 */

import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { Fork } from "../../../machines/process/types.ts"
import { ProcessAlreadyTerminal, type ProcessUnknown, ResumeRefused } from "../../model/errors.ts"
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import * as Ids from "../../model/ids.ts"
import type { JournalEntry, LeftBehind } from "../../model/JournalEntry.ts"
import { afterForks, childOf, droppedKey, droppedOf, waitKeyOf } from "../../model/JournalEntry.ts"
import type { Change, Decision, ProcessRow, View, Write } from "../../store/Decision.ts"
import { acceptWith, refuse } from "../../store/Decision.ts"
import { onRow } from "./authority.ts"
import * as Changes from "./change.ts"
import { liveLease } from "./lease.ts"
import * as Waits from "./waits.ts"

/** What a person decides about a fork. */
export interface ForkRequest extends Pick<Facts.JournalForked, "by" | "reason" | "children"> {
  readonly from: number
  /** Effects of the entries that are left behind may happen again. */
  readonly repeat: boolean
}

/** What a fork leaves behind, by the journal of its process. */
export interface ForkPlan extends LeftBehind, Fork {
  readonly waits: ReadonlyArray<Waits.DroppedWait>
}

/** Operations that did something outside of the process, or in its log. */
const effective: ReadonlySet<JournalEntry["operation"]> = new Set(["step", "append_event", "signal", "request"])

/** Looks at what a fork would leave behind. */
export const planOf = (
  id: ProcessId,
  journal: ReadonlyArray<JournalEntry>,
  forks: ReadonlyArray<Fork>,
  from: number
): ForkPlan => {
  const to = journal.reduce((last, { position }) => Math.max(last, position), 0)
  const before = afterForks(journal, forks)
  const known = new Set(before.left)
  const left = afterForks(journal, [...forks, { from, to }]).left.filter((entry) => !known.has(entry))
  const keys = new Set(before.counting.map(({ key }) => key))
  /** What was let go of before it had an outcome may have happened. */
  const isEffect = (entry: JournalEntry) =>
    effective.has(entry.operation) || (entry.operation === "dropped" && !keys.has(droppedOf(entry)))
  return {
    from,
    to,
    effects: left.filter(isEffect).map(({ position, key, operation }) => ({ position, key, operation })),
    children: left.flatMap((entry) => childOf(entry) ?? []),
    waits: left.flatMap((entry): ReadonlyArray<Waits.DroppedWait> => {
      const waitKey = waitKeyOf(entry)
      // One that was let go of is closed, and its signal given back.
      if (waitKey === undefined || keys.has(droppedKey(entry.key))) return []
      const signal = Ids.signalOfWait(id, waitKey)
      return [{ waitKey, ...(signal === undefined ? {} : { signal }) }]
    })
  }
}

/** Why a process is not resumed, if it is not. */
export const refusalOf = (
  row: ProcessRow,
  plan: ForkPlan,
  { repeat, children }: Pick<ForkRequest, "repeat" | "children">,
  nowMs: number
): ProcessAlreadyTerminal | ResumeRefused | undefined => {
  const { id: processId, disposition } = row.base.registration
  const state = lifecycleOf(row.snapshot)
  if (state !== "running") return new ProcessAlreadyTerminal({ processId, state, refused: "be resumed" })
  const left = { effects: plan.effects, children: plan.children }
  const because = (reason: ResumeRefused["reason"]) => new ResumeRefused({ processId, from: plan.from, reason, left })
  if (disposition !== "rerunnable") return because("not_rerunnable")
  if (liveLease(row, nowMs) !== undefined) return because("held")
  if (plan.from > plan.to) return because("no_entry")
  if (plan.effects.length > 0 && !repeat) return because("effects")
  return plan.children.length > 0 && children === undefined ? because("children") : undefined
}

/** What was read of a process together with its journal, while no worker held it. */
export interface Read {
  /** The fence of the row: where it is the same in the transaction, no entry was written since. */
  readonly fence: number
  /** The keys of what is kept of the progress of steps. */
  readonly progress: ReadonlyArray<string>
}

/** Resumes a process from an entry. Steps that were under way are begun anew: what is kept of their progress goes. */
export const fork = (
  id: ProcessId,
  plan: ForkPlan,
  request: ForkRequest,
  { fence, progress }: Read
): ((view: View) => Decision<ProcessRow, ProcessUnknown | ProcessAlreadyTerminal | ResumeRefused>) =>
  onRow(id, (row, view): Decision<ProcessRow, ProcessAlreadyTerminal | ResumeRefused> => {
    const refusal = refusalOf(row, plan, request, view.nowMs)
    if (refusal !== undefined) return refuse(refusal)
    const { effects, children: begun, from, to } = plan
    if (row.lease.fencingToken !== fence) {
      return refuse(new ResumeRefused({ processId: id, from, reason: "held", left: { effects, children: begun } }))
    }
    const { by, reason, children } = request
    const fact = Facts.journalForked(id, (row.snapshot.context.forks?.length ?? 0) + 1, {
      from,
      to,
      by,
      ...(reason === undefined ? {} : { reason }),
      ...(children === undefined || begun.length === 0 ? {} : { children })
    })
    // A holder that only slept must not go on with the journal that it knows.
    const forked = Changes.released(
      Changes.dueNow(closed(view, Changes.appendFact(Changes.of(row), fact, view.nowMs), plan), view.nowMs)
    )
    const why = `parent ${id} was resumed from before it`
    const cancelled = children !== "cancel" ? [] : begun.flatMap((child) => cancelledChild(view, child, why))
    const gone = progress.map((key): Write => ({ _tag: "RemoveProgress", processId: id, key }))
    return acceptWith(forked.row, gone, [forked, ...cancelled])
  })

/** Closes the waits that are left behind; then the signals that they had taken go to the next waits, the earliest first. */
const closed = (view: View, change: Change, { waits }: ForkPlan): Change => {
  const open = new Set(change.row.snapshot.context.waits.map(({ kind }) => kind.key))
  const takenAt = ({ waitKey }: Waits.DroppedWait): number => Waits.signalTaken(view, idOf(change), waitKey) ?? 0
  const ended = waits.filter(({ waitKey }) => !open.has(waitKey)).sort((one, other) => takenAt(one) - takenAt(other))
  return [...waits.filter(({ waitKey }) => open.has(waitKey)), ...ended].reduce(
    (before, wait) => Waits.drop(view, before, wait) ?? before,
    change
  )
}

const cancelledChild = (view: View, child: string, reason: string): ReadonlyArray<Change> => {
  const id = Ids.processId(child)
  const row = view.row(id)
  if (row === undefined || row.snapshot.status === "done" || row.snapshot.context.cancelRequest !== undefined) return []
  return [Changes.appendFact(Changes.of(row), Facts.cancelRequested(id, reason), view.nowMs)]
}

const idOf = ({ row }: Change): ProcessId => row.base.registration.id
