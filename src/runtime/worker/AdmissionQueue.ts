/**
 * Lines: who waits for a slot, in order. A kind with a limit of its own has a line of its own, so that whoever waits for its
 * places never holds up those who only wait for the host.
 *
 * Invariant: a place of a kind is taken before one of the host, so that nobody holds a place of the host while waiting.
 */
import * as Effect from "effect/Effect"
import * as Queue from "effect/Queue"
import type { ProcessId } from "../../model/ids.ts"
import type { LeaseOwner } from "../../model/Lease.ts"
import type { Registration } from "../../model/Registration.ts"
import type { Engines, Limit } from "../engine/EngineRegistry.ts"
import * as Slots from "./Slots.ts"

/** Who stands in line, with the proofs that its recovery rests on. */
export interface Standing {
  readonly id: ProcessId
  readonly dead: ReadonlyArray<LeaseOwner>
}

/** One kind's line, and the slots it stands for. */
export interface Line {
  readonly slots: Slots.Slots
  readonly queue: Queue.Queue<Standing>
}

/** The lines of a worker. */
export interface Lines {
  /** The line a process stands in, and the slots its body takes. */
  readonly of: (registration: Registration) => Line
  /** Whether nobody stands in a line. */
  readonly isEmpty: (line: Line) => boolean
  /** Stands in line, once. */
  readonly enqueue: (line: Line, standing: Standing) => void
  /** Takes on whoever is first in each line, as soon as there is a slot for it, for ever. */
  readonly admission: (takeOn: (standing: Standing, slots: Slots.Slots) => Effect.Effect<void>) => Effect.Effect<never>
}

/** Makes a line for the host's slots, and one for each limit. */
export const make = (
  host: Slots.Slots,
  { limits, limitOf }: Pick<typeof Engines.Service, "limits" | "limitOf">
): Effect.Effect<Lines> =>
  Effect.gen(function* () {
    const lineOf = (slots: Slots.Slots): Effect.Effect<Line> =>
      Effect.map(Queue.unbounded<Standing>(), (queue) => ({ slots, queue }))
    const common = yield* lineOf(host)
    const limited = new Map<string, Line>()
    for (const limit of limits) limited.set(limit.name, yield* lineOf(within(host, limit)))
    const lengths = new Map<Line, number>()
    const inLine = new Set<ProcessId>()

    const count = (line: Line, by: number): void => {
      lengths.set(line, (lengths.get(line) ?? 0) + by)
    }

    return {
      of: (registration) => (limited.size === 0 ? common : (limited.get(limitOf(registration) ?? "") ?? common)),
      isEmpty: (line) => (lengths.get(line) ?? 0) === 0,
      enqueue: (line, standing) => {
        if (inLine.has(standing.id)) return
        inLine.add(standing.id)
        count(line, 1)
        line.queue.unsafeOffer(standing)
      },
      admission: (takeOn) => {
        // Interrupted in a wait, nobody leaves the line and no slot is taken; in between, nothing is interrupted.
        const admit = (line: Line) =>
          Effect.uninterruptibleMask((restore) =>
            Effect.gen(function* () {
              const standing = yield* restore(line.queue.take)
              yield* Effect.onInterrupt(restore(line.slots.take), () =>
                Effect.sync(() => line.queue.unsafeOffer(standing))
              )
              inLine.delete(standing.id)
              count(line, -1)
              yield* takeOn(standing, line.slots)
            })
          )
        return Effect.zipRight(
          Effect.forEach([common, ...limited.values()], (line) => Effect.forever(admit(line)), {
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
    // Nothing is interrupted between the two places: one that was taken is either used or given back.
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
