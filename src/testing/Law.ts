/**
 * A law: one sentence about every store, and the effect that checks it. Laws are data; no test runner is imported here.
 *
 * Invariant: a law is kept or broken. Whatever goes wrong in its check, an unexpected failure of the store included, breaks
 * it with a message that says what was looked at, what was expected and what was there.
 */

import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type { YieldWrap } from "effect/Utils"
import type { LeaseOwner } from "../model/Lease.ts"
import { opaqueOwner } from "../model/Lease.ts"
import * as Activations from "../operations/Activations.ts"
import type { BodyWrites } from "../operations/BodyWrites.ts"
import * as Executions from "../operations/BodyWrites.ts"
import type { ChangeFeed } from "../operations/ChangeFeed.ts"
import * as Changes from "../operations/ChangeFeed.ts"
import * as Environments from "../operations/Environments.ts"
import type { HandleGrants } from "../operations/HandleGrants.ts"
import * as Grants from "../operations/HandleGrants.ts"
import * as Leases from "../operations/Leases.ts"
import { OwnerLiveness } from "../operations/OwnerLiveness.ts"
import type { ProcessRegistry } from "../operations/ProcessRegistry.ts"
import * as Registry from "../operations/ProcessRegistry.ts"
import type { Retention } from "../operations/Retention.ts"
import * as Pruning from "../operations/Retention.ts"
import * as Waits from "../operations/Waits.ts"
import type { WakeOutbox } from "../operations/WakeOutbox.ts"
import * as Outbox from "../operations/WakeOutbox.ts"
import type { WakeTimes } from "../store/Outbox.ts"
import { WakeTimings } from "../store/Outbox.ts"
import * as Store from "../store/ProcessStore.ts"
import { clockOf } from "./bodies/Time.ts"

/** One sentence about every store. `section` names the decision (ADR) or the part of a guide that it rests on. */
export interface Law {
  readonly name: string
  readonly section: string
  readonly check: Effect.Effect<void, LawBroken, LawEnv>
}

/** A store does not obey a law. `about` says what was looked at. */
export class LawBroken extends Data.TaggedError("LawBroken")<{
  readonly law: string
  readonly section: string
  readonly about: string
  readonly expected: unknown
  readonly actual: unknown
}> {
  override get message(): string {
    return `"${this.law}" (${this.section}) is broken: ${explain(this)}`
  }
}

/** What was looked at is not what was expected; a law makes a {@link LawBroken} of it. */
export class Mismatch extends Data.TaggedError("Mismatch")<{
  readonly about: string
  readonly expected: unknown
  readonly actual: unknown
}> {
  override get message(): string {
    return explain(this)
  }
}

/** How a law's body may fail: with any error of the library. */
export interface LawFailure {
  readonly _tag: string
  readonly message: string
}

/** Makes a law. Its body runs under the clock of the world; every failure of it breaks the law. */
export const law = (name: string, section: string, body: Effect.Effect<unknown, LawFailure, LawEnv>): Law => ({
  name,
  section,
  check: Effect.flatMap(LawClock, ({ within }) => within(body)).pipe(
    Effect.asVoid,
    Effect.mapError((error) => {
      const { about, expected, actual } = mismatchOf(error)
      return new LawBroken({ law: name, section, about, expected, actual })
    })
  )
})

/** What a law's body is given. */
export type LawServices = Effect.Effect.Success<typeof services>

/** What a law does: an effect, or the body of one. */
export type LawBody =
  | Effect.Effect<unknown, LawFailure, LawEnv>
  | ((services: LawServices) => Generator<YieldWrap<Effect.Effect<unknown, LawFailure, LawEnv>>, unknown, never>)

/** Makes laws of one section, by their names. */
export const lawsOf = (section: string, bodies: Readonly<Record<string, LawBody>>): ReadonlyArray<Law> =>
  Object.entries(bodies).map(([name, body]) =>
    law(
      name,
      section,
      typeof body === "function" ? Effect.flatMap(services, (given) => Effect.gen(() => body(given))) : body
    )
  )

/** Expects deep equality of plain values; an absent property and an undefined one differ. */
export const expectEquals = (about: string, actual: unknown, expected: unknown): Effect.Effect<void, Mismatch> =>
  difference(actual, expected) === undefined ? Effect.void : Effect.fail(new Mismatch({ about, expected, actual }))

/** Expects a failure with this tag, and answers it. */
export const expectFailure = <A, E extends { readonly _tag: string }, R, Tag extends E["_tag"]>(
  about: string,
  tag: Tag,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Extract<E, { readonly _tag: Tag }>, Mismatch, R> =>
  Effect.flatMap(Effect.either(effect), (outcome) => {
    const expected = `a failure: ${tag}`
    if (Either.isRight(outcome)) return Effect.fail(new Mismatch({ about, expected, actual: outcome.right }))
    const error = outcome.left
    return error._tag === tag
      ? Effect.succeed(error as Extract<E, { readonly _tag: Tag }>) // the tag was compared just now
      : Effect.fail(new Mismatch({ about, expected, actual: `a failure: ${error._tag} ${textOf(error)}` }))
  })

/** The first place where two plain values differ, as an RFC 6901 pointer; `undefined` when they are equal. */
export const difference = (actual: unknown, expected: unknown, path = ""): string | undefined => {
  if (actual === expected) return undefined
  if (typeof actual !== "object" || typeof expected !== "object" || actual === null || expected === null) return path
  if (Array.isArray(actual) !== Array.isArray(expected)) return path
  const keys = new Set([...Object.keys(actual), ...Object.keys(expected)])
  for (const key of keys) {
    if (Object.hasOwn(actual, key) !== Object.hasOwn(expected, key)) return `${path}/${key}`
    const found = difference(fieldOf(actual, key), fieldOf(expected, key), `${path}/${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

const mismatchOf = (error: LawFailure) =>
  error instanceof Mismatch
    ? error
    : {
        about: "the operations of the law",
        expected: "no failure",
        actual: `a failure: ${error._tag}: ${error.message}`
      }

const explain = (found: { readonly about: string; readonly expected: unknown; readonly actual: unknown }): string => {
  const path = difference(found.actual, found.expected)
  const at = path === undefined || path === "" ? "" : `, at ${path}`
  const shown = at === "" ? "" : (path ?? "")
  return `${found.about}${at}: expected ${textOf(resolve(found.expected, shown))}, got ${textOf(resolve(found.actual, shown))}`
}

const resolve = (value: unknown, path: string): unknown =>
  path
    .split("/")
    .slice(1)
    .reduce<unknown>((at, key) => fieldOf(at, key), value)

const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[key] : undefined

const textOf = (value: unknown): string => {
  if (typeof value === "string") return value
  const text = JSON.stringify(value) ?? "nothing"
  return text.length <= maxText ? text : `${text.slice(0, maxText)}…`
}

const maxText = 400

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

/** Which owners are provably dead: none, until a law says so. */
export class FailureDetector extends Context.Tag("holdfast/testing/FailureDetector")<
  FailureDetector,
  {
    /** From here on this identity, liveness evidence included, is proven dead. */
    readonly kill: (owner: LeaseOwner) => Effect.Effect<void>
  }
>() {}

/** Everything a law may use. */
export type LawEnv =
  | Store.ProcessStore
  | ProcessRegistry
  | Leases.Leases
  | Activations.Activations
  | BodyWrites
  | HandleGrants
  | Waits.Waits
  | Retention
  | ChangeFeed
  | WakeOutbox
  | Environments.Environments
  | LawClock
  | FailureDetector

const services = Effect.suspend(() =>
  Effect.all({
    activations: Activations.Activations,
    clock: LawClock,
    detector: FailureDetector,
    environments: Environments.Environments,
    executions: Executions.BodyWrites,
    feed: Changes.ChangeFeed,
    grants: Grants.HandleGrants,
    leases: Leases.Leases,
    outbox: Outbox.WakeOutbox,
    registry: Registry.ProcessRegistry,
    retention: Pruning.Retention,
    store: Store.ProcessStore,
    waits: Waits.Waits
  })
)

/** A clock that moves only when a law advances it; sleeping takes real time, so that bounds on waits stay bounds. */
export const controlledClock: Effect.Effect<typeof LawClock.Service> = Effect.sync(() => {
  let nowMs = 1_700_000_000_000
  const clock = clockOf(() => nowMs, Clock.make().sleep)
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
export const layer = <E>(
  store: Layer.Layer<Store.ProcessStore, E>,
  options: LawEnvOptions = {}
): Layer.Layer<LawEnv, E> =>
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

const mortal: Layer.Layer<FailureDetector | OwnerLiveness> = Layer.effectContext(
  Effect.sync(() => {
    const dead = new Set<string>()
    const key = ({ ownerId, incarnationId, liveness }: LeaseOwner) => JSON.stringify([ownerId, incarnationId, liveness])
    return Context.empty().pipe(
      Context.add(FailureDetector, {
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
