/**
 * Hosts for tests of supervision: on a store whose operations die when told, with evidence of death that the test gives.
 */
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { Disposition } from "../../machines/recovery.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { processId } from "../../src/model/ids.ts"
import type { LeaseOwner } from "../../src/model/Lease.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import type { RuntimeOptions } from "../../src/runtime/RuntimeConfig.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { TreeNode } from "../../src/supervision/Supervisor.ts"
import { bounded, fast, quiet } from "../support/hosts.ts"

/** What may be made to die: an operation of the store, or the write of an event of this type. */
export type Fault = "renewKept" | "changedElsewhere" | "holders" | "due" | "find" | `process.${string}`

/** A store in memory whose operations die as often as they are told to, and which counts its calls. */
export const faultyStore = Effect.map(MemoryStore.make, (store) => {
  const left = new Map<string, number>()
  const calls = new Map<string, number>()
  const isDue = (name: string): boolean => {
    const times = left.get(name) ?? 0
    left.set(name, times - 1)
    return times > 0
  }
  const guarded = <A, E>(name: Fault, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      calls.set(name, (calls.get(name) ?? 0) + 1)
      return isDue(name) ? Effect.die(new Error(`${name} broke`)) : effect
    })
  const faulty = ProcessStore.of({
    ...store,
    externalChanges: guarded("changedElsewhere", store.externalChanges),
    leases: {
      ...store.leases,
      renew: (page) => guarded("renewKept", store.leases.renew(page)),
      holders: guarded("holders", store.leases.holders)
    },
    due: (options) => guarded("due", store.due(options)),
    find: (id) => guarded("find", store.find(id)),
    transact: (plan, decide) =>
      store.transact(plan, (view) => {
        const decision = decide(view)
        const types = decision._tag === "Refused" ? [] : decision.changes.flatMap(({ events }) => events)
        for (const { eventType } of types) if (isDue(eventType)) throw new Error(`${eventType} broke`)
        return decision
      })
  })
  return {
    store: faulty,
    /** Lets an operation die, this often from here on. */
    breaks: (name: Fault, times = Number.POSITIVE_INFINITY) => left.set(name, times),
    mends: (name: Fault) => left.delete(name),
    callsOf: (name: Fault) => calls.get(name) ?? 0
  }
})

/** Evidence of death by what a test says; nobody is dead until then. Every life is called `me`. */
export const testimony = () => {
  const dead = new Set<string>()
  let lives = 0
  const layer = Layer.succeed(
    OwnerLiveness,
    OwnerLiveness.of({
      identify: () => Effect.sync(() => opaqueOwner("me", `life-${++lives}`)),
      isDefinitelyDead: (holder: LeaseOwner) => Effect.sync(() => dead.has(holder.ownerId))
    })
  )
  return { layer, kill: (ownerId: string) => dead.add(ownerId) }
}

/** A quiet host on a store that the test holds. */
export const hostOn = <const E extends ReadonlyArray<Engine.Runnable<never>>>(
  store: typeof ProcessStore.Service,
  engines: E,
  options: RuntimeOptions & { readonly liveness?: Layer.Layer<OwnerLiveness> } = {}
) => {
  const { liveness = testimony().layer, ...runtime } = options
  return SingleHost.onStore({ ...fast, ...runtime, engines }, liveness).pipe(
    Layer.provideMerge(Layer.succeed(ProcessStore, store)),
    Layer.provide(quiet)
  )
}

/** An engine whose bodies answer with their payload, once the gate is open. */
export const gated = (disposition: Exclude<Disposition, "externally_owned"> = "rerunnable", kind = "gated") => {
  const begun: Array<string> = []
  const interrupted: Array<string> = []
  const gate = Deferred.unsafeMake<void>(FiberId.none)
  const engine = Engine.make(kind, {
    version: "1",
    payload: Schema.String,
    success: Schema.String,
    disposition,
    run: (payload, ctx) =>
      Effect.sync(() => begun.push(ctx.processId)).pipe(
        Effect.zipRight(Deferred.await(gate)),
        Effect.as(payload),
        Effect.onInterrupt(() => Effect.sync(() => interrupted.push(ctx.processId)))
      )
  })
  return { engine, begun, interrupted, open: Effect.asVoid(Deferred.succeed(gate, undefined)) }
}

/** The types of a process's log, in order. */
export const logOf = (store: typeof ProcessStore.Service, id: string) =>
  Effect.map(store.eventsAfter(processId(id), 0), (events) => events.map(({ eventType }) => eventType))

/** The node of this name, wherever it stands. */
export const nodeIn = (tree: TreeNode, name: string): TreeNode | undefined =>
  tree.name === name ? tree : tree.children.map((child) => nodeIn(child, name)).find((node) => node !== undefined)

interface VirtualClock extends Clock.Clock {
  readonly leap: (ms: number) => void
}

/** In virtual time, moves the clock at one stroke, as for a machine that slept: alarms that came due ring afterwards. */
export const leap = (ms: number): Effect.Effect<void> =>
  Effect.map(Effect.clock, (clock) => (clock as VirtualClock).leap(ms)) // used in virtual time only

/**
 * Runs an effect in a time of its own: whenever everybody rests, the clock moves to the next alarm, as far as it is.
 *
 * It saves the waiting; the test's own bound is one of real time.
 */
export const inVirtualTime = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const alarms = new Set<{ readonly atMs: number; readonly ring: () => void }>()
    let nowMs = Clock.make().unsafeCurrentTimeMillis() + 1_000
    const nanos = () => BigInt(nowMs) * 1_000_000n
    const clock: VirtualClock = {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: () => nowMs,
      unsafeCurrentTimeNanos: nanos,
      currentTimeMillis: Effect.sync(() => nowMs),
      currentTimeNanos: Effect.sync(nanos),
      sleep: (duration) =>
        Effect.async<void>((resume) => {
          const alarm = { atMs: nowMs + Duration.toMillis(duration), ring: () => resume(Effect.void) }
          alarms.add(alarm)
          return Effect.sync(() => alarms.delete(alarm))
        }),
      leap: (ms) => {
        nowMs += ms
      }
    }
    const turns = (count: number): Effect.Effect<void> =>
      Effect.async<void>((resume) => {
        const turn = (left: number): unknown => (left === 0 ? resume(Effect.void) : setImmediate(() => turn(left - 1)))
        turn(count)
      })
    const ring = Effect.sync(() => {
      const [next] = [...alarms].toSorted((one, other) => one.atMs - other.atMs)
      if (next === undefined) return
      alarms.delete(next)
      nowMs = Math.max(nowMs, next.atMs)
      next.ring()
    })
    return Effect.flatMap(Effect.fork(Effect.withClock(effect, clock)), (fiber) => {
      const drive: Effect.Effect<void> = Effect.suspend(() =>
        fiber.unsafePoll() === null ? Effect.zipRight(Effect.zipRight(turns(4), ring), drive) : Effect.void
      )
      return Effect.zipRight(bounded(drive), Fiber.join(fiber))
    })
  })
