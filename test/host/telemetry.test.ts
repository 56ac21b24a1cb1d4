import { join } from "node:path"
import * as NodeSdk from "@effect/opentelemetry/NodeSdk"
import { assert, describe, it } from "@effect/vitest"
import type { ReadableSpan, SpanProcessor } from "@opentelemetry/sdk-trace-base"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schema from "effect/Schema"
import { Host } from "../../src/host/Host.ts"
import { Processes } from "../../src/host/Processes.ts"
import * as Telemetry from "../../src/host/Telemetry.ts"
import { processId } from "../../src/model/ids.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { spanOf, traceparent } from "../../src/runtime/worker/Tracing.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { RecoverySweep } from "../../src/supervision/RecoverySweep.ts"
import { bounded, memory, quiet, sqlite, temporaryFolder, until } from "../support/hosts.ts"

const Go = Signal.make("go", { payload: Schema.Null })

/** Waits for a signal, away from memory. */
const Waiter = Engine.make("waiter", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  signals: [Go],
  disposition: "rerunnable",
  passivateAfter: "10 millis",
  run: (_payload, ctx) => ctx.awaitSignal(Go)
})

const Child = Engine.make("child", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: (_payload, ctx) => Effect.as(ctx.step("work", Effect.withSpan(Effect.succeed(1), "inner")), null)
})

const Parent = Engine.make("parent", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: (_payload, ctx) => Effect.flatMap(ctx.start(Child, { name: "child", payload: null }), (child) => child.await)
})

/** A tracer of OpenTelemetry, with every span that ended. */
const recording = () => {
  const ended: Array<ReadableSpan> = []
  const spanProcessor: SpanProcessor = {
    onStart: () => undefined,
    onEnd: (span) => void ended.push(span),
    forceFlush: () => Promise.resolve(),
    shutdown: () => Promise.resolve()
  }
  const sdk = NodeSdk.layer(() => ({ resource: { serviceName: "test" }, spanProcessor }))
  return { ended, sdk, named: (name: string) => ended.filter((span) => span.name === name) }
}

const traced = <E, R, A>(host: Layer.Layer<A, E, R>, sdk: Layer.Layer<never>) =>
  host.pipe(Layer.provide(Telemetry.layerTracing), Layer.provideMerge(sdk))

const startsOf = (id: string) =>
  Effect.flatMap(ProcessStore, (store) =>
    Effect.map(
      store.eventsAfter(processId(id), 0),
      (events) =>
        events
          .filter(({ eventType }) => eventType === "process.started")
          .map(({ payload }) => Object(payload).started.trace as unknown) // the payload of that fact
    )
  )

describe("a traced host", () => {
  it.live("gives each activation one span, in one trace and linked to the one before, also after a restart", () =>
    bounded(
      Effect.gen(function* () {
        const filename = join(yield* temporaryFolder, "a.db")
        const { sdk, ended, named } = recording()
        const host = traced(sqlite(filename, [Waiter]), sdk)
        yield* Effect.gen(function* () {
          const processes = yield* Processes
          yield* Effect.withSpan(processes.start(Waiter, { id: "w", payload: null }), "request")
          yield* until(Effect.sync(() => named("activation waiter").length === 1))
        }).pipe(Effect.provide(host))
        yield* Effect.gen(function* () {
          const processes = yield* Processes
          const handle = processes.handle(Waiter, "w")
          yield* handle.signal(Go, null)
          yield* handle.await
          yield* until(Effect.sync(() => named("activation waiter").length === 2))
          const [first, second] = named("activation waiter")
          const [request] = named("request")
          if (first === undefined || second === undefined || request === undefined) return assert.fail("all have ended")
          assert.strictEqual(first.parentSpanContext?.spanId, request.spanContext().spanId)
          assert.strictEqual(first.spanContext().traceId, request.spanContext().traceId)
          assert.strictEqual(second.spanContext().traceId, first.spanContext().traceId)
          assert.strictEqual(second.parentSpanContext?.spanId, first.spanContext().spanId)
          assert.deepStrictEqual(
            second.links.map(({ context }) => context.spanId),
            [first.spanContext().spanId]
          )
          assert.deepInclude(first.attributes, {
            "holdfast.process.id": "w",
            "holdfast.process.kind": "waiter",
            "holdfast.activation": 1,
            "holdfast.outcome": "Interrupted"
          })
          assert.deepInclude(second.attributes, {
            "holdfast.activation": 2,
            "holdfast.cause.type": "process.resumed",
            "holdfast.outcome": "Success"
          })
          assert.deepStrictEqual(
            yield* startsOf("w"),
            [first, second].map((span) => `00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`)
          )
          assert.strictEqual(ended.filter(({ name }) => name.startsWith("activation")).length, 2)
        }).pipe(Effect.provide(host))
      }).pipe(Effect.scoped)
    )
  )

  it.live("puts a child into the span of its parent, and what a body does into its own", () =>
    bounded(
      Effect.gen(function* () {
        const { sdk, named } = recording()
        yield* Effect.gen(function* () {
          const processes = yield* Processes
          const handle = yield* processes.start(Parent, { id: "p", payload: null })
          yield* handle.await
          yield* until(Effect.sync(() => named("activation parent").length === 1))
          const [parent] = named("activation parent")
          const [child] = named("activation child")
          const [inner] = named("inner")
          if (parent === undefined || child === undefined || inner === undefined) return assert.fail("all have ended")
          assert.strictEqual(parent.parentSpanContext, undefined)
          assert.strictEqual(child.parentSpanContext?.spanId, parent.spanContext().spanId)
          assert.strictEqual(inner.parentSpanContext?.spanId, child.spanContext().spanId)
        }).pipe(Effect.provide(traced(memory([Parent, Child]), sdk)))
      })
    )
  )
})

describe("a host that nobody traces", () => {
  it.live("makes no span of its own, and writes nothing of a trace", () =>
    bounded(
      Effect.gen(function* () {
        const { sdk, ended } = recording()
        yield* Effect.gen(function* () {
          const processes = yield* Processes
          const handle = yield* processes.start(Parent, { id: "p", payload: null })
          yield* handle.await
          assert.deepStrictEqual(yield* startsOf("p"), [undefined])
          assert.deepStrictEqual(
            ended.filter(({ name }) => name.startsWith("activation")),
            []
          )
        }).pipe(Effect.provide(Layer.provideMerge(memory([Parent, Child]), sdk)))
      })
    )
  )
})

describe("a traceparent", () => {
  const text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

  it("is read and written as the recommendation has it", () => {
    const span = spanOf(text)
    assert.deepInclude(span, { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", sampled: true })
    assert.strictEqual(span && traceparent(span), text)
    assert.strictEqual(spanOf(text.replace(/01$/, "00"))?.sampled, false)
  })

  it("that is none is no span", () => {
    for (const other of [undefined, 7, "", "00", text.toUpperCase(), `${text}-more`, text.replace("00-", "ff-")]) {
      assert.strictEqual(spanOf(other), undefined)
    }
  })
})

describe("the metrics of a host", () => {
  const measured = (host: ReturnType<typeof sqlite<[typeof Waiter, typeof Child]>>) =>
    Layer.provide(Layer.provideMerge(Telemetry.layerMetrics({ interval: "10 millis" }), host), quiet)

  const gauge = (metric: typeof Telemetry.processes, state: string) =>
    Effect.map(Metric.value(Metric.tagged(metric, "state", state)), ({ value }) => value)

  it.live("say how many processes there are, what bodies do, and what sweeps and commits came to", () =>
    bounded(
      Effect.gen(function* () {
        const filename = join(yield* temporaryFolder, "a.db")
        const before = yield* Metric.value(Telemetry.commitProcesses)
        yield* Effect.gen(function* () {
          const processes = yield* Processes
          const done = yield* processes.start(Child, { id: "done", payload: null })
          yield* done.await
          yield* processes.start(Waiter, { id: "w", payload: null })
          yield* until(Effect.map(gauge(Telemetry.processes, "running"), (count) => count === 1))
          yield* until(Effect.map(gauge(Telemetry.processes, "completed"), (count) => count === 1))
          // It is put away while it waits, and holds no lease then.
          yield* until(
            Effect.map(
              Effect.all([gauge(Telemetry.bodies, "working"), gauge(Telemetry.bodies, "waiting")]),
              ([working, waiting]) => working + waiting === 0
            )
          )
          assert.strictEqual((yield* Metric.value(Telemetry.slotsFree)).value, (yield* Host).facts.slots().total)
          const sweeps = (yield* Metric.value(Telemetry.sweeps)).count
          yield* (yield* RecoverySweep).sweep
          assert.isAbove((yield* Metric.value(Telemetry.sweeps)).count, sweeps)
          const [sizes, times] = [
            yield* Metric.value(Telemetry.commitProcesses),
            yield* Metric.value(Telemetry.commitSeconds)
          ]
          // Each was started, ended or began to wait in a commit of its own; more of them may have shared one.
          assert.isAtLeast(sizes.sum - before.sum, 4)
          assert.isAtMost(sizes.sum - before.sum, sizes.max * (sizes.count - before.count))
          assert.strictEqual(times.count, sizes.count)
          assert.isAbove(times.min, 0)
          assert.isBelow(times.sum, 60)
        }).pipe(Effect.provide(measured(sqlite(filename, [Waiter, Child]))))
      }).pipe(Effect.scoped)
    )
  )

  it.live("are left alone by a host without them", () =>
    bounded(
      Effect.gen(function* () {
        const filename = join(yield* temporaryFolder, "a.db")
        const count = Effect.map(Metric.value(Telemetry.commitSeconds), (seconds) => seconds.count)
        const before = yield* count
        yield* Effect.gen(function* () {
          const done = yield* (yield* Processes).start(Child, { id: "done", payload: null })
          yield* done.await
        }).pipe(Effect.provide(sqlite(filename, [Waiter, Child])))
        assert.strictEqual(yield* count, before)
      }).pipe(Effect.scoped)
    )
  )
})
