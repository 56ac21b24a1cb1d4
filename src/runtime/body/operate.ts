/**
 * How an operation of a body goes: asked of the journal, performed and recorded, and answered when its turn has come.
 *
 * ```
 * key ─► recorded? ─► its end, in order ─────────────────────────────┐
 *           └ no ─► everything recorded was handed over ─► perform ─► record ─► its end, in order ─► the body goes on
 * the body lets go of it meanwhile ─► dropped, and journaled as that
 * ```
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as RuntimeFlags from "effect/RuntimeFlags"
import type { ReplayDiverged } from "../../model/errors.ts"
import { LeaseLost, OutsideProcess, StoreError } from "../../model/errors.ts"
import type { RuntimeError } from "../../model/failures.ts"
import { decodeError, encodeError } from "../../model/failures.ts"
import type { JournalEntry, JournalOperation } from "../../model/JournalEntry.ts"
import { droppedKey, waitKeyOf } from "../../model/JournalEntry.ts"
import type { Lease } from "../../model/Lease.ts"
import type { DroppedWait } from "../../operations/decisions/waits.ts"
import type { Activation } from "./Activation.ts"
import { answered, disturbanceOf, heldAgain, isGoingOn, stateOf } from "./Activation.ts"
import type { End, Source } from "./End.ts"
import type { Journal, Misplaced, Opened } from "./Journal.ts"
import type * as Lineage from "./lineage.ts"
import * as UnderWays from "./underWay.ts"
import type { Where } from "./waiters.ts"
import { insideFinaliser } from "./waiters.ts"

/** What an operation waits for once it was performed. `onWaiting` is called when it does. */
export interface Performed {
  readonly source: Source
  readonly wait?: DroppedWait
  readonly onWaiting?: () => void
}

/** What `perform` works with. */
export interface Performing {
  /** Makes interruptible what is interruptible where the operation was called. */
  readonly restore: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The wait that was entered. */
  readonly waiting: (waitKey: string) => Performed
  /** Notes who interrupts it, where that takes a while to take effect: the host may follow. */
  readonly onInterrupted: () => void
  /** Journals an outcome; its place is its end. */
  readonly record: (outcome: unknown) => Effect.Effect<Performed, LeaseLost>
  /** Journals a refusal, which the body is handed in its turn. What says nothing of the operation is no refusal, and fails. */
  readonly refused: <F>(refusal: F) => Effect.Effect<Performed, F | LeaseLost>
}

/** One kind of operation. */
export interface Operation<A, E, R> {
  /** Does it. Cannot be interrupted but for what it restores. */
  readonly perform: (key: string, performing: Performing) => Effect.Effect<Performed, E | LeaseLost, R>
  /** Reads the end that the body is handed, if it is no refusal. */
  readonly takeUp: (end: End) => Effect.Effect<A, E, R>
  /** What it waits for if it was performed before; by its entry where this is absent. */
  readonly source?: Source
  /** The signal that it waits for. */
  readonly signal?: string
}

/** An operation that is one write. */
export interface OneWrite<A, E, B, F extends RuntimeError> {
  readonly attempt: (key: string) => Effect.Effect<(lease: Lease, opened: Opened) => Effect.Effect<B, F>, F>
  readonly takeUp: (outcome: unknown) => Effect.Effect<A, E>
}

/** Performs the operations of one activation. */
export interface Operate {
  <A, E, R>(
    operation: JournalOperation,
    name: string,
    how: Operation<A, E, R>
  ): Effect.Effect<A, E | LeaseLost | ReplayDiverged | Misplaced, R>
  /** Performs an operation that is one write, which may be refused: then the refusal is recorded. */
  readonly once: <A, E, B, F extends RuntimeError>(
    operation: JournalOperation,
    name: string,
    how: OneWrite<A, E, B, F>
  ) => Effect.Effect<A, E | F | LeaseLost | ReplayDiverged | Misplaced>
  /** Whether what a fiber does now is part of an operation, and not of the body. */
  readonly isOperating: (fiber: Lineage.AnyFiber) => boolean
}

/** Makes what performs the operations of an activation. */
export const make = (activation: Activation, journal: Journal): Operate => {
  const { ends, slot } = activation
  const store = activation.services.writes

  /** Whether the body itself interrupts an operation: its host does not, and none has failed with the loss of its lease. */
  const isOwn = (): boolean => isGoingOn(activation) && disturbanceOf(activation) === "undisturbed"

  /** Whether the process is another host's by now, as far as is known here: an effect must not run for it. */
  const isTakenAway = (): boolean => {
    const disturbance = disturbanceOf(activation)
    return disturbance === "fenced" || disturbance === "superseded"
  }

  /** What was kept of its progress goes with its end. */
  const over = (key: string): { readonly progress?: string } => {
    if (journal.progress.size === 0) return {}
    const kept = journal.branched(key)
    return journal.progress.has(kept) ? { progress: kept } : {}
  }

  /** Lets go of an operation, in its turn: what the body does because of it has a place as every end has. */
  const drop = (key: string, wait: DroppedWait | undefined, own?: boolean): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (!(own ?? isOwn())) return Effect.void
      const source = `dropped ${key}` as const
      if (journal.isDropped(key)) return ends.next(source, () => Effect.void, insideFinaliser)
      return journal
        .write(droppedKey(key), "dropped", (lease, opened) =>
          store.drop(lease, { ...opened, outcome: null, ...over(key) }, wait)
        )
        .pipe(
          Effect.flatMap(({ answer, entry, position, settle }) => {
            ends.arrive({ _tag: "Dropped", key, sequence: entry?.sequence ?? answer ?? 0, position })
            return ends.next(source, () => Effect.void, insideFinaliser, settle)
          }),
          // A body that has lost its lease learns of it from its next write.
          Effect.ignore
        )
    })

  /** Fibers with an operation under way. */
  const operating = new WeakSet<Lineage.AnyFiber>()

  const record =
    (key: string, operation: JournalOperation): Performing["record"] =>
    (outcome) =>
      Effect.map(
        journal.write(key, operation, (lease, opened) => store.record(lease, { ...opened, outcome, ...over(key) })),
        ({ answer, entry, position, settle }) => {
          const sequence = entry?.sequence ?? answer ?? 0
          ends.arrive({ _tag: "Recorded", key, outcome: entry?.outcome ?? outcome, sequence, position })
          return { source: `recorded ${key}`, onWaiting: settle }
        }
      )

  /** What the lease, or a store that does not answer, is the cause of says nothing of the operation. */
  const refusing =
    (recording: Performing["record"]): Performing["refused"] =>
    (refusal) => {
      const isNone = [LeaseLost, OutsideProcess, StoreError].some((type) => refusal instanceof type)
      const stored = isNone ? undefined : encodeError(refusal)
      return stored === undefined ? Effect.fail(refusal) : recording({ refused: stored })
    }

  const operate = <A, E, R>(
    operation: JournalOperation,
    name: string,
    how: Operation<A, E, R>
  ): Effect.Effect<A, E | LeaseLost | ReplayDiverged | Misplaced, R> =>
    // One region for all that an operation needs: a body has thousands of them.
    Effect.withFiberRuntime((fiber, { runtimeFlags }) =>
      Effect.uninterruptibleMask((restore): Effect.Effect<A, E | LeaseLost | ReplayDiverged | Misplaced, R> => {
        const place = journal.enter(fiber, operation, name)
        if (Either.isLeft(place)) return Effect.fail(place.left)
        const { key, leave } = place.right
        ends.enter(key)
        operating.add(fiber)
        const where: Where = { isInterruptible: RuntimeFlags.interruptible(runtimeFlags), restore }
        let hasBegun = false
        let performed: Performed | undefined
        /** What it waits for keeps its place from the moment it is asked for. */
        let onAsked: (() => void) | undefined
        let own: boolean | undefined
        const waiting = (waitKey: string): Performed => ({
          source: `wait ${waitKey}`,
          wait: { waitKey, ...(how.signal === undefined ? {} : { signal: how.signal }) }
        })
        const recording = record(key, operation)
        const performing: Performing = {
          restore,
          waiting,
          onInterrupted: () => {
            own ??= isOwn()
          },
          record: recording,
          refused: refusing(recording)
        }
        const waitingFor = (from: Performed): Effect.Effect<A, E, R> => {
          performed = from
          const onWaiting = (): void => {
            onAsked?.()
            from.onWaiting?.()
          }
          return ends.next(
            from.source,
            (end) => takenUp(how, end),
            where,
            onAsked === undefined ? from.onWaiting : onWaiting
          )
        }
        const perform = Effect.suspend(() => {
          UnderWays.begun(activation, operation, key, name)
          return Effect.flatMap(how.perform(key, performing), waitingFor)
        })
        const begin = Effect.suspend((): Effect.Effect<A, E | LeaseLost | ReplayDiverged, R> => {
          hasBegun = true
          const recorded = journal.recorded(key, operation)
          if (Either.isLeft(recorded)) return Effect.fail(recorded.left)
          // The body lets go of it again.
          if (journal.isDropped(key)) return restore(Effect.never)
          const entry = recorded.right
          const waitKey = waitKeyOf(entry)
          if (waitKey !== undefined) return waitingFor(waiting(waitKey))
          if (entry !== undefined) return waitingFor({ source: `recorded ${key}` })
          if (how.source !== undefined) {
            if (ends.has(how.source)) return waitingFor({ source: how.source })
            onAsked = ends.asking(how.source)
          }
          // What a finaliser did here would be in the journal of an activation that has nothing to clean up.
          if (stateOf(activation) === "leaving") return Effect.interrupt
          if (activation.lost !== undefined) return Effect.fail(activation.lost)
          if (isTakenAway()) return Effect.zipRight(answered(activation, heldAgain(activation)), perform)
          return ends.isCaughtUp() ? perform : Effect.zipRight(restore(ends.caughtUp), perform)
        })
        const ended = (): void => {
          // An interruption may come before it waits: later ends must not wait for it then.
          performed?.onWaiting?.()
          onAsked?.()
          activation.underWay?.delete(key)
          ends.leave(key)
          operating.delete(fiber)
          leave()
        }
        return Effect.matchCauseEffect(slot.held() ? begin : Effect.zipRight(restore(slot.takeBack), begin), {
          onSuccess: (value) => {
            ended()
            return Effect.succeed(value)
          },
          onFailure: (cause) => {
            if (!hasBegun || !Cause.isInterruptedOnly(cause)) {
              // What the body does of that is not its own doing: the next activation is not to do it again.
              for (const error of Cause.failures(cause)) {
                if (error instanceof LeaseLost && error.processId === activation.id) activation.lost ??= error
              }
              ended()
              return Effect.failCause(cause)
            }
            performed?.onWaiting?.()
            onAsked?.()
            return Effect.zipRight(
              Effect.ensuring(drop(key, performed?.wait, own), Effect.sync(ended)),
              Effect.failCause(cause)
            )
          }
        })
      })
    )

  const once = <A, E, B, F extends RuntimeError>(
    operation: JournalOperation,
    name: string,
    { attempt, takeUp }: OneWrite<A, E, B, F>
  ): Effect.Effect<A, E | F | LeaseLost | ReplayDiverged | Misplaced> =>
    operate<A, E | F, never>(operation, name, {
      perform: (key, performing) =>
        Effect.matchEffect(
          Effect.flatMap(attempt(key), (write) => journal.write(key, operation, write)),
          {
            onSuccess: ({ entry, position, settle }) =>
              Effect.map(
                entry === undefined ? readBack(position) : Effect.succeed(entry),
                ({ sequence, outcome }): Performed => {
                  ends.arrive({ _tag: "Recorded", key, outcome, sequence, position })
                  return { source: `recorded ${key}`, onWaiting: settle }
                }
              ),
            onFailure: performing.refused
          }
        ),
      takeUp: (end) => (end._tag === "Recorded" ? takeUp(end.outcome) : Effect.dieMessage("a write has another end"))
    })

  const readBack = (position: number): Effect.Effect<JournalEntry> =>
    Effect.flatMap(answered(activation, store.entryAt(activation.id, position)), (entry) =>
      entry === undefined ? Effect.dieMessage("a write left no entry") : Effect.succeed(entry)
    )

  return Object.assign(operate, { once, isOperating: (fiber: Lineage.AnyFiber) => operating.has(fiber) })
}

const takenUp = <A, E, R>({ takeUp }: Operation<A, E, R>, end: End): Effect.Effect<A, E, R> => {
  const outcome = end._tag === "Recorded" ? end.outcome : undefined
  return typeof outcome === "object" && outcome !== null && "refused" in outcome
    ? Effect.fail(decodeError(outcome.refused) as E) // recorded by what may fail with it
    : takeUp(end)
}
