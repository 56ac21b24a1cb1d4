/**
 * Where the waits of one body are parked, and what it is doing besides: all that passivation needs to know.
 *
 * Invariant: an end that arrives is kept until its wait asks for it, so that none is lost between a commit and a park. Once
 * frozen, no wait goes on that an interruption ends: the body is about to be put away, and its next activation reads the ends
 * from the log. A wait that no interruption ends goes on all the same, or whoever interrupts would wait for it for ever.
 */
import * as Effect from "effect/Effect"
import type { Waited } from "../../operations/decisions/execution.ts"

/** How a wait ended. */
export type Ended = NonNullable<Waited["ended"]>

/** The waits of one activation. */
export interface Parking {
  /** Waits for the end of a wait that is open. Where it cannot be interrupted, as in a finaliser, the body is not quiet. */
  readonly park: (waitKey: string) => Effect.Effect<Ended>
  /** Tells the end of a wait; it may come before anybody waits for it. */
  readonly deliver: (waitKey: string, ended: Ended) => void
  /** The waits that are parked. */
  readonly parked: () => ReadonlyArray<string>
  /** Counts an operation that is no durable wait, for as long as it runs. */
  readonly busy: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Since when all the body does is wait; `undefined` while it does anything else. Units: milliseconds of the clock given. */
  readonly quietSinceMs: () => number | undefined
  /** Lets no wait go on any more that can be interrupted, if all the body does is wait; answers whether that was so. */
  readonly freeze: () => boolean
  /** Lets every wait go on again: the body was interrupted, and something in it waits all the same. */
  readonly thaw: () => void
}

/** Makes an empty one. */
export const make = (nowMs: () => number): Parking => {
  const parked = new Map<string, Parked>()
  const early = new Map<string, Ended>()
  let busy = 0
  let frozen = false
  let quietSinceMs: number | undefined

  const changed = (): void => {
    const isQuiet = busy === 0 && parked.size > 0 && [...parked.values()].every(({ interruptible }) => interruptible)
    quietSinceMs = isQuiet ? (quietSinceMs ?? nowMs()) : undefined
  }

  const deliver: Parking["deliver"] = (waitKey, ended) => {
    const wait = parked.get(waitKey)
    if (wait === undefined || (frozen && wait.interruptible)) {
      early.set(waitKey, ended)
      return
    }
    early.delete(waitKey)
    parked.delete(waitKey)
    changed()
    wait.resume(ended)
  }

  return {
    park: (waitKey) =>
      Effect.checkInterruptible((interruptible) =>
        Effect.async<Ended>((resume) => {
          parked.set(waitKey, { interruptible, resume: (ended) => resume(Effect.succeed(ended)) })
          changed()
          const ended = early.get(waitKey)
          if (ended !== undefined) deliver(waitKey, ended)
          return Effect.sync(() => {
            parked.delete(waitKey)
            changed()
          })
        })
      ),
    deliver,
    parked: () => [...parked.keys()],
    busy: (effect) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          busy++
          changed()
        }),
        () => effect,
        () =>
          Effect.sync(() => {
            busy--
            changed()
          })
      ),
    quietSinceMs: () => quietSinceMs,
    freeze: () => {
      if (quietSinceMs === undefined) return false
      frozen = true
      return true
    },
    thaw: () => {
      frozen = false
      for (const [waitKey, ended] of [...early]) if (parked.has(waitKey)) deliver(waitKey, ended)
    }
  }
}

/** A wait that is open, and whether an interruption ends it. */
interface Parked {
  readonly interruptible: boolean
  readonly resume: (ended: Ended) => void
}
