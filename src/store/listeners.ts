/**
 * Commit listeners of this OS process: a synchronous fan-out, in commit order.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { Change } from "./Decision.ts"

/** Is called after every commit. */
export type Listener = (changes: ReadonlyArray<Change>) => void

/** A set of listeners. */
export interface Listeners {
  readonly publish: Listener
  readonly subscribe: (listener: Listener) => Effect.Effect<void, never, Scope.Scope>
}

/** Makes an empty set. */
export const make = (): Listeners => {
  const all = new Set<Listener>()
  return {
    publish: (changes) => {
      if (changes.length === 0) return
      for (const listener of all) {
        try {
          listener(changes)
        } catch (cause) {
          // The commit is done, and its callers wait for their answers: one listener's fault must not keep them.
          all.delete(listener)
          process.emitWarning(`a commit listener threw and hears no more: ${String(cause)}`, "HoldfastWarning")
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
      )
  }
}
