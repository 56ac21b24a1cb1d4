/**
 * Whatever a program hands over: what it is answered is an error of the library that says which argument is wrong.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FC from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { setup } from "xstate"
import { createHost, engine, fromMachine as promised } from "../../src/host/embed/createHost.ts"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import * as Telemetry from "../../src/host/Telemetry.ts"
import { describe as described } from "../../src/model/Failure.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import * as SessionTurn from "../../src/runtime/engine/SessionTurn.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { external } from "../../src/runtime/engine/Startable.ts"
import * as Tool from "../../src/runtime/engine/Tool.ts"
import * as RuntimeConfig from "../../src/runtime/RuntimeConfig.ts"
import { memory, quiet } from "../support/hosts.ts"
import { isOwn, junk } from "../support/junk.ts"
import { patienceMs } from "../support/patience.ts"
import { samples } from "../support/samples.ts"

const Go = Signal.make("go", { payload: Schema.Any })
const options = {
  version: "1",
  payload: Schema.Any,
  success: Schema.Any,
  signals: [Go],
  disposition: "rerunnable" as const
}
const Echo = Engine.make("echo", { ...options, run: (payload) => Effect.succeed(payload) })
const Waits = Engine.make("waits", { ...options, run: (_, ctx) => ctx.awaitSignal(Go) })

/** Calls with arguments of which one is replaced: what is called, the names that may be, and a call without. */
type Entry = readonly [valid: Readonly<Record<string, unknown>>, call: (args: never) => Effect.Effect<unknown, unknown>]

const made = (make: () => unknown): Effect.Effect<unknown, unknown> => Effect.suspend(() => Effect.succeed(make()))

const declared = {
  ...options,
  events: [],
  error: Schema.Any,
  passivateAfter: "1 second",
  validateStart: () => Effect.void,
  identity: () => ({}),
  run: () => Effect.void
}
const tool = {
  id: "t",
  description: "d",
  args: Schema.Any,
  success: Schema.Any,
  error: Schema.Any,
  events: [],
  disposition: "rerunnable",
  run: () => Effect.void
}

const machine = setup({
  types: { events: {} as { readonly type: "go" } },
  actions: { tell: () => {} },
  actors: { work: fromDurable() }
}).createMachine({ id: "m", entry: "tell", invoke: { src: "work" }, on: { go: {} } })
const ofMachine = {
  version: "1",
  kind: "m",
  input: Schema.Any,
  output: Schema.Any,
  context: Schema.Any,
  events: { go: Schema.Struct({}) },
  actions: { tell: () => Effect.void },
  actors: { work: () => Effect.void },
  migrate: { "0": (stored: unknown) => stored },
  concurrency: 2
}
const part = (of: "events" | "actions" | "actors" | "migrate", by: unknown) => ({
  ...ofMachine,
  [of]: Object.fromEntries(Object.keys(ofMachine[of]).map((name) => [name, by]))
})
const acting = { run: () => Effect.void, retry: Schedule.recurs(1), onFailure: "event", detached: true }

const declarations: Readonly<Record<string, Entry>> = {
  "Engine.make": [{ kind: "k", options: declared }, ({ kind, options }) => made(() => Engine.make(kind, options))],
  "an option of Engine.make": [declared, (options) => made(() => Engine.make("k", options))],
  "an option of an engine of Promises": [declared, (options) => made(() => engine("k", options))],
  "Tool.make": [{ name: "t", options: tool }, ({ name, options }) => made(() => Tool.make(name, options))],
  "an option of Tool.make": [tool, (options) => made(() => Tool.make("t", options))],
  "SessionTurn.make": [
    { options: { disposition: "rerunnable" } },
    ({ options }) => made(() => SessionTurn.make(options))
  ],
  "an option of SessionTurn.make": [
    { disposition: "rerunnable", events: [] },
    (options) => made(() => SessionTurn.make(options))
  ],
  "Engine.fromMachine": [
    { machine, options: ofMachine },
    ({ machine, options }) => made(() => fromMachine(machine, options))
  ],
  "an option of Engine.fromMachine": [ofMachine, (options) => made(() => fromMachine(machine, options))],
  "a part of an option of Engine.fromMachine": [
    {
      events: Schema.Struct({}),
      actions: () => Effect.void,
      actors: () => Effect.void,
      migrate: (stored: unknown) => stored
    },
    (parts) =>
      Effect.forEach(Object.entries<unknown>(parts), ([of, by]) =>
        made(() => fromMachine(machine, part(of as "events", by) as never))
      )
  ],
  "an option of an action": [acting, (action) => made(() => fromMachine(machine, part("actions", action) as never))],
  "a machine of Promises": [
    { machine, options: ofMachine },
    ({ machine, options }) => made(() => promised(machine, options))
  ],
  "an option of a machine of Promises": [ofMachine, (options) => made(() => promised(machine, options))],
  "an option of an action of Promises": [
    { ...acting, retry: { times: 1, delay: "1 second" } },
    (action) => made(() => promised(machine, part("actions", action) as never))
  ],
  "Signal.make": [
    { name: "s", options: { payload: Schema.Any } },
    ({ name, options }) => made(() => Signal.make(name, options))
  ],
  "an option of Signal.make": [{ payload: Schema.Any }, (options) => made(() => Signal.make("s", options))],
  "Signal.event": [
    { name: "s", options: { payload: Schema.Any } },
    ({ name, options }) => made(() => Signal.event(name, options))
  ]
}

const timings = {
  leaseTtl: "9 seconds",
  leaseRenewal: "3 seconds",
  sweepInterval: "1 second",
  shutdown: 5,
  maxConcurrent: 3
}
const hostOf = {
  engines: [Echo],
  tools: [],
  sessions: undefined,
  environment: { pluginOptions: {}, policy: {} },
  scope: "mail",
  effects: "inline",
  wakeSink: undefined,
  hostServices: undefined,
  ...timings
}
const built = (layer: Layer.Layer<SingleHost.HostServices, unknown, never>) =>
  Effect.scoped(Layer.build(Layer.provide(layer, quiet)))
const inMemory = (options: unknown) => built(SingleHost.layerMemory(options as SingleHost.HostOptions<[]>))
const onFile = (options: unknown) =>
  built(SingleHost.layerSqlite(options as SingleHost.HostOptions<[]> & { filename: string }))
const file = { filename: ":memory:", synchronous: "FULL", writer: { maxBatch: 1 } }

const hosts: Readonly<Record<string, Entry>> = {
  "the options of a host": [{ options: hostOf }, ({ options }) => inMemory(options)],
  "an option of a host": [hostOf, (options) => inMemory(options)],
  "an option of a host on a file": [
    { ...hostOf, ...file },
    (options) => onFile({ ...(options as object), filename: ":memory:" })
  ],
  "an option of createHost": [
    { ...hostOf, memory: true, log: false },
    (options) =>
      Effect.promise(() =>
        createHost(options).then(
          (host) => host.stop(),
          (error: unknown) => Promise.reject(error)
        )
      ).pipe(Effect.catchAllDefect(Effect.fail))
  ],
  "a timing": [timings, RuntimeConfig.check]
}

const none: Effect.Effect<unknown, unknown> = Effect.void
/** The metrics of a host, read as these options say. */
const metrics = (options: unknown) =>
  Effect.scoped(
    Layer.build(
      Telemetry.layerMetrics(options as Telemetry.MetricsOptions).pipe(
        Layer.provide(memory([Echo])),
        Layer.provide(quiet)
      )
    )
  )

const start = (startable: never, spec: never) =>
  Effect.flatMap(Processes, (processes) => processes.start(startable, spec))
const handle = (startable: never, id: never) => Effect.map(Processes, (processes) => processes.handle(startable, id))
let ids = 0
const spec = () => ({ id: `p${ids++}`, payload: 1, label: "l", startAt: new Date(), wakeTarget: { sessionId: "s" } })

const calls: Readonly<
  Record<
    string,
    readonly [
      valid: () => Readonly<Record<string, unknown>>,
      call: (args: never) => Effect.Effect<unknown, unknown, Processes | ProcessRegistry>
    ]
  >
> = {
  "Processes.start": [() => ({ startable: Echo, spec: spec() }), ({ startable, spec }) => start(startable, spec)],
  "an option of Processes.start": [spec, (spec) => start(Echo as never, spec)],
  "a session turn": [
    () => ({ createRequest: 1, turnInput: 2, outputContract: 3 }),
    (payload) => start(SessionTurn.make({ disposition: "rerunnable" }) as never, { ...spec(), payload } as never)
  ],
  "external work": [() => ({ payload: 1 }), ({ payload }) => start(external as never, { ...spec(), payload } as never)],
  "Processes.handle": [() => ({ startable: Echo, id: "x" }), ({ startable, id }) => handle(startable, id)],
  "handle.signal": [
    () => ({ signal: Go, payload: 1, options: { id: "1" } }),
    ({ signal, payload, options }) =>
      Effect.flatMap(start(Waits as never, spec() as never), (handle) =>
        (handle.signal as (...args: ReadonlyArray<unknown>) => Effect.Effect<void, unknown>)(signal, payload, options)
      )
  ],
  "handle.cancel": [
    () => ({ reason: "r" }),
    ({ reason }) => Effect.flatMap(start(Waits as never, spec() as never), (handle) => handle.cancel(reason))
  ],
  "handle.abandon": [
    () => ({ reason: "r" }),
    ({ reason }) => Effect.flatMap(start(Waits as never, spec() as never), (handle) => handle.abandon(reason))
  ],
  completeExternal: [
    () => ({ id: "x", output: { _tag: "Success", value: 1 } }),
    ({ id, output }) => Effect.flatMap(Processes, (processes) => processes.completeExternal(id, output))
  ],
  "a registration": [
    () => ({
      id: `r${ids++}`,
      input: { _tag: "External", metadata: 1 },
      disposition: "externally_owned",
      identity: { kind: "k" },
      eventTypes: [],
      provenance: { originator: { _tag: "Host" } }
    }),
    (registration) => Effect.flatMap(ProcessRegistry, (registry) => registry.registerProcess(registration))
  ],
  "a signal of the registry": [
    () => ({ id: "x", request: { name: "go", payload: 1, signalId: "1" }, authority: { _tag: "Host" } }),
    ({ id, request, authority }) =>
      Effect.flatMap(ProcessRegistry, (registry) => registry.signal(id, request, authority))
  ],
  "an append": [
    () => ({ id: "x", request: { eventType: "e", payload: 1 }, authority: { _tag: "External" } }),
    ({ id, request, authority }) =>
      Effect.flatMap(ProcessRegistry, (registry) => registry.appendEvent(id, request, authority))
  ],
  "a list": [
    () => ({ filter: {}, page: {} }),
    ({ filter, page }) => Effect.flatMap(ProcessRegistry, (registry) => registry.listProcesses(filter, page))
  ]
}

/** What was answered: done, an error of the library, or what must not be. */
const judged = (what: string, exit: Exit.Exit<unknown, unknown>): void => {
  if (Exit.isSuccess(exit)) return
  const error = Cause.squash(exit.cause)
  assert.isTrue(
    isOwn(error),
    `${what}: ${described(error).name}: ${described(error).message}\n${described(error).stack}`
  )
}

const replaced = (valid: Readonly<Record<string, unknown>>, pick: number, by: unknown) => {
  const names = Object.keys(valid)
  const name = names[pick % names.length] ?? ""
  return [name, { ...valid, [name]: by }] as const
}

describe("an argument of the wrong kind is refused by name, or taken:", () => {
  for (const [what, [valid, call]] of Object.entries({ ...declarations, ...hosts })) {
    const numRuns = what in hosts && what !== "a timing" ? samples(10, 200) : samples(20, 1_000)
    it.effect.prop(
      what,
      [FC.nat(), junk],
      ([pick, by]) => {
        const [name, args] = replaced(valid, pick, by())
        return Effect.map(Effect.exit(call(args as never)), (exit) => judged(`${what} (${name})`, exit))
      },
      { fastCheck: { numRuns }, timeout: patienceMs }
    )
  }

  for (const [what, [valid, call]] of Object.entries(calls)) {
    it.live(what, () =>
      Effect.gen(function* () {
        for (const [index, by] of FC.sample(junk, { numRuns: samples(20, 500) }).entries()) {
          const [name, args] = replaced(valid(), index, by())
          judged(`${what} (${name})`, yield* Effect.exit(call(args as never)))
        }
      }).pipe(Effect.provide(memory([Echo, Waits])))
    )
  }

  const ofOptions = Object.entries({ ...declarations, ...hosts }).filter(([what]) => what.startsWith("an option of "))
  for (const [what, [valid, call]] of ofOptions) {
    it.effect(`${what} that is misspelt is no option`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(call({ ...valid, retires: 1 } as never))
        assert.isTrue(Exit.isFailure(exit), "it was taken in silence")
        if (Exit.isFailure(exit)) {
          assert.match(described(Cause.squash(exit.cause)).message, /retires is no option; there are [a-z]+/i)
        }
      })
    )
  }

  const refusals: ReadonlyArray<readonly [what: string, attempt: Effect.Effect<unknown, unknown>, message: RegExp]> = [
    [
      "a lease of half a millisecond",
      RuntimeConfig.check({ leaseTtl: 3000.5 }),
      /^leaseTtl is 3000.5 ms; it must be whole/
    ],
    ["a lease without end", RuntimeConfig.check({ leaseTtl: Number.POSITIVE_INFINITY }), /^leaseTtl is Infinity ms/],
    ["a lease of a year", RuntimeConfig.check({ leaseTtl: "365 days" }), /^leaseTtl .*at most 30 days/],
    [
      "a word",
      RuntimeConfig.check({ sweepInterval: "soon" as never }),
      /^sweepInterval is "soon"; it must be a duration/
    ],
    ["a negative time", RuntimeConfig.check({ shutdown: -1 }), /^shutdown is -1; it must be a duration/],
    ["no engines", inMemory({}), /^engines is undefined; it must be a list/],
    ["an engine that is none", inMemory({ engines: [{}] }), /^engines\/0 .*must be an engine/],
    [
      "a batch of nothing",
      onFile({ engines: [], filename: "x.db", writer: { maxBatch: 0 } }),
      /^writer\/maxBatch is 0/
    ],
    ["no options", inMemory(undefined), /^options is undefined; it must be a record/],
    [
      "a start whose date is misspelt",
      start(Echo as never, { ...spec(), startat: new Date() } as never).pipe(Effect.provide(memory([Echo]))),
      /^options\/startat is no option; there are id, payload, label, startAt, wakeTarget/
    ],
    ...[
      ["a pause between readings that is a word", { interval: "soon" }, /^interval is "soon"; it must be a duration/],
      ["a pause of nothing", { interval: 0 }, /^interval is 0 ms; it must be at least 1 ms/],
      ["a pause without end", { interval: Number.POSITIVE_INFINITY }, /^interval is Infinity ms/],
      ["a negative pause", { interval: -1 }, /^interval is -1; it must be a duration/],
      ["a pause of no number", { interval: Number.NaN }, /^interval is NaN; it must be a duration/],
      ["a misspelt pause", { intervall: "1 second" }, /^options\/intervall is no option; there are interval/]
    ].map(([what, options, message]) => [what, metrics(options), message] as [string, typeof none, RegExp]),
    [
      "a machine without an input schema",
      made(() => fromMachine(machine, { ...ofMachine, input: undefined } as never)),
      /^input of machine `m` is undefined; it must be a Schema/
    ],
    [
      "an engine without a body",
      made(() => Engine.make("k", { ...declared, run: 1 } as never)),
      /^run of engine `k` is 1; it must be a function/
    ]
  ]
  for (const [what, attempt, message] of refusals) {
    it.effect(`${what} says what to change`, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(attempt)
        assert.isTrue(Exit.isFailure(exit))
        if (Exit.isFailure(exit)) assert.match(described(Cause.squash(exit.cause)).message, message)
      })
    )
  }

  it.effect("a lease is renewed three times in its life unless a host says otherwise", () =>
    Effect.map(RuntimeConfig.check({ leaseTtl: "3 seconds" }), ({ leaseRenewalMs }) =>
      assert.strictEqual(leaseRenewalMs, 1_000)
    )
  )

  it.live(
    "a body's durations are read as a host's: none and fractions are lengths, what is negative is refused",
    () => {
      const body = (name: string, take: (ctx: ExecutionContext, duration: never) => Effect.Effect<unknown, unknown>) =>
        Engine.make(name, {
          ...options,
          run: (duration, ctx) => Effect.merge(Effect.mapError(take(ctx, duration as never), String))
        })
      const engines = [
        body("sleep", (ctx, duration) => ctx.sleep(duration)),
        body("timeout", (ctx, timeout) => ctx.awaitSignal(Go, { timeout }))
      ]
      const wrong = [-1, -0.5, "-1 seconds", "soon", "", null, [-1, 0], "2026-11-29"]
      return Effect.gen(function* () {
        const processes = yield* Processes
        for (const [index, engine] of engines.entries()) {
          const ended = (payload: unknown) =>
            Effect.flatMap(processes.start(engine, { id: `d${ids++}`, payload }), (handle) => handle.await)
          for (const payload of wrong) {
            assert.match(
              String(yield* ended(payload)),
              /InputInvalid: .*it must be a duration/,
              JSON.stringify(payload)
            )
          }
          for (const payload of [0, 0.5, "0.5 millis"]) {
            const expected = index === 0 ? null : /WaitTimedOut/
            const said = yield* ended(payload)
            if (expected === null) assert.notInclude(String(said), "Invalid")
            else assert.match(String(said), expected)
          }
        }
      }).pipe(Effect.provide(memory(engines)))
    }
  )

  it.live("a date that is none, and a label that is an object, are named", () =>
    Effect.gen(function* () {
      const refusal = (more: object) =>
        Effect.map(Effect.flip(start(Echo as never, { ...spec(), ...more } as never)), ({ message }) => message)
      assert.match(yield* refusal({ startAt: 5 }), /^startAt is 5; it must be a Date/)
      assert.match(yield* refusal({ startAt: new Date(Number.NaN) }), /^startAt is a Date of no time/)
      assert.match(yield* refusal({ label: {} }), /^label is an object of another kind; it must be text/)
    }).pipe(Effect.provide(memory([Echo])))
  )
})
