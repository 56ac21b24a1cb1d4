/**
 * Who in a body waits for which end.
 */
import type * as Effect from "effect/Effect"
import type { ProcessId } from "../../model/ids.ts"
import type { End, Source } from "./End.ts"

/** What a body waits for: the keys of its waits, and its children. */
export interface Awaited {
  readonly waits: ReadonlyArray<string>
  readonly children: ReadonlyArray<ProcessId>
}

/** What can be interrupted where an operation was called. */
export interface Where {
  readonly isInterruptible: boolean
  /** Makes that interruptible. */
  readonly restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** Where an operation was called that cannot be interrupted. */
export const insideFinaliser: Where = { isInterruptible: false, restore: (effect) => effect }

/** An operation that waits for an end. */
export interface Waiter {
  /** Whether an interruption ends the wait. */
  readonly isInterruptible: boolean
  isHanded: boolean
  resume: (end: End) => void
}

/** Those that wait in one body. */
export interface Waiters {
  readonly add: (waiter: Waiter, source: Source) => void
  /** Does nothing for one that does not wait. */
  readonly remove: (waiter: Waiter) => void
  /** Those that wait for an end, the first that asked first. */
  readonly of: (source: Source) => ReadonlyArray<Waiter>
  /** Whether any of them waits for such an end. */
  readonly any: (isSuch: (source: Source) => boolean) => boolean
  /** How many wait for what is in the store, where an interruption ends the wait: nothing runs for them. */
  readonly durable: () => number
  readonly awaited: () => Awaited
}

/** Makes the waiters of a body, which has none yet. */
export const make = (): Waiters => {
  const sources = new Map<Waiter, Source>()
  const bySource = new Map<Source, ReadonlyArray<Waiter>>()
  let durable = 0

  const waitersOf = (source: Source): ReadonlyArray<Waiter> => bySource.get(source) ?? none

  return {
    add: (waiter, source) => {
      if (isDurable(waiter, source)) durable++
      sources.set(waiter, source)
      const before = waitersOf(source)
      bySource.set(source, before.length === 0 ? [waiter] : [...before, waiter])
    },
    remove: (waiter) => {
      const source = sources.get(waiter)
      if (source === undefined) return
      sources.delete(waiter)
      if (isDurable(waiter, source)) durable--
      const before = waitersOf(source)
      if (before.length === 1) bySource.delete(source)
      else
        bySource.set(
          source,
          before.filter((other) => other !== waiter)
        )
    },
    of: waitersOf,
    any: (isSuch) => {
      for (const source of bySource.keys()) if (isSuch(source)) return true
      return false
    },
    durable: () => durable,
    awaited: () => {
      const distinct = [...new Set(sources.values())]
      return {
        waits: distinct.filter(isWait).map((source) => source.slice(5)),
        children: distinct.filter(isChild).map((source) => source.slice(6) as ProcessId) // made by `sourceOf`
      }
    }
  }
}

const isWait = (source: Source): boolean => source.startsWith("wait ")
const isChild = (source: Source): boolean => source.startsWith("child ")

const isDurable = ({ isInterruptible }: Waiter, source: Source): boolean =>
  isInterruptible && (isWait(source) || isChild(source))

const none: ReadonlyArray<Waiter> = []
