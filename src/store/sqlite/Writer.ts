/**
 * The one writer of a database: a fiber that commits many requests in one synchronous transaction (group commit).
 *
 * ```
 * callers ─► queue ─► end of the loop's turn ─► BEGIN IMMEDIATE · job · job · … · COMMIT ─► listeners ─► callers resume
 * ```
 * Invariant: nobody is answered before the commit that the answer rests on. A request that its own decision refuses writes
 * nothing; one whose writes the database refuses fails alone, since the batch is then done again job by job.
 */
import type { Database } from "better-sqlite3"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import type { StoreError } from "../../model/errors.ts"
import { isBusy, storeError } from "./failure.ts"

/** One request: run inside a transaction, synchronously; its answer is delivered after the commit. */
export interface Job {
  /** Runs the request at `nowMs`. Throws only what the database throws. */
  readonly run: (nowMs: number) => Exit.Exit<unknown, unknown>
  /** Called once, after the commit or when it failed. */
  readonly deliver: (exit: Exit.Exit<unknown, unknown>) => void
}

/** What the writer needs to know of whoever keeps state beside the database. */
export interface Hooks {
  /** A transaction has begun; the lock is held. */
  readonly onBegin: () => void
  readonly onCommitted: () => void
  readonly onRolledBack: () => void
}

/** Bounds of a batch, and of the patience for another process's lock. */
export interface WriterOptions {
  /** @default 512 */
  readonly maxBatch: number
  /** How long one batch may hold the event loop, commit excluded. Units: milliseconds. @default 8 */
  readonly maxBatchMs: number
  /** How long a batch waits for a lock that another process holds. Units: milliseconds. @default 5000 */
  readonly busyTimeoutMs: number
}

/** Bounds that keep the loop responsive. */
export const defaultOptions: WriterOptions = { maxBatch: 512, maxBatchMs: 8, busyTimeoutMs: 5_000 }

/** Submits jobs to the writer. */
export interface Writer {
  readonly submit: (job: Job) => void
}

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
    const batches = makeBatches(db, hooks, options, queue, () => clock.unsafeCurrentTimeMillis())

    const work: Effect.Effect<void> = Effect.zipRight(batches.commitNext, endOfTurn)

    const idle = Effect.async<void>((resume) => {
      if (queue.length > 0) return resume(Effect.void)
      wake = () => resume(Effect.void)
      return undefined
    })

    const drain = Effect.whileLoop({ while: () => queue.length > 0, body: () => work, step: () => {} })

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closed = true
        return drain
      })
    )
    yield* idle.pipe(
      Effect.zipRight(endOfTurn),
      Effect.zipRight(Effect.uninterruptible(drain)),
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
      }
    }
  })

/** A batch starts when the loop's turn ends: whatever arrives in one turn shares a commit, and a lonely caller never waits. */
const endOfTurn: Effect.Effect<void> = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** Another process holds the lock for moments: try soon, then less often. Real time, also where tests move the clock. */
export const patience = (timeoutMs: number): Schedule.Schedule<unknown> =>
  Schedule.exponential(Duration.millis(1), 1.5).pipe(
    Schedule.union(Schedule.spaced(Duration.millis(20))),
    Schedule.upTo(Duration.millis(timeoutMs))
  )

/** Waits for other processes go by the real clock. */
export const realTime: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = Effect.withClock(
  Clock.make()
)

const makeBatches = (db: Database, hooks: Hooks, options: WriterOptions, queue: Array<Job>, nowMs: () => number) => {
  const begin = db.prepare("BEGIN IMMEDIATE")
  const commit = db.prepare("COMMIT")
  const rollback = db.prepare("ROLLBACK")

  const undo = () => {
    if (db.inTransaction) rollback.run()
    hooks.onRolledBack()
  }

  const acquire: Effect.Effect<void, StoreError> = Effect.try({
    try: () => {
      begin.run()
      try {
        hooks.onBegin()
      } catch (cause) {
        rollback.run()
        throw cause
      }
    },
    catch: (cause) => storeError("begin a transaction", cause)
  })

  const locked = acquire.pipe(
    Effect.retry({
      while: (error) => error.reason === "busy",
      schedule: patience(options.busyTimeoutMs)
    }),
    realTime
  )

  /** Runs jobs until the queue, the batch or its time is used up; answers wait in `exits`. */
  const runJobs = (jobs: Array<Job>, exits: Array<Exit.Exit<unknown, unknown>>, limit: number): void => {
    // The time is read under the lock: whoever waited for it judges leases by the time it got it.
    const now = nowMs()
    const startedAt = performance.now()
    while (queue.length > 0 && jobs.length < limit) {
      const job = queue.shift() as Job // the queue is not empty
      jobs.push(job)
      exits.push(job.run(now))
      if (performance.now() - startedAt > options.maxBatchMs) return
    }
  }

  /** One transaction over at most `limit` queued jobs. Answers what must be tried again one by one. */
  const transaction = (limit: number): ReadonlyArray<Job> => {
    const jobs: Array<Job> = []
    const exits: Array<Exit.Exit<unknown, unknown>> = []
    try {
      runJobs(jobs, exits, limit)
    } catch (cause) {
      undo()
      if (jobs.length > 1) return jobs
      jobs[0]?.deliver(Exit.fail(storeError("write", cause)))
      return []
    }
    try {
      commit.run()
    } catch (cause) {
      undo()
      const error = storeError("commit", cause, isBusy(cause) ? "no" : "unknown")
      for (const job of jobs) job.deliver(Exit.fail(error))
      return []
    }
    hooks.onCommitted()
    for (const [index, job] of jobs.entries()) job.deliver(exits[index] as Exit.Exit<unknown, unknown>)
    return []
  }

  const failQueued = (error: StoreError) =>
    Effect.sync(() => {
      for (const job of queue.splice(0, queue.length)) job.deliver(Exit.fail(error))
    })

  const once = (limit: number): Effect.Effect<void> =>
    locked.pipe(
      Effect.flatMap(() => Effect.sync(() => transaction(limit))),
      Effect.flatMap((again) =>
        Effect.suspend(() => {
          queue.unshift(...again)
          return oneByOne(again.length)
        })
      ),
      Effect.catchAll(failQueued)
    )

  const oneByOne = (count: number): Effect.Effect<void> =>
    Effect.suspend(() =>
      count === 0 || queue.length === 0 ? Effect.void : Effect.zipRight(once(1), oneByOne(count - 1))
    )

  return { commitNext: once(options.maxBatch) }
}
