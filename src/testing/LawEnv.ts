/**
 * The world a law runs in: one store with everything that is built on it, a clock that the law moves, and deaths that it causes.
 *
 * Invariant: time passes only when a law says so, unless the store keeps a time of its own (`clockOfRealTime`).
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { LeaseOwner } from "../model/Lease.ts"
import { opaqueOwner } from "../model/Lease.ts"
import type { ActivationStore } from "../store/ActivationStore.ts"
import * as Activations from "../store/activations.ts"
import type { ChangeFeed } from "../store/ChangeFeed.ts"
import * as Changes from "../store/changes.ts"
import type { ExecutionStore } from "../store/ExecutionStore.ts"
import * as Environments from "../store/environments.ts"
import * as Executions from "../store/executions.ts"
import * as Grants from "../store/grants.ts"
import type { HandleGrants } from "../store/HandleGrants.ts"
import type { LeaseStore } from "../store/LeaseStore.ts"
import * as Leases from "../store/leases.ts"
import { OwnerLiveness } from "../store/OwnerLiveness.ts"
import * as Outbox from "../store/outbox.ts"
import type { ProcessEnvironments } from "../store/ProcessEnvironments.ts"
import type { ProcessRegistry } from "../store/ProcessRegistry.ts"
import type { ProcessStore } from "../store/ProcessStore.ts"
import * as Pruning from "../store/pruning.ts"
import type { Retention } from "../store/Retention.ts"
import * as Registry from "../store/registry.ts"
import type { WaitStore } from "../store/WaitStore.ts"
import type { WakeOutbox, WakeTimes } from "../store/WakeOutbox.ts"
import { WakeTimings } from "../store/WakeOutbox.ts"
import * as Waits from "../store/waits.ts"

/** The time of a store under certification. Units: epoch milliseconds, UTC. */
export class LawClock extends Context.Tag("holdfast/testing/LawClock")<
  LawClock,
  {
    /** Whether `advance` moves the store's time by exactly what was asked for; only then do laws look at single instants. */
    readonly isExact: boolean
    readonly nowMs: Effect.Effect<number>
    /** Lets time pass, by at least `ms` milliseconds. */
    readonly advance: (ms: number) => Effect.Effect<void>
    /** Runs an effect under this clock. */
    readonly within: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  }
>() {}

/** Who is provably dead: nobody, until a law says so. */
export class Mortality extends Context.Tag("holdfast/testing/Mortality")<
  Mortality,
  {
    /** From here on this very identity, liveness evidence included, is proven dead for everybody. */
    readonly kill: (owner: LeaseOwner) => Effect.Effect<void>
  }
>() {}

/** Everything a law may use. */
export type LawEnv =
  | ProcessStore
  | ProcessRegistry
  | LeaseStore
  | ActivationStore
  | ExecutionStore
  | HandleGrants
  | WaitStore
  | Retention
  | ChangeFeed
  | WakeOutbox
  | ProcessEnvironments
  | LawClock
  | Mortality

/** A clock that stands still until a law advances it; sleeping takes real time, so that bounds on waits stay bounds. */
export const controlledClock: Effect.Effect<typeof LawClock.Service> = Effect.sync(() => {
  let nowMs = 1_700_000_000_000
  const real = Clock.make()
  const nanos = () => BigInt(nowMs) * 1_000_000n
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeMillis: () => nowMs,
    unsafeCurrentTimeNanos: nanos,
    currentTimeMillis: Effect.sync(() => nowMs),
    currentTimeNanos: Effect.sync(nanos),
    sleep: (duration) => real.sleep(duration)
  }
  return {
    isExact: true,
    nowMs: clock.currentTimeMillis,
    advance: (ms) =>
      Effect.sync(() => {
        nowMs += ms
      }),
    within: Effect.withClock(clock)
  }
})

/** The clock for a store that keeps a time of its own, such as a database server's: laws sleep. */
export const clockOfRealTime: Effect.Effect<typeof LawClock.Service> = Effect.sync(() => {
  const real = Clock.make()
  return {
    isExact: false,
    nowMs: real.currentTimeMillis,
    advance: (ms) => real.sleep(Duration.millis(ms + 1)),
    within: Effect.withClock(real)
  }
})

/** How long wakes and claims last in laws: a claim may pass within one, a wake outlasts it. Units: milliseconds. */
export const wakeTimes: WakeTimes = { expiryMs: 3_600_000, claimMs: 500 }

/** How a store is certified. */
export interface LawEnvOptions {
  /** @default controlledClock */
  readonly clock?: Effect.Effect<typeof LawClock.Service>
}

/** The world around a store. The store is built under the clock that its laws will move. */
export const layer = <E>(store: Layer.Layer<ProcessStore, E>, options: LawEnvOptions = {}): Layer.Layer<LawEnv, E> =>
  Layer.scopedContext(
    Effect.flatMap(options.clock ?? controlledClock, (clock) =>
      clock.within(
        Layer.build(
          Layer.mergeAll(
            Registry.layer,
            Leases.layer,
            Activations.layer,
            Executions.layer,
            Grants.layer,
            Waits.layer,
            Pruning.layer,
            Changes.layer,
            Outbox.layer,
            Environments.layer
          ).pipe(
            Layer.provideMerge(store),
            Layer.provideMerge(mortal),
            Layer.merge(Layer.succeed(LawClock, clock)),
            Layer.provide(Layer.succeed(WakeTimings, wakeTimes))
          )
        )
      )
    )
  )

const mortal: Layer.Layer<Mortality | OwnerLiveness> = Layer.effectContext(
  Effect.sync(() => {
    const dead = new Set<string>()
    const key = ({ ownerId, incarnationId, liveness }: LeaseOwner) => JSON.stringify([ownerId, incarnationId, liveness])
    return Context.empty().pipe(
      Context.add(Mortality, {
        kill: (owner) =>
          Effect.sync(() => {
            dead.add(key(owner))
          })
      }),
      Context.add(OwnerLiveness, {
        identify: (ownerId) => Effect.sync(() => opaqueOwner(ownerId, crypto.randomUUID())),
        isDefinitelyDead: (holder) => Effect.sync(() => dead.has(key(holder)))
      })
    )
  })
)
