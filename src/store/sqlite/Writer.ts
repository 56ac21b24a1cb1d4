/**
 * The one writer of a database: a fiber that commits many requests in one synchronous transaction (group commit).
 *
 * ```
 * callers ─► queue ─► end of the loop's turn ─► BEGIN IMMEDIATE · job · job · … · COMMIT ─► listeners ─► callers resume
 *                        defect ─► the batch is answered ─► pause ─► the next batch
 * ```
 * Invariant: every caller is answered, none before the commit that its answer depends on. A defect never ends the loop.
 */
import type { Database } from "better-sqlite3"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as BackOff from "../../../machines/backOff.ts"
import type { Hooks, Job } from "./batches.ts"
import * as Batches from "./batches.ts"
import { storeError } from "./failure.ts"
import type { WriterOptions } from "./WriterOptions.ts"

export type { Hooks, Job } from "./batches.ts"
export { patience, realTime } from "./batches.ts"

/** Bounds that keep the loop responsive. */
export const defaultOptions: WriterOptions = { maxBatch: 512, maxBatchMs: 8, busyTimeoutMs: 5_000 }

/** How the writer's loop is doing. */
export interface WriterStatus {
  /** `backing_off`: it met a defect and pauses before the next batch. `stopped`: its scope has closed. */
  readonly state: "running" | "backing_off" | "stopped"
  /** How often a defect broke the loop, since it was made. */
  readonly restarts: number
  /** The last of those defects. Units: `atMs` is epoch milliseconds by the real clock. */
  readonly lastFailure?: { readonly atMs: number; readonly problem: string }
}

/** Submits jobs to the writer, and says how it is doing. */
export interface Writer {
  readonly submit: (job: Job) => void
  readonly status: () => WriterStatus
}

/** The pauses after defects in a row: 10 ms, doubled up to one second. Units: milliseconds. */
export const backOffMs = (defects: number): number => BackOff.delayMs({ baseMs: 10, maxMs: 1_000 }, defects)

/** Starts the writer fiber. When its scope closes, what is queued is committed first. */
export const make = (
  db: Database,
  hooks: Hooks,
  options: WriterOptions = defaultOptions
): Effect.Effect<Writer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const queue: Array<Job> = []
    let wake: (() => void) | undefined
    const clock = yield* Effect.clock
    let closed = false
    let state: WriterStatus["state"] = "running"
    let restarts = 0
    let inRow = 0
    let lastFailure: WriterStatus["lastFailure"]
    const batches = Batches.make(db, hooks, options, queue, () => clock.unsafeCurrentTimeMillis())

    const work: Effect.Effect<void> = Effect.zipRight(batches.commitNext, endOfTurn)

    const drain = Effect.whileLoop({
      while: () => queue.length > 0,
      body: () => work,
      step: () => {
        inRow = 0
      }
    }).pipe(
      Effect.catchAllCause((cause) => settle(cause)),
      Effect.uninterruptible
    )

    const idle = Effect.async<void>((resume) => {
      if (queue.length > 0) return resume(Effect.void)
      wake = () => resume(Effect.void)
      return undefined
    })

    /** Answers the callers that the defect kept waiting, and records it. The logger itself may be broken: it decides nothing. */
    const settle = (cause: Cause.Cause<never>): Effect.Effect<void> =>
      Effect.suspend(() => {
        const defect = Cause.squash(cause)
        batches.abort(defect)
        const problem = defect instanceof Error ? `${defect.name}: ${defect.message}` : String(defect)
        restarts++
        inRow++
        state = "backing_off"
        lastFailure = { atMs: Batches.realClock.unsafeCurrentTimeMillis(), problem }
        return Effect.exit(Effect.logError(`the writer met a defect, and goes on after ${backOffMs(inRow)} ms`, cause))
      })

    const pause = Effect.suspend(() => {
      if (inRow === 0) return Effect.void
      return Effect.map(Batches.realTime(Effect.sleep(backOffMs(inRow))), () => {
        state = "running"
      })
    })

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closed = true
        // A defect answers at least one request, so this ends.
        return Effect.whileLoop({ while: () => queue.length > 0, body: () => drain, step: () => {} })
      }).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            state = "stopped"
          })
        )
      )
    )
    yield* idle.pipe(
      Effect.zipRight(endOfTurn),
      Effect.zipRight(drain),
      Effect.zipRight(pause),
      Effect.forever,
      Effect.forkScoped
    )

    return {
      submit: (job) => {
        if (closed) return job.deliver(Exit.fail(storeError("write", new Error("the store is closed"))))
        queue.push(job)
        if (wake !== undefined) {
          const resume = wake
          wake = undefined
          resume()
        }
      },
      status: () => ({ state, restarts, ...(lastFailure === undefined ? {} : { lastFailure }) })
    }
  })

/** A batch starts when the loop's turn ends: whatever arrives in one turn shares a commit, and a lonely caller never waits. */
const endOfTurn: Effect.Effect<void> = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})
