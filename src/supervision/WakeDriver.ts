/**
 * The wake driver: claims what the outbox owes, hands it to the host's sink, and settles it.
 *
 * ```
 * nudge or pause ─► is anything due? ─► claim ─► sink ─► settle ─► nudge
 *                       no: a longer pause        └─ failed, silent: deferred, longer each time
 * ```
 * Invariant: a wake is settled as enqueued only after the sink said that it was delivered. Each delivery has a fiber of its
 * own, so a target that is slow or gone holds up nobody else's.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import { WakeOutbox } from "../operations/WakeOutbox.ts"
import type { Settlement, WakeClaim } from "../store/Outbox.ts"
import { WakeTimings } from "../store/Outbox.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { Deliver, SinkAnswer } from "./WakeSink.ts"
import { WakeSink } from "./WakeSink.ts"

/** Drives the outbox of the store in context. */
export class WakeDriver extends Context.Tag("holdfast/supervision/WakeDriver")<
  WakeDriver,
  {
    /** Drives for ever; for the supervision tree to run. Without a sink it claims nothing. */
    readonly run: Effect.Effect<never>
  }
>() {}

/** How many deliveries are under way at once. */
export const maxInFlight = 64

/** The pauses of a driver that finds nothing: the first, doubled up to the last. Units: milliseconds. */
export const pollMs = { first: 25, last: 1_000 } as const

/** How long a wake rests after its n-th attempt: 50 ms, doubled up to five minutes. Units: milliseconds. */
export const backOffMs = (attempts: number): number => Math.min(50 * 2 ** (attempts - 1), 300_000)

/** A driver for the sink in context. Its loop is for the supervision tree to run. */
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
            : Effect.logDebug(`somebody else has taken ${claim.wake.wakeId} meanwhile`)
        ),
        Effect.catchAll((error) => Effect.logWarning(`${claim.wake.wakeId} is delivered again: ${error.message}`))
      )

    const handOver = (claim: WakeClaim) =>
      Effect.exit(Effect.interruptible(answerOf(deliver, claim, silenceMs))).pipe(
        Effect.flatMap((exit) => Effect.zipRight(tell(claim, exit), settle(claim, settlementOf(claim, exit)))),
        Effect.uninterruptible
      )

    const run = Effect.gen(function* () {
      const nudges = makeNudges()
      const deliveries = yield* FiberSet.make<void>()
      yield* store.onCommit((changes) => {
        if (changes.some(({ wakes = [] }) => wakes.length > 0)) nudges.nudge()
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
            nudges.nudge()
          })
          yield* FiberSet.run(deliveries, Effect.ensuring(handOver(claim), done))
        }
        return claims.length > 0 || expired.length > 0
      }).pipe(
        // What was claimed must get its fiber, or it would rest until the claim is stale.
        Effect.uninterruptible,
        Effect.catchAll((error) =>
          Effect.as(Effect.logWarning(`wakes rest until the store answers: ${error.message}`), false)
        )
      )

      let pauseMs: number = pollMs.first
      while (true) {
        const found = yield* round
        const nudged = found || (yield* nudges.within(pauseMs))
        pauseMs = nudged ? pollMs.first : Math.min(pauseMs * 2, pollMs.last)
      }
    })

    return { run: Effect.scoped(run) as Effect.Effect<never> } // it loops for ever
  })
)

/** The store may be busy for moments; a claim that cannot be settled is stale in a while, and the wake is delivered again. */
const settleAgain = Schedule.intersect(Schedule.exponential("50 millis"), Schedule.recurs(5))

/** A sink that throws before it answers is one that fails; one that cannot be interrupted is not waited for. */
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
    // A driver that stops leaves at once what another may take at once.
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

const tell = ({ wake, attempts }: WakeClaim, exit: Exit.Exit<SinkAnswer, unknown>): Effect.Effect<void> => {
  const what = `${wake.wakeId} of ${wake.processId} for ${wake.targetScopeId}`
  if (Exit.isSuccess(exit)) {
    return exit.value._tag === "TargetGone"
      ? Effect.logWarning(`${what} is discarded: the target is gone`)
      : Effect.void
  }
  if (Cause.isInterruptedOnly(exit.cause)) return Effect.void
  const problem = Cause.squash(exit.cause)
  const text = problem instanceof Error ? problem.message : String(problem)
  return Effect.logWarning(`${what}: attempt ${attempts} failed, it rests ${backOffMs(attempts)} ms: ${text}`)
}

/** One waiter; nudges that come while it does not wait are kept as one. */
const makeNudges = () => {
  let nudged = false
  let resume: (() => void) | undefined
  const wait = Effect.async<void>((go) => {
    if (nudged) return go(Effect.void)
    resume = () => go(Effect.void)
    return Effect.sync(() => {
      resume = undefined
    })
  })
  return {
    nudge: () => {
      nudged = true
      resume?.()
      resume = undefined
    },
    /** Whether a nudge came before the time was up. */
    within: (ms: number): Effect.Effect<boolean> =>
      Effect.map(Effect.timeoutOption(wait, ms), () => {
        const was = nudged
        nudged = false
        return was
      })
  }
}
