/**
 * The one writer of a database file: group commit on its own connection, each batch in one synchronous transaction.
 *
 * ```
 * batch: BEGIN IMMEDIATE · job · job · … · COMMIT
 * ```
 */
import type { Database } from "better-sqlite3"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as GroupCommit from "../GroupCommit.ts"
import type { Hooks, Job } from "./batches.ts"
import * as Batches from "./batches.ts"
import type { WriterOptions } from "./WriterOptions.ts"

export type { WriterStatus } from "../GroupCommit.ts"
export { backOffMs, patience, realTime } from "../GroupCommit.ts"
export type { Hooks, Job } from "./batches.ts"

/** Bounds that keep the loop responsive. */
export const defaultOptions: WriterOptions = { maxBatch: 512, maxBatchMs: 8, busyTimeoutMs: 5_000 }

/** Submits jobs to the writer, and says how it is doing. */
export type Writer = GroupCommit.Writer<Job>

/** Starts the writer fiber. When its scope closes, what is queued is committed first. */
export const make = (
  db: Database,
  hooks: Hooks,
  options: WriterOptions = defaultOptions
): Effect.Effect<Writer, never, Scope.Scope> =>
  GroupCommit.make<Job>((queue, nowMs) => [Batches.make(db, hooks, options, queue, nowMs)])
