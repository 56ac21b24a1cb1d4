/**
 * The turns of what has no place in a journal: pauses of a body's own clock. Each goes on alone, once the body has come to rest and
 * no end can be handed over.
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type { HeldSlot } from "../worker/Slots.ts"
import type { AnyFiber } from "./lineage.ts"
import type { PauseName, TurnOrder } from "./turnOrder.ts"

/** The turns of one body. */
export interface Turns {
  /** Sleeps, and waits for a turn, which is over once its fiber has gone on. */
  readonly sleep: (pause: Effect.Effect<void>) => Effect.Effect<void>
  /** Gives the next one whose place is not recorded. */
  readonly give: () => void
  /** Gives the one whose place in the order is here, if its pause has begun; answers whether it did. */
  readonly giveRecorded: () => boolean
}

/** What turns work with. */
export interface TurnsOptions {
  readonly order: TurnOrder
  /** Whether the body is in an operation. */
  readonly isUnderWay: () => boolean
  /** Whether everything that was recorded has been handed over. */
  readonly isCaughtUp: () => boolean
  readonly slot: HeldSlot
  /** Calls back after a while: a body that does not rest, or waits for what only a turn brings, gets one then. */
  readonly later: (run: () => void) => void
  /** Whether the body is to leave memory. */
  readonly isPaused: () => boolean
  /** Whether its host has let go of the body: then no order is kept, since nothing goes on from here. */
  readonly isLetGo: () => boolean
  /** A turn was given, and will be over. */
  readonly given: () => void
  readonly over: () => void
  /** Hands over what can be: a turn is waited for. */
  readonly handOver: () => void
}

/** Makes the turns of a body. */
export const make = ({
  order,
  isUnderWay,
  isCaughtUp,
  slot,
  later,
  isPaused,
  isLetGo,
  given,
  over: taken,
  handOver
}: TurnsOptions): Turns => {
  const waiting = new Set<Turn>()
  const pausing = new Set<AnyFiber>()

  const grant = (turn: Turn): void => {
    waiting.delete(turn)
    turn.isGiven = true
    order.given(turn.name, isContested())
    given()
    turn.go()
  }

  /** Whether an end, or the turn of another pause, could come first. Where none could, the place of a turn is not recorded. */
  const isContested = (): boolean => pausing.size > 1 || isUnderWay()

  /** What has no place of its own comes after all that is recorded, unless nothing could come first, or no order is kept. */
  const isNext = (): boolean => isCaughtUp() || isLetGo() || !isContested()

  /** `before`: how many ends the body had been handed when it was last looked at. One that gets none waits for the turn. */
  const overdue = (turn: Turn, before: number): void => {
    if (!waiting.has(turn)) return
    const mayCome = isCaughtUp() || (!keepsPlace(turn) && (isNext() || order.ends() === before))
    if (isAllowed(turn) && mayCome) grant(turn)
    else lookLater(turn)
  }

  const lookLater = (turn: Turn): void => {
    const before = order.ends()
    later(() => overdue(turn, before))
  }

  /** A body that is to leave memory goes on in nothing that its interruption ends. */
  const isAllowed = ({ isInterruptible }: Turn): boolean => !(isInterruptible && isPaused())

  /** What is recorded as over was over before any other that waits. What is interrupted may have had the place before it. */
  const keepsPlace = ({ name }: Turn): boolean => !isLetGo() && order.isRecorded(name)

  const turnOf = (name: PauseName): Effect.Effect<void> =>
    Effect.withFiberRuntime((_fiber, { runtimeFlags }) => {
      const isInterruptible = RuntimeFlags.interruptible(runtimeFlags)
      const turn: Turn = { name, isInterruptible, isGiven: false, go: () => {} }
      const waited = Effect.async<void>((resume) => {
        turn.go = () => resume(slot.held() ? Effect.void : slot.takeBack)
        waiting.add(turn)
        handOver()
        if (!turn.isGiven) lookLater(turn)
        return Effect.sync(() => waiting.delete(turn))
      })
      const ended = Effect.sync(() => {
        if (turn.isGiven) taken()
      })
      return Effect.onExit(waited, () => ended)
    })

  return {
    sleep: (pause) =>
      Effect.withFiberRuntime((fiber) => {
        pausing.add(fiber)
        const name = order.name(fiber)
        const turn = turnOf(name)
        // What is recorded as over has taken its time.
        const over = order.isRecorded(name) ? turn : Effect.zipRight(pause, turn)
        return Effect.onExit(over, () => Effect.sync(() => pausing.delete(fiber)))
      }),
    give: () => {
      if (!isNext()) return
      for (const turn of waiting) if (keepsPlace(turn)) return
      for (const turn of waiting) if (isAllowed(turn)) return grant(turn)
    },
    giveRecorded: () => {
      const next = order.next()
      if (next === undefined) return false
      for (const turn of waiting) {
        const { path, number } = turn.name
        if (path !== next.path || number !== next.number || (turn.isInterruptible && isPaused())) continue
        grant(turn)
        return true
      }
      return false
    }
  }
}

/**
 * The clock of a body, made from that of its host: a pause is over in a turn. So what a limit decides does not depend on how busy the
 * program is: the body has asked for all that it was about to ask for, and one that runs again has got what was recorded. What is
 * not `isOfBody`, such as the effect of a step, only has the host's.
 */
export const clockOf = (
  host: Clock.Clock,
  {
    isOfBody,
    sleep
  }: {
    readonly isOfBody: (fiber: AnyFiber) => boolean
    readonly sleep: (pause: Effect.Effect<void>) => Effect.Effect<void>
  }
): Clock.Clock => ({
  [Clock.ClockTypeId]: Clock.ClockTypeId,
  unsafeCurrentTimeMillis: () => host.unsafeCurrentTimeMillis(),
  currentTimeMillis: host.currentTimeMillis,
  unsafeCurrentTimeNanos: () => host.unsafeCurrentTimeNanos(),
  currentTimeNanos: host.currentTimeNanos,
  sleep: (duration) =>
    Effect.withFiberRuntime((fiber) => (isOfBody(fiber) ? sleep(host.sleep(duration)) : host.sleep(duration)))
})

interface Turn {
  readonly name: PauseName
  /** Whether an interruption ends the wait for it. */
  readonly isInterruptible: boolean
  isGiven: boolean
  go: () => void
}
