/**
 * Hosts for tests: real time, fast sweeps, and every wait bounded.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import type * as Scope from "effect/Scope"
import * as SingleHost from "../../src/host/SingleHost.ts"
import type { Runnable } from "../../src/runtime/engine/Engine.ts"
import type { RuntimeOptions } from "../../src/runtime/RuntimeConfig.ts"
import { patienceMs } from "./patience.ts"

/** A folder that goes with the scope. */
export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Logs stay quiet: what tests provoke on purpose is no news. */
export const quiet: Layer.Layer<never> = Logger.minimumLogLevel(LogLevel.None)

/** A host that looks for work often. */
export const fast: RuntimeOptions = { sweepInterval: "30 millis", leaseTtl: "3 seconds", leaseRenewal: "300 millis" }

/** A host in memory. */
export const memory = <const E extends ReadonlyArray<Runnable<unknown>>>(engines: E, options: RuntimeOptions = {}) =>
  Layer.provide(SingleHost.layerMemory({ ...fast, ...options, engines }), quiet)

/** A host on a file. */
export const sqlite = <const E extends ReadonlyArray<Runnable<unknown>>>(
  filename: string,
  engines: E,
  options: RuntimeOptions = {}
) => Layer.provide(SingleHost.layerSqlite({ ...fast, ...options, filename, engines }), quiet)

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
