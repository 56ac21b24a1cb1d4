/**
 * The law of replay, as it is judged of one body after everything that happened to it.
 *
 * It needs no oracle: what one activation learned, the next one learns again, in the same order, before anything new. So what
 * each learned is the beginning of what the longest one learned.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { ProcessUnknown, StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { JournalEntry } from "../../model/JournalEntry.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold } from "../evidence.ts"
import { difference } from "../Law.ts"
import type { Recorder } from "./Recorder.ts"

/** The law of replay does not hold for a body: `promise` says which part of it, `how` what was done to the body. */
export class ReplayBroken extends Data.TaggedError("ReplayBroken")<{
  readonly promise: string
  readonly expected: unknown
  readonly actual: unknown
  readonly how: string
}> {
  override get message(): string {
    const show = (value: unknown) => (typeof value === "string" ? value : JSON.stringify(value, null, 2))
    return `${this.promise}: broken ${this.how}\nexpected: ${show(this.expected)}\nactual: ${show(this.actual)}`
  }
}

/** How many entries one read of a journal may fetch. */
const pageSize = 1_000

/** Judges a body that is to have ended. `earlier` are its journals as they were at some instants before. */
export const judged = (
  id: ProcessId,
  { traces }: Recorder,
  earlier: ReadonlyArray<ReadonlyArray<JournalEntry>>,
  how: string
): Effect.Effect<void, ReplayBroken | StoreError | ProcessUnknown, ProcessStore> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const found = yield* store.find(id)
    const broken = (promise: string, expected: unknown, actual: unknown) =>
      Effect.fail(new ReplayBroken({ promise, expected, actual, how }))
    const holds = (promise: string, actual: unknown, expected: unknown) =>
      difference(actual, expected) === undefined ? Effect.void : broken(promise, expected, actual)
    if (found._tag !== "Present") return yield* broken("a process that was started is there", "Present", found._tag)
    const { row } = found
    if (lifecycleOf(row.snapshot) === "running") {
      const log = yield* store.eventsAfter(id, 0)
      const said = `${row.backOff?.problem ?? ""} after ${log.map(({ eventType }) => eventType).join(" ")}`
      return yield* broken("a body that is interrupted ends at last", "an end", `it still runs: ${said}`)
    }
    const longest = traces.reduce<ReadonlyArray<string>>(
      (most, { learned }) => (learned.length > most.length ? learned : most),
      []
    )
    const journal = yield* store.execution.journal(id)
    // An activation that is about to follow may read before this one hears of it.
    const most = 2 * Math.ceil((journal.length + 1) / pageSize)
    const decided = new Map<string, string>()
    for (const { learned, ways, repeated, reads } of traces) {
      for (const [place, way] of ways) {
        const before = decided.get(place)
        if (before === undefined) decided.set(place, way)
        else yield* holds("every activation takes the same way", `${place}: ${way}`, `${place}: ${before}`)
      }
      yield* holds("every activation learns the same, in the same order", learned, longest.slice(0, learned.length))
      yield* holds("no effect is done again whose outcome was recorded", repeated, [])
      if (reads > most) yield* broken("the journal is read once an activation", `at most ${most}`, reads)
    }
    yield* holds(
      "an operation is journaled once",
      journal.map(({ key }) => key),
      [...new Set(journal.map(({ key }) => key))]
    )
    for (const before of earlier) {
      yield* holds("an entry of the journal never changes", journal.slice(0, before.length), before)
    }
    yield* Effect.catchTag(isFold(id), "Mismatch", ({ about, expected, actual }) => broken(about, expected, actual))
  })
