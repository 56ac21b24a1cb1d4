/**
 * The turns of what has no place in a journal: pauses of a body's own clock. Each goes on alone, once the body has come to rest and
 * no end can be handed over.
 */
import * as Effect from "effect/Effect"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type { HeldSlot } from "../worker/Slots.ts"

/** The turns of one body. */
export interface Turns {
  /** Waits for a turn, which is over once its fiber has gone on. */
  readonly turn: Effect.Effect<void>
  /** Gives the next one. */
  readonly give: () => void
}

/** What turns work with. */
export interface TurnsOptions {
  readonly slot: HeldSlot
  /** Calls back after a while: a body that does not rest, or waits for what only a turn brings, gets one then. */
  readonly later: (run: () => void) => void
  /** Whether the body is to leave memory. */
  readonly isPaused: () => boolean
  /** A turn was given, and will be over. */
  readonly given: () => void
  readonly over: () => void
  /** Hands over what can be: a turn is waited for. */
  readonly handOver: () => void
}

/** Makes the turns of a body. */
export const make = ({ slot, later, isPaused, given, over, handOver }: TurnsOptions): Turns => {
  const waiting = new Set<Turn>()

  const grant = (turn: Turn): void => {
    waiting.delete(turn)
    turn.isGiven = true
    given()
    turn.go()
  }

  const overdue = (turn: Turn): void => {
    if (waiting.has(turn) && isAllowed(turn)) grant(turn)
  }

  /** A body that is to leave memory goes on in nothing that its interruption ends. */
  const isAllowed = ({ isInterruptible }: Turn): boolean => !(isInterruptible && isPaused())

  return {
    turn: Effect.withFiberRuntime((_, { runtimeFlags }) => {
      const turn: Turn = { isInterruptible: RuntimeFlags.interruptible(runtimeFlags), isGiven: false, go: () => {} }
      const waited = Effect.async<void>((resume) => {
        turn.go = () => resume(slot.held() ? Effect.void : slot.takeBack)
        waiting.add(turn)
        handOver()
        if (!turn.isGiven) later(() => overdue(turn))
        return Effect.sync(() => waiting.delete(turn))
      })
      const ended = Effect.sync(() => {
        if (turn.isGiven) over()
      })
      return Effect.onExit(waited, () => ended)
    }),
    give: () => {
      for (const turn of waiting) if (isAllowed(turn)) return grant(turn)
    }
  }
}

interface Turn {
  /** Whether an interruption ends the wait for it. */
  readonly isInterruptible: boolean
  isGiven: boolean
  go: () => void
}
