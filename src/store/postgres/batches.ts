/**
 * Batches of the writer: what is queued and shares no lock, in one transaction, tried again where the server was away.
 *
 * ```
 * take ─► transaction ─► committed: listeners, answers
 *            │  another host was faster ─► again, at once
 *            │  the server is away, a deadlock ─► again, for a while ─► one by one ─► StoreError "busy", nothing written
 *            └► the answer to the commit was lost ─► the server is asked what became of it ─► committed, or again
 * ```
 * Invariant: a request is answered once. Two requests that lock one process are never at work at the same time.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import { StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Change } from "../Decision.ts"
import type * as GroupCommit from "../GroupCommit.ts"
import { answerAll, attempt, defectError, realTime } from "../GroupCommit.ts"
import type { RenewPage } from "../ProcessStore.ts"
import type { Connected, Connection } from "./Connection.ts"
import type { Remedy } from "./failure.ts"
import { remedyOf, storeError } from "./failure.ts"
import * as Renewal from "./renewal.ts"
import type { Failure } from "./Session.ts"
import { firstRow } from "./Session.ts"
import type { Decided, Outcome, Request, Surroundings } from "./transaction.ts"
import * as Transaction from "./transaction.ts"
import { mostCharacters } from "./Writes.ts"

/** A request that waits for its answer: a decision, or a page of renewals. */
export type Job = GroupCommit.Request & (Request | { readonly renew: RenewPage })

/** What the store keeps beside the database. */
export interface Hooks {
  /**
   * `requests`: how many close requests were written. Units: `atMs` is the time by which they were decided, epoch milliseconds;
   * `busyMs` is the time from the beginning to the commit.
   */
  readonly onCommitted: (committed: {
    readonly changes: ReadonlyArray<Change>
    readonly requests: number
    readonly firstChange: number
    readonly endOfChanges: number
    readonly atMs: number
    readonly busyMs: number
  }) => void
}

/** Bounds of a batch. Units: `timeoutMs` is how long a server that is away is waited for. */
export interface BatchOptions {
  readonly maxBatch: number
  readonly timeoutMs: number
}

/** Why a transaction did not come about. */
interface Failed {
  readonly error: StoreError
  readonly remedy: Remedy
}

/** How often hosts may be faster before a request fails. */
const mostRaces = 20

/**
 * Which jobs of a queue one transaction takes now, by their places: in their order, at most `limit`, not more than it may write as
 * far as that is known, and none of a process that is
 * worked on (`busy`) or that a job before it waits for. So what locks one process goes in order, and no job starves.
 */
export const eligible = (
  queue: ReadonlyArray<Job>,
  busy: ReadonlySet<ProcessId>,
  limit: number
): ReadonlyArray<number> => {
  const picked: Array<number> = []
  const held = new Set<ProcessId>()
  let characters = 0
  for (const [index, job] of queue.entries()) {
    if (picked.length >= limit || characters > mostCharacters) break
    if (isAlone(job)) {
      if (index > 0) break
      return locksOf(job).some((id) => busy.has(id)) ? [] : [0]
    }
    const locks = locksOf(job)
    if (!locks.some((id) => busy.has(id) || held.has(id))) {
      picked.push(index)
      characters += "renew" in job ? 0 : (job.characters ?? 0)
    }
    for (const id of locks) held.add(id)
  }
  return picked
}

/** Makes the batches of one connection; `busy` are the processes that all connections of the store work on. */
export const make = (
  connection: Connection,
  hooks: Hooks,
  options: BatchOptions,
  surroundings: Surroundings,
  queue: Array<Job>,
  busy: Set<ProcessId>
): GroupCommit.Batches => {
  let inFlight: ReadonlyArray<Job> = []

  const answer = (
    jobs: ReadonlyArray<Job>,
    exitOf: (index: number) => Exit.Exit<unknown, unknown>
  ): Effect.Effect<void> => {
    const answered = new Set(jobs)
    inFlight = inFlight.filter((job) => !answered.has(job))
    return answerAll(jobs, exitOf)
  }

  const take = (): ReadonlyArray<Job> => {
    const picked = new Set(eligible(queue, busy, options.maxBatch))
    const jobs = queue.filter((_, index) => picked.has(index))
    const rest = queue.filter((_, index) => !picked.has(index))
    queue.splice(0, queue.length, ...rest)
    return jobs
  }

  /** One transaction. */
  const once = (jobs: ReadonlyArray<Job>): Effect.Effect<void, Failed> =>
    Effect.flatMap(Effect.mapError(connection.get, failedToConnect), (connected) => {
      const { session } = connected
      const [first] = jobs
      if (first !== undefined && "renew" in first) {
        return Renewal.renew(session, first.renew, surroundings).pipe(
          // Whether a lost answer renewed or not: the same renewal again is as good.
          Effect.mapError((failure) => failed("write", failure)),
          Effect.flatMap((page) => answer(jobs, () => Exit.succeed(page)))
        )
      }
      const begunAt = performance.now()
      return Transaction.decide(session, jobs as ReadonlyArray<Request>, surroundings).pipe(
        Effect.mapError((failure) => failed("write", failure)),
        Effect.tapErrorCause(() => Effect.ignore(session.isOpen() ? Transaction.rollBack(session) : Effect.void)),
        Effect.flatMap((decided) =>
          Effect.matchEffect(decided.commit, {
            onSuccess: (requests) => conclude(jobs, decided, requests, begunAt),
            onFailure: (failure) =>
              failure.isLost
                ? settle(connected, jobs, decided, failure, begunAt)
                : Effect.zipRight(Effect.ignore(Transaction.rollBack(session)), Effect.fail(failed("commit", failure)))
          })
        )
      )
    })

  const conclude = (
    jobs: ReadonlyArray<Job>,
    { outcomes, changes, firstChange, endOfChanges, atMs }: Decided,
    requests: number,
    begunAt: number
  ): Effect.Effect<void> => {
    const done = jobs.filter((_, index) => outcomes[index]?._tag === "Done")
    const exits = outcomes.flatMap((outcome) => (outcome._tag === "Done" ? [outcome.exit] : []))
    const later = jobs.flatMap((job, index): ReadonlyArray<Job> => {
      const outcome = outcomes[index]
      return outcome?._tag === "Later" ? [again(job, outcome)] : []
    })
    inFlight = inFlight.filter((job) => done.includes(job))
    queue.unshift(...later)
    // It is written, even if the hook fails.
    return Effect.ensuring(
      attempt(() =>
        hooks.onCommitted({ changes, requests, firstChange, endOfChanges, atMs, busyMs: performance.now() - begunAt })
      ),
      answer(done, (index) => exits[index] as Exit.Exit<unknown, unknown>) // each has one
    )
  }

  /** The answer to a commit was lost: the server knows what became of the transaction, and nothing is guessed. */
  const settle = (
    { timeline }: Connected,
    jobs: ReadonlyArray<Job>,
    decided: Decided,
    failure: Failure,
    begunAt: number
  ): Effect.Effect<void, Failed> => {
    const unknown = Effect.suspend(() => answer(jobs, () => Exit.fail(storeError("commit", failure.cause, "unknown"))))
    const look = Effect.flatMap(Effect.mapError(connection.get, failedToConnect), (now) =>
      now.timeline === timeline
        ? Effect.mapError(
            Effect.map(
              now.session.send([
                {
                  name: "xact_status",
                  text: "SELECT pg_xact_status($1::text::xid8) AS status",
                  values: [decided.transactionId]
                }
              ]),
              ([answered]) => firstRow<{ readonly status: string | null }>(answered).status
            ),
            (lost) => failed("commit", lost)
          )
        : // A standby took over, which may have missed the transaction, and has given its number to another one.
          Effect.succeed(null)
    )
    return look.pipe(
      Effect.filterOrFail(
        (status) => status !== "in progress",
        (): Failed => failed("commit", failure)
      ),
      Effect.retry({ while: ({ remedy }) => remedy === "retry", schedule: forAWhile(options.timeoutMs) }),
      realTime,
      Effect.matchEffect({
        onFailure: () => unknown,
        onSuccess: (status) => {
          if (status === "committed") return conclude(jobs, decided, jobs.length, begunAt)
          return status === "aborted" ? Effect.fail(failed("write", failure)) : unknown
        }
      })
    )
  }

  /** Tries a batch until it is written, or it is clear that it cannot be. Nearly all are written at once: only others pay for more. */
  const perform = (jobs: ReadonlyArray<Job>): Effect.Effect<void> =>
    Effect.catchAll(once(jobs), (failure) => performAgain(jobs, failure))

  const performAgain = (jobs: ReadonlyArray<Job>, first: Failed): Effect.Effect<void> => {
    let races = 0
    let known: Failed | undefined = first
    const attempt = Effect.suspend(() => {
      const failure = known
      known = undefined
      return failure === undefined ? once(jobs) : Effect.fail(failure)
    })
    return attempt.pipe(
      Effect.retry({ while: ({ remedy }) => remedy === "race" && races++ < mostRaces }),
      Effect.retry({ while: ({ remedy }) => remedy === "retry", schedule: forAWhile(options.timeoutMs) }),
      realTime,
      Effect.catchAll(({ error, remedy }) =>
        jobs.length === 1 || remedy === "retry" || error.reason === "newer_schema"
          ? answer(jobs, () => Exit.fail(error))
          : // A request fails alone.
            Effect.forEach(jobs, (job) => perform([job]), { discard: true })
      )
    )
  }

  return {
    hasWork: () => eligible(queue, busy, 1).length > 0,
    commitNext: Effect.suspend(() => {
      const jobs = take()
      const locks = jobs.flatMap(locksOf)
      inFlight = jobs
      for (const id of locks) busy.add(id)
      return Effect.ensuring(
        perform(jobs),
        Effect.sync(() => {
          for (const id of locks) busy.delete(id)
        })
      )
    }),
    abort: (defect) =>
      Effect.suspend(() =>
        answer(inFlight.length > 0 ? inFlight : queue.splice(0, queue.length), () => Exit.fail(defectError(defect)))
      )
  }
}

const locksOf = (job: Job): ReadonlyArray<ProcessId> => ("renew" in job ? [] : job.plan.lock)

/** Which processes a session has is known in the transaction only; a renewal is a transaction of its own. */
const isAlone = (job: Job): boolean => "renew" in job || job.plan.session !== undefined

/** What is known of it once it was decided. */
const again = (job: Job, { lock, characters }: Extract<Outcome, { readonly _tag: "Later" }>): Job =>
  "renew" in job
    ? job
    : {
        ...job,
        ...(lock.length === 0 ? {} : { plan: { ...job.plan, lock: [...new Set([...job.plan.lock, ...lock])] } }),
        ...(characters === undefined ? {} : { characters })
      }

const failed = (operation: string, { cause, isLost }: Failure): Failed => ({
  error: cause instanceof StoreError ? cause : storeError(operation, cause),
  remedy: isLost ? "retry" : remedyOf(cause)
})

const failedToConnect = (error: StoreError): Failed => ({
  error,
  remedy: error.reason === "busy" ? "retry" : "refuse"
})

/** Soon, then less often, for as long as a server is waited for. */
export const forAWhile = (timeoutMs: number): Schedule.Schedule<unknown> =>
  Schedule.exponential(Duration.millis(10), 1.5).pipe(
    Schedule.union(Schedule.spaced(Duration.millis(250))),
    Schedule.upTo(Duration.millis(timeoutMs))
  )
