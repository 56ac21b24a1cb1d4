/**
 * Hosts for tests: in memory, on a file or on the test's own store; they look for work often, say nothing, and every wait is
 * bounded. In real time, or in a time of the test's own (`time.ts`).
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as SingleHost from "../../src/host/SingleHost.ts"
import type { LeaseOwner } from "../../src/model/Lease.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import type { ProcessRecord } from "../../src/model/ProcessRecord.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import type { Runnable } from "../../src/runtime/engine/Engine.ts"
import type { RunnableTool } from "../../src/runtime/engine/Tool.ts"
import type { RuntimeOptions } from "../../src/runtime/RuntimeConfig.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { patienceMs } from "./patience.ts"

export { damagedFolder, temporaryFolder } from "./folders.ts"

/** Logs stay quiet: what tests provoke on purpose is no news. */
export const quiet: Layer.Layer<never> = Logger.minimumLogLevel(LogLevel.None)

/** A host that looks for work often. */
export const fast: RuntimeOptions = { sweepInterval: "30 millis", leaseTtl: "3 seconds", leaseRenewal: "300 millis" }

/** What a host has besides its engines. */
type More<T extends Tools> = Omit<SingleHost.HostOptions<readonly [], T>, "engines">
type Engines = ReadonlyArray<Runnable<unknown>>
type Tools = ReadonlyArray<RunnableTool<unknown>>

/** A host in memory. */
export const memory = <const E extends Engines, const T extends Tools = readonly []>(
  engines: E,
  options: More<T> = {}
) => Layer.provide(SingleHost.layerMemory({ ...fast, ...options, engines }), quiet)

/** A host on a file. */
export const sqlite = <const E extends Engines, const T extends Tools = readonly []>(
  filename: string,
  engines: E,
  options: More<T> = {}
) => Layer.provide(SingleHost.layerSqlite({ ...fast, ...options, filename, engines }), quiet)

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

/** A host on a store that the test holds, where nobody is dead unless the test says so. */
export const hostOn = <const E extends ReadonlyArray<Runnable<never>>>(
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

/** No wait in a test is unbounded. */
export const bounded = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  effect.pipe(
    Effect.timeoutFail({ duration: patienceMs, onTimeout: () => new Error("the test waited too long") }),
    Effect.catchIf(
      (error): error is Error & E => error instanceof Error && error.message === "the test waited too long",
      Effect.die
    )
  ) as Effect.Effect<A, E, R>

/** Polls until a condition holds. */
export const until = <E, R>(condition: Effect.Effect<boolean, E, R>): Effect.Effect<void, E, R> =>
  bounded(
    Effect.flatMap(condition, (holds) =>
      holds
        ? Effect.void
        : Effect.zipRight(
            Effect.sleep("5 millis"),
            Effect.suspend(() => until(condition))
          )
    )
  )

/** A status whose failure is without the description of what was thrown, which has frames of whatever machine this is. */
export const withoutThrown = (status: ProcessRecord["status"]): ProcessRecord["status"] => {
  if (status._tag !== "Failed" || status.output._tag !== "Failure") return status
  const { thrown: _thrown, ...output } = status.output
  return { ...status, output }
}
