/**
 * Batches of the writer: what is queued, written in one synchronous transaction, and answered.
 *
 * Invariant: each job that is taken from the queue is answered once, by the transaction or by `abort`; a batch that the
 * database refuses is run again job by job, so that a request fails alone.
 */
import type { Database } from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { StoreError } from "../../model/errors.ts"
import type { Batches } from "../GroupCommit.ts"
import { answerAll, attempt, defectError, patience, realTime } from "../GroupCommit.ts"
import { storeError } from "./failure.ts"
import type { WriterOptions } from "./WriterOptions.ts"

/** One request: run inside a transaction, synchronously; its answer is delivered after the commit. */
export interface Job {
  /** Runs the request at `nowMs`. Throws only what the database throws. */
  readonly run: (nowMs: number) => Exit.Exit<unknown, unknown>
  /** Called once, after the commit or when it failed. */
  readonly deliver: (exit: Exit.Exit<unknown, unknown>) => void
}

/** Callbacks of the store that keeps state beside the database. */
export interface Hooks {
  /** A transaction has begun; the lock is held. */
  readonly onBegin: () => void
  readonly onCommitted: () => void
  /** The transaction was undone, or its outcome is unknown: any state kept of it, or from before, may be wrong. */
  readonly onRolledBack: () => void
}

/** The batch that is being written. */
interface Batch {
  readonly jobs: ReadonlyArray<Job>
  readonly answered: boolean
}

const noBatch: Batch = { jobs: [], answered: false }
const answeredBatch: Batch = { jobs: [], answered: true }

/** Makes the batches of a queue; `nowMs` is the time that requests are judged by. */
export const make = (
  db: Database,
  hooks: Hooks,
  options: WriterOptions,
  queue: Array<Job>,
  nowMs: () => number
): Batches => {
  const begin = db.prepare("BEGIN IMMEDIATE")
  const commit = db.prepare("COMMIT")
  const rollback = db.prepare("ROLLBACK")
  /** The jobs that wait for an answer, in case a defect comes between. */
  let inFlight = noBatch

  const leave = () => {
    if (db.inTransaction) rollback.run()
  }

  const undo = () => {
    leave()
    hooks.onRolledBack()
  }

  /** Answers every job; from now on none is left to `abort`. */
  const answer = (
    jobs: ReadonlyArray<Job>,
    exitOf: (index: number) => Exit.Exit<unknown, unknown>
  ): Effect.Effect<void> => {
    inFlight = answeredBatch
    return answerAll(jobs, exitOf)
  }

  const acquire: Effect.Effect<void, StoreError> = Effect.try({
    try: () => {
      inFlight = noBatch
      // A rollback that failed has left a transaction open: nothing more may be written into that one.
      leave()
      begin.run()
      try {
        hooks.onBegin()
      } catch (cause) {
        leave()
        throw cause
      }
    },
    catch: (cause) => storeError("begin a transaction", cause)
  })

  const isBusy = (error: StoreError): boolean => error.reason === "busy"

  /** The lock is usually free: the retry is set up only after a refusal. */
  const locked = Effect.catchIf(acquire, isBusy, () =>
    realTime(Effect.retry(acquire, { while: isBusy, schedule: patience(options.busyTimeoutMs) }))
  )

  /** Runs jobs until the queue, the batch or its time is used up; answers wait in `exits`. */
  const runJobs = (jobs: Array<Job>, exits: Array<Exit.Exit<unknown, unknown>>, limit: number): void => {
    // The time is read under the lock: a batch that waited for it judges leases by the time it got it.
    const now = nowMs()
    const startedAt = performance.now()
    while (queue.length > 0 && jobs.length < limit) {
      const job = queue.shift() as Job // the queue is not empty
      jobs.push(job)
      exits.push(job.run(now))
      if (performance.now() - startedAt > options.maxBatchMs) return
    }
  }

  /** One transaction over at most `limit` queued jobs, done at once. Answers what is left to do: the answers, or each job again alone. */
  const transaction = (limit: number): Effect.Effect<void> => {
    const jobs: Array<Job> = []
    const exits: Array<Exit.Exit<unknown, unknown>> = []
    inFlight = { jobs, answered: false }
    try {
      runJobs(jobs, exits, limit)
    } catch (cause) {
      // Without a job it is no job's fault, and a retry would meet it again.
      if (jobs.length === 0) throw cause
      undo()
      if (jobs.length === 1) return answer(jobs, () => Exit.fail(storeError("write", cause)))
      inFlight = noBatch
      queue.unshift(...jobs)
      return oneByOne(jobs.length)
    }
    try {
      commit.run()
    } catch (cause) {
      // SQLite leaves a transaction open whose commit it refused, and ends one whose commit went wrong on the way.
      const error = storeError("commit", cause, db.inTransaction ? "no" : "unknown")
      return Effect.ensuring(
        attempt(undo),
        answer(jobs, () => Exit.fail(error))
      )
    }
    // It is written, even if the hook fails.
    return Effect.ensuring(
      attempt(hooks.onCommitted),
      answer(jobs, (index) => exits[index] as Exit.Exit<unknown, unknown>) // each job left one
    )
  }

  const failQueued = (error: StoreError) =>
    Effect.suspend(() => answer(queue.splice(0, queue.length), () => Exit.fail(error)))

  const once = (limit: number): Effect.Effect<void> =>
    Effect.matchEffect(locked, { onSuccess: () => transaction(limit), onFailure: failQueued })

  const oneByOne = (count: number): Effect.Effect<void> =>
    count === 0
      ? Effect.void
      : Effect.suspend(() => (queue.length === 0 ? Effect.void : Effect.zipRight(once(1), oneByOne(count - 1))))

  const abort = (defect: unknown): Effect.Effect<void> =>
    Effect.suspend(() => {
      const { jobs, answered } = inFlight
      const waiting = answered || jobs.length > 0 ? jobs : queue.splice(0, queue.length)
      // The first defect was reported; a transaction that stays open is left before the next batch.
      for (const step of [leave, hooks.onRolledBack]) attempt(step)
      // None of them was committed: a batch that reaches its commit is answered there.
      return answer(waiting, () => Exit.fail(defectError(defect)))
    })

  return { hasWork: () => queue.length > 0, commitNext: once(options.maxBatch), abort }
}
