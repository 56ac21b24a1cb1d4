/**
 * The open waits of one body, and what the body does besides: all that passivation needs to know.
 *
 * Invariant: an end that arrives is kept until its wait asks for it, so that none is lost between a commit and the wait. While
 * paused, no wait resumes that an interruption ends: the body is about to leave memory, and its next activation reads the ends
 * from the log. Uninterruptible waits still resume while paused; otherwise the interrupting fiber would deadlock.
 */
import * as Effect from "effect/Effect"
import type { Waited } from "../../operations/decisions/execution.ts"

/** How a wait ended. */
export type Ended = NonNullable<Waited["ended"]>

/** The waits of one activation. */
export interface PendingWaits {
  /** Waits for the end of a wait that is open. Where it cannot be interrupted, as in a finaliser, the body is not idle. */
  readonly await: (waitKey: string) => Effect.Effect<Ended>
  /** Delivers the end of a wait, also before the body asks for it. */
  readonly deliver: (waitKey: string, ended: Ended) => void
  /** The keys of the waits that the body is in. */
  readonly keys: () => ReadonlyArray<string>
  /** Counts an operation that is no durable wait, for as long as it runs. */
  readonly busy: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Since when all the body does is wait; `undefined` while it does anything else. Units: milliseconds of the clock given. */
  readonly idleSinceMs: () => number | undefined
  /** Stops every interruptible wait from resuming, if the body is idle; answers whether it was. */
  readonly pause: () => boolean
  /** Lets every wait resume again: the body was interrupted, and something in it still waits. */
  readonly resume: () => void
}

/** Makes the waits of an activation, none of them open. */
export const make = (nowMs: () => number): PendingWaits => {
  const pending = new Map<string, Pending>()
  const early = new Map<string, Ended>()
  let busy = 0
  let paused = false
  let idleSinceMs: number | undefined

  const changed = (): void => {
    const isIdle = busy === 0 && pending.size > 0 && [...pending.values()].every(({ interruptible }) => interruptible)
    idleSinceMs = isIdle ? (idleSinceMs ?? nowMs()) : undefined
  }

  const deliver: PendingWaits["deliver"] = (waitKey, ended) => {
    const wait = pending.get(waitKey)
    if (wait === undefined || (paused && wait.interruptible)) {
      early.set(waitKey, ended)
      return
    }
    early.delete(waitKey)
    pending.delete(waitKey)
    changed()
    wait.resume(ended)
  }

  return {
    await: (waitKey) =>
      Effect.checkInterruptible((interruptible) =>
        Effect.async<Ended>((resume) => {
          pending.set(waitKey, { interruptible, resume: (ended) => resume(Effect.succeed(ended)) })
          changed()
          const ended = early.get(waitKey)
          if (ended !== undefined) deliver(waitKey, ended)
          return Effect.sync(() => {
            pending.delete(waitKey)
            changed()
          })
        })
      ),
    deliver,
    keys: () => [...pending.keys()],
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
    idleSinceMs: () => idleSinceMs,
    pause: () => {
      if (idleSinceMs === undefined) return false
      paused = true
      return true
    },
    resume: () => {
      paused = false
      for (const [waitKey, ended] of [...early]) if (pending.has(waitKey)) deliver(waitKey, ended)
    }
  }
}

interface Pending {
  /** Whether an interruption ends the wait. */
  readonly interruptible: boolean
  readonly resume: (ended: Ended) => void
}
