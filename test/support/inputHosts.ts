/**
 * Hosts for tests of what runs besides engines: tools, turns of child sessions, environments.
 */
import * as Layer from "effect/Layer"
import type { HostOptions } from "../../src/host/SingleHost.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import type { Runnable } from "../../src/runtime/engine/Engine.ts"
import type { RunnableTool } from "../../src/runtime/engine/Tool.ts"
import { fast, quiet } from "./hosts.ts"

/** A host in memory with more than engines. */
export const memoryWith = <
  const E extends ReadonlyArray<Runnable<never>>,
  const T extends ReadonlyArray<RunnableTool<never>> = readonly []
>(
  options: HostOptions<E, T, never>
) => Layer.provide(SingleHost.layerMemory({ ...fast, ...options }), quiet)

/** A host on a file with more than engines. */
export const sqliteWith = <
  const E extends ReadonlyArray<Runnable<never>>,
  const T extends ReadonlyArray<RunnableTool<never>> = readonly []
>(
  filename: string,
  options: HostOptions<E, T, never>
) => Layer.provide(SingleHost.layerSqlite({ ...fast, ...options, filename }), quiet)
