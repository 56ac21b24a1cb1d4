/**
 * What happened to a process before this activation, and since: read from its journal and its log, as ends in their places.
 */
import * as Effect from "effect/Effect"
import type { StoreError } from "../../model/errors.ts"
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { JournalEntry } from "../../model/JournalEntry.ts"
import { afterForks, droppedOf, waitKeyOf } from "../../model/JournalEntry.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Activation } from "./Activation.ts"
import type { End } from "./End.ts"

/** How many entries or events one read fetches. */
export const pageSize = 1_000

/** What was there when an activation began. */
export interface History {
  /** The sequence of the log when the activation began. */
  readonly upTo: number
  /** The entries that count. */
  readonly journal: ReadonlyArray<JournalEntry>
  /** What forks left behind. */
  readonly left: ReadonlyArray<JournalEntry>
  readonly news: ReadonlyArray<ProcessEvent>
}

/** Reads it, in pages. */
export const historyOf: (activation: Activation) => Effect.Effect<History, StoreError> = Effect.fnUntraced(function* ({
  id,
  row,
  services: { writes }
}) {
  const entries = yield* pages(
    (after) => writes.journalOf(id, { after, limit: pageSize }),
    ({ position }) => position
  )
  const news = yield* pages(
    (after) => writes.news(id, { after, limit: pageSize }),
    ({ sequence }) => sequence
  )
  const { counting: journal, left } = afterForks(entries, row.snapshot.context.forks)
  return { upTo: row.sequence, journal, left, news } satisfies History
})

/** Reads to the end, a page at a time; `placeOf` says after which place the next page begins. */
export const pages = <A, E>(
  read: (after: number) => Effect.Effect<ReadonlyArray<A>, E>,
  placeOf: (item: A) => number
): Effect.Effect<ReadonlyArray<A>, E> =>
  Effect.gen(function* () {
    const all: Array<A> = []
    let after = 0
    while (true) {
      const page = yield* read(after)
      for (const item of page) all.push(item)
      const last = page.at(-1)
      if (last === undefined || page.length < pageSize) return all
      after = placeOf(last)
      // The loop is others' too.
      yield* Effect.yieldNow()
    }
  })

/** Time, chance and an interruption have no end of their own; a wait is entered here, and ends in the log. */
export const recordedEnd = (entry: JournalEntry): ReadonlyArray<End> => {
  const { key, sequence, position, operation, outcome } = entry
  switch (operation) {
    case "now":
    case "random":
    case "patched":
    case "interrupted":
    case "turns":
      return []
    case "dropped":
      return [{ _tag: "Dropped", key: droppedOf(entry), sequence, position }]
    default:
      return waitKeyOf(entry) === undefined
        ? [{ _tag: "Recorded", key, outcome, sequence, position }]
        : [{ _tag: "WaitEntered", key, sequence, position }]
  }
}

/** An event, and what it tells the lifecycle. */
export type Decoded = readonly [event: ProcessEvent, fact: Facts.LifecycleEvent | undefined]

/** Reads from a stored event what it tells the lifecycle. */
export const decoded = (event: ProcessEvent): Decoded => [event, Facts.lifecycleEventOf(event)]

/** The ends among the events of a log, each in its place. */
export const endsOf = (events: ReadonlyArray<Decoded>): ReadonlyArray<End> => {
  let signals: ReadonlyMap<number, ProcessEvent> | undefined
  /** The signal of a wait that was open is in the same commit; that of an early one is read when it is taken up. */
  const signalAt = (sequence: number): ProcessEvent | undefined => {
    signals ??= new Map(events.map(([event]) => [event.sequence, event]))
    return signals.get(sequence)
  }
  return events.flatMap(([event, fact]): ReadonlyArray<End> => {
    const place = { sequence: event.sequence, position: 0 }
    switch (fact?.type) {
      case "process.resumed": {
        const { waitKey, outcome } = fact
        if (outcome._tag === "Dropped") return []
        const signal = outcome._tag === "Signal" ? signalAt(outcome.sequence) : undefined
        return [
          { _tag: "WaitEnded", waitKey, ended: { outcome, ...(signal === undefined ? {} : { signal }) }, ...place }
        ]
      }
      case "process.child_ended":
        return [{ _tag: "ChildEnded", childId: fact.childId as ProcessId, ...place }] // written from a child's id
      case "process.cancel_requested":
        return [{ _tag: "CancelRequested", ...place }]
      default:
        return []
    }
  })
}
