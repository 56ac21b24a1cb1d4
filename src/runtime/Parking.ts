/**
 * Where the waits of one body are parked, and what it is doing besides: all that passivation needs to know.
 *
 * Invariant: an end that arrives is kept until its wait asks for it, so that none is lost between a commit and a park. Once
 * frozen, no wait goes on: the body is about to be put away, and its next activation reads the ends from the log.
 */
import * as Effect from "effect/Effect"
import type { Waited } from "../store/decisions/execution.ts"

/** How a wait ended. */
export type Ended = NonNullable<Waited["ended"]>

/** The waits of one activation. */
export interface Parking {
  /** Waits for the end of a wait that is open. */
  readonly park: (waitKey: string) => Effect.Effect<Ended>
  /** Tells the end of a wait; it may come before anybody waits for it. */
  readonly deliver: (waitKey: string, ended: Ended) => void
  /** The waits that are parked. */
  readonly parked: () => ReadonlyArray<string>
  /** Counts an operation that is no durable wait, for as long as it runs. */
  readonly busy: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Since when all the body does is wait; `undefined` while it does anything else. Units: milliseconds of the clock given. */
  readonly quietSinceMs: () => number | undefined
  /** Lets no wait go on any more, if all the body does is wait; answers whether that was so. */
  readonly freeze: () => boolean
}

/** Makes an empty one. */
export const make = (nowMs: () => number): Parking => {
  const parked = new Map<string, (ended: Ended) => void>()
  const early = new Map<string, Ended>()
  let busy = 0
  let frozen = false
  let quietSinceMs: number | undefined

  const changed = (): void => {
    const isQuiet = busy === 0 && parked.size > 0
    quietSinceMs = isQuiet ? (quietSinceMs ?? nowMs()) : undefined
  }

  return {
    park: (waitKey) =>
      Effect.async<Ended>((resume) => {
        const ended = early.get(waitKey)
        if (ended !== undefined && !frozen) {
          early.delete(waitKey)
          return resume(Effect.succeed(ended))
        }
        parked.set(waitKey, (end) => resume(Effect.succeed(end)))
        changed()
        return Effect.sync(() => {
          parked.delete(waitKey)
          changed()
        })
      }),
    deliver: (waitKey, ended) => {
      const resume = parked.get(waitKey)
      if (resume === undefined || frozen) {
        early.set(waitKey, ended)
        return
      }
      parked.delete(waitKey)
      changed()
      resume(ended)
    },
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
    }
  }
}
