/**
 * Listeners: a synchronous fan-out, in order, to subscribers in this OS process.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

/** A set of listeners. */
export interface Listeners<A> {
  readonly publish: (message: A) => void
  /** Subscribes until the scope ends. A listener must neither throw nor wait; one that throws is logged, and stays. */
  readonly subscribe: (listener: (message: A) => void) => Effect.Effect<void, never, Scope.Scope>
  readonly size: () => number
}

/** Makes an empty set. */
export const make = <A>(): Listeners<A> => {
  const all = new Set<(message: A) => void>()
  return {
    publish: (message) => {
      for (const listener of all) {
        try {
          listener(message)
        } catch (cause) {
          // What was published is a fact, and its callers wait for their answers: one listener's fault must not keep them.
          process.emitWarning(`a listener threw: ${String(cause)}`, "HoldfastWarning")
        }
      }
    },
    subscribe: (listener) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          all.add(listener)
        }),
        () =>
          Effect.sync(() => {
            all.delete(listener)
          })
      ),
    size: () => all.size
  }
}
