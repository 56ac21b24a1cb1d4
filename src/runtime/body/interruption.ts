/**
 * Interruptions by which nothing is lost. Effect turns the exit of an uninterruptible region into an interruption when one is
 * pending: so none is sent to a fiber before its region is over, and then it is sent before the fiber goes on.
 *
 * ```
 * asked for ─► could it end the fiber, with nothing lost? ─ yes ─► interrupted
 *                └ no ─► asked again whenever one of its fibers goes on, and when the body has come to rest
 * ```
 * Invariant: the moment depends on what the fibers did, and not on the time. So a body that runs again, and is asked to stop at
 * the same place, is interrupted at the same place.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import type * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type { AnyFiber } from "./lineage.ts"
import { isInterrupted, parentOf } from "./lineage.ts"

/**
 * When a fiber is interrupted that was in an uninterruptible region.
 *
 * - `at once`: before it does anything after the region, as Effect does it.
 * - `at rest`: where it waits, or has come to the end of one more region. What it does right after a region, such as to pick a
 *   field of what that came to, is part of its outcome.
 */
export type Moment = "at once" | "at rest"

/** An interruption that was asked for. */
export interface Interruption {
  /** Sends it, if nothing is lost by it; answers whether this did. */
  readonly attempt: () => boolean
  /** Answers once it was sent, or is not to be sent any more. */
  readonly over: Effect.Effect<void>
}

/** One that is to come to its fiber, and to those below it. */
interface Pending {
  /** A fiber goes on; answers whether it has to wait. */
  readonly look: (goer: AnyFiber) => boolean
  readonly withdraw: () => void
}

const pending = new Map<AnyFiber, Pending>()

/** Hears from a scheduler that a fiber goes on with its next operation; answers whether it has to wait. */
export const mustWait = (goer: AnyFiber): boolean => {
  if (pending.size === 0) return false
  for (let at: AnyFiber | undefined = goer; at !== undefined; at = parentOf(at)) {
    if (pending.get(at)?.look(goer) === true) return true
  }
  return false
}

/** Runs what a program gave. An interruption that waits for the end of it does not take away what that is. */
export const keepingItsEnd = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onExit(effect, () => withdrawn)

const withdrawn = Effect.withFiberRuntime<void>((fiber) => Effect.sync(() => pending.get(fiber)?.withdraw()))

/** Asks for the interruption of a fiber, once that has begun. */
export const request = (fiber: AnyFiber, moment: Moment): Effect.Effect<Interruption> =>
  Effect.map(fiber.status, () => {
    let isOver = false
    /** The fibers that it ends, once it was sent. */
    let reached: ReadonlySet<AnyFiber> | undefined
    let isInside = true
    let regions = 0
    let leaving: AnyFiber | undefined
    let wake: (() => void) | undefined
    const withdraw = (): void => {
      isOver = true
      if (pending.get(fiber) === own) pending.delete(fiber)
      wake?.()
    }
    const attempt = (): boolean => {
      if (isOver || !endsOnInterrupt(fiber)) return false
      isOver = true
      reached = new Set(treeOf(fiber))
      fiber.unsafeInterruptAsFork(fiber.id())
      return true
    }
    const look = (goer: AnyFiber): boolean => {
      // It reaches one fiber after the other.
      if (reached !== undefined) return reached.has(goer) && goer !== fiber && !isInterrupted(goer)
      const isReady = endsOnInterrupt(fiber)
      if (isInside && isReady) regions++
      isInside = !isReady
      // The first operation after a region hands on what it came to, which may be the value of its fiber.
      const wasLeaving = leaving === goer
      leaving = isReady ? goer : undefined
      if (isReady) wake?.()
      return wasLeaving && isReady && (moment === "at once" || regions > 1) && attempt()
    }
    const own: Pending = { look, withdraw }
    pending.set(fiber, own)
    fiber.addObserver(withdraw)
    attempt()
    const woken = Effect.async<boolean>((resume) => {
      wake = () => resume(Effect.succeed(true))
      if (isOver) wake()
    })
    // It may wait where it could be interrupted; and what runs on a scheduler of the program's own is not heard of.
    const over = (pauseMs: number): Effect.Effect<void> =>
      Effect.suspend(() =>
        isOver || attempt()
          ? Effect.void
          : Effect.flatMap(Effect.raceFirst(pause(pauseMs), woken), (isWoken) =>
              over(isWoken ? firstPauseMs : Math.min(2 * pauseMs, maxPauseMs))
            )
      )
    return { attempt, over: over(firstPauseMs) }
  })

/** A fiber and those that it would interrupt when it is interrupted. */
const treeOf = (fiber: AnyFiber): ReadonlyArray<AnyFiber> => [fiber, ...childrenOf(fiber).flatMap(treeOf)]

/** Interrupts a fiber once nothing is lost by it, and waits for its exit. */
export const interrupted = <A, E>(fiber: Fiber.RuntimeFiber<A, E>, moment: Moment): Effect.Effect<Exit.Exit<A, E>> =>
  Effect.flatMap(request(fiber, moment), ({ over }) => Effect.zipRight(over, fiber.await))

/** The pauses between two looks at a fiber that is not heard of, at first and at most. Units: milliseconds. */
const firstPauseMs = 1
const maxPauseMs = 1_000

/** In real time: what is waited for here is the program's own work. */
const pause = (ms: number): Effect.Effect<boolean> => Effect.withClock(Effect.as(Effect.sleep(ms), false), realClock)

const realClock = Clock.make()

/**
 * What a fiber knows of itself. Read here, since Effect answers such questions by messages, and a fiber goes on before it reads
 * them. An Effect that has other names for it would interrupt no region before its end.
 */
interface Inside {
  readonly currentRuntimeFlags?: RuntimeFlags.RuntimeFlags
  readonly _asyncBlockingOn?: FiberId.FiberId | null
  readonly _children?: ReadonlySet<AnyFiber> | null
  /** Messages that it has not heard yet. */
  readonly _queue?: ReadonlyArray<unknown>
}

const insideOf = (fiber: AnyFiber): Inside => fiber as unknown as Inside // as they are made

const childrenOf = (fiber: AnyFiber): ReadonlyArray<AnyFiber> => [...(insideOf(fiber)._children ?? [])]

/**
 * Whether an interruption ends a fiber with nothing of it lost. A region that only waits for a fiber of its own, as a time limit
 * does for what it limits, passes it on to all of its fibers: then each of them must be one that it ends.
 */
const endsOnInterrupt = (fiber: AnyFiber): boolean => {
  const { currentRuntimeFlags: flags, _asyncBlockingOn: blockingOn, _queue: queue = [] } = insideOf(fiber)
  if (fiber.unsafePoll() !== null || (flags !== undefined && RuntimeFlags.interruptible(flags))) return true
  if (blockingOn === undefined || blockingOn === null || queue.length > 0) return false
  const children = childrenOf(fiber)
  const isOwn = (id: FiberId.FiberId) => children.some((child) => Equal.equals(child.id(), id))
  return [...FiberId.toSet(blockingOn)].some(isOwn) && children.every(endsOnInterrupt)
}
