/**
 * The order in which the ends of a body's operations reach it: by their place in the journal and the log, one at a time.
 *
 * ```
 * end arrives ─► queue, by place ─► handed over ─► the body goes on until it has come to rest ─► the next one
 * ```
 * Invariant: a body that runs again gets the same ends in the same order, since a place never changes and an end is handed
 * over only when no write of an earlier place can still be under way. So a race has the same winner.
 */
import * as Effect from "effect/Effect"
import type { HeldSlot } from "../worker/Slots.ts"
import type { Arrived, End, Source } from "./End.ts"
import { isBefore, sourceOf } from "./End.ts"
import type { FairScheduler } from "./fairScheduler.ts"
import { whenAtRest } from "./fairScheduler.ts"
import type { TurnOrder } from "./turnOrder.ts"
import * as TurnOrders from "./turnOrder.ts"
import * as Turns from "./turns.ts"
import type { Awaited, Waiter, Where } from "./waiters.ts"
import * as Waiters from "./waiters.ts"

/** The ends of one activation. */
export interface Ends {
  /**
   * Takes over what happened before this activation, in any order. `awaited` are the waits that the journal knows: as every
   * recorded end, those keep their place until the body has asked for them.
   */
  readonly begin: (recorded: ReadonlyArray<End>, awaited?: ReadonlySet<string>) => void
  readonly arrive: (end: End) => void
  /** Announces a write whose place is not known yet; later ends wait until the function that it answers is called. */
  readonly writing: () => () => void
  /**
   * Announces that the body has asked for an end that has not arrived, and does not wait for it yet: that end and later ones keep
   * their places until the function that it answers is called.
   */
  readonly asking: (source: Source) => () => void
  /** Counts an operation as under way, until `leave`. */
  readonly enter: (key: string) => void
  readonly leave: (key: string) => void
  /**
   * Waits for an end in its turn, and takes it up. Made where nothing is interrupted but what `where` says; if that says nothing, as
   * in a finaliser, the body is not idle.
   */
  readonly next: <A, E, R>(
    source: Source,
    takeUp: (end: End) => Effect.Effect<A, E, R>,
    where: Where,
    /** Called once this waits: an end of it that is known before is kept back until then. */
    onWaiting?: () => void
  ) => Effect.Effect<A, E, R>
  /**
   * Sleeps, and waits for a turn of what has no place: a pause of the body's own clock is over. The turn comes once the body has come
   * to rest and no end can be handed over; a body that does not rest gets it after a second.
   */
  readonly sleep: (pause: Effect.Effect<void>) => Effect.Effect<void>
  /** The order in which pauses were over. */
  readonly order: TurnOrder
  /** Takes over what writes turns that go with no other write. */
  readonly writeTurnsBy: (write: Effect.Effect<void>) => void
  /** Whether an end has arrived, handed over or not. */
  readonly has: (source: Source) => boolean
  /** Answers once everything that was recorded has been handed over, or the body asks for no more of it before this goes on. */
  readonly caughtUp: Effect.Effect<void>
  readonly isCaughtUp: () => boolean
  /** The interruption that a request to stop called for has been made, or is not needed. */
  readonly cancelled: () => void
  readonly awaited: () => Awaited
  /** Since when all the body does is wait; `undefined` while it does anything else. Units: milliseconds of the clock given. */
  readonly idleSinceMs: () => number | undefined
  /** Hands nothing over any more to what an interruption ends, if the body is idle; answers whether it was. */
  readonly pause: () => boolean
  /** Hands over again: the body was interrupted, and something in it still waits. */
  readonly resume: () => void
}

/** What the ends of an activation work with. */
export interface EndsOptions {
  readonly nowMs: () => number
  readonly slot: HeldSlot
  /** What the fibers of the body run on. */
  readonly scheduler: FairScheduler
  /** Hears of the first request to stop, in its turn. */
  readonly onCancel: () => void
  /** Calls back after a while. */
  readonly later: (run: () => void) => void
  /** Runs an effect beside the body. */
  readonly fork: (effect: Effect.Effect<void>) => void
  /** Whether the body decides for itself how it goes on: not once its host has let go of it. */
  readonly isDeciding: () => boolean
  /** Interrupts the body, if that was asked for and can be now; answers whether it did. */
  readonly interrupts: () => boolean
}

/** Makes the ends of an activation that has just begun. */
export const make = ({ nowMs, slot, scheduler, onCancel, later, fork, isDeciding, interrupts }: EndsOptions): Ends => {
  const queue: Array<Arrived> = []
  const queued = new Set<Source>()
  /** Ends of the journal that the body has not asked for in this activation. */
  const unasked = new Set<Source>()
  /** What the body has asked for and does not wait for yet, and how many of its operations. */
  const asked = new Map<Source, number>()
  const passed = new Map<Source, End>()
  const waiters = Waiters.make()
  const order = TurnOrders.make()
  const underWay = new Set<string>()
  const writes = new Set<number>()
  const whenCaughtUp = new Set<() => void>()
  let time = 0
  /** Ends and turns that were handed over and not taken up yet. */
  let handed = 0
  /** How many tasks the scheduler had been given when the body was last at rest. */
  let restedAt: number | undefined
  let isPaused = false
  let isCancelled = false
  let hasBegun = false
  let isOutwaiting = false
  let isCaughtUp = false
  let writeTurns: Effect.Effect<void> = Effect.void
  let idleSinceMs: number | undefined

  const lookForRest = whenAtRest(scheduler, () => {
    restedAt = scheduler.given()
    handOver()
  })

  const touch = (): void => {
    restedAt = undefined
    idleSinceMs = undefined
    lookForRest()
  }

  const handOver = (): void => {
    if (!hasBegun || restedAt === undefined || handed > 0) return
    // The body has gone on since, for something that is no operation; or it is interrupted, and goes on.
    if (restedAt !== scheduler.given() || interrupts()) touch()
    else if (!turns.giveRecorded() && !handEnd()) turns.give()
  }

  /** Hands over the end that is next, if it can be. */
  const handEnd = (): boolean => {
    const [earliestWrite = Number.POSITIVE_INFINITY] = writes
    // The queue is in reverse: its last end is the next one.
    for (let index = queue.length - 1; index >= 0; ) {
      const { end, arrivedAt } = queue[index] as Arrived // within its length
      if (earliestWrite < arrivedAt) return false
      if (end._tag === "CancelRequested") {
        queue.splice(index--, 1)
        if (isCancelled) continue
        isCancelled = true
        handed++
        onCancel()
        return true
      }
      const source = sourceOf(end)
      const waiting = waiters.of(source)
      // What follows waits until the body lets go of it here, too.
      if (end._tag === "Dropped" && waiting.length === 0 && underWay.has(end.key)) break
      // It came after all that was recorded: that this was handed over may be what the one who asked for it waits for.
      if (asked.has(source)) break
      if (unasked.has(source)) {
        // All that the body does may be to ask for what waits until everything recorded was handed over.
        if (whenCaughtUp.size === 0 || whenCaughtUp.size !== underWay.size) return outwait()
        letBegin()
        return true
      }
      const waiter = isPaused ? waiting.find(({ isInterruptible }) => !isInterruptible) : waiting[0]
      if (waiter === undefined && waiting.length > 0) {
        index--
        continue
      }
      if (waiter !== undefined && isTurnOpen()) return true
      // A child may be awaited by several branches, and again later.
      if (waiting.length <= 1) {
        queue.splice(index--, 1)
        queued.delete(source)
        if (end._tag === "WaitEntered") continue
        if (waiter === undefined || end._tag === "ChildEnded") passed.set(source, end)
      }
      if (waiter === undefined) continue
      hand(waiter, end)
      return true
    }
    catchUp()
    const isIdle = onlyWaits() && (queue.length === 0 || isPaused)
    idleSinceMs = isIdle ? (idleSinceMs ?? nowMs()) : undefined
    if (isIdle) slot.letGo()
    return false
  }

  /**
   * What the body learns after a turn is durable, so the turn is to be: without it, a limit that had decided would decide otherwise when
   * the body runs again. A write that the body makes because of the turn has it; where there is none, as in a finaliser, it is written.
   */
  const isTurnOpen = (): boolean => {
    const open = isDeciding() ? order.open() : undefined
    if (open === "unwritten") fork(Effect.zipRight(writeTurns, Effect.sync(handOver)))
    return open !== undefined
  }

  /** The body may ask for more after what has no record: that begins, and what was recorded keeps its place. */
  const letBegin = (): void => {
    for (const resume of whenCaughtUp) resume()
    whenCaughtUp.clear()
    touch()
  }

  /** Whether all that the body does is wait for what is in the store. */
  const onlyWaits = (): boolean => waiters.durable() > 0 && waiters.durable() === underWay.size

  /** Whether something waits to begin, or for an end or a request to stop that is there, or the body would be idle. */
  const isWaitedFor = (): boolean =>
    whenCaughtUp.size > 0 ||
    onlyWaits() ||
    waiters.any((source) => queued.has(source)) ||
    queue.some(({ end }) => end._tag === "CancelRequested")

  /**
   * A body that does something outside of its context has not asked yet: the order is kept for it, for a while, where something
   * waits. Code that never asks is other code, and must not wait without end; but first it may begin what it asks for.
   */
  const outwait = (): false => {
    if (isOutwaiting || !isWaitedFor()) return false
    isOutwaiting = true
    const before = unasked.size
    later(() => {
      isOutwaiting = false
      if (unasked.size < before) handOver()
      else if (whenCaughtUp.size > 0) letBegin()
      else {
        unasked.clear()
        handOver()
      }
    })
    return false
  }

  /** From here on the body is not idle: what it waited for is no longer among what it would leave memory for. */
  const hand = (waiter: Waiter, end: End): void => {
    waiters.remove(waiter)
    waiter.isHanded = true
    handed++
    order.handed()
    idleSinceMs = undefined
    waiter.resume(end)
  }

  const takenUp = (): void => {
    handed--
    touch()
  }

  const catchUp = (): void => {
    isCaughtUp = true
    if (whenCaughtUp.size > 0) letBegin()
  }

  const turns = Turns.make({
    order,
    isUnderWay: () => underWay.size > 0,
    isCaughtUp: () => isCaughtUp,
    slot,
    later,
    isPaused: () => isPaused,
    isLetGo: () => !isDeciding(),
    given: () => {
      handed++
      idleSinceMs = undefined
    },
    over: takenUp,
    handOver
  })

  const insert = (end: End): void => {
    const arrived = { end, arrivedAt: time++ }
    let index = 0
    while (index < queue.length && isBefore(end, (queue[index] as Arrived).end)) index++ // within its length
    queue.splice(index, 0, arrived)
    if (end._tag !== "CancelRequested") queued.add(sourceOf(end))
  }

  return {
    begin: (recorded, awaited = new Set<string>()) => {
      for (const end of recorded) {
        queue.push({ end, arrivedAt: time++ })
        if (end._tag === "CancelRequested") continue
        const source = sourceOf(end)
        queued.add(source)
        const isOwn = end._tag === "WaitEnded" ? awaited.has(end.waitKey) : end._tag !== "ChildEnded"
        if (isOwn) unasked.add(source)
      }
      queue.sort((one, other) => (isBefore(one.end, other.end) ? 1 : -1))
      hasBegun = true
      if (queue.length === 0) catchUp()
      touch()
    },
    arrive: (end) => {
      insert(end)
      handOver()
    },
    writing: () => {
      const ticket = time++
      writes.add(ticket)
      return () => {
        if (writes.delete(ticket)) handOver()
      }
    },
    asking: (source) => {
      asked.set(source, (asked.get(source) ?? 0) + 1)
      let isAsking = true
      return () => {
        if (!isAsking) return
        isAsking = false
        const left = (asked.get(source) ?? 0) - 1
        if (left > 0) asked.set(source, left)
        else asked.delete(source)
        handOver()
      }
    },
    enter: (key) => {
      underWay.add(key)
      if (unasked.size > 0) for (const of of ["dropped", "entered"] as const) unasked.delete(`${of} ${key}`)
      touch()
    },
    leave: (key) => {
      underWay.delete(key)
      touch()
    },
    has: (source) => passed.has(source) || queued.has(source),
    next: (source, takeUp, { isInterruptible, restore }, onWaiting = unheard) =>
      Effect.suspend(() => {
        const waiter: Waiter = { isInterruptible, isHanded: false, resume: unheard }
        const waiting = Effect.async<End>((resume) => {
          unasked.delete(source)
          waiter.resume = (end) => resume(Effect.succeed(end))
          const end = passed.get(source)
          if (end === undefined) {
            waiters.add(waiter, source)
            onWaiting()
            handOver()
          } else {
            onWaiting()
            if (end._tag !== "ChildEnded") passed.delete(source)
            hand(waiter, end)
          }
          return Effect.sync(() => waiters.remove(waiter))
        })
        const taken = Effect.flatMap(waiting, (end) => {
          const up = takeUp(end)
          return slot.held() ? up : Effect.zipRight(slot.takeBack, up)
        })
        const over = (): void => {
          onWaiting()
          if (waiter.isHanded) takenUp()
        }
        return Effect.matchCauseEffect(restore(taken), {
          onFailure: (cause) => {
            over()
            return Effect.failCause(cause)
          },
          onSuccess: (value) => {
            over()
            return Effect.succeed(value)
          }
        })
      }),
    order,
    writeTurnsBy: (write) => {
      writeTurns = write
    },
    sleep: turns.sleep,
    caughtUp: Effect.suspend(() =>
      isCaughtUp
        ? Effect.void
        : Effect.async<void>((resume) => {
            const go = (): void => resume(Effect.void)
            whenCaughtUp.add(go)
            return Effect.sync(() => whenCaughtUp.delete(go))
          })
    ),
    isCaughtUp: () => isCaughtUp,
    cancelled: takenUp,
    awaited: waiters.awaited,
    idleSinceMs: () => idleSinceMs,
    pause: () => {
      if (idleSinceMs === undefined) return false
      isPaused = true
      return true
    },
    resume: () => {
      isPaused = false
      handOver()
    }
  }
}

const unheard = (): void => {}
