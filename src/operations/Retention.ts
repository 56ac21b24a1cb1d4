/**
 * Retention: ended processes are removed in batches, each leaving a tombstone without payload.
 *
 * Invariant: a process that has not ended is never removed, whatever the cutoff; and what a body may ask for again stays: how a child
 * of a running process ended.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import * as Output from "../model/AwaitOutput.ts"
import type { InputInvalid, StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import { prunedKey } from "../model/JournalEntry.ts"
import { canonicalText } from "../model/json.ts"
import type { ListFilter } from "../model/ListFilter.ts"
import * as Filter from "../model/ListFilter.ts"
import type { Decision, ProcessRow, View, Write } from "../store/Decision.ts"
import { acceptWith } from "../store/Decision.ts"
import type { Candidate } from "../store/ProcessStore.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { Cursor } from "./ChangeFeed.ts"
import { Cursor as CursorSchema, changeOf } from "./ChangeFeed.ts"
import * as Checks from "./checks.ts"

/** How far projections have read: what they have not seen is kept. There is no default. */
export type Watermark = { readonly _tag: "UpTo"; readonly cursor: Cursor } | { readonly _tag: "NoProjector" }

/** What to remove. Units: epoch milliseconds, UTC; rows last changed strictly before the cutoff are old enough. */
export interface PruneOptions {
  readonly cutoffMs: number
  readonly filter?: ListFilter
  readonly watermark: Watermark
  /** Called after each batch, which is committed by then. */
  readonly onProgress?: (report: PruneReport) => Effect.Effect<void>
}

/**
 * Why a process was kept. `owes_children`: a close request for one of its children is pending. `undelivered_wakes`: a wake
 * of it is undelivered.
 */
export type KeptReason = "beyond_watermark" | "changed" | "owes_children" | "undelivered_wakes"

/** What a prune removed, and what it kept although it was old enough, with the reason. */
export interface PruneReport {
  readonly prunedProcesses: number
  readonly prunedEvents: number
  readonly kept: ReadonlyArray<{ readonly processId: ProcessId; readonly reason: KeptReason }>
}

/** Running processes that share a definition and an environment. What is absent is safe to retire. */
export interface Reference {
  readonly definition?: unknown
  readonly envRef?: string
  readonly count: number
}

/** Retention. */
export class Retention extends Context.Tag("holdfast/store/Retention")<
  Retention,
  {
    /**
     * Removes ended processes, batch by batch; it may be interrupted between two, and goes on when called again.
     *
     * Fails with `InputInvalid` for an option that is unknown or of no meaning, and removes nothing then.
     */
    readonly pruneTerminalProcesses: (options: PruneOptions) => Effect.Effect<PruneReport, InputInvalid | StoreError>

    /** Compacts tombstones from before the cutoff: their ids may then be registered again. Answers how many. */
    readonly compactTombstones: (
      cutoffMs: number,
      watermark: Watermark
    ) => Effect.Effect<number, InputInvalid | StoreError>

    /** Which definitions and environments running processes still need. */
    readonly referenceSummary: Effect.Effect<ReadonlyArray<Reference>, StoreError>
  }
>() {}

/** How many processes one batch removes: few enough that no caller waits long for the commit. */
export const batchSize = 100

/** What one batch of a prune removed, and what it kept because it had changed meanwhile, or has work pending. */
interface PruneBatch {
  readonly pruned: ReadonlyArray<{ readonly processId: ProcessId; readonly events: number }>
  readonly moved: ReadonlyArray<ProcessId>
  /** Kept because wakes are undelivered, or close requests for its children are pending. */
  readonly pending: ReadonlyArray<{
    readonly processId: ProcessId
    readonly reason: "owes_children" | "undelivered_wakes"
  }>
}

/** Removes ended processes that have not changed since they were chosen. A process that runs is never touched. */
const pruneBatch =
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
      writes.push(...keptForParent(view, row))
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

/** What a running parent may ask for again, when its body runs again, is kept beside its journal, and goes with it. */
const keptForParent = (view: View, { base, snapshot }: ProcessRow): ReadonlyArray<Write> => {
  const { id, parent } = base.registration
  const { output } = snapshot.context
  const row = parent && view.row(parent.processId)
  if (row === undefined || output === undefined || lifecycleOf(row.snapshot) !== "running") return []
  const detail = JSON.stringify(Output.toWire(output))
  const progress = { key: prunedKey(id), atMs: view.nowMs, detail }
  return [{ _tag: "PutProgress", processId: row.base.registration.id, progress }]
}

/** Compacts tombstones: their ids may be registered again. */
const compact =
  (ids: ReadonlyArray<ProcessId>) =>
  (view: View): Decision<ReadonlyArray<ProcessId>, never> => {
    const compacted = ids.filter((id) => view.tombstone(id)?.compacted === false)
    return acceptWith(
      compacted,
      compacted.map((processId) => ({ _tag: "Compact", processId }) as const)
    )
  }

/** Builds retention on a store. */
export const make: Effect.Effect<typeof Retention.Service, never, ProcessStore> = Effect.map(ProcessStore, (store) => {
  const limitOf = (watermark: Watermark): Either.Either<number, InputInvalid> =>
    Either.flatMap(Checks.strict("watermark", WatermarkShape, watermark), (checked) =>
      checked._tag === "NoProjector" ? Either.right(Number.POSITIVE_INFINITY) : changeOf(store.storeId, checked.cursor)
    )

  const prune = (given: PruneOptions): Effect.Effect<PruneReport, InputInvalid | StoreError> =>
    Effect.gen(function* () {
      const options = yield* Checks.optionsOf<PruneOptions>(pruneOptions, given)
      const { onProgress } = options
      const cutoffMs = yield* Checks.count("cutoffMs", options.cutoffMs)
      // A filter of nothing is one that its caller meant to have: everything would go.
      const filter = { status: "any" as const, ...("filter" in options ? yield* Filter.check(options.filter) : {}) }
      if (onProgress !== undefined && typeof onProgress !== "function") {
        return yield* Checks.refuse("onProgress", "must be a function that answers an Effect")
      }
      const upTo = yield* limitOf(options.watermark)
      let report: PruneReport = { prunedProcesses: 0, prunedEvents: 0, kept: [] }
      let afterChange = 0
      while (true) {
        const batch = yield* store.retention.endedBefore({ cutoffMs, filter, afterChange, limit: batchSize })
        if (batch.length === 0) return report
        afterChange = batch.at(-1)?.change ?? afterChange
        const visible = batch.filter(({ change }) => change <= upTo)
        const beyond = batch.filter(({ change }) => change > upTo)
        const locked = visible.flatMap(({ processId, parentId }) => (parentId ? [processId, parentId] : [processId]))
        const lock = [...new Set(locked)].sort()
        const { pruned, moved, pending } = yield* store.transact({ lock }, pruneBatch(visible))
        report = {
          prunedProcesses: report.prunedProcesses + pruned.length,
          prunedEvents: report.prunedEvents + pruned.reduce((sum, { events }) => sum + events, 0),
          kept: [
            ...report.kept,
            ...beyond.map(({ processId }) => ({ processId, reason: "beyond_watermark" as const })),
            ...pending,
            ...moved.map((processId) => ({ processId, reason: "changed" as const }))
          ]
        }
        const progress: unknown = onProgress?.(report)
        if (Effect.isEffect(progress)) yield* progress as Effect.Effect<void> // of its type
      }
    })

  return Checks.answering(
    Retention.of({
      pruneTerminalProcesses: prune,
      compactTombstones: Effect.fnUntraced(function* (cutoffMs, watermark) {
        const cutoff = yield* Checks.count("cutoffMs", cutoffMs)
        const upTo = yield* limitOf(watermark)
        let compacted = 0
        let afterChange = 0
        while (true) {
          const batch = yield* store.retention.tombstonesBefore({ cutoffMs: cutoff, afterChange, limit: batchSize })
          const ids = batch.filter(({ change }) => change <= upTo).map(({ processId }) => processId)
          if (ids.length === 0) return compacted
          compacted += (yield* store.transact({ lock: [...ids].sort() }, compact(ids))).length
          afterChange = batch.at(-1)?.change ?? afterChange
        }
      }),
      referenceSummary: Effect.map(store.listNonTerminal, (rows) => {
        const groups = new Map<string, Reference>()
        for (const { base } of rows) {
          const { identity, envRef } = base.registration
          const key = canonicalText([identity.definition === undefined ? [] : [identity.definition], envRef ?? null])
          groups.set(key, {
            ...("definition" in identity ? { definition: identity.definition } : {}),
            ...(envRef === undefined ? {} : { envRef }),
            count: (groups.get(key)?.count ?? 0) + 1
          })
        }
        return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, reference]) => reference)
      })
    })
  )
})

const pruneOptions = { cutoffMs: true, filter: true, watermark: true, onProgress: true } as const

const WatermarkShape = Schema.Union(
  Schema.Struct({ _tag: Schema.Literal("UpTo"), cursor: CursorSchema }),
  Schema.Struct({ _tag: Schema.Literal("NoProjector") })
)

/** Retention of the store in context. */
export const layer: Layer.Layer<Retention, never, ProcessStore> = Layer.effect(Retention, make)
