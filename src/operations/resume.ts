/**
 * Resuming: a process that rests, as one whose code has changed does, goes on from an entry of its journal.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { InputInvalid, ProcessAlreadyTerminal, ResumeRefused } from "../model/errors.ts"
import { processId } from "../model/ids.ts"
import type { LeftBehind } from "../model/JournalEntry.ts"
import { isPrunedEnd } from "../model/JournalEntry.ts"
import { optional } from "../model/json.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"
import * as Forks from "./decisions/fork.ts"
import type { Lookup } from "./existing.ts"
import { existingRow, onKnown } from "./existing.ts"

/** From where to resume a process, and what a person decides about what is left behind. */
export interface ResumeOptions {
  /** The first entry of the journal that does not count any more, by its position. */
  readonly from: number
  /** Effects of the entries that are left behind may happen again. @default such a resumption is refused */
  readonly repeat?: boolean
  /**
   * What becomes of the children that were begun there: they go on by themselves, or are asked to stop. The body begins others.
   *
   * @default such a resumption is refused
   */
  readonly children?: "keep" | "cancel"
  /** Who resumes it. @default the host */
  readonly by?: string
  readonly reason?: string
  /** Looks and writes nothing. @default false */
  readonly dryRun?: boolean
}

/** How a process was resumed, or would be: the entries that count no more, and what they had done. */
export interface Resumed extends LeftBehind {
  readonly from: number
  readonly to: number
}

const Options = Schema.Struct({
  from: Schema.Int.pipe(Schema.positive()),
  repeat: optional(Schema.Boolean),
  children: optional(Schema.Literal("keep", "cancel")),
  by: optional(Schema.NonEmptyString),
  reason: optional(Schema.String),
  dryRun: optional(Schema.Boolean)
})

/**
 * Resumes a process from an entry of its journal. Entries from there on count no more: the body that runs again does as if it had
 * not got there. Its open waits there are closed, signals that they took go back to the queue, and it is due at once.
 *
 * Fails with `ResumeRefused` (a worker holds it, or a person must decide what is done again) or `ProcessAlreadyTerminal`.
 */
export const resumeFrom: (
  id: string,
  options: ResumeOptions
) => Effect.Effect<Resumed, ResumeRefused | ProcessAlreadyTerminal | InputInvalid | Lookup, ProcessStore> = Effect.fn(
  "resumeFrom"
)(function* (given: string, presented: ResumeOptions) {
  const id = processId(yield* Checks.text("process_id", given))
  const { dryRun, repeat = false, by = "host", ...rest } = yield* Checks.exactly("options", Options, presented)
  const request = { ...rest, repeat, by }
  const store = yield* ProcessStore
  const [row, journal, progress] = yield* store.readTogether(
    Effect.all([existingRow(store, id), store.execution.journal(id), store.execution.progress(id)])
  )
  const plan = Forks.planOf(id, journal, row.snapshot.context.forks ?? [], request.from)
  const { from, to, effects, children } = plan
  const resumed: Resumed = { from, to, effects, children }
  const decided = dryRun === true ? ({ repeat: true, children: "keep" } as const) : request
  // A worker that held it then may have written entries since, under the same fence.
  const refusal = Forks.refusalOf(row, plan, decided, yield* Clock.currentTimeMillis)
  if (refusal !== undefined) return yield* refusal
  if (dryRun === true) return resumed
  const lock = [id, ...children.map(processId)]
  const read = {
    fence: row.lease.fencingToken,
    progress: progress.flatMap(({ key }) => (isPrunedEnd(key) ? [] : [key]))
  }
  yield* onKnown(store)(id, { lock }, Forks.fork(id, plan, request, read))
  return resumed
})
