/**
 * What tracing costs: W1@64 without a layer, once more without one, and with `layerTracing` over Effect's own tracer, which
 * makes spans and keeps none.
 *
 * Two hosts without a layer are the same program: their ratio says how far any ratio here is to be trusted. What is left of
 * tracing where nobody asked for it is far too little for that, so that it is timed by itself.
 */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Telemetry from "../../src/host/Telemetry.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import type { Ready } from "../../src/runtime/engine/EngineRegistry.ts"
import * as Tracing from "../../src/runtime/worker/Tracing.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { ofRun, reading } from "./Contest.ts"
import type { BenchHostOptions } from "./host.ts"
import { measureLifecycle } from "./lifecycle.ts"

const hosts: Readonly<Record<"plain" | "again" | "traced", BenchHostOptions>> = {
  plain: { synchronous: "FULL" },
  again: { synchronous: "FULL" },
  traced: { synchronous: "FULL", under: Telemetry.layerTracing }
}

/** How often what is left of tracing is timed. */
const samples = 1_000_000

let round = 0

/** Measures `perSecond` and `cpuUs` of each host, and `restNs`: what an activation does for tracing that nobody asked for. */
export const measureTelemetry = async (folder: string, seconds: number): Promise<Run> => {
  const run: Record<string, number> = { restNs: await restNs() }
  // Who begins changes from round to round.
  const names = Object.keys(hosts) as Array<keyof typeof hosts> // the keys of the object above
  const first = round++ % names.length
  for (const name of [...names.slice(first), ...names.slice(0, first)]) {
    const own = join(folder, name)
    mkdirSync(own)
    globalThis.gc?.()
    const { perSecond = Number.NaN, cpuUs = Number.NaN } = await measureLifecycle(own, seconds, {
      ...hosts[name],
      callers: 64
    })
    run[`${name} perSecond`] = perSecond
    run[`${name} cpuUs`] = cpuUs
  }
  return run
}

/** What is done without a layer: the value that would be traced is handed on. */
const restNs = (): Promise<number> =>
  Effect.runPromise(
    Effect.gen(function* () {
      const trace = yield* Tracing.make(yield* ProcessStore)
      const body: Ready = { run: () => Effect.never }
      const registration = Registration.make(
        processId("p"),
        { _tag: "External", metadata: {} },
        "externally_owned",
        Provenance.host
      )
      let left = samples
      const startedAtMs = performance.now()
      yield* Effect.whileLoop({
        while: () => left-- > 0,
        body: () => trace(body, registration),
        step: () => {}
      })
      return ((performance.now() - startedAtMs) * 1_000_000) / samples
    }).pipe(Effect.provide(MemoryStore.layer))
  )

/** Figures of tracing. */
export const telemetryFigures: ReadonlyArray<FigureSpec> = [
  { name: "W1@64, no layer", unit: "processes/s", value: reading("plain perSecond") },
  {
    name: "W1@64, no layer, once more",
    unit: "processes/s",
    value: reading("again perSecond"),
    against: ofRun("no layer", "plain perSecond")
  },
  {
    name: "W1@64, layerTracing, spans thrown away",
    unit: "processes/s",
    value: reading("traced perSecond"),
    against: ofRun("no layer", "plain perSecond")
  },
  { name: "CPU time, no layer", unit: "us/process", value: reading("plain cpuUs") },
  {
    name: "CPU time, no layer, once more",
    unit: "us/process",
    value: reading("again cpuUs"),
    against: ofRun("no layer", "plain cpuUs")
  },
  {
    name: "CPU time, layerTracing",
    unit: "us/process",
    value: reading("traced cpuUs"),
    against: ofRun("no layer", "plain cpuUs")
  },
  {
    name: "left of tracing without a layer",
    unit: "ns/process",
    value: reading("restNs"),
    // As a share of what a process costs.
    against: { what: "the whole", value: (run) => reading("plain cpuUs")(run) * 1_000 },
    target: { of: "ratio", max: 0.01 }
  }
]
