/**
 * Notifies waiters that a process changed, never what changed. Waiters always read again; one may say which changes are none of
 * its concern.
 *
 * Invariant: it carries nothing, so it can lose nothing. A waiter that subscribes before it reads cannot miss a change; one that is
 * not notified, and that no look of its host serves, polls.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import { constTrue } from "effect/Function"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import * as Listeners from "../../store/listeners.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"

/** One waiter's view of a process. */
export interface Subscription {
  /**
   * Waits for a change after the subscription, or after the last answer; "timeout" when none came within `timeoutMs`.
   *
   * Timeouts are kept in steps of {@link tickMs}: they pace the reads of waiters that are not notified. While the host looks at
   * what other programs commit, however long that takes, none is needed, and one comes after {@link untrustingMs} only.
   */
  readonly next: (timeoutMs: number) => Effect.Effect<"changed" | "timeout">
  readonly close: () => void
}

/** What a waiter wants to hear of. */
export interface SubscribeOptions {
  /** A commit of this host that leaves a row which this denies is no change. @default every one is */
  readonly concerns?: (row: ProcessRow) => boolean
  /** What is waited for is no process: no look finds what other programs did to it. @default false */
  readonly isUnseen?: boolean
}

/** Notifies waiters of changes, after their commit. */
export class ChangeHub extends Context.Tag("holdfast/runtime/ChangeHub")<
  ChangeHub,
  {
    /**
     * Subscribes; close it when done. Entries exist only while there are subscribers.
     */
    readonly subscribe: (id: ProcessId, options?: SubscribeOptions) => Subscription
    readonly notify: (id: ProcessId) => void
    /** Looks at what other programs have committed, and notifies of each change. Answers what it found. */
    readonly look: <E>(
      changes: Effect.Effect<ReadonlyArray<ProcessId>, E>
    ) => Effect.Effect<ReadonlyArray<ProcessId>, E>
    /** Calls `listener` with the id of whatever changes, until the scope ends. It must neither throw nor wait. */
    readonly listen: (listener: (id: ProcessId) => void) => Effect.Effect<void, never, Scope.Scope>
    /** How many processes have waiters, and how many listen to all of them. */
    readonly size: () => number
  }
>() {}

/** How fine timeouts are. Units: milliseconds. */
export const tickMs = 25

/** After how long a waiter reads for itself, however well the host looks. Units: milliseconds. */
export const untrustingMs = 60_000

/** How soon after a look the next one begins, at the latest, where there are looks. Units: milliseconds. */
const currentMs = 500

interface Waiter {
  readonly concerns: (row: ProcessRow) => boolean
  readonly isUnseen: boolean
  changed: boolean
  /** When it began to wait. */
  sinceMs: number
  deadlineMs: number
  resume: ((why: "changed" | "timeout") => void) | undefined
}

/** A hub that hears of every commit of the store in context. */
export const layer: Layer.Layer<ChangeHub, never, ProcessStore> = Layer.scoped(
  ChangeHub,
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const clock = yield* Effect.clock
    // Monotonic time: a clock that is set back must not prolong a wait.
    const elapsedMs = (): number => Number(clock.unsafeCurrentTimeNanos() / 1_000_000n)
    const byProcess = new Map<ProcessId, Set<Waiter>>()
    const listeners = Listeners.make<ProcessId>()

    const notify = (id: ProcessId, row?: ProcessRow): void => {
      listeners.publish(id)
      for (const waiter of byProcess.get(id) ?? []) {
        if (row !== undefined && !waiter.concerns(row)) continue
        waiter.changed = true
        waiter.resume?.("changed")
      }
    }

    const subscribe = (
      id: ProcessId,
      { concerns = constTrue, isUnseen = false }: SubscribeOptions = {}
    ): Subscription => {
      const waiter: Waiter = { concerns, isUnseen, changed: false, sinceMs: 0, deadlineMs: 0, resume: undefined }
      const all = byProcess.get(id) ?? new Set()
      all.add(waiter)
      byProcess.set(id, all)
      return {
        next: (timeoutMs) =>
          Effect.suspend(() => {
            waiter.sinceMs = elapsedMs()
            waiter.deadlineMs = waiter.sinceMs + timeoutMs
            return nextOf(waiter)
          }),
        close: () => {
          all.delete(waiter)
          if (all.size === 0 && byProcess.get(id) === all) byProcess.delete(id)
        }
      }
    }

    let looks = 0
    let lookedMs = Number.NEGATIVE_INFINITY
    // A look that takes long has a slow store, which thousands of waiters that read for themselves would only make slower.
    const isLookedAfter = ({ sinceMs, isUnseen }: Waiter, nowMs: number): boolean =>
      !isUnseen && nowMs - sinceMs < untrustingMs && (looks > 0 || nowMs - lookedMs < currentMs)

    // One fiber keeps the time for every waiter: a timer for each would cost more than the rest of a short wait.
    const tick = Effect.sync(() => {
      const nowMs = elapsedMs()
      for (const waiters of byProcess.values()) {
        for (const waiter of waiters) {
          if (waiter.deadlineMs <= nowMs && !isLookedAfter(waiter, nowMs)) waiter.resume?.("timeout")
        }
      }
    })

    yield* Effect.forkScoped(Effect.forever(Effect.zipRight(Effect.sleep(tickMs), tick)))
    yield* store.onCommit((changes) => {
      for (const { row } of changes) notify(row.base.registration.id, row)
    })
    return ChangeHub.of({
      subscribe,
      notify,
      look: (changes) =>
        Effect.suspend(() => {
          looks++
          const found = Effect.map(changes, (ids) => {
            for (const id of ids) notify(id)
            lookedMs = elapsedMs()
            return ids
          })
          return Effect.ensuring(
            found,
            Effect.sync(() => looks--)
          )
        }),
      listen: listeners.subscribe,
      size: () => byProcess.size + listeners.size()
    })
  })
)

const nextOf = (waiter: Waiter): Effect.Effect<"changed" | "timeout"> =>
  Effect.async((resume) => {
    const settle = (why: "changed" | "timeout") => {
      waiter.resume = undefined
      if (why === "changed") waiter.changed = false
      resume(Effect.succeed(why))
    }
    if (waiter.changed) return settle("changed")
    waiter.resume = settle
    return Effect.sync(() => {
      waiter.resume = undefined
    })
  })
