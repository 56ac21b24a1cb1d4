/**
 * The writer of a store: fibers that commit what is queued in batches, many requests in one transaction (group commit).
 *
 * ```
 * callers ─► queue ─► end of the loop's turn ─► batch: lock · decide · write · commit ─► listeners ─► callers resume
 *                        defect ─► the batch is answered ─► pause ─► the next batch
 * ```
 * Of several fibers another one begins when what is queued has waited {@link overlapMs} behind the batch under way: until then it
 * gathers, since few large batches cost less than many small ones.
 *
 * Invariant: every caller is answered, none before the commit that its answer depends on. A defect never ends a fiber.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as BackOff from "../../machines/backOff.ts"
import { StoreError } from "../model/errors.ts"

/** A request that waits for its answer, as far as the writer knows it. */
export interface Request {
  /** Called once, after the commit or when it failed. */
  readonly deliver: (exit: Exit.Exit<unknown, unknown>) => void
}

/** Writes what is queued, one batch at a time. */
export interface Batches {
  /** Whether the queue has a request that can be written now. */
  readonly hasWork: () => boolean
  /** Writes the next batch and answers it. Dies of what is neither a request's fault nor the database's. */
  readonly commitNext: Effect.Effect<void>
  /**
   * After such a defect: answers the requests that still wait for it, and leaves the transaction.
   *
   * When the defect met no batch, the whole queue is answered, so that a lasting defect keeps no caller waiting.
   */
  readonly abort: (defect: unknown) => Effect.Effect<void>
}

/** How the writer is doing. */
export interface WriterStatus {
  /** `backing_off`: it met a defect and pauses before the next batch. `stopped`: its scope has closed. */
  readonly state: "running" | "backing_off" | "stopped"
  /** How often a defect broke the loop, since it was made. */
  readonly restarts: number
  /** The last of those defects. Units: `atMs` is epoch milliseconds by the real clock. */
  readonly lastFailure?: { readonly atMs: number; readonly problem: string }
}

/** Submits requests to the writer, and says how it is doing. */
export interface Writer<R extends Request> {
  readonly submit: (request: R) => void
  readonly status: () => WriterStatus
}

/** A batch starts when the loop's turn ends: whatever arrives in one turn shares a commit, and a lonely caller never waits. */
const endOfTurn: Effect.Effect<void> = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** How long requests gather behind a batch before another fiber takes them. Units: milliseconds. */
const overlapMs = 3

/** How many callers are answered before it is looked how long the turn has been held. */
const answersAtOnce = 8

/** How long callers that resume may hold the loop, before it turns and the rest is answered. Units: milliseconds. */
const answersMs = 4

/**
 * Answers every request, even if one of them throws, which is a defect.
 *
 * Callers resume a few at a time, and go on until their next request. Where that takes long the loop turns in between, so that a
 * large batch does not hold it for what all its callers do next; the next batch begins after the last of them, and finds what they
 * ask for in one queue.
 */
export const answerAll = (
  requests: ReadonlyArray<Request>,
  exitOf: (index: number) => Exit.Exit<unknown, unknown>
): Effect.Effect<void> => {
  let next = 0
  let fault: { readonly cause: unknown } | undefined
  let heldSince = performance.now()
  const answerSome = Effect.sync(() => {
    for (const until = next + answersAtOnce; next < requests.length && next < until; next++) {
      try {
        requests[next]?.deliver(exitOf(next))
      } catch (cause) {
        fault ??= { cause }
      }
    }
  })
  /** Lets those that were answered go on. */
  const letResume = Effect.zipRight(
    Effect.yieldNow(),
    Effect.suspend(() =>
      performance.now() - heldSince < answersMs
        ? Effect.void
        : Effect.map(endOfTurn, () => {
            heldSince = performance.now()
          })
    )
  )
  const rest: Effect.Effect<void> = Effect.whileLoop({
    while: () => next < requests.length,
    body: () => Effect.zipRight(letResume, answerSome),
    step: () => {}
  })
  return answerSome.pipe(
    Effect.zipRight(rest),
    Effect.zipRight(Effect.suspend(() => (fault === undefined ? Effect.void : Effect.die(fault.cause))))
  )
}

/** Does something at once; what it throws is a defect for later. */
export const attempt = (work: () => void): Exit.Exit<void> => {
  try {
    return Exit.succeed(work())
  } catch (cause) {
    return Exit.die(cause)
  }
}

/** The pauses after defects in a row: 10 ms, doubled up to one second. Units: milliseconds. */
export const backOffMs = (defects: number): number => BackOff.delayMs({ baseMs: 10, maxMs: 1_000 }, defects)

/** Another program holds a lock for moments: try soon, then less often. Real time, also where tests move the clock. */
export const patience = (timeoutMs: number): Schedule.Schedule<unknown> =>
  Schedule.exponential(Duration.millis(1), 1.5).pipe(
    Schedule.union(Schedule.spaced(Duration.millis(20))),
    Schedule.upTo(Duration.millis(timeoutMs))
  )

/** The clock of the machine, also where tests move time. */
const realClock: Clock.Clock = Clock.make()

/** Waits for other programs go by the real clock. */
export const realTime: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = Effect.withClock(realClock)

/** The failure of a request that a defect of the writer kept from being written. It was not committed. */
export const defectError = (defect: unknown): StoreError =>
  refusal(
    "failed",
    `the writer met a defect; nothing was written, try again: ${
      defect instanceof Error ? defect.message : String(defect)
    }`,
    defect
  )

/** Starts a fiber for each of the batches that are made of the queue. When the scope closes, what is queued is committed first. */
export const make = <R extends Request>(
  batchesOf: (queue: Array<R>, nowMs: () => number) => ReadonlyArray<Batches>
): Effect.Effect<Writer<R>, never, Scope.Scope> =>
  Effect.gen(function* () {
    const queue: Array<R> = []
    const idle: Array<(begun: Effect.Effect<void>) => void> = []
    const clock = yield* Effect.clock
    let closed = false
    let stopped = false
    let restarts = 0
    let lastFailure: WriterStatus["lastFailure"]
    const all = batchesOf(queue, () => clock.unsafeCurrentTimeMillis())

    /** How many fibers have a batch, or are about to take one. */
    let atWork = 0
    let isGathering = false

    const begin = (): Effect.Effect<void> => {
      atWork++
      return endOfTurn
    }
    const gather = Effect.suspend(() => {
      isGathering = false
      return begin()
    }).pipe(Effect.delay(overlapMs), realTime)

    /** Wakes a fiber for what is queued: at once when none is at work, after a while otherwise. */
    const wake = (): void => {
      const gathers = atWork > 0
      if (gathers && isGathering) return
      const resume = idle.shift()
      if (resume === undefined) return
      isGathering ||= gathers
      resume(gathers ? gather : begin())
    }

    const loopOf = (batches: Batches) => {
      let inRow = 0
      let pausing = false

      const drain = Effect.whileLoop({
        while: batches.hasWork,
        body: () => Effect.zipRight(batches.commitNext, endOfTurn),
        step: () => {
          inRow = 0
          if (queue.length > 0) wake()
        }
      }).pipe(
        Effect.catchAllCause((cause) => settle(cause)),
        Effect.uninterruptible
      )

      /** Answers the callers that the defect kept waiting, and records it. The logger itself may be broken: it decides nothing. */
      const settle = (cause: Cause.Cause<never>): Effect.Effect<void> =>
        Effect.suspend(() => {
          const defect = Cause.squash(cause)
          const problem = defect instanceof Error ? `${defect.name}: ${defect.message}` : String(defect)
          restarts++
          inRow++
          pausing = true
          lastFailure = { atMs: realClock.unsafeCurrentTimeMillis(), problem }
          // What is thrown on the way is another defect: the first one is what is reported.
          return Effect.zipRight(
            Effect.exit(batches.abort(defect)),
            Effect.exit(Effect.logError(`the writer met a defect, and goes on after ${backOffMs(inRow)} ms`, cause))
          )
        })

      const pause = Effect.suspend(() =>
        pausing
          ? Effect.map(realTime(Effect.sleep(backOffMs(inRow))), () => {
              pausing = false
            })
          : Effect.void
      )

      const wait = Effect.async<void>((resume) => {
        if (batches.hasWork()) return resume(begin())
        idle.push(resume)
        return undefined
      })

      return {
        drain,
        isPausing: () => pausing,
        run: wait.pipe(
          Effect.zipRight(drain),
          Effect.zipRight(pause),
          Effect.map(() => {
            atWork--
          })
        )
      }
    }
    const loops = all.map(loopOf)

    yield* Effect.addFinalizer(() =>
      Effect.suspend(() => {
        closed = true
        // A defect answers at least one request, so this ends.
        return Effect.whileLoop({
          while: () => queue.length > 0,
          body: () => loops[0]?.drain ?? Effect.void,
          step: () => {}
        })
      }).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            stopped = true
          })
        )
      )
    )
    for (const { run } of loops) yield* Effect.forkScoped(Effect.forever(run))

    return {
      submit: (request) => {
        if (closed) return request.deliver(Exit.fail(refusal("failed", "the store is closed")))
        queue.push(request)
        wake()
      },
      status: () => ({
        state: stopped ? "stopped" : loops.some(({ isPausing }) => isPausing()) ? "backing_off" : "running",
        restarts,
        ...(lastFailure === undefined ? {} : { lastFailure })
      })
    }
  })

const refusal = (reason: StoreError["reason"], detail: string, cause?: unknown): StoreError =>
  new StoreError({ operation: "write", reason, written: "no", detail, cause })
