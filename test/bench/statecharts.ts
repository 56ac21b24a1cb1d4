/**
 * What a host's own statechart costs as a process: an event, an approval from start to end, resuming after a long life, and many
 * that wait. XState's own actor, which keeps nothing, is the limit.
 */
import { strict as assert } from "node:assert"
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { assign, createActor, setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { ofRaw, ofRun, reading } from "./Contest.ts"
import { heapBytes, quiet, repeatedly, warmUpShare } from "./host.ts"
import { quantile } from "./statistics.ts"

const lamp = setup({
  types: { context: {} as { readonly flips: number }, events: {} as { readonly type: "flip" } }
}).createMachine({
  id: "lamp",
  context: { flips: 0 },
  initial: "off",
  states: {
    off: { on: { flip: { target: "on", actions: assign({ flips: ({ context }) => context.flips + 1 }) } } },
    on: { on: { flip: { target: "off", actions: assign({ flips: ({ context }) => context.flips + 1 }) } } }
  }
})

const approval = setup({
  types: {
    context: {} as { readonly by: string },
    events: {} as { readonly type: "approve"; readonly by: string },
    output: {} as string
  }
}).createMachine({
  id: "approval",
  context: { by: "" },
  initial: "waiting",
  states: {
    waiting: { on: { approve: { target: "approved", actions: assign({ by: ({ event }) => event.by }) } } },
    approved: { type: "final" }
  },
  output: ({ context }) => context.by
})

const input = Schema.Undefined

const Lamp = fromMachine(lamp, { version: "1", input, events: { flip: Schema.Struct({}) } })

const Approval = fromMachine(approval, {
  version: "1",
  input,
  output: Schema.String,
  events: { approve: Schema.Struct({ by: Schema.String }) }
})

const onFile = (filename: string) =>
  SingleHost.layerSqlite({ filename, engines: [Lamp, Approval] }).pipe(Layer.provideMerge(quiet))

const flip = { type: "flip" } as const

/** Lets callers repeat something that is timed from its own start, after a warm-up; answers how often a second, and the median. */
const paced = <E>(callers: number, seconds: number, once: (n: number) => Effect.Effect<number, E>) =>
  Effect.gen(function* () {
    const latenciesMs: Array<number> = []
    let begun = 0
    const timed = Effect.suspend(() => Effect.map(once(begun++), (ms) => void latenciesMs.push(ms)))
    yield* repeatedly(timed, callers, seconds * warmUpShare)
    latenciesMs.length = 0
    const elapsedMs = yield* repeatedly(timed, callers, seconds)
    return { perSecond: (latenciesMs.length * 1_000) / elapsedMs, p50Ms: quantile(latenciesMs, 0.5) }
  })

const since = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<number, E> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    return Effect.map(effect, () => performance.now() - startedAt)
  })

const machines = 1_000

/** Measures events that ask for nothing but another state, sent to a thousand machines in turn: `perSecond`, `p50Ms`. */
export const measureEvents =
  (callers: number) =>
  (folder: string, seconds: number): Promise<Run> => {
    const program = Effect.gen(function* () {
      const processes = yield* Processes
      const handles = yield* Effect.forEach(
        Array.from({ length: machines }, (_, index) => `lamp-${index}`),
        (id) => processes.start(Lamp, { id, payload: undefined }),
        { concurrency: 64 }
      )
      return yield* paced(callers, seconds, (n) => since((handles[n % machines] ?? assert.fail()).send(flip)))
    })
    return Effect.runPromise(Effect.provide(program, onFile(join(folder, "events.db"))))
  }

/** Figures of events, against the raw commits of as many callers. */
export const eventFigures = (targets: {
  readonly p50?: FigureSpec["target"]
  readonly perSecond?: FigureSpec["target"]
}): ReadonlyArray<FigureSpec> => [
  {
    name: "an event taken",
    unit: "events/s",
    value: reading("perSecond"),
    ...(targets.perSecond === undefined ? {} : { against: ofRaw("perSecond"), target: targets.perSecond })
  },
  {
    name: "latency p50",
    unit: "ms",
    value: reading("p50Ms"),
    ...(targets.p50 === undefined ? {} : { against: ofRaw("p50Ms"), target: targets.p50 })
  }
]

/** Measures approvals: started, approved, ended. `perSecond`, and `p50Ms` from the approval to the end. */
export const measureApprovals =
  (callers: number) =>
  (folder: string, seconds: number): Promise<Run> => {
    const program = Effect.gen(function* () {
      const processes = yield* Processes
      return yield* paced(callers, seconds, (n) =>
        Effect.gen(function* () {
          const handle = yield* processes.start(Approval, { id: `a-${n}`, payload: undefined })
          return yield* since(
            Effect.map(Effect.zipRight(handle.send({ type: "approve", by: "ana" }), handle.await), (by) =>
              assert.equal(by, "ana")
            )
          )
        })
      )
    })
    return Effect.runPromise(Effect.provide(program, onFile(join(folder, "approvals.db"))))
  }

/** Measures the same approvals by XState's own actors, in memory. */
export const measureActors = (_: string, seconds: number): Promise<Run> =>
  Effect.runPromise(
    paced(1, seconds, () =>
      since(
        Effect.sync(() => {
          const actor = createActor(approval).start()
          actor.send({ type: "approve", by: "ana" })
          assert.equal(actor.getSnapshot().output, "ana")
        })
      )
    )
  )

/** Figures of approvals, whoever carries them out. */
export const approvalFigures = (perSecond?: FigureSpec["target"]): ReadonlyArray<FigureSpec> => [
  {
    name: "started, approved, ended",
    unit: "approvals/s",
    value: reading("perSecond"),
    against: ofRaw("perSecond"),
    ...(perSecond === undefined ? {} : { target: perSecond })
  },
  { name: "approved to ended, p50", unit: "ms", value: reading("p50Ms") }
]

const lives = { shortMs: 10, longMs: 10_000 } as const

/** Measures `shortMs` and `longMs`: a host opens, and a machine with 10 or 10,000 events behind it takes the next one. */
export const measureResuming = async (folder: string): Promise<Run> => {
  const taken: Record<keyof typeof lives, Array<number>> = { shortMs: [], longMs: [] }
  for (let turn = 0; turn < 6; turn++) {
    for (const life of ["shortMs", "longMs"] as const) {
      const filename = await lived(dirname(folder), lives[life])
      const startedAt = performance.now()
      const answered = Effect.flatMap(Processes, (processes) => processes.handle(Lamp, "lamp").ask(flip))
      const { context } = await Effect.runPromise(Effect.provide(answered, onFile(filename)))
      if (turn > 0) taken[life].push(performance.now() - startedAt)
      assert.ok(context.flips > lives[life])
    }
  }
  return { shortMs: quantile(taken.shortMs, 0.5), longMs: quantile(taken.longMs, 0.5) }
}

/** The file of a machine that took so many events: one does for all rounds. */
const lived = async (folder: string, events: number): Promise<string> => {
  const filename = join(folder, `lived-${events}.db`)
  if (existsSync(filename)) return filename
  const program = Effect.gen(function* () {
    const handle = yield* (yield* Processes).start(Lamp, { id: "lamp", payload: undefined })
    yield* Effect.forEach(Array.from({ length: events }), () => handle.send(flip), { concurrency: 64, discard: true })
    yield* handle.waitFor(({ context }) => context.flips === events)
  })
  await Effect.runPromise(Effect.provide(program, onFile(filename)))
  return filename
}

/** Figures of resuming. */
export const resumingFigures: ReadonlyArray<FigureSpec> = [
  { name: "host opens, next event, 10 events before", unit: "ms", value: reading("shortMs") },
  {
    name: "host opens, next event, 10,000 events before",
    unit: "ms",
    value: reading("longMs"),
    against: ofRun("10 events", "shortMs"),
    target: { of: "ratio", max: 2 }
  }
]

const waiting = { few: 100, many: 100_000 } as const

/** Measures `bytesEach` of memory of machines that wait, and the next event with few and with many: `fewMs`, `manyMs`. */
export const measureWaitingMachines = (folder: string): Promise<Run> => {
  const program = Effect.gen(function* () {
    const processes = yield* Processes
    const start = (from: number, to: number) =>
      Effect.forEach(
        Array.from({ length: to - from }, (_, index) => `lamp-${from + index}`),
        (id) => processes.start(Lamp, { id, payload: undefined }),
        { concurrency: 256, discard: true }
      )
    const events = (among: number) =>
      Effect.map(
        Effect.forEach(Array.from({ length: 400 }), (_, n) =>
          since(processes.handle(Lamp, `lamp-${(n * 7_919) % among}`).send(flip))
        ),
        (all) => quantile(all.slice(100), 0.5)
      )
    yield* start(0, waiting.few)
    const fewMs = yield* events(waiting.few)
    // What a first thousand leaves in caches is no matter of each.
    yield* start(waiting.few, 2_000)
    const before = yield* heapAtRest
    yield* start(2_000, waiting.many)
    const after = yield* heapAtRest
    return { bytesEach: (after - before) / (waiting.many - 2_000), fewMs, manyMs: yield* events(waiting.many) }
  })
  return Effect.runPromise(Effect.provide(program, onFile(join(folder, "waiting.db"))))
}

/** Figures of machines that wait. */
export const waitingMachineFigures: ReadonlyArray<FigureSpec> = [
  {
    name: "memory of a waiting machine",
    unit: "bytes",
    value: reading("bytesEach"),
    target: { of: "figure", max: 100 }
  },
  { name: "next event, 100 waiting, p50", unit: "ms", value: reading("fewMs") },
  {
    name: "next event, 100,000 waiting, p50",
    unit: "ms",
    value: reading("manyMs"),
    against: ofRun("100 waiting", "fewMs"),
    target: { of: "ratio", max: 1.2 }
  }
]

/** After a while: what is under way has ended then, and what was let go of can be collected. */
const heapAtRest = Effect.delay(heapBytes, "3 seconds")
