/**
 * How far the audit is: the bodies report what they read here, and a follower of the records reports the rest.
 *
 * Nothing of it is stored: what must survive a crash is in the processes.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/** A batch: the id of its process, and its number of files. */
export interface Planned {
  readonly id: string
  readonly files: number
}

/** Receives the progress of the audit. */
export class Progress extends Context.Tag("audit/Progress")<
  Progress,
  {
    /** A file of a batch was read here, now or in an earlier activation. */
    readonly fileRead: (batchId: string, path: string) => Effect.Effect<void>
    /** The pause before each file. */
    readonly rest: Effect.Effect<void>
    /** Prints a line. */
    readonly note: (line: string) => Effect.Effect<void>
    /** The plan is known: its batches, and those that were read before this program first checked. */
    readonly planned: (batches: ReadonlyArray<Planned>, before: ReadonlySet<string>) => Effect.Effect<void>
    /** A batch is recorded as read, by this program or by another. */
    readonly batchDone: (batchId: string) => Effect.Effect<void>
  }
>() {}
