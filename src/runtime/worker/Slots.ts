/**
 * Slots: how many bodies may work at once. A body releases its slot while it waits for another process, so that one slot is
 * enough for a parent and its children.
 */
import * as Effect from "effect/Effect"

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
  readonly held: () => boolean
  /** Releases the slot while all the body does is wait. */
  readonly letGo: () => void
  /** Takes a slot again, before the body goes on. */
  readonly takeBack: Effect.Effect<void>
  /** Releases the slot for good. Calling it again changes nothing. */
  readonly release: () => void
}

/** Wraps a slot that was taken. */
export const hold = (slots: Slots): HeldSlot => {
  let held = true
  let closed = false
  // One branch at a time takes the slot back: two that go on together need one slot, not two.
  const gate = Effect.unsafeMakeSemaphore(1)
  const letGo = (): void => {
    if (!held) return
    held = false
    slots.release()
  }
  const waited = gate.withPermits(1)(
    Effect.suspend(() =>
      held || closed
        ? Effect.void
        : Effect.map(slots.take, () => {
            // It may have ended, or another branch have found a free slot, in between.
            if (held || closed) slots.release()
            else held = true
          })
    )
  )
  return {
    held: () => held || closed,
    letGo,
    takeBack: Effect.suspend(() => {
      if (held || closed || slots.tryTake()) {
        held ||= !closed
        return Effect.void
      }
      return waited
    }),
    release: () => {
      // A branch that still waits although its body has ended needs no slot any more.
      closed = true
      letGo()
    }
  }
}
