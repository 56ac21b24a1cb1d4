/**
 * How many processes are in each state, for a page that wants to know all the time.
 *
 * A store offers no such count, so the rows are read once, a page at a time beside everything else; changes are followed from
 * then on. Whoever asks meanwhile gets what was counted so far, and is told that it is not complete.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberHandle from "effect/FiberHandle"
import type * as Scope from "effect/Scope"
import { lifecycleOf } from "../../machines/lifecycle.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ProcessStore } from "../store/ProcessStore.ts"
import type { CountsView, RowView, StateLabel } from "./View.ts"

/** Counts processes. */
export interface Counts {
  /** What is known, after a short wait for more; the first call begins the count. */
  readonly current: Effect.Effect<CountsView>
  /** Takes over what changed. */
  readonly note: (rows: ReadonlyArray<RowView>, gone: ReadonlyArray<string>) => void
  /** Changes were missed, or nobody follows them: the next call counts anew. */
  readonly forget: () => void
}

/** How many rows are read at once: some ten milliseconds of work. */
const pageSize = 200

/** How long a count that is not done at once waits for what else was asked. Units: milliseconds. */
const firstRestMs = 400

/** How much longer than a count takes it rests before the next one. */
const restFactor = 10

/** How long a call waits for the count to become complete. Units: milliseconds. */
const patienceMs = 250

/** Makes one; it counts in a fiber of the scope. */
export const make = (store: typeof ProcessStore.Service): Effect.Effect<Counts, never, Scope.Scope> =>
  Effect.gen(function* () {
    const counting = yield* FiberHandle.make<unknown, never>()
    const states = new Map<string, StateLabel>()
    let counted: "no" | "under way" | "complete" = "no"
    let counts = none()
    let generation = 0
    let notBeforeMs = 0
    let finished = yield* Deferred.make<void>()

    const put = (id: string, state: StateLabel | undefined): void => {
      const before = states.get(id)
      if (before !== undefined) counts[before]--
      if (state === undefined) {
        states.delete(id)
      } else {
        states.set(id, state)
        counts[state]++
      }
    }

    const count = Effect.gen(function* () {
      const own = generation
      const startedMs = yield* Clock.currentTimeMillis
      let after: ProcessId | undefined
      while (true) {
        const pageMs = yield* Clock.currentTimeMillis
        const rows = yield* store.list({
          filter: { status: "any" },
          limit: pageSize,
          ...(after === undefined ? {} : { after })
        })
        for (const row of rows) put(row.base.registration.id, lifecycleOf(row.snapshot))
        after = rows.at(-1)?.base.registration.id
        if (rows.length < pageSize) break
        // A page that was just opened asks for other things first.
        if (states.size <= pageSize) yield* Effect.sleep(firstRestMs)
        // Half of the time belongs to whatever else this host does.
        yield* Effect.sleep((yield* Clock.currentTimeMillis) - pageMs + 1)
      }
      const endedMs = yield* Clock.currentTimeMillis
      notBeforeMs = endedMs + restFactor * (endedMs - startedMs)
      counted = own === generation ? "complete" : "no"
    }).pipe(
      Effect.catchAll((error) =>
        Effect.zipRight(
          Effect.sync(() => {
            counted = "no"
          }),
          Effect.logDebug(error.message)
        )
      )
    )

    const begin = Effect.gen(function* () {
      if (counted !== "no" || (yield* Clock.currentTimeMillis) < notBeforeMs) return
      counted = "under way"
      generation++
      counts = none()
      states.clear()
      finished = yield* Deferred.make<void>()
      yield* FiberHandle.run(counting, Effect.ensuring(count, Deferred.succeed(finished, undefined)))
    })

    return {
      current: Effect.gen(function* () {
        yield* begin
        if (counted === "under way") yield* Effect.timeoutOption(Deferred.await(finished), patienceMs)
        return { counts: { ...counts }, total: states.size, complete: counted === "complete" }
      }),
      note: (rows, gone) => {
        for (const row of rows) put(row.process_id, row.state)
        for (const id of gone) put(id, undefined)
      },
      forget: () => {
        // One that is under way goes on: what it finds is shown as incomplete, until the next one.
        generation++
        if (counted === "complete") counted = "no"
      }
    }
  })

const none = (): Record<StateLabel, number> => ({ running: 0, completed: 0, failed: 0, cancelled: 0, abandoned: 0 })
