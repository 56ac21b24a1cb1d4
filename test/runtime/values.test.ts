/**
 * Values that a host takes for keeping: half surrogates as the host says, and what is too large refused before it is work.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { assign, emit, log, raise, setup } from "xstate"
import { engine as promiseEngine } from "../../src/host/embed/createHost.ts"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { processId } from "../../src/model/ids.ts"
import { Limits } from "../../src/operations/checks.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import * as Tool from "../../src/runtime/engine/Tool.ts"
import { bounded, fast, memory, quiet } from "../support/hosts.ts"

const Go = Signal.make("go", { payload: Schema.String })
const Noted = Signal.event("noted", { payload: Schema.String })

const Echo = Engine.make("echo", {
  version: "1",
  disposition: "rerunnable",
  payload: Schema.String,
  success: Schema.String,
  run: Effect.succeed
})

const common = {
  version: "1",
  disposition: "rerunnable",
  payload: Schema.String,
  success: Schema.Array(Schema.String),
  signals: [Go],
  events: [Noted]
} as const

/** Each value goes in through the payload, and on through each operation that keeps one. */
const Effects = Engine.make("effects", {
  ...common,
  run: (text, ctx) =>
    Effect.gen(function* () {
      const raw = yield* ctx.step("raw", ({ report }) =>
        Effect.as(report(unmended.get(text)), unmended.get(text) ?? "")
      )
      yield* ctx.appendEvent(Noted, unmended.get(text) ?? "")
      const child = yield* ctx.start(Echo, { name: "child", payload: unmended.get(text) ?? "" })
      const said = yield* child.await
      return [text, raw, said, yield* ctx.awaitSignal(Go), unmended.get(text) ?? ""]
    })
})

const Promises = promiseEngine("promises", {
  ...common,
  run: async (text, ctx) => {
    const raw = await ctx.step("raw", async (_, { report }) => {
      await report(unmended.get(text))
      return unmended.get(text) ?? ""
    })
    await ctx.appendEvent(Noted, unmended.get(text) ?? "")
    const child = await ctx.start(Echo, { name: "child", payload: unmended.get(text) ?? "" })
    const said = await child.result()
    return [text, raw, said, await ctx.awaitSignal(Go), unmended.get(text) ?? ""]
  }
})

/** What its body performed, as it was kept. */
const noted: Array<string> = []

const raw = ({ context }: { readonly context: { readonly text: string } }): string =>
  unmended.get(context.text) ?? context.text

const chart = setup({
  types: {
    context: {} as { readonly text: string; readonly said?: string | undefined },
    events: {} as { readonly type: "go"; readonly text: string } | { readonly type: "own"; readonly text: string },
    emitted: {} as { readonly type: "said"; readonly text: string },
    input: {} as string,
    output: {} as ReadonlyArray<string>
  },
  actors: { echo: fromDurable<string, string>() },
  actions: { note: (_, _params: { readonly text: string }) => {} }
}).createMachine({
  id: "chart",
  context: ({ input }) => ({ text: unmended.get(input) ?? input }),
  initial: "working",
  states: {
    working: {
      entry: [
        { type: "note", params: (args) => ({ text: raw(args) }) },
        emit((args) => ({ type: "said", text: raw(args) })),
        log((args) => raw(args)),
        raise((args) => ({ type: "own", text: raw(args) }), { delay: 1 })
      ],
      invoke: {
        src: "echo",
        input: (args) => raw(args),
        onDone: { target: "open", actions: assign({ said: ({ event }) => event.output }) }
      }
    },
    open: { on: { go: { target: "over", actions: assign({ text: ({ event }) => event.text }) } } },
    over: { type: "final" }
  },
  output: (args) => [raw(args), args.context.text, args.context.said ?? ""]
})

/** The same machine without schemas of its context and output, and with them. */
const Charts = [
  {},
  { context: Schema.Struct({ text: Schema.String, said: Schema.optional(Schema.String) }), output: common.success }
].map((schemas, n) =>
  fromMachine(chart, {
    kind: `chart-${n}`,
    version: "1",
    ...schemas,
    input: Schema.String,
    events: { go: Schema.Struct({ text: Schema.String }) },
    actions: { note: (_, { text }) => Effect.sync(() => void noted.push(text)) },
    actors: { echo: Echo }
  })
)

/** What a body is to hand over again as it was: by then its payload is mended. */
const unmended = new Map<string, string>()

const halves = FC.array(FC.constantFrom("a", "\ud83d", "\ude00", "\ud800", "\udfff"), {
  minLength: 1,
  maxLength: 5
}).map((parts) => parts.join(""))

describe("half a surrogate pair", () => {
  let starts = 0
  for (const startable of [Effects, Promises]) {
    it.live(`becomes U+FFFD wherever a host that says so keeps a value, with a body of ${startable.kind}`, () =>
      Effect.gen(function* () {
        const processes = yield* Processes
        const registry = yield* ProcessRegistry
        for (const text of FC.sample(halves, 25)) {
          const mended = text.toWellFormed()
          unmended.set(mended, text)
          const handle = yield* processes.start(startable, { id: `p${++starts}`, payload: text })
          yield* handle.signal(Go, text)
          assert.deepStrictEqual(
            yield* bounded(handle.await),
            Array.from({ length: 5 }, () => mended)
          )
          const events = yield* registry.eventsAfter(processId(`p${starts}`), 0)
          const noted = events.find(({ eventType }) => eventType === "noted")
          assert.strictEqual(noted?.payload, mended)
        }
      }).pipe(Effect.provide(memory([Effects, Promises, Echo], { halfSurrogates: "replace" })))
    )
  }

  for (const machine of Charts) {
    it.live(`becomes U+FFFD wherever the machine of ${machine.kind} keeps a value`, () =>
      Effect.gen(function* () {
        const processes = yield* Processes
        const registry = yield* ProcessRegistry
        for (const text of FC.sample(halves, 10)) {
          const mended = text.toWellFormed()
          unmended.set(mended, text)
          noted.length = 0
          const handle = yield* processes.start(machine, { id: `p${++starts}`, payload: text })
          yield* bounded(handle.waitFor({ state: "open" }))
          yield* handle.send({ type: "go", text }, { expect: "accepted" })
          assert.deepStrictEqual(yield* bounded(handle.await), [mended, mended, mended])
          assert.deepStrictEqual(noted, [mended])
          const stored = JSON.stringify(yield* registry.eventsAfter(processId(`p${starts}`), 0))
          assert.notMatch(stored, /\\ud[89a-f]/)
          assert.include(stored, `"do":"emit","event":{"type":"said","text":"${mended}"}`)
        }
      }).pipe(Effect.provide(memory([...Charts, Echo], { halfSurrogates: "replace" })))
    )
  }

  it.live("is refused by its place otherwise, and the refusal says how to keep it", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const refused = /lone surrogate: mend the text, or give the host `halfSurrogates: "replace"`/
      const start = yield* Effect.flip(processes.start(Echo, { id: "e", payload: "a\ud800" }))
      assert.match(start.message, refused)
      assert.match(start.message, /payload of engine `echo`/)
      for (const startable of [Effects, Promises]) {
        unmended.set("x", "\ud800")
        const handle = yield* processes.start(startable, { id: `refused-${startable.kind}`, payload: "x" })
        assert.match((yield* Effect.flip(handle.signal(Go, "\udfff"))).message, refused)
        assert.match((yield* Effect.flip(bounded(handle.await))).message, refused)
      }
    }).pipe(Effect.provide(memory([Effects, Promises, Echo])))
  )

  it.live("is what each of two hosts in one program says", () =>
    Effect.gen(function* () {
      const strict = yield* Effect.map(Layer.build(Layer.fresh(memory([Echo]))), (host) => Effect.provide(host))
      const lenient = yield* Layer.build(Layer.fresh(memory([Echo], { halfSurrogates: "replace" })))
      const start = Effect.flatMap(Processes, (processes) => processes.start(Echo, { id: "e", payload: "\ud800" }))
      assert.strictEqual((yield* Effect.flip(strict(start)))._tag, "InputInvalid")
      const handle = yield* Effect.provide(start, lenient)
      assert.strictEqual(yield* bounded(handle.await), "\ufffd")
    }).pipe(Effect.scoped)
  )

  it.live("is refused in an id and in a label, whatever the host says of values", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      for (const half of ["\ud800", "\udfff"]) {
        const byId = yield* Effect.flip(processes.start(Echo, { id: `b${half}`, payload: half }))
        assert.match(byId.message, /id.*has a lone surrogate/)
        const byLabel = yield* Effect.flip(processes.start(Echo, { id: "labelled", label: `b${half}`, payload: half }))
        assert.match(byLabel.message, /label.*has a lone surrogate/)
      }
      assert.lengthOf(yield* processes.listNonTerminal, 0)
    }).pipe(Effect.provide(memory([Echo], { halfSurrogates: "replace" })))
  )

  it.live("an option that is none of the two is refused by name", () =>
    Effect.gen(function* () {
      const host = memory([Echo], { halfSurrogates: "drop" as never })
      const error = yield* Effect.flip(Effect.scoped(Layer.build(host)))
      assert.match(error.message, /halfSurrogates/)
    })
  )
})

describe("a value that is too large", () => {
  const large = "x".repeat(2_000)
  let ran = 0
  const Large = Engine.make("large", {
    ...common,
    run: (how, ctx) =>
      Effect.gen(function* () {
        ran++
        if (how === "child") yield* ctx.start(Echo, { name: "child", payload: large })
        if (how === "event") yield* ctx.appendEvent(Noted, large)
        if (how === "step") yield* ctx.step("fetch", Effect.succeed(large))
        return how === "value" ? [large] : [yield* ctx.awaitSignal(Go)]
      })
  })
  const Call = Tool.make("call", {
    description: "d",
    args: Schema.String,
    success: Schema.String,
    disposition: "rerunnable",
    run: Effect.succeed
  })
  const host = SingleHost.layerMemory({ ...fast, engines: [Large, Echo], tools: [Call] }).pipe(
    Layer.provide(Layer.succeed(Limits, { maxLength: 1_000 })),
    Layer.provide(quiet)
  )
  const wayOut = /more than 1000 characters of JSON.*attachment.*reference/

  it.live("is refused before the work, and the refusal names the way out", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      assert.match((yield* Effect.flip(processes.start(Large, { id: "big", payload: large }))).message, wayOut)
      assert.match((yield* Effect.flip(processes.start(Call, { id: "big", payload: large }))).message, wayOut)
      assert.strictEqual(ran, 0)
      const waits = yield* processes.start(Large, { id: "waits", payload: "signal" })
      assert.match((yield* Effect.flip(waits.signal(Go, large))).message, wayOut)
      for (const how of ["child", "event", "step", "value"]) {
        const handle = yield* processes.start(Large, { id: how, payload: how })
        const { message } = yield* Effect.flip(bounded(handle.await))
        assert.match(message, wayOut)
        if (how === "step") assert.match(message, /value of step `fetch`/)
      }
      for (const id of ["big", "child/child"]) {
        assert.strictEqual((yield* Effect.flip(processes.handle(Echo, id).status))._tag, "ProcessUnknown")
      }
    }).pipe(Effect.provide(host))
  )
})
