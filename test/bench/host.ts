/**
 * The host that is measured, as a program would build it, and the engine it runs.
 */
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"
import * as SingleHost from "../../src/host/SingleHost.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"

/** How the measured host is set up; everything else is its default. */
export interface BenchHostOptions {
  readonly synchronous: "FULL" | "NORMAL"
  /** How many bodies may work at once. @default the host's own default */
  readonly maxConcurrent?: number
  /** A layer below the host. @default none */
  readonly under?: Layer.Layer<never>
}

/** An engine without work of its own: what is left is what the runtime costs. */
export const Trivial = Engine.make("bench.trivial", {
  version: "1",
  payload: Schema.Struct({ item: Schema.Int }),
  success: Schema.Int,
  disposition: "rerunnable",
  run: ({ item }) => Effect.succeed(item)
})

/** Runs a program on a new host with a new file in `folder`, and closes the host. */
export const onHost = <A, E>(
  folder: string,
  { under = Layer.empty, ...options }: BenchHostOptions,
  program: Effect.Effect<A, E, SingleHost.HostServices>
): Promise<A> =>
  Effect.runPromise(
    program.pipe(
      Effect.provide(
        SingleHost.layerSqlite({ filename: join(folder, "holdfast.db"), engines: [Trivial], ...options }).pipe(
          Layer.provide(under),
          Layer.provideMerge(logOnStderr)
        )
      )
    )
  )

/** How long a new host warms up before time is taken, as a share of the time that is taken. */
export const warmUpShare = 1 / 3

/**
 * Lets a number of callers repeat an effect until the time is over, and waits for what they have begun by then.
 *
 * Answers how long that took, in milliseconds. Units: seconds.
 */
export const repeatedly = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  callers: number,
  seconds: number
): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    const deadline = startedAt + seconds * 1_000
    const caller = Effect.whileLoop({ while: () => performance.now() < deadline, body: () => effect, step: () => {} })
    return Effect.all(
      Array.from({ length: callers }, () => caller),
      { concurrency: "unbounded", discard: true }
    ).pipe(Effect.map(() => performance.now() - startedAt))
  })

/** Processor time of all threads since then. */
export const cpuUsSince = (start: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(start)
  return user + system
}

/** How much of the heap is used once garbage is collected. Needs `--expose-gc`. */
export const heapBytes: Effect.Effect<number> = Effect.sync(() => {
  globalThis.gc?.()
  globalThis.gc?.()
  return process.memoryUsage().heapUsed
})

/** Standard output belongs to the figures. */
const logOnStderr = Logger.replace(Logger.defaultLogger, Logger.withConsoleError(Logger.logfmtLogger))

/** What these hosts say of work that is left on purpose is no news. */
export const quiet: Layer.Layer<never> = Logger.minimumLogLevel(LogLevel.None)
