/**
 * Retention: ended processes are removed in batches, each leaving a tombstone without payload.
 *
 * Invariant: a process that has not ended is never removed, whatever the cutoff.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { InputInvalid, StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ListFilter } from "../model/ListFilter.ts"
import type { Cursor } from "./ChangeFeed.ts"

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
 * Why a process was kept. `owes_children`: it owes its children a request that was not made yet. `undelivered_wakes`:
 * sessions have not got all the wakes that it owes them.
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
    /** Removes ended processes, batch by batch; it may be interrupted between two, and goes on when called again. */
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
