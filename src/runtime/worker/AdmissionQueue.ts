/**
 * Processes that wait for a slot. A kind with a limit of its own has a queue of its own, so that waiting for its slots never holds
 * up processes that only wait for the host's.
 *
 * Each queue has two lanes, first in, first out: what has something to do goes before what a worker only takes over to wait on, as
 * after a crash. Invariant: a slot of a kind is taken before one of the host, so that none holds a slot of the host while it waits.
 */
import * as Effect from "effect/Effect"
import type { ProcessId } from "../../model/ids.ts"
import type { LeaseOwner } from "../../model/Lease.ts"
import type { Registration } from "../../model/Registration.ts"
import type { Engines, Limit } from "../engine/EngineRegistry.ts"
import * as Slots from "./Slots.ts"

/** A process that waits for a slot, with the lease holders that are proven dead. */
export interface Queued {
  readonly id: ProcessId
  readonly dead: ReadonlyArray<LeaseOwner>
  /** Whether all that its body would do is wait. */
  readonly isWaiting?: boolean
}

/** The queue for some slots. */
export interface AdmissionQueue {
  readonly slots: Slots.Slots
  readonly busy: Map<ProcessId, Queued>
  readonly waiting: Map<ProcessId, Queued>
  /** Open while there is anything in it. */
  readonly latch: Effect.Latch
}

/** The queues of a worker. */
export interface AdmissionQueues {
  /** The queue a process waits in, and the slots its body takes. */
  readonly of: (registration: Registration) => AdmissionQueue
  /** Whether nothing that has something to do is in it. */
  readonly isIdle: (queue: AdmissionQueue) => boolean
  /** Queues a process, once; one that has something to do by now changes its lane. */
  readonly enqueue: (queue: AdmissionQueue, queued: Queued) => void
  /** Admits the first process of each queue as soon as there is a slot for it. Never returns. */
  readonly admission: (admit: (queued: Queued, slots: Slots.Slots) => Effect.Effect<void>) => Effect.Effect<never>
}

/** Makes a queue for the host's slots, and one for each limit. */
export const make = (
  host: Slots.Slots,
  { limits, limitOf }: Pick<typeof Engines.Service, "limits" | "limitOf">
): AdmissionQueues => {
  const common = queueOf(host)
  const limited = new Map(limits.map((limit) => [limit.name, queueOf(within(host, limit))]))

  // Interrupted in a wait, no process leaves the queue and no slot is taken; in between, nothing is interrupted.
  const next = (
    queue: AdmissionQueue,
    admit: (queued: Queued, slots: Slots.Slots) => Effect.Effect<void>
  ): Effect.Effect<void> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.zipRight(
        Effect.zipRight(restore(queue.latch.await), restore(queue.slots.take)),
        Effect.suspend(() => {
          const queued = shift(queue)
          return queued === undefined ? Effect.sync(queue.slots.release) : admit(queued, queue.slots)
        })
      )
    )

  return {
    of: (registration) => (limited.size === 0 ? common : (limited.get(limitOf(registration) ?? "") ?? common)),
    isIdle: ({ busy }) => busy.size === 0,
    enqueue: ({ busy, waiting, latch }, queued) => {
      const { id } = queued
      if (busy.has(id)) return
      if (queued.isWaiting !== true) {
        waiting.delete(id)
        busy.set(id, queued)
      } else if (!waiting.has(id)) waiting.set(id, queued)
      latch.unsafeOpen()
    },
    admission: (admit) =>
      Effect.zipRight(
        Effect.forEach([common, ...limited.values()], (queue) => Effect.forever(next(queue, admit)), {
          concurrency: "unbounded",
          discard: true
        }),
        Effect.never
      )
  }
}

const queueOf = (slots: Slots.Slots): AdmissionQueue => ({
  slots,
  busy: new Map(),
  waiting: new Map(),
  latch: Effect.unsafeMakeLatch(false)
})

/** Takes the next one out. */
const shift = ({ busy, waiting, latch }: AdmissionQueue): Queued | undefined => {
  const lane = busy.size > 0 ? busy : waiting
  const [queued] = lane.values()
  if (queued !== undefined) lane.delete(queued.id)
  if (busy.size + waiting.size === 0) latch.unsafeClose()
  return queued
}

/** Slots of the host, of which one kind may take no more than its limit. */
const within = (host: Slots.Slots, { concurrency }: Limit): Slots.Slots => {
  const own = Slots.make(concurrency)
  return {
    tryTake: () => {
      if (!own.tryTake()) return false
      if (host.tryTake()) return true
      own.release()
      return false
    },
    // Nothing is interrupted between the two slots: one that was taken is either used or released.
    take: Effect.uninterruptibleMask((restore) =>
      Effect.zipRight(
        restore(own.take),
        Effect.onInterrupt(restore(host.take), () => Effect.sync(own.release))
      )
    ),
    release: () => {
      own.release()
      host.release()
    },
    free: () => Math.min(own.free(), host.free())
  }
}
