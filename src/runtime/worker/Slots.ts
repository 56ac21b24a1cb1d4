/**
 * Slots: how many bodies may work at once. A body releases its slot while it waits for another process, so that one slot is
 * enough for a parent and its children.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

/** A bounded number of places. */
export interface Slots {
  /** Takes a slot if one is free and no body waits for it. */
  readonly tryTake: () => boolean
  /** Waits for a slot, first come first served. */
  readonly take: Effect.Effect<void>
  readonly release: () => void
  readonly free: () => number
}

/** Makes `size` free slots. */
export const make = (size: number): Slots => {
  let free = size
  const waiting = new Set<() => void>()
  const release = (): void => {
    const [next] = waiting
    if (next === undefined) {
      free++
    } else {
      waiting.delete(next)
      next()
    }
  }
  return {
    tryTake: () => {
      if (free === 0) return false
      free--
      return true
    },
    take: Effect.async<void>((resume) => {
      if (free > 0) {
        free--
        return resume(Effect.void)
      }
      const grant = () => resume(Effect.void)
      waiting.add(grant)
      return Effect.sync(() => {
        // Interrupted between the grant and its use: the slot goes to the next one.
        if (!waiting.delete(grant)) release()
      })
    }),
    release,
    free: () => free
  }
}

/** One body's slot. */
export interface HeldSlot {
  /** Releases the slot while the body waits, and takes one again before the body goes on. */
  readonly releaseWhile: <A, E, R>(wait: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Releases the slot for good. Calling it again changes nothing. */
  readonly release: () => void
}

/** Wraps a slot that was taken. Branches of one body may wait at once: the slot is free while any of them does. */
export const hold = (slots: Slots): HeldSlot => {
  let waits = 0
  let held = true
  let closed = false
  // One branch at a time takes the slot back: two that go on together need one slot, not two.
  const gate = Effect.unsafeMakeSemaphore(1)
  const letGo = Effect.sync(() => {
    if (waits++ === 0 && held) {
      held = false
      slots.release()
    }
  })
  // Only a body that goes on needs its slot again: one that was interrupted in its wait must not queue for it.
  const takeBack = gate.withPermits(1)(
    Effect.suspend(() => {
      if (waits > 0 || held || closed) return Effect.void
      return Effect.map(slots.take, () => {
        // Another branch began to wait while this one waited for the slot.
        if (waits > 0 || closed) slots.release()
        else held = true
      })
    })
  )
  return {
    releaseWhile: (wait) =>
      Effect.uninterruptibleMask((restore) =>
        letGo.pipe(
          Effect.zipRight(restore(wait)),
          Effect.onExit((exit) => {
            waits--
            return Exit.isInterrupted(exit) ? Effect.void : restore(takeBack)
          })
        )
      ),
    release: () => {
      // A branch that still waits although its body has ended needs no slot any more.
      closed = true
      if (held) {
        held = false
        slots.release()
      }
    }
  }
}
