/**
 * What a body's operations cost: a signal awaited (W2), children (W3), processes that only wait (W5), and long journals (W6).
 */
import { strict as assert } from "node:assert"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { registrationOf } from "../../src/runtime/engine/Startable.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { ofRaw, ofRun, reading } from "./Contest.ts"
import { loopHeld, loopHeldFigure } from "./HoldWatch.ts"
import { cpuUsSince, heapBytes, quiet, repeatedly, warmUpShare } from "./host.ts"
import { quantile } from "./statistics.ts"

/** What a waiter waits for. */
export const Go = Signal.make("go", { payload: Schema.Int })

/** Waits for a signal, and ends with what it carries. */
export const Waiter = Engine.make("bench.waiter", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Int,
  signals: [Go],
  disposition: "rerunnable",
  run: (_, ctx) => ctx.awaitSignal(Go)
})

/** The same, and leaves memory at once. */
export const Dormant = Engine.make("bench.dormant", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Int,
  signals: [Go],
  disposition: "rerunnable",
  passivateAfter: "1 millis",
  run: (_, ctx) => ctx.awaitSignal(Go)
})

const Leaf = Engine.make("bench.leaf", {
  version: "1",
  payload: Schema.Int,
  success: Schema.Int,
  disposition: "rerunnable",
  run: (n) => Effect.succeed(n)
})

const children = 100

const Parent = Engine.make("bench.parent", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Int,
  disposition: "rerunnable",
  run: (_, ctx) =>
    Effect.gen(function* () {
      const numbers = Array.from({ length: children }, (_, index) => index)
      const all = yield* Effect.forEach(
        numbers,
        (n) => Effect.flatMap(ctx.start(Leaf, { name: `leaf-${n}`, payload: n }), (child) => child.await),
        { concurrency: "unbounded" }
      )
      return all.length
    })
})

const steps = 10_000
const edge = 100

const Stepper = Engine.make("bench.stepper", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Array(Schema.Number),
  disposition: "rerunnable",
  run: (_, ctx) =>
    Effect.gen(function* () {
      const tookMs: Array<number> = []
      for (let index = 0; index < steps; index++) {
        const startedAt = performance.now()
        yield* ctx.step(`step-${index}`, Effect.succeed(index))
        tookMs.push(performance.now() - startedAt)
      }
      return [...tookMs.slice(0, edge), ...tookMs.slice(-edge)]
    })
})

const hostOn = (folder: string) =>
  SingleHost.layerSqlite({
    filename: join(folder, "execution.db"),
    engines: [Waiter, Dormant, Leaf, Parent, Stepper],
    maxConcurrent: 2_000
  }).pipe(Layer.provideMerge(quiet))

/** Measures W2: `perSecond` whole cycles, and `p50Ms` from a signal to the end. */
export const measureSignals =
  (callers: number) =>
  (folder: string, seconds: number): Promise<Run> => {
    const program = Effect.gen(function* () {
      const processes = yield* Processes
      const store = yield* ProcessStore
      const latenciesMs: Array<number> = []
      let started = 0

      // Told by the commit itself: what is timed begins after it, and watching must cost nothing.
      const waiting = new Set<string>()
      const watchers = new Map<string, () => void>()
      yield* store.onCommit((changes) => {
        for (const { row } of changes) {
          if (row.snapshot.context.waits.length === 0) continue
          const { id } = row.base.registration
          const watcher = watchers.get(id)
          if (watcher === undefined) waiting.add(id)
          else watcher()
        }
      })
      const entered = (id: string) =>
        Effect.async<void>((resume) => {
          if (waiting.delete(id)) return resume(Effect.void)
          watchers.set(id, () => {
            watchers.delete(id)
            resume(Effect.void)
          })
        })

      const once = Effect.gen(function* () {
        const handle = yield* processes.start(Waiter, { id: `w2-${started++}`, payload: null })
        yield* entered(handle.id)
        const signalledAt = performance.now()
        yield* handle.signal(Go, 7)
        assert.equal(yield* handle.await, 7)
        latenciesMs.push(performance.now() - signalledAt)
      })
      yield* repeatedly(once, callers, seconds * warmUpShare)
      latenciesMs.length = 0
      const held = loopHeld()
      const cpuAtStart = process.cpuUsage()
      const elapsedMs = yield* repeatedly(once, callers, seconds)
      return {
        heldMs: held(),
        cpuUs: cpuUsSince(cpuAtStart) / latenciesMs.length,
        perSecond: (latenciesMs.length * 1_000) / elapsedMs,
        p50Ms: quantile(latenciesMs, 0.5),
        p99Ms: quantile(latenciesMs, 0.99)
      }
    })
    return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(hostOn(folder))))
  }

/** Figures of W2. */
export const signalFigures = (targets: {
  readonly p50?: FigureSpec["target"]
  readonly perSecond?: FigureSpec["target"]
}): ReadonlyArray<FigureSpec> => [
  {
    name: "start, wait, signal, complete",
    unit: "cycles/s",
    value: reading("perSecond"),
    against: ofRaw("perSecond"),
    ...(targets.perSecond === undefined ? {} : { target: targets.perSecond })
  },
  {
    name: "signal to end, p50",
    unit: "ms",
    value: reading("p50Ms"),
    ...(targets.p50 === undefined ? {} : { against: ofRaw("p50Ms"), target: targets.p50 })
  },
  { name: "signal to end, p99", unit: "ms", value: reading("p99Ms") },
  { name: "CPU time", unit: "us/cycle", value: reading("cpuUs"), against: ofRaw("cpuUs") },
  loopHeldFigure
]

/** Measures W3: `p50Ms` of a parent that starts a hundred children and awaits them all. */
export const measureChildren = (folder: string): Promise<Run> => {
  const program = Effect.gen(function* () {
    const processes = yield* Processes
    const tookMs: Array<number> = []
    const family = (index: number) =>
      Effect.gen(function* () {
        const startedAt = performance.now()
        const handle = yield* processes.start(Parent, { id: `w3-${index}`, payload: null })
        assert.equal(yield* handle.await, children)
        tookMs.push(performance.now() - startedAt)
      })
    for (let index = 0; index < 3; index++) yield* family(index)
    tookMs.length = 0
    const held = loopHeld()
    const cpuAtStart = process.cpuUsage()
    for (let index = 3; index < 12; index++) yield* family(index)
    const cpuUs = cpuUsSince(cpuAtStart) / tookMs.length / children
    return { p50Ms: quantile(tookMs, 0.5), maxMs: quantile(tookMs, 1), cpuUs, heldMs: held() }
  })
  return Effect.runPromise(Effect.provide(program, hostOn(folder)))
}

/** What raw writes meanwhile: 30 ms, where it writes 26,000 pairs a second. */
const rawPairs = 780

/** Figures of W3. */
export const childrenFigures: ReadonlyArray<FigureSpec> = [
  {
    name: "100 children awaited, median",
    unit: "ms",
    value: reading("p50Ms"),
    against: { what: `raw, ${rawPairs} pairs`, value: (_, raw) => (rawPairs * 1_000) / reading("perSecond")(raw) },
    target: { of: "ratio", max: 1 }
  },
  { name: "100 children awaited, worst", unit: "ms", value: reading("maxMs") },
  { name: "CPU time", unit: "us/child", value: reading("cpuUs"), against: ofRaw("cpuUs") },
  loopHeldFigure
]

const dormant = 100_000

/** Measures W5: `bytesEach` of memory of processes that left it to wait. Needs `--expose-gc`. */
export const measureWaiting = (folder: string): Promise<Run> => {
  const program = Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    yield* Effect.forEach(
      Array.from({ length: 2_000 }, (_, index) => index),
      (index) => dormantOne(registry, `warm-${index}`),
      { concurrency: 256, discard: true }
    )
    yield* settled(registry, "warm-1999")
    const before = yield* heapBytes
    yield* Effect.forEach(
      Array.from({ length: dormant }, (_, index) => index),
      (index) => dormantOne(registry, `w5-${index}`),
      { concurrency: 256, discard: true }
    )
    yield* settled(registry, `w5-${dormant - 1}`)
    const after = yield* heapBytes
    return { bytesEach: (after - before) / dormant }
  })
  return Effect.runPromise(Effect.provide(program, hostOn(folder)))
}

/** Figures of W5. */
export const waitingFigures: ReadonlyArray<FigureSpec> = [
  {
    name: "memory of a waiting process",
    unit: "bytes",
    value: reading("bytesEach"),
    target: { of: "figure", max: 1_024 }
  }
]

const dormantOne = (registry: typeof ProcessRegistry.Service, id: string) =>
  Effect.flatMap(registrationOf(Dormant, { id, payload: null, provenance: Provenance.host }), ({ registration }) =>
    registry.registerProcess(registration)
  )

/**
 * The sweep takes rows on in order of registration: once the last one has left memory, they all have. Looks seldom: the list reads every
 * row that waits before it finds one that does not.
 */
const settled = (registry: typeof ProcessRegistry.Service, last: string) =>
  Effect.gen(function* () {
    while (true) {
      const record = yield* registry.getProcess(last as never) // an id of ours
      if (record?.wait === undefined) yield* Effect.sleep("200 millis")
      else if ((yield* registry.listProcesses({ waiting: false }, { limit: 1 })).records.length > 0)
        yield* Effect.sleep("1 second")
      else return yield* Effect.sleep("3 seconds")
    }
  })

/** Measures W6: the first and the last hundred of ten thousand steps of one process. */
export const measureSteps = (folder: string): Promise<Run> => {
  const program = Effect.gen(function* () {
    const handle = yield* (yield* Processes).start(Stepper, { id: "w6", payload: null })
    const tookMs = yield* handle.await
    return { firstMs: quantile(tookMs.slice(0, edge), 0.5), lastMs: quantile(tookMs.slice(-edge), 0.5) }
  })
  return Effect.runPromise(Effect.provide(program, hostOn(folder)))
}

/** Figures of W6. */
export const stepFigures: ReadonlyArray<FigureSpec> = [
  { name: "one of the first 100 steps, p50", unit: "ms", value: reading("firstMs") },
  {
    name: "one of the last 100 of 10,000, p50",
    unit: "ms",
    value: reading("lastMs"),
    against: ofRun("the first", "firstMs"),
    target: { of: "ratio", max: 1.2 }
  }
]
