/**
 * What a host without Effect offers besides starts and handles: the services of the Effect host, as Promises.
 */
import { afterEach, assert, describe, expectTypeOf, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { EmbeddedHost } from "../../src/host/embed/createHost.ts"
import { createHost, engine, HostStopped } from "../../src/host/embed/createHost.ts"
import type { HostEvent } from "../../src/host/Host.ts"
import * as AwaitOutput from "../../src/model/AwaitOutput.ts"
import * as Errors from "../../src/model/errors.ts"
import type { ProcessId } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import type { SessionScope } from "../../src/model/Provenance.ts"
import { external } from "../../src/model/StartRequest.ts"
import type { ChangePage } from "../../src/operations/ChangeFeed.ts"
import { stateAt } from "../../src/operations/stateAt.ts"
import { verify } from "../../src/operations/verify.ts"
import * as Startable from "../../src/runtime/engine/Startable.ts"
import * as Tool from "../../src/runtime/engine/Tool.ts"
import { fast } from "../support/hosts.ts"

const Job = engine("job", {
  version: "1",
  payload: Schema.Struct({ n: Schema.Number }),
  success: Schema.Number,
  disposition: "rerunnable",
  run: async ({ n }, ctx) => ctx.step("double", () => 2 * n)
})

const Waits = engine("waits", {
  version: "1",
  payload: Schema.Struct({}),
  success: Schema.String,
  disposition: "rerunnable",
  run: async (_, ctx) => {
    await ctx.sleep("1 hour")
    return "slept"
  }
})

const Add = Tool.make("add", {
  description: "adds",
  args: Schema.Struct({ a: Schema.Number, b: Schema.Number }),
  success: Schema.Number,
  disposition: "rerunnable",
  run: ({ a, b }) => Effect.succeed(a + b)
})

let host: EmbeddedHost

const started = async () => {
  host = await createHost({ ...fast, memory: true, engines: [Job, Waits], tools: [Add], log: false })
  return host
}

afterEach(() => host.stop())

describe("a host without Effect", () => {
  it("starts tools and external work, and completes the latter", async () => {
    const { start, completeExternal } = await started()
    assert.strictEqual(await (await start(Add, { id: "sum", payload: { a: 1, b: 2 } })).result(), 3)
    const outside = await start(Startable.external, { id: "outside", payload: { ticket: 7 } })
    const record = await completeExternal("outside", AwaitOutput.success({ closed: true }))
    assert.strictEqual(record.status._tag, "Completed")
    assert.deepStrictEqual(await outside.result(), { closed: true })
    const refused = await completeExternal("sum", AwaitOutput.success(4)).catch((error: unknown) => error)
    assert.instanceOf(refused, Errors.CompletionRefused)
  })

  it("tells what happens, until its reader leaves", async () => {
    const { start, events } = await started()
    const seen: Array<HostEvent> = []
    for await (const event of events()) {
      seen.push(event)
      if (event._tag === "Resync") await start(Job, { id: "a", payload: { n: 1 } })
      if (event._tag === "Moved" && event.lifecycle === "completed") break
    }
    assert.deepStrictEqual(
      seen.map(({ _tag }) => _tag).filter((tag, index, all) => tag !== all[index - 1]),
      ["Resync", "Moved"]
    )
    const reading = events()[Symbol.asyncIterator]()
    await reading.next()
    const next = reading.next().catch((error: unknown) => error)
    await host.stop()
    assert.instanceOf(await next, HostStopped)
  })

  it("has the change feed, retention, observation and the outbox of its store", async () => {
    const { start, feed, retention, observation, outbox } = await started()
    await (await start(Job, { id: "a", payload: { n: 1 } })).result()
    expectTypeOf(feed.changesSince).returns.resolves.toEqualTypeOf<ChangePage>()
    const page = await feed.changesSince(feed.beginning, 10)
    assert.deepStrictEqual(
      page.changes.map((change) => change._tag),
      ["Upsert"]
    )
    assert.strictEqual((await observation.observe(processId("a")))?.graphKey, "process:a")
    assert.deepStrictEqual(await outbox.list({ limit: 10 }), { rows: [] })
    const none = await retention
      .pruneTerminalProcesses({ cutoffMs: Date.now() + 60_000, watermark: { _tag: "UpTo", cursor: feed.beginning } })
      .then(({ prunedProcesses }) => prunedProcesses)
    assert.strictEqual(none, 0)
    const told: Array<number> = []
    const report = await retention.pruneTerminalProcesses({
      cutoffMs: Date.now() + 60_000,
      watermark: { _tag: "UpTo", cursor: page.next },
      onProgress: async ({ prunedProcesses }) => {
        told.push(prunedProcesses)
      }
    })
    assert.deepStrictEqual(told, [1])
    assert.strictEqual(report.prunedProcesses, 1)
    const wrong = await feed.changesSince("elsewhere:1" as typeof feed.beginning, 1).catch((error: unknown) => error)
    assert.instanceOf(wrong, Errors.InputInvalid)
    assert.deepStrictEqual(await retention.referenceSummary(), [])
  })

  it("has durable promises; a wait for one ends with the host", async () => {
    const { promises } = await started()
    const scope = { _tag: "Session", sessionId: "s" } as const
    const key = await promises.keyFor(scope, { _tag: "Host", name: "first", ordinal: 1 })
    const other = await promises.keyFor(scope, { _tag: "Host", name: "second", ordinal: 1 })
    const awaited = promises.await(key)
    assert.deepStrictEqual(await promises.resolve(key, { _tag: "Ok", value: 1 }), { _tag: "Accepted" })
    assert.deepStrictEqual(await awaited, { _tag: "Ok", value: 1 })
    const left = promises.await(other).catch((error: unknown) => error)
    await host.stop()
    assert.instanceOf(await left, HostStopped)
  })

  it("lets sessions start processes and wait for them", async () => {
    const { sessions } = await started()
    const caller = { sessionId: "s", runLocal: new Set<ProcessId>() }
    const call = await Effect.runPromise(Add.call("call-1", { a: 2, b: 3 }))
    const record = await sessions.startToolCall("s", call, caller)
    assert.strictEqual(record.id, "call-1")
    const output = await sessions.awaitHandle({ __handle__: "process", id: "call-1" }, caller)
    assert.include(JSON.stringify(output), "5")
  })

  it("refuses the options of a wait that it does not know, and waits for nothing then", async () => {
    const { start, run, awaitFailure, events } = await started()
    const handle = await start(Waits, { id: "long", payload: {} })
    const wrong = { singal: new AbortController().signal } as never
    const waits = [
      () => handle.result(wrong),
      () => run(Effect.never, wrong),
      () => awaitFailure(wrong),
      () => events(wrong)[Symbol.asyncIterator]().next(),
      () => handle.events(wrong)[Symbol.asyncIterator]().next()
    ]
    for (const wait of waits) {
      const refused = await wait().catch((error: unknown) => error)
      assert.instanceOf(refused, Errors.InputInvalid)
      assert.include(String(refused), "options/singal is no option; there are signal")
    }
  })

  it("stops what a session waits for once the Promise of its stop is there", async () => {
    const { sessions } = await started()
    const stopping = Promise.resolve("enough")
    const caller = { sessionId: "s", runLocal: new Set<ProcessId>(), stopping }
    await sessions.startFromRequest("s", external(processId("x"), { _tag: "Host" }, null), caller)
    const output = await sessions.awaitHandle({ __handle__: "process", id: "x" }, caller)
    assert.deepStrictEqual(output, { _tag: "Cancelled", message: "enough", source: "runtime" })
    expectTypeOf(sessions.awaitHandle)
      .parameter(1)
      .toHaveProperty("stopping")
      .toEqualTypeOf<Promise<string | null> | undefined>()
    expectTypeOf(sessions.cancelAllVisible).parameter(0).toEqualTypeOf<SessionScope>()
  })

  it("runs an effect on its services: verification, and a process as it was", async () => {
    const { start, run } = await started()
    await (await start(Job, { id: "a", payload: { n: 4 } })).result()
    assert.deepStrictEqual(await run(verify()), { checked: 1, retaken: 0, differences: [] })
    const first = await run(stateAt(processId("a"), 0))
    assert.strictEqual(first.record.status._tag, "Running")
    assert.isUndefined(first.event)
    const beyond = await run(stateAt(processId("a"), 1_000)).catch((error: unknown) => error)
    assert.instanceOf(beyond, Errors.InputInvalid)
  })

  it("has as many waits at once as a program wants, without a warning", async () => {
    const { start } = await started()
    const handle = await start(Waits, { id: "long", payload: {} })
    const warned: Array<string> = []
    const hear = (warning: Error) => void warned.push(warning.name)
    process.on("warning", hear)
    const waits = Array.from({ length: 25 }, () => handle.result().catch((error: unknown) => error))
    await new Promise((resolve) => setImmediate(resolve))
    await host.stop()
    for (const wait of waits) assert.instanceOf(await wait, HostStopped)
    process.off("warning", hear)
    assert.deepStrictEqual(warned, [])
  })
})
