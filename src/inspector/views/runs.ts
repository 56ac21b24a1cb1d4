/**
 * What a process and its children did, and when, on one axis: activations, steps, waits and sleeps, to any depth.
 *
 * An activation that left no fact of its end lasted at least to the last thing that it wrote: from there to the next one no
 * host had the process. The journal has when an operation ended, so a step is shown from the last thing before it.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { Redact } from "../../explain/redaction.ts"
import { labelOf } from "../../explain/redaction.ts"
import { lifecycleEventOf } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { JournalEntry } from "../../model/JournalEntry.ts"
import { afterForks } from "../../model/JournalEntry.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Lookup } from "../../operations/existing.ts"
import { existingRow } from "../../operations/existing.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import type { ProcessStore } from "../../store/ProcessStore.ts"
import type { Deaths } from "../InspectorSource.ts"
import type { BandView, RunsView, RunView, SpanView } from "../RunView.ts"

type Store = typeof ProcessStore.Service

/** How much is read: processes, events of each, and spans that are shown of each. */
const most = { processes: 60, events: 2_000, spans: 120 }

/** The runs of a process and of all below it, parents before their children. Fails with `ProcessUnknown`, or `ProcessPruned`. */
export const runsView = (
  store: Store,
  id: ProcessId,
  redact: Redact,
  isDead: Deaths
): Effect.Effect<RunsView, Lookup> => store.readTogether(runsOf(store, id, redact, isDead))

const runsOf = (store: Store, id: ProcessId, redact: Redact, isDead: Deaths): Effect.Effect<RunsView, Lookup> =>
  Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    const runs: Array<RunView> = []
    const open = [{ row: yield* existingRow(store, id), depth: 0 }]
    let isComplete = true
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (runs.length >= most.processes) {
        isComplete = false
        break
      }
      const { row, depth } = next
      const own = row.base.registration.id
      const { held } = row.lease
      const isHeld = held !== undefined && held.expiresAtMs > nowMs && !(yield* isDead(held.owner))
      const events = yield* store.recentEvents(own, most.events)
      runs.push(runOf(row, depth, isHeld, events, yield* journalOf(store, row), redact))
      const children: Array<ProcessRow> = []
      for (const { processId } of (yield* store.children.of(own)).slice(0, most.processes)) {
        const found = yield* store.find(processId)
        if (found._tag === "Present") children.push(found.row)
      }
      // The last one that is pushed is the next one.
      const byStart = children.toSorted((a, b) => a.base.createdAtMs - b.base.createdAtMs).toReversed()
      open.push(...byStart.map((child) => ({ row: child, depth: depth + 1 })))
    }
    return { runs, complete: isComplete, now_ms: nowMs }
  })

const journalOf = (store: Store, row: ProcessRow): Effect.Effect<ReadonlyArray<JournalEntry>, Lookup> =>
  Effect.map(
    store.execution.journal(row.base.registration.id),
    (entries) => afterForks(entries, row.snapshot.context.forks).counting
  )

const runOf = (
  row: ProcessRow,
  depth: number,
  isHeld: boolean,
  events: ReadonlyArray<ProcessEvent>,
  journal: ReadonlyArray<JournalEntry>,
  redact: Redact
): RunView => {
  const { registration, createdAtMs } = row.base
  const state = lifecycleOf(row.snapshot)
  const label = labelOf(registration, redact)
  const endMs = state === "running" ? null : row.snapshot.context.updatedAtMs
  const bands = bandsOf(events, journal, endMs ?? (isHeld ? null : "lost"))
  const spans = [...waitsOf(events), ...stepsOf(journal, events, createdAtMs)].toSorted((a, b) => a.from_ms - b.from_ms)
  return {
    process_id: registration.id,
    depth,
    kind: registration.identity.kind,
    ...(label === undefined ? {} : { label }),
    state,
    from_ms: createdAtMs,
    to_ms: endMs,
    bands,
    spans: spans.slice(-most.spans),
    spans_left_off: Math.max(0, spans.length - most.spans)
  }
}

/**
 * The activations in a log, and where the host of one was gone before it could say so; `end`: how the last one ended, `null`
 * where a host has it, `lost` where none does.
 */
export const bandsOf = (
  events: ReadonlyArray<ProcessEvent>,
  journal: ReadonlyArray<JournalEntry>,
  end: number | null | "lost"
): ReadonlyArray<BandView> => {
  const bands: Array<BandView> = []
  let open: Omit<BandView, "to_ms"> | undefined
  const close = (toMs: number | null, isLost = false): void => {
    if (open !== undefined) bands.push({ ...open, to_ms: toMs, ...(isLost ? { lost: true } : {}) })
    open = undefined
  }
  let lastMs = 0
  /** It lasted at least to the last thing that it wrote. */
  const lose = (untilMs: number): void => {
    const wrote = journal.reduce((last, { atMs }) => (atMs <= untilMs ? Math.max(last, atMs) : last), lastMs)
    close(Math.min(Math.max(open?.from_ms ?? 0, wrote), untilMs), true)
  }
  for (const event of events) {
    const fact = lifecycleEventOf(event)
    if (fact.type === "process.started") {
      lose(event.occurredAtMs)
      open = { from_ms: event.occurredAtMs, owner_id: fact.owner.ownerId, attempt: fact.attempt }
    } else if (fact.type === "process.suspended") close(event.occurredAtMs, fact.reason === "lease_lost")
    if (fact.type !== "process.waiting" || open !== undefined) lastMs = event.occurredAtMs
  }
  if (end === "lost") lose(Number.MAX_SAFE_INTEGER)
  else close(end)
  return bands
}

/** The waits and sleeps, by their facts. */
const waitsOf = (events: ReadonlyArray<ProcessEvent>): ReadonlyArray<SpanView> => {
  const open = new Map<string, SpanView>()
  const ended: Array<SpanView> = []
  for (const event of events) {
    const fact = lifecycleEventOf(event)
    if (fact.type === "process.waiting") {
      const { kind, sinceMs, deadlineMs } = fact.wait
      open.set(kind.key, {
        what: kind._tag === "Signal" ? "wait" : "sleep",
        name: kind._tag === "Signal" ? kind.name : nameOf(kind.key),
        from_ms: Math.min(sinceMs, event.occurredAtMs),
        to_ms: null,
        sequence: event.sequence,
        ...(deadlineMs === undefined ? {} : { deadline_ms: deadlineMs })
      })
    } else if (fact.type === "process.resumed") {
      const wait = open.get(fact.waitKey)
      open.delete(fact.waitKey)
      if (wait !== undefined) {
        const by = fact.outcome._tag
        ended.push({ ...wait, to_ms: event.occurredAtMs, ...(by === "Timeout" ? { failed: true } : {}) })
      }
    }
  }
  const last = events.at(-1)
  const isOver = last !== undefined && endTypes.has(last.eventType)
  return [...ended, ...[...open.values()].map((wait) => (isOver ? { ...wait, to_ms: last.occurredAtMs } : wait))]
}

const endTypes: ReadonlySet<string> = new Set([
  "process.completed",
  "process.failed",
  "process.cancelled",
  "process.abandoned"
])

/** What is shown of a journal: the others are over at once, or are shown as waits and children. */
const shownOperations: ReadonlySet<JournalEntry["operation"]> = new Set(["step", "request"])

const stepsOf = (
  journal: ReadonlyArray<JournalEntry>,
  events: ReadonlyArray<ProcessEvent>,
  createdAtMs: number
): ReadonlyArray<SpanView> => {
  const marks = events.flatMap(({ eventType, occurredAtMs }) =>
    eventType === "process.started" || eventType === "process.resumed" ? [occurredAtMs] : []
  )
  let before = createdAtMs
  return journal.flatMap((entry) => {
    const { operation, key, atMs, outcome, sequence } = entry
    const from = marks.reduce((last, mark) => (mark <= atMs && mark > last ? mark : last), Math.min(before, atMs))
    before = atMs
    const failed = typeof outcome === "object" && outcome !== null && ("failed" in outcome || "defect" in outcome)
    return shownOperations.has(operation)
      ? [{ what: "step", name: key, from_ms: from, to_ms: atMs, sequence, ...(failed ? { failed } : {}) } as const]
      : []
  })
}

/** A key ends in the name that the body gave. */
const nameOf = (key: string): string => key.slice(key.lastIndexOf("/") + 1)
