/**
 * The wake driver: claims due wakes from the outbox, hands them to the host's sink, and settles them.
 *
 * ```
 * wake-up or pause ─► is anything due? ─► claim ─► sink ─► settle ─► wake-up
 *                         no: a longer pause        └─ failed, silent: deferred, longer each time
 * ```
 * Invariant: a wake is settled as enqueued only after the sink said that it was delivered. Each delivery has a fiber of its
 * own, so a slow target delays no other delivery.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as BackOff from "../../machines/backOff.ts"
import { WakeOutbox } from "../operations/WakeOutbox.ts"
import * as Latch from "../runtime/Latch.ts"
import type { Settlement, WakeClaim } from "../store/Outbox.ts"
import { WakeTimings } from "../store/Outbox.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { Deliver, SinkAnswer } from "./WakeSink.ts"
import { WakeSink } from "./WakeSink.ts"

/** Drives the outbox of the store in context. */
export class WakeDriver extends Context.Tag("holdfast/supervision/WakeDriver")<
  WakeDriver,
  {
    /** Claims and delivers; for the supervision tree to run. Without a sink it claims nothing. */
    readonly run: Effect.Effect<never>
  }
>() {}

/** How many deliveries are under way at once. */
export const maxInFlight = 64

/** The pauses of a driver that finds nothing due. */
export const polling: BackOff.BackOffPolicy = { baseMs: 25, maxMs: 1_000 }

/** How long a wake is deferred after its n-th attempt: 50 ms, doubled up to five minutes. Units: milliseconds. */
export const backOffMs = (attempts: number): number => BackOff.delayMs({ baseMs: 50, maxMs: 300_000 }, attempts)

/** A driver for the sink in context. */
export const layer: Layer.Layer<WakeDriver, never, ProcessStore | WakeOutbox | WakeSink> = Layer.effect(
  WakeDriver,
  Effect.gen(function* () {
    const { deliver } = yield* WakeSink
    if (deliver === undefined) return { run: Effect.never }
    const store = yield* ProcessStore
    const outbox = yield* WakeOutbox
    const { claimMs } = yield* WakeTimings
    const silenceMs = Math.floor((claimMs * 2) / 3)

    const settle = (claim: WakeClaim, settlement: Settlement) =>
      outbox.settle(claim, settlement).pipe(
        Effect.retry(settleAgain),
        Effect.flatMap((outcome) =>
          outcome._tag === "Settled"
            ? Effect.void
            : Effect.logDebug(`another driver claimed ${claim.wake.wakeId} meanwhile`)
        ),
        Effect.catchAll((error) =>
          Effect.logWarning(`${claim.wake.wakeId} not settled, it will be delivered again: ${error.message}`)
        )
      )

    const handOver = (claim: WakeClaim) =>
      Effect.exit(Effect.interruptible(answerOf(deliver, claim, silenceMs))).pipe(
        Effect.flatMap((exit) => Effect.zipRight(logProblem(claim, exit), settle(claim, settlementOf(claim, exit)))),
        Effect.uninterruptible
      )

    const run = Effect.gen(function* () {
      const latch = Latch.make()
      const deliveries = yield* FiberSet.make<void>()
      yield* store.onCommit((changes) => {
        if (changes.some(({ wakes = [] }) => wakes.length > 0)) latch.wake()
      })
      let free = maxInFlight

      /** Whether anything was found. */
      const round = Effect.gen(function* () {
        if (free === 0 || !(yield* outbox.isDue)) return false
        const { claims, expired } = yield* outbox.claim(free)
        for (const wakeId of expired) yield* Effect.logWarning(`${wakeId} was not delivered in time and is discarded`)
        for (const claim of claims) {
          free--
          const done = Effect.sync(() => {
            free++
            latch.wake()
          })
          yield* FiberSet.run(deliveries, Effect.ensuring(handOver(claim), done))
        }
        return claims.length > 0 || expired.length > 0
      }).pipe(
        // Every claim must get its fiber, or its wake would wait until the claim is stale.
        Effect.uninterruptible,
        Effect.catchAll((error) =>
          Effect.as(Effect.logWarning(`wakes wait until the store answers: ${error.message}`), false)
        )
      )

      let idleRounds = 1
      while (true) {
        const isBusy = (yield* round) || (yield* latch.sleep(BackOff.delayMs(polling, idleRounds)))
        idleRounds = isBusy ? 1 : idleRounds + 1
      }
    })

    return { run: Effect.scoped(run) as Effect.Effect<never> } // it never returns
  })
)

/** The store may be busy for moments. A claim that is never settled becomes stale, and its wake is delivered again. */
const settleAgain = Schedule.intersect(Schedule.exponential("50 millis"), Schedule.recurs(5))

/** A sink that throws counts as one that fails; the driver does not wait for one that cannot be interrupted. */
const answerOf = (deliver: Deliver, { wake }: WakeClaim, silenceMs: number): Effect.Effect<SinkAnswer, unknown> =>
  Effect.suspend(() => deliver(wake)).pipe(
    Effect.disconnect,
    Effect.timeoutFail({
      duration: silenceMs,
      onTimeout: () => new Error(`it did not answer within ${silenceMs} ms`)
    })
  )

const settlementOf = ({ attempts }: WakeClaim, exit: Exit.Exit<SinkAnswer, unknown>): Settlement => {
  if (Exit.isFailure(exit)) {
    // On shutdown, defer with no delay so that another host can retry immediately.
    const delayMs = Cause.isInterruptedOnly(exit.cause) ? 0 : backOffMs(attempts)
    return { _tag: "Defer", delayMs, seen: "unknown" }
  }
  switch (exit.value._tag) {
    case "Delivered":
      return { _tag: "Enqueued" }
    case "RetryLater":
      return { _tag: "Defer", delayMs: backOffMs(attempts), seen: "no" }
    case "TargetGone":
      return { _tag: "Discard", reason: "target_gone" }
  }
}

const logProblem = ({ wake, attempts }: WakeClaim, exit: Exit.Exit<SinkAnswer, unknown>): Effect.Effect<void> => {
  const what = `${wake.wakeId} of ${wake.processId} for ${wake.targetScopeId}`
  if (Exit.isSuccess(exit)) {
    return exit.value._tag === "TargetGone"
      ? Effect.logWarning(`${what} is discarded: the target is gone`)
      : Effect.void
  }
  if (Cause.isInterruptedOnly(exit.cause)) return Effect.void
  const problem = Cause.squash(exit.cause)
  const text = problem instanceof Error ? problem.message : String(problem)
  return Effect.logWarning(`${what}: attempt ${attempts} failed, the next one is in ${backOffMs(attempts)} ms: ${text}`)
}
