/**
 * A host for tests: a store in memory, and a time that only the test moves. It may crash and begin again, and a second one may
 * work beside it. For machines and for bodies of code, with any test runner.
 *
 * Invariant: a host that crashed does nothing any more. The next one finds what the store has, and nothing else.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as SingleHost from "../host/SingleHost.ts"
import { processId } from "../model/ids.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import type { Runnable } from "../runtime/engine/Engine.ts"
import type { ProcessRow } from "../store/Decision.ts"
import type { ProcessStore } from "../store/ProcessStore.ts"
import type { BootOptions, Database, Life } from "./bodies/World.ts"
import * as Worlds from "./bodies/World.ts"

/** A host for tests, with its store and its time. */
export interface TestHost {
  /** What the store has, for an observer; a crash does not concern it. */
  readonly store: typeof ProcessStore.Service
  readonly nowMs: () => number
  /** Runs an effect on the host; time passes while everybody rests. Dies when it does not end. */
  readonly run: <A, E>(effect: Effect.Effect<A, E, SingleHost.HostServices>) => Effect.Effect<A, E>
  /** Begins an effect on the host, whatever becomes of it. */
  readonly begin: (effect: Effect.Effect<unknown, unknown, SingleHost.HostServices>) => Effect.Effect<void>
  /** Lets time pass, such as "3 days": whatever is due on the way happens on the way. */
  readonly advance: (by: Duration.DurationInput) => Effect.Effect<void>
  /** Lets everybody do what there is to do now; time passes only while something is due and nothing does it. */
  readonly settle: Effect.Effect<void>
  /** Drops the host without grace. */
  readonly crash: Effect.Effect<void>
  /** Drops the host unless it has crashed, and begins the next one; the options are its own. */
  readonly restart: (options?: BootOptions) => Effect.Effect<void>
  /** Begins a second host on the same store, which lives until it crashes by itself. */
  readonly beside: (options?: BootOptions) => Effect.Effect<Life>
  readonly isAlive: () => boolean
  /** The row of a process, as far as there is one. */
  readonly row: (id: string) => Effect.Effect<ProcessRow | undefined>
  /** The log of a process. */
  readonly log: (id: string) => Effect.Effect<ReadonlyArray<ProcessEvent>>
}

/** How a host for tests is made. */
export interface TestHostOptions extends BootOptions {
  /** @default a store in memory */
  readonly database?: Database
}

/** Makes a host for tests, with engines whose requirements are provided. What is left of it goes with the scope. */
export const make = (
  engines: ReadonlyArray<Runnable<never>>,
  { database = Worlds.inMemory, ...options }: TestHostOptions = {}
): Effect.Effect<TestHost, never, Scope.Scope> =>
  Effect.gen(function* () {
    const world = yield* Worlds.make(database)
    const { store, nowMs, time, turns } = world
    const boot = (own: BootOptions) => world.boot(engines, { ...patient, ...options, ...own })
    let life = yield* boot({})

    const isDue = Effect.suspend(() => Effect.orDie(store.due({ nowMs: nowMs(), limit: 1 }))).pipe(
      Effect.map((due) => due.length > 0)
    )
    const settle = Effect.gen(function* () {
      yield* turns(turnsOfWork)
      const untilMs = nowMs() + longestBackOffMs
      while (life.isAlive() && (yield* isDue) && time.ring(untilMs)) yield* turns(turnsOfWork)
    })

    /** When the store has something to do next: a timer, or a row, which waits until its lease is over. */
    const nextDueMs = Effect.zipWith(
      Effect.orDie(store.execution.nextTimer),
      Effect.orDie(store.listNonTerminal),
      (timerMs = never, rows) =>
        Math.min(timerMs, ...rows.map(({ dueAtMs, lease }) => Math.max(dueAtMs ?? never, lease.held?.expiresAtMs ?? 0)))
    )

    /** Loops that look for work would ring millions of times in a month: where nothing is due, time leaps. */
    const advance = (by: Duration.DurationInput) =>
      Effect.gen(function* () {
        const untilMs = nowMs() + Duration.toMillis(by)
        yield* world.advance(Math.min(untilMs - nowMs(), longestStepMs))
        for (let short = 0; nowMs() < untilMs && short < mostShort; ) {
          const dueMs = yield* nextDueMs
          const stopMs = Math.min(untilMs, Math.max(dueMs, nowMs() + 1))
          if (stopMs <= nowMs() + 1) short++
          time.leap(stopMs - nowMs())
          for (let rings = 0; rings < mostRings && time.ring(nowMs()); rings++) yield* turns(3)
          yield* settle
        }
        if (nowMs() < untilMs) yield* world.advance(untilMs - nowMs())
      })
    return {
      store,
      nowMs,
      run: (effect) => Effect.suspend(() => life.run(effect)),
      begin: (effect) => Effect.suspend(() => life.begin(effect)),
      advance,
      settle,
      crash: Effect.suspend(() => life.crash),
      restart: (own = {}) =>
        Effect.gen(function* () {
          if (life.isAlive()) yield* life.crash
          life = yield* boot(own)
        }),
      beside: (own = {}) => boot(own),
      isAlive: () => life.isAlive(),
      row: (id) =>
        Effect.map(Effect.orDie(store.find(processId(id))), (found) =>
          found._tag === "Present" ? found.row : undefined
        ),
      log: (id) => Effect.orDie(store.eventsAfter(processId(id), 0))
    }
  })

const never = Number.POSITIVE_INFINITY

/** How much of a time is let pass alarm by alarm. */
const longestStepMs = 100

/** How often time goes on by a millisecond alone, while what is due is not done, as where a host has crashed. */
const mostShort = 1_000

/** How many alarms ring where time stops on its way. */
const mostRings = 100

/** A host that knows of deaths, as those of one machine do, and whose leases outlast the time that leaps. */
const patient: BootOptions = {
  sweepInterval: "1 second",
  leaseTtl: "20 days",
  leaseRenewal: "1 day",
  isFoundDead: true
}

/** How many turns of the event loop let everybody come to rest. */
const turnsOfWork = 12

/** The longest time that a row which cannot begin waits for its next try. */
const longestBackOffMs = 60_000
