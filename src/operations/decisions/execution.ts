/**
 * What a body does through its context: each operation is written under the fence of its activation, together with the journal
 * entry that a re-execution reads instead of doing it again.
 */
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { LeaseLost, ProcessPruned } from "../../model/errors.ts"
import { ProcessAlreadyTerminal, ProcessUnknown } from "../../model/errors.ts"
import type { AppendReceipt, AppendRequest, WaitOutcome, WaitState } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import * as Ids from "../../model/ids.ts"
import type { JournalEntry, WrittenEntry } from "../../model/JournalEntry.ts"
import { branchKey } from "../../model/JournalEntry.ts"
import type { Lease } from "../../model/Lease.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Change, Decision, Plan, View, Write } from "../../store/Decision.ts"
import { acceptWith, refuse } from "../../store/Decision.ts"
import { prunedIn } from "../existing.ts"
import type { AppendRefusal } from "./append.ts"
import * as Append from "./append.ts"
import { leaseRefusal, onLease } from "./authority.ts"
import * as Changes from "./change.ts"
import * as Waits from "./waits.ts"

/** A journal entry before the store adds the sequence of the log and the time. */
export interface Draft extends Omit<JournalEntry, "sequence" | "atMs"> {
  /** Entries that needed no commit of their own: they are written with this one, before it. */
  readonly after?: ReadonlyArray<Omit<JournalEntry, "sequence" | "atMs">>
  /** The key under which the progress of the operation was kept, which is over. */
  readonly progress?: string
}

/** What a body waits for: a signal of a name, or time alone. Units: epoch milliseconds, UTC. */
export type Awaited =
  | {
      readonly _tag: "Signal"
      readonly name: string
      readonly deadlineMs?: number
      /** It takes a signal before the waits that are open already. */
      readonly ahead?: boolean
    }
  | { readonly _tag: "Timer"; readonly deadlineMs: number }

/** The state of a wait: open under its key, or ended, with the signal that ended it if one did. */
export interface Waited {
  readonly waitKey: string
  readonly ended?: { readonly outcome: WaitOutcome; readonly signal?: ProcessEvent }
}

/** Journals the outcome of an operation; answers the sequence of the log at that moment. */
export const record = (lease: Lease, draft: Draft): ((view: View) => Decision<number, LeaseLost>) => {
  const written = writtenOf(draft)
  return onLease(lease, (row, view) => acceptWith(row.sequence, journaling(view, lease.processId, written)))
}

/** Keeps how far a step is, for the next try; it is no part of the journal. */
export const keepProgress = (
  lease: Lease,
  key: string,
  detail: unknown
): ((view: View) => Decision<void, LeaseLost>) => {
  const text = JSON.stringify(detail)
  return onLease(lease, (_row, { nowMs: atMs }) =>
    acceptWith(undefined, [{ _tag: "PutProgress", processId: lease.processId, progress: { key, atMs, detail: text } }])
  )
}

/**
 * Journals that a body let go of an operation before it saw its end, and closes the wait that it was in, if any: that takes no
 * signal and fires no timer any more.
 */
export const drop = (
  lease: Lease,
  draft: Draft,
  wait?: Waits.DroppedWait
): ((view: View) => Decision<number, LeaseLost>) => {
  const written = writtenOf(draft)
  return onLease(lease, (row, view) => {
    const change = wait && Waits.drop(view, Changes.of(row), wait)
    return acceptWith(row.sequence, journaling(view, lease.processId, written), change === undefined ? [] : [change])
  })
}

/**
 * Enters a wait of a body and journals its key, so that a re-execution finds its outcome.
 *
 * An unconsumed signal in the log ends it at once.
 */
export const enterWait = (
  lease: Lease,
  draft: Omit<Draft, "outcome">,
  awaited: Awaited
): ((view: View) => Decision<Waited, LeaseLost | ProcessAlreadyTerminal>) => {
  const opened = openedOf(draft)
  return (view) => {
    const id = lease.processId
    const row = view.row(id)
    const refusal = leaseRefusal(row, lease, view.nowMs)
    if (row === undefined || refusal !== undefined) return refuse(refusal as LeaseLost) // no row is always a refusal
    const state = lifecycleOf(row.snapshot)
    if (state !== "running") {
      return refuse(new ProcessAlreadyTerminal({ processId: id, state, refused: "enter a wait state" }))
    }
    const wait: WaitState = {
      kind:
        awaited._tag === "Timer"
          ? { _tag: "Timer", key: Ids.timerKey(id, branchKey(opened.key, row.snapshot.context.forks)) }
          : signalWait(id, awaited.name, Waits.nextOrdinal(row, awaited.name)),
      sinceMs: view.nowMs,
      ...(awaited.deadlineMs === undefined ? {} : { deadlineMs: awaited.deadlineMs }),
      once: true,
      ...(awaited._tag === "Signal" && awaited.ahead === true ? { ahead: true } : {})
    }
    const change = Waits.enter(view, Changes.of(row), wait)
    const waitKey = wait.kind.key
    const waited: Waited = { waitKey, ...endedAtOnce(view, id, wait, change) }
    return acceptWith(waited, journaling(view, id, ended(opened, { wait_key: waitKey })), [change])
  }
}

/**
 * Appends to the log of the body's own process, or signals another one, and journals which event it became.
 *
 * Of the runtime's replay keys a body has that of the operation which appends, and no other.
 */
export const appendJournaled = (
  lease: Lease,
  target: ProcessId,
  request: AppendRequest,
  draft: Omit<Draft, "outcome">,
  refuseEnded: boolean
): ((view: View) => Decision<AppendReceipt, AppendRefusal | ProcessPruned>) => {
  const opened = openedOf(draft)
  return onLease(lease, (row, view): Decision<AppendReceipt, AppendRefusal | ProcessPruned> => {
    const refused = refuseEnded ? endedRefusal(view, target, request) : undefined
    if (refused !== undefined) return refuse(refused)
    const own = Ids.journalReplayKey(lease.processId, branchKey(opened.key, row.snapshot.context.forks))
    const entitled = target === lease.processId ? own : undefined
    const decision = Append.appendEvent(target, request, { _tag: "Body", lease }, entitled)(view)
    if (decision._tag === "Refused") return decision
    const outcome = { process_id: target, sequence: decision.answer.event.sequence }
    const entries = journaling(view, lease.processId, ended(opened, outcome))
    return { ...decision, writes: [...decision.writes, ...entries] }
  })
}

/**
 * Sends a signal from outside. A retry with the same id is a replay; an ended process takes none.
 *
 * `judge` may refuse one that is new: it sees the process as the transaction does.
 */
export const signal =
  <E = never>(
    target: ProcessId,
    request: AppendRequest,
    authority: Parameters<typeof Append.appendEvent>[2],
    judge?: (view: View) => E | undefined
  ) =>
  (view: View): Decision<AppendReceipt, AppendRefusal | ProcessPruned | E> => {
    const { replayKey } = request
    const isReplay = () => replayKey !== undefined && view.replayed(target, replayKey) !== undefined
    const refused = endedRefusal(view, target, request) ?? (judge === undefined || isReplay() ? undefined : judge(view))
    return refused === undefined ? Append.appendEvent(target, request, authority)(view) : refuse(refused)
  }

/** What the operations of a body touch. */
export const executionPlan = (lease: Lease, target: ProcessId = lease.processId, request?: AppendRequest): Plan => ({
  lock: target === lease.processId ? [target] : [lease.processId, target],
  ...(request?.replayKey === undefined ? {} : { replays: [{ processId: target, key: request.replayKey }] })
})

/**
 * Adds a journal entry to what a decision writes, under the lease: also where the decision finds that it was done before. What it
 * answers may be part of the outcome.
 */
export const journaled = <A, E>(
  lease: Lease,
  draft: Draft,
  decide: (view: View) => Decision<A, E>,
  outcomeOf?: (answer: A) => unknown
): ((view: View) => Decision<A, E | LeaseLost>) => {
  const written = writtenOf(draft)
  const opened = openedOf(draft)
  return onLease(lease, (_row, view): Decision<A, E | LeaseLost> => {
    const decision = decide(view)
    if (decision._tag === "Refused") return decision
    const all = outcomeOf === undefined ? written : ended(opened, outcomeOf(decision.answer))
    return { ...decision, writes: [...decision.writes, ...journaling(view, lease.processId, all)] }
  })
}

/** A draft as it is written: taken before the transaction, so that what its caller changes meanwhile is not written. */
interface Written {
  readonly entries: ReadonlyArray<WrittenDraft>
  readonly progress: string | undefined
}

/** A draft whose outcome the transaction decides. */
interface Opened extends Omit<WrittenDraft, "outcome"> {
  readonly after: ReadonlyArray<WrittenDraft>
  readonly progress: string | undefined
}

type WrittenDraft = Omit<WrittenEntry, "sequence" | "atMs">

const openedOf = ({ key, position, operation, after = [], progress }: Omit<Draft, "outcome">): Opened => ({
  key,
  position,
  operation,
  after: after.map(entryOf),
  progress
})

const ended = ({ after, progress, ...draft }: Opened, outcome: unknown): Written => ({
  entries: [...after, entryOf({ ...draft, outcome })],
  progress
})

const writtenOf = (draft: Draft): Written => ended(openedOf(draft), draft.outcome)

const entryOf = ({ key, position, operation, outcome }: Omit<JournalEntry, "sequence" | "atMs">): WrittenDraft => ({
  key,
  position,
  operation,
  outcome: JSON.stringify(outcome)
})

const journaling = (view: View, processId: ProcessId, { entries, progress }: Written): ReadonlyArray<Write> => {
  const { nowMs: atMs } = view
  const sequence = view.row(processId)?.sequence ?? 0
  const writes = entries.map(
    ({ key, position, operation, outcome }): Write => ({
      _tag: "PutJournal",
      processId,
      entry: { key, position, sequence, operation, atMs, outcome }
    })
  )
  return progress === undefined ? writes : [...writes, { _tag: "RemoveProgress", processId, key: progress }]
}

const endedRefusal = (
  view: View,
  id: ProcessId,
  { replayKey }: AppendRequest
): ProcessUnknown | ProcessPruned | ProcessAlreadyTerminal | undefined => {
  const row = view.row(id)
  if (row === undefined) return prunedIn(view, id) ?? new ProcessUnknown({ processId: id })
  const state = lifecycleOf(row.snapshot)
  if (state === "running") return undefined
  // What was sent before the end is a replay, and no news.
  return replayKey !== undefined && view.replayed(id, replayKey) !== undefined
    ? undefined
    : new ProcessAlreadyTerminal({ processId: id, state, refused: "take a signal" })
}

const signalWait = (id: ProcessId, name: string, ordinal: number) =>
  ({
    _tag: "Signal",
    name,
    eventType: Ids.signalEventType(name),
    key: Ids.signalWaitKey(id, name, ordinal),
    ordinal
  }) as const

/** How a wait ended that a change entered, if an unconsumed signal was in the log. */
const endedAtOnce = (view: View, id: ProcessId, { kind }: WaitState, change: Change): Pick<Waited, "ended"> => {
  const resumed = change.lifecycle.find((event) => event.type === "process.resumed")
  if (resumed?.outcome._tag !== "Signal" || kind._tag !== "Signal") return {}
  const { outcome } = resumed
  const signal = view.firstEventAfter(id, kind.eventType, outcome.sequence - 1)
  return { ended: { outcome, ...(signal === undefined ? {} : { signal }) } }
}
