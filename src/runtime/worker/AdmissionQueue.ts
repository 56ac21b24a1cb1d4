/**
 * Processes that wait for a slot, first in, first out. A kind with a limit of its own has a queue of its own, so that waiting
 * for its slots never holds up processes that only wait for the host's.
 *
 * Invariant: a slot of a kind is taken before one of the host, so that none holds a slot of the host while it waits.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { ProcessId } from "../../model/ids.ts"
import type { LeaseOwner } from "../../model/Lease.ts"
import type { Registration } from "../../model/Registration.ts"
import type { Engines, Limit } from "../engine/EngineRegistry.ts"
import * as Slots from "./Slots.ts"

/** A process that waits for a slot, with the lease holders that are proven dead. */
export interface Queued {
  readonly id: ProcessId
  readonly dead: ReadonlyArray<LeaseOwner>
}

/** The queue for some slots. */
export interface AdmissionQueue {
  readonly slots: Slots.Slots
  readonly waiting: Queue.Queue<Queued>
}

/** The queues of a worker. */
export interface AdmissionQueues {
  /** The queue a process waits in, and the slots its body takes. */
  readonly of: (registration: Registration) => AdmissionQueue
  readonly isEmpty: (queue: AdmissionQueue) => boolean
  /** Queues a process, once. */
  readonly enqueue: (queue: AdmissionQueue, queued: Queued) => void
  /** Admits the first process of each queue as soon as there is a slot for it. Never returns. */
  readonly admission: (admit: (queued: Queued, slots: Slots.Slots) => Effect.Effect<void>) => Effect.Effect<never>
}

/** Makes a queue for the host's slots, and one for each limit. */
export const make = (
  host: Slots.Slots,
  { limits, limitOf }: Pick<typeof Engines.Service, "limits" | "limitOf">
): Effect.Effect<AdmissionQueues> =>
  Effect.gen(function* () {
    const queueOf = (slots: Slots.Slots): Effect.Effect<AdmissionQueue> =>
      Effect.map(Queue.unbounded<Queued>(), (waiting) => ({ slots, waiting }))
    const common = yield* queueOf(host)
    const limited = new Map<string, AdmissionQueue>()
    for (const limit of limits) limited.set(limit.name, yield* queueOf(within(host, limit)))
    const lengths = new Map<AdmissionQueue, number>()
    const queuedIds = new Set<ProcessId>()

    const count = (queue: AdmissionQueue, by: number): void => {
      lengths.set(queue, (lengths.get(queue) ?? 0) + by)
    }

    return {
      of: (registration) => (limited.size === 0 ? common : (limited.get(limitOf(registration) ?? "") ?? common)),
      isEmpty: (queue) => (lengths.get(queue) ?? 0) === 0,
      enqueue: (queue, queued) => {
        if (queuedIds.has(queued.id)) return
        queuedIds.add(queued.id)
        count(queue, 1)
        queue.waiting.unsafeOffer(queued)
      },
      admission: (admit) => {
        // Interrupted in a wait, no process leaves the queue and no slot is taken; in between, nothing is interrupted.
        const next = (queue: AdmissionQueue) =>
          Effect.uninterruptibleMask((restore) =>
            Effect.gen(function* () {
              const queued = yield* restore(queue.waiting.take)
              yield* Effect.onInterrupt(restore(queue.slots.take), () =>
                Effect.sync(() => queue.waiting.unsafeOffer(queued))
              )
              queuedIds.delete(queued.id)
              count(queue, -1)
              yield* admit(queued, queue.slots)
            })
          )
        return Effect.zipRight(
          Effect.forEach([common, ...limited.values()], (queue) => Effect.forever(next(queue)), {
            concurrency: "unbounded",
            discard: true
          }),
          Effect.never
        )
      }
    }
  })

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
