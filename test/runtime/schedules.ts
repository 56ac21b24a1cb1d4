/**
 * A world for orders of events around a waiting body: hosts in memory, one after the other, in a time that only a test moves.
 *
 * Invariant: a host that crashed does nothing any more: its store never answers it, and its clock never rings. Its leases stay.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { globalValue } from "effect/GlobalValue"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import type * as SingleHost from "../../src/host/SingleHost.ts"
import type * as Engine from "../../src/runtime/engine/Engine.ts"
import type { RuntimeOptions } from "../../src/runtime/RuntimeConfig.ts"
import { Worker } from "../../src/runtime/worker/Worker.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import type { ProcessStore } from "../../src/store/ProcessStore.ts"
import { hostOn } from "../support/hosts.ts"
import * as Time from "../support/time.ts"

/** One host of the world. */
export interface Life {
  /** Runs an effect on the host, while time moves; dies when it does not end. */
  readonly run: <A, E>(effect: Effect.Effect<A, E, SingleHost.HostServices>) => Effect.Effect<A, E>
  /** Begins an effect on the host, whatever becomes of it. */
  readonly begin: (effect: Effect.Effect<unknown, unknown, SingleHost.HostServices>) => Effect.Effect<void>
  /** Looks for bodies to put away, as the host itself does at least every second. */
  readonly passivate: Effect.Effect<void>
  readonly crash: Effect.Effect<void>
  readonly isAlive: () => boolean
  readonly stop: Effect.Effect<void>
}

/** A store with one host at a time. Units: milliseconds. */
export interface World {
  readonly store: typeof ProcessStore.Service
  readonly nowMs: () => number
  readonly boot: (
    engines: ReadonlyArray<Engine.Runnable<never>>,
    options: RuntimeOptions,
    /** It crashes with this commit of its own: the commit is in the store, and the host does not hear of it. */
    lastCommit?: number
  ) => Effect.Effect<Life>
  /** Lets everybody who has something to do do a little of it, while the clock stands still. */
  readonly turns: (count: number) => Effect.Effect<void>
  /** Lets time pass: whatever is due on the way happens on the way. */
  readonly advance: (ms: number) => Effect.Effect<void>
}

/** Makes an empty world. */
export const make: Effect.Effect<World> = Effect.gen(function* () {
  const time = Time.make(1_700_000_000_000)
  const { nowMs, ring, turns } = time
  const store = yield* Effect.withClock(MemoryStore.make, time.clock())

  const advance: World["advance"] = (ms) =>
    Effect.gen(function* () {
      const untilMs = nowMs() + ms
      yield* turns(3)
      while (ring(untilMs)) yield* turns(3)
      time.leap(untilMs - nowMs())
      yield* turns(3)
    })

  const boot: World["boot"] = (engines, options, lastCommit = Number.POSITIVE_INFINITY) =>
    Effect.gen(function* () {
      let isAlive = true
      let commits = 0
      const own = Effect.withClock(time.clock(() => isAlive))
      const scope = yield* Scope.make()
      const host = hostOn(
        mortal(
          store,
          () => isAlive,
          () => {
            if (++commits >= lastCommit) isAlive = false
          }
        ),
        engines,
        options
      )
      const context = yield* time.drive(own(Effect.orDie(Layer.buildWithScope(host, scope))))
      const inside = <A, E>(effect: Effect.Effect<A, E, SingleHost.HostServices>): Effect.Effect<A, E> =>
        own(Effect.provide(effect, context as Context.Context<SingleHost.HostServices>)) // the store is among what it merged
      return {
        run: (effect) => time.drive(inside(effect)),
        begin: (effect) => Effect.asVoid(Effect.forkDaemon(Effect.exit(inside(effect)))),
        passivate: Effect.sync(() => Context.unsafeGet(context, Worker).running.passivate(nowMs())),
        isAlive: () => isAlive,
        crash: Effect.sync(() => {
          isAlive = false
        }),
        stop: time.drive(own(Scope.close(scope, Exit.void)))
      }
    })

  return { store, nowMs, boot, turns, advance }
})

/**
 * Lets go of hosts that have crashed, once nothing else runs: thousands of them would fill the memory.
 *
 * Their fibers never end, and two things hold on to such fibers: Effect's global scope, and the timer by which `Effect.never`
 * keeps its program alive.
 */
export const buryTheDead = (): void => {
  globalScope.roots.clear()
  for (const timer of timers) clearInterval(timer)
  timers.clear()
}

const globalScope = globalValue(Symbol.for("effect/FiberScope/Global"), (): { readonly roots: Set<unknown> } => {
  throw new Error("Effect keeps its daemons somewhere else by now")
})

const timers = new Set<NodeJS.Timeout>()

const { setInterval: begin } = globalThis
globalThis.setInterval = ((...args: Parameters<typeof begin>) => {
  const timer = begin(...args)
  if (args[1] === longestIntervalMs) timers.add(timer)
  return timer
}) as typeof begin // the overloads of Node's function do not matter to who calls it

/** The longest interval that Node knows. */
const longestIntervalMs = 2 ** 31 - 1

/** A store that never answers once its host is dead, nor tells it of commits. */
const mortal = (
  store: typeof ProcessStore.Service,
  isAlive: () => boolean,
  onCommit: () => void
): typeof ProcessStore.Service => {
  const guard = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => (isAlive() ? effect : Effect.async<A>(() => undefined))).pipe(
      // An answer to what it asked before does not come, either.
      Effect.onExit(() => (isAlive() ? Effect.void : Effect.async<void>(() => undefined)))
    )
  const guarded = (value: unknown): unknown => {
    if (Effect.isEffect(value)) return guard(value)
    if (typeof value !== "function") return value
    return (...args: ReadonlyArray<unknown>) => guarded(value(...args))
  }
  const all = (part: object) => Object.fromEntries(Object.entries(part).map(([key, value]) => [key, guarded(value)]))
  return {
    ...(all(store) as unknown as typeof ProcessStore.Service), // the same operations, each behind the guard
    transact: (plan, decide) => guard(Effect.tap(store.transact(plan, decide), () => Effect.sync(onCommit))),
    parts: store.parts,
    execution: all(store.execution) as unknown as typeof store.execution, // as above
    onCommit: (listener) => store.onCommit((changes) => (isAlive() ? listener(changes) : undefined))
  }
}
