/**
 * The journal of a process: what each operation of its body came to, under a key that a body which runs again computes anew.
 *
 * Invariant: an entry is written once, under the fence of the activation that performed it, and never changes. Entries are no
 * events: they are not folded into the record and do not show in the change feed. A fork leaves entries behind, which stay where
 * they are and count no more.
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Fork } from "../../machines/process/types.ts"
import { ProcessId, quoted } from "./ids.ts"
import { optional, renamed, renamedOptional, whenAsked } from "./json.ts"

/** What a body may do through its context. */
export type JournalOperation =
  | "step"
  | "sleep"
  | "await_signal"
  | "append_event"
  | "start_child"
  | "signal"
  | "now"
  | "random"
  | "patched"
  | "await_child"
  | "request"
  | "read"
  | "dropped"
  /** Of earlier versions: what the order of pauses says now. */
  | "interrupted"
  | "turns"

/**
 * One entry. `key` is scope path, name and occurrence; `position` counts the entries of the process from 1; `sequence` is
 * the last event of the log at that moment. `outcome` is JSON. Units: epoch milliseconds, UTC.
 */
export interface JournalEntry {
  readonly key: string
  readonly position: number
  readonly sequence: number
  readonly operation: JournalOperation
  readonly atMs: number
  readonly outcome: unknown
}

/** An entry on its way into a store. Its outcome is JSON text, which no later change of the value reaches. */
export interface WrittenEntry extends Omit<JournalEntry, "outcome"> {
  readonly outcome: string
}

/** How far a step is that has no entry yet: the last that it said. Units: epoch milliseconds, UTC. */
export interface Progress {
  readonly key: string
  readonly atMs: number
  readonly detail: unknown
}

/** Progress on its way into a store, with its detail as JSON text. */
export interface WrittenProgress extends Omit<Progress, "detail"> {
  readonly detail: string
}

/**
 * The entries that count after these forks, and those that were left behind. What was let go of behind the place of a fork is left
 * behind as a whole, wherever it began: that it was let go of does not count any more.
 */
export const afterForks = (
  journal: ReadonlyArray<JournalEntry>,
  forks: ReadonlyArray<Fork> = []
): { readonly counting: ReadonlyArray<JournalEntry>; readonly left: ReadonlyArray<JournalEntry> } => {
  let counting = journal
  const left: Array<JournalEntry> = []
  for (const { from, to } of forks) {
    const isBehind = ({ position }: JournalEntry) => position >= from && position <= to
    const dropped = new Set(
      counting.flatMap((entry) => (entry.operation === "dropped" && isBehind(entry) ? [droppedOf(entry)] : []))
    )
    const goes = (entry: JournalEntry) => isBehind(entry) || (entry.position < from && dropped.has(entry.key))
    left.push(...counting.filter(goes))
    counting = counting.filter((entry) => !goes(entry))
  }
  return { counting, left }
}

/** The key under which it is journaled that an operation was let go of. */
export const droppedKey = (key: string): string => `${key}!`

/** The key of the operation that an entry says was let go of. */
export const droppedOf = ({ key }: JournalEntry): string => key.slice(0, -1)

/** The key under which it is journaled in which order pauses of the body's own were over, in the write at a position. */
export const turnsKey = (position: number): string => `~turns ${position}`

/** A key that is stored beside the journal, such as that of a timer: after a fork an operation under the same key is another one. */
export const branchKey = (key: string, forks: ReadonlyArray<Fork> = []): string =>
  forks.length === 0 ? key : `${key}@${forks.length}`

/** The key of the wait that an operation entered. */
export const waitKeyOf = (entry: JournalEntry | undefined): string | undefined => textIn(entry?.outcome, "wait_key")

/** The child that an operation began. */
export const childOf = (entry: JournalEntry): string | undefined =>
  entry.operation === "start_child" ? textIn(entry.outcome, "process_id") : undefined

const textIn = (outcome: unknown, field: string): string | undefined => {
  const value =
    typeof outcome === "object" && outcome !== null ? (outcome as Readonly<Record<string, unknown>>)[field] : undefined
  return typeof value === "string" ? value : undefined
}

/** What a fork of a journal would leave behind, and what is done again because of it. */
export const LeftBehind = Schema.Struct({
  /** Operations with effects outside of the process; the code that runs on may perform them again. */
  effects: Schema.Array(Schema.Struct({ position: Schema.Int, key: Schema.String, operation: Schema.String })),
  children: Schema.Array(Schema.String)
})
/** What a fork of a journal would leave behind. */
export type LeftBehind = typeof LeftBehind.Type

/** How code does not fit a journal, where, and the commands that help. */
export const divergence = (found: {
  readonly processId: string
  readonly position: number
  readonly key: string
  readonly expected: string
  readonly actual: string
}): string => {
  const { processId: id, position, key, expected, actual } = found
  const asks = actual === "nothing" ? "ends without asking for it" : `asks for ${actual} there`
  return (
    `entry ${position} of the journal of \`${id}\` is ${expected} under \`${key}\`, and the code being replayed ${asks}: ` +
    "run the code that began it, let changed code ask ctx.patched or have a version of its own that `accepts` the old one only if " +
    "it fits this journal, or move it: " +
    `holdfast resume ${quoted(id)} --from ${position}, or end it: holdfast cancel ${quoted(id)}`
  )
}

/** Why a process is not resumed. */
export const whyNotResumed = (
  reason: "not_rerunnable" | "held" | "no_entry" | "effects" | "children",
  { effects, children }: LeftBehind
): string => {
  switch (reason) {
    case "not_rerunnable":
      return "it must not run twice"
    case "held":
      return "a worker holds it: it does not rest"
    case "no_entry":
      return "its journal has no entry from there on"
    case "effects": {
      const names = listed(effects.map(({ position, key }) => `${position} ${key}`))
      return `what it did would be done again: ${names}; allow that (repeat), or resume later in the journal`
    }
    case "children":
      return `it began children there: ${listed(children)}; say what becomes of them (children: keep or cancel)`
  }
}

const listed = (names: ReadonlyArray<string>): string =>
  [...names.slice(0, 10), ...(names.length > 10 ? [`${names.length - 10} more`] : [])].join(", ")

/**
 * What a body has begun and not ended: a step, or the wait for another process. `tries` counts those of this activation that have
 * begun. Units: epoch milliseconds, UTC.
 *
 * Its worker has it in memory. What lasts is kept with the renewal of the lease, and what a host leaves behind when it stops with
 * the hand-back; so an operation that is over by its end costs no write. What is kept is one row of a process, under a key that no
 * step has, and speaks of the activation with its fence.
 */
export const UnderWay = Schema.Struct({
  key: Schema.String,
  name: Schema.String,
  operation: Schema.Literal("step", "await_child"),
  sinceMs: renamed("since_ms", Schema.Int),
  tries: Schema.Int,
  /** What the last try failed with, by name and message. */
  error: optional(Schema.String),
  nextTryAtMs: renamedOptional("next_try_at_ms", Schema.Int),
  /** The process that it waits for. */
  child: optional(ProcessId)
})
/** What a body has begun and not ended. */
export type UnderWay = typeof UnderWay.Type

/** The key under which that is kept, beside the progress of steps: theirs end with a number. */
export const underWayKey = "~"

/** The key under which the end of a child that was pruned is kept beside the journal of its parent, which may ask for it again. */
export const prunedKey = (child: string): string => `${child}~`

const Kept = Schema.Struct({ fence: Schema.Int, operations: Schema.Array(UnderWay) })
const encode = whenAsked(() => Schema.encodeSync(Kept))
const decode = whenAsked(() => Schema.decodeUnknownOption(Kept))

/** What is under way, as it is kept. */
export const keptOf = (fence: number, operations: ReadonlyArray<UnderWay>): unknown => encode({ fence, operations })

/** Whether a key is that of the end of a child that was pruned. */
export const isPrunedEnd = (key: string): boolean => key.endsWith("~") && key !== underWayKey

/** The progress of steps, and apart from it what was kept as under way in the activation with a fence. */
export const apart = (
  rows: ReadonlyArray<Progress>,
  fence: number
): { readonly progress: ReadonlyArray<Progress>; readonly kept: ReadonlyArray<UnderWay> } => {
  const kept = decode(rows.find(({ key }) => key === underWayKey)?.detail)
  return {
    progress: rows.filter(({ key }) => key !== underWayKey && !isPrunedEnd(key)),
    kept: Option.isSome(kept) && kept.value.fence === fence ? kept.value.operations : []
  }
}

/** Of what was kept, the steps that have no end in the journal, and the waits for processes of which `isOver` is not so. */
export const stillUnderWay = (
  kept: ReadonlyArray<UnderWay>,
  journal: ReadonlyArray<JournalEntry>,
  isOver: (child: ProcessId) => boolean
): ReadonlyArray<UnderWay> => {
  const ended = new Set(journal.map(({ key }) => key))
  return kept.filter(
    ({ key, child }) => !ended.has(key) && !ended.has(droppedKey(key)) && !(child !== undefined && isOver(child))
  )
}
