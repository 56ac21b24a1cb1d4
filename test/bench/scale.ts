/**
 * Reads of a store with few rows and of one with a hundred times as many, by turns.
 */
import { strict as assert } from "node:assert"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as EventType from "../../src/model/EventType.ts"
import type { ProcessId } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { eventBody } from "./baseline.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { ofRun, reading } from "./Contest.ts"
import { multiply, namesOf } from "./multiply.ts"
import { quantile } from "./statistics.ts"

/** How many processes the small store and the big one hold. */
export const sizes = { small: 1_000, big: 100_000 } as const

/** How long each log is: a million events in the big store. */
const eventsPerProcess = 10

/** Reads whose time is not taken, and reads whose time is; one in each store by turns. */
const warmUp = 50
const samples = 500

type Registrar = typeof ProcessRegistry.Service

/** The reads by the names of their figures. `at` says which process is meant, each time another one. */
const reads: Readonly<Record<string, (registry: Registrar, at: ProcessId) => Effect.Effect<unknown, unknown>>> = {
  getProcess: (registry, at) => registry.getProcess(at),
  "listProcesses, a page of 100": (registry, at) => registry.listProcesses({}, { after: at, limit: 100 }),
  countEventsThrough: (registry, at) => registry.countEventsThrough(at, "line", eventsPerProcess),
  "recentEvents, the last 32": (registry, at) => registry.recentEvents(at, 32)
}

/** Measures `small …` and `big …` for each read: the median in each store. Units: milliseconds. */
export const measureScale = async (folder: string): Promise<Run> => {
  const [small, big] = [await stored(dirname(folder), sizes.small), await stored(dirname(folder), sizes.big)]
  return Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const [few, many] = [yield* opened(small), yield* opened(big)]
        yield* checked(few, sizes.small)
        yield* checked(many, sizes.big)
        const run: Record<string, number> = {}
        for (const [name, read] of Object.entries(reads)) {
          const smallMs: Array<number> = []
          const bigMs: Array<number> = []
          for (let turn = 0; turn < warmUp + samples; turn++) {
            const first = yield* timed(read(few, someId(turn, sizes.small)))
            const second = yield* timed(read(many, someId(turn, sizes.big)))
            if (turn < warmUp) continue
            smallMs.push(first)
            bigMs.push(second)
          }
          run[`small ${name}`] = quantile(smallMs, 0.5)
          run[`big ${name}`] = quantile(bigMs, 0.5)
        }
        return run
      })
    )
  )
}

/** Two figures for each read; the one of the big store is held against the small one's. */
export const scaleFigures: ReadonlyArray<FigureSpec> = Object.keys(reads).flatMap(
  (name): Array<FigureSpec> => [
    { name: `${name}, 1,000 processes, p50`, unit: "ms", value: reading(`small ${name}`) },
    {
      name: `${name}, 100,000 processes, p50`,
      unit: "ms",
      value: reading(`big ${name}`),
      against: ofRun("1,000 processes", `small ${name}`),
      target: { of: "ratio", max: 2 }
    }
  ]
)

const nameAt = namesOf("scale")

/** A place that jumps about in the store: neighbours would find their pages read already. */
const someId = (turn: number, processes: number): ProcessId =>
  processId(nameAt((turn * 7_919 * (processes / sizes.small)) % (processes - 100)))

/** Reads of rows that nobody finds would be fast. */
const checked = (registry: Registrar, processes: number) =>
  Effect.gen(function* () {
    const last = processId(nameAt(processes - 1))
    const { records: page } = yield* registry.listProcesses({}, { after: someId(1, processes), limit: 100 })
    const counted = yield* registry.countEventsThrough(last, "line", eventsPerProcess)
    assert.deepEqual([page.length, counted], [100, eventsPerProcess])
    assert.equal((yield* registry.getProcess(last))?.id, last)
    assert.equal((yield* registry.recentEvents(last, 32)).length, eventsPerProcess)
  })

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    return Effect.map(effect, () => performance.now() - startedAt)
  })

/** A registry without a host: no sweep reads beside it. */
const opened = (filename: string) =>
  Effect.map(
    Layer.build(
      Registry.layer.pipe(Layer.provide(Layer.fresh(SqliteStore.layer({ filename, synchronous: "NORMAL" }))))
    ),
    (context) => Context.get(context, ProcessRegistry)
  )

/** The file with so many processes. It is only read, so that one does for all rounds. */
export const stored = async (folder: string, processes: number): Promise<string> => {
  const filename = join(folder, `scale-${processes}.db`)
  if (existsSync(filename)) return filename
  await Effect.runPromise(Effect.scoped(Effect.flatMap(opened(filename), template)))
  assert.equal(multiply(filename, "scale", processes).event, processes * eventsPerProcess)
  return filename
}

/** One process as the store itself writes it. */
const template = (registry: Registrar) =>
  Effect.gen(function* () {
    const id = processId(nameAt(0))
    yield* registry.registerProcess({
      ...Registration.make(id, { _tag: "External", metadata: {} }, "externally_owned", Provenance.host),
      eventTypes: [EventType.plain("line")]
    })
    for (let n = 0; n < eventsPerProcess; n++) {
      yield* registry.appendEvent(id, { eventType: "line", payload: JSON.parse(eventBody) }, Authority.host)
    }
  })
