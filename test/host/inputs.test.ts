import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import * as Output from "../../src/model/AwaitOutput.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import type { SessionRunner } from "../../src/runtime/engine/SessionTurn.ts"
import * as SessionTurn from "../../src/runtime/engine/SessionTurn.ts"
import { external } from "../../src/runtime/engine/Startable.ts"
import * as Tool from "../../src/runtime/engine/Tool.ts"
import { Tools } from "../../src/runtime/engine/ToolCatalog.ts"
import { bounded, memory, quiet, until, withoutThrown } from "../support/hosts.ts"

class Empty extends Schema.TaggedError<Empty>()("Empty", { what: Schema.String }) {}

const Count = Tool.make("count", {
  id: "tool-count",
  description: "Counts the letters of a text",
  args: Schema.Struct({ text: Schema.String, times: Schema.NumberFromString }),
  success: Schema.BigInt,
  error: Empty,
  disposition: "rerunnable",
  run: ({ text, times }) =>
    text === "" ? Effect.fail(new Empty({ what: "the text" })) : Effect.succeed(BigInt(text.length * times))
})

const answering = (name: string, run: Tool.ToolOptions<null, null, null, null, never, never, never>["run"]) =>
  Tool.make(name, { description: name, args: Schema.Null, success: Schema.Null, disposition: "rerunnable", run })

const statusOf = (id: string) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    Effect.map(registry.getProcess(processId(id)), (record) => record && withoutThrown(record.status))
  )

describe("a tool call", () => {
  it.live("runs as a process under the id of its call, typed from its arguments to its answer", () =>
    Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Count, { id: "call-1", payload: { text: "abc", times: 2 } })
      const value: bigint = yield* bounded(handle.await)
      assert.strictEqual(value, 6n)
      const record = yield* handle.status
      assert.strictEqual(record.id, "call-1")
      assert.deepStrictEqual(record.input, {
        _tag: "ToolCall",
        call: { callId: "call-1", toolId: "tool-count", toolName: "count", args: { text: "abc", times: "2" } }
      })
      assert.deepStrictEqual(record.identity, { kind: "tool", label: "count" })
      assert.strictEqual(record.disposition, "rerunnable")
    }).pipe(Effect.provide(memory([], { tools: [Count] })))
  )

  it.live("fails with its own error, stored under the error's tag", () =>
    Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Count, { id: "c", payload: { text: "", times: 1 } })
      assert.deepStrictEqual(yield* bounded(Effect.flip(handle.await)), new Empty({ what: "the text" }))
      const { status } = yield* handle.status
      assert.deepInclude(status._tag === "Failed" ? status.output : {}, { class: "execution", code: "Empty" })
    }).pipe(Effect.provide(memory([], { tools: [Count] })))
  )

  const broken = answering("broken", () => Effect.die(new RangeError("out of range")))
  it.live("that breaks is a failure of class internal, and the host goes on", () =>
    Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(broken, { id: "c", payload: null })
      yield* bounded(Effect.flip(handle.await))
      assert.deepStrictEqual(yield* statusOf("c"), {
        _tag: "Failed",
        output: { _tag: "Failure", class: "internal", code: "process_tool_failed", message: "out of range" }
      })
    }).pipe(Effect.provide(memory([], { tools: [broken] })))
  )

  const finishing = answering("finishing", () =>
    Effect.succeed(
      new Tool.Answer({ output: { _tag: "Success", value: null, control: { _tag: "Finish", value: { done: true } } } })
    )
  )
  it.live("keeps the control that its tool answers with", () =>
    Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(finishing, { id: "c", payload: null })
      yield* bounded(handle.await)
      assert.deepStrictEqual(yield* statusOf("c"), {
        _tag: "Completed",
        output: { _tag: "Success", value: null, control: { _tag: "Finish", value: { done: true } } }
      })
    }).pipe(Effect.provide(memory([], { tools: [finishing] })))
  )

  it.live("of a tool that this host has not stays where it is, and another id than the call's can be chosen", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const args = { text: "a", times: 1 }
      const handle = yield* processes.start(Tool.calledAs(Count, "c"), { id: "mine", label: "Mine", payload: args })
      assert.strictEqual(handle.id, "mine")
      assert.deepStrictEqual((yield* handle.status).status, { _tag: "Running" })
      assert.deepStrictEqual((yield* handle.status).identity, { kind: "tool", label: "Mine" })
    }).pipe(Effect.provide(memory([])))
  )

  it.live("with arguments that do not fit is refused, naming the argument", () =>
    Effect.gen(function* () {
      const args = { text: 1, times: 1 } as never
      const error = yield* Effect.flip((yield* Processes).start(Count, { id: "c", payload: args }))
      assert.include(error.message, "args/text of tool `count`")
    }).pipe(Effect.provide(memory([], { tools: [Count] })))
  )
})

describe("the catalogue of tools", () => {
  const Keeping = Tool.make("keeping", {
    description: "Keeps references",
    args: Schema.Null,
    success: Schema.Null,
    disposition: "owner_bound",
    projection: "keep_references",
    run: () => Effect.succeed(null)
  })

  it.live("tells a model what each takes and gives, as JSON Schema of the wire form", () =>
    Effect.gen(function* () {
      const tools = yield* Tools
      assert.deepStrictEqual(
        tools.manifests.map(({ name }) => name),
        ["count", "keeping"]
      )
      const manifest = tools.manifestOf("count")
      assert.deepInclude(manifest, {
        id: "tool-count",
        name: "count",
        description: "Counts the letters of a text",
        disposition: "rerunnable"
      })
      assert.deepInclude(manifest?.argsSchema, { type: "object", required: ["text", "times"] })
      assert.strictEqual(tools.manifestOf("nobody"), undefined)
    }).pipe(Effect.provide(memory([], { tools: [Count, Keeping] })))
  )

  it.live("materialises projected values unless a tool declares otherwise, also for a tool that nobody knows", () =>
    Effect.gen(function* () {
      const tools = yield* Tools
      assert.deepStrictEqual(["count", "keeping", "nobody"].map(tools.projectionOf), [
        "materialize_projected",
        "keep_references",
        "materialize_projected"
      ])
    }).pipe(Effect.provide(memory([], { tools: [Count, Keeping] })))
  )

  it.live("refuses a name that is given twice", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Effect.scoped(Layer.build(SingleHost.layerMemory({ engines: [], tools: [Count, Count] })))
      )
      assert.deepInclude(error, { _tag: "InputInvalid", field: "tools" })
    })
  )
})

class Greeting extends Context.Tag("test/Greeting")<Greeting, string>() {}

/** Sessions that note what was asked of them. */
const sessions = (changes: Partial<SessionRunner<never>> = {}) => {
  const said: Array<string> = []
  const note = (text: string) => Effect.sync(() => void said.push(text))
  const runner: SessionRunner<never> = {
    create: ({ processId: id, causedBy }) =>
      Effect.as(note(`create for ${id} by ${causedBy._tag}`), `session-of-${id}`),
    openTurn: (sessionId, turnId) =>
      Effect.acquireRelease(note(`open ${turnId} in ${sessionId}`), () => note(`let ${turnId} go`)),
    runTurn: ({ turnInput, outputContract }) => Effect.succeed({ turnInput, outputContract }),
    close: (sessionId) => note(`close ${sessionId}`),
    ...changes
  }
  return { said, runner }
}

const Turn = SessionTurn.make({ disposition: "rerunnable" })

const turn = {
  id: "turn",
  payload: { createRequest: { session_id: "child", usage_source: "test" }, turnInput: "hello", outputContract: null }
}

describe("a session's turn", () => {
  it.live("is run in a child session that its process caused, with the process's id as the turn's", () => {
    const { said, runner } = sessions()
    return Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Turn, turn)
      assert.deepStrictEqual(yield* bounded(handle.await), {
        processId: processId("turn"),
        childSessionId: "session-of-turn",
        turn: { turnInput: "hello", outputContract: null }
      })
      assert.deepStrictEqual(said, ["create for turn by Process", "open turn in session-of-turn", "let turn go"])
      assert.deepStrictEqual(yield* statusOf("turn"), {
        _tag: "Completed",
        output: Output.success({
          process_id: "turn",
          child_session_id: "session-of-turn",
          turn: { turnInput: "hello", outputContract: null }
        })
      })
      const record = yield* handle.status
      assert.strictEqual(record.envRef, undefined)
      assert.deepStrictEqual(record.identity, { kind: "session_turn", label: "test" })
    }).pipe(Effect.provide(memory([], { sessions: runner })))
  })

  const failures: ReadonlyArray<readonly [string, Partial<SessionRunner<never>>]> = [
    ["process_session_create_failed", { create: () => Effect.fail("no room") }],
    ["process_session_turn_scope_failed", { openTurn: () => Effect.fail("no room") }],
    ["process_session_turn_failed", { runTurn: () => Effect.die(new Error("no room")) }]
  ]
  for (const [code, changes] of failures) {
    it.live(`that fails is a failure with code ${code}`, () =>
      Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(Turn, turn)
        yield* bounded(Effect.flip(handle.await))
        assert.deepStrictEqual(yield* statusOf("turn"), {
          _tag: "Failed",
          output: { _tag: "Failure", class: "execution", code, message: "no room" }
        })
      }).pipe(Effect.provide(memory([], { sessions: sessions(changes).runner })))
    )
  }

  const cancels: ReadonlyArray<readonly [string | undefined, string]> = [
    [undefined, "background session turn was cancelled"],
    ["no longer needed", "no longer needed"]
  ]
  for (const [reason, message] of cancels) {
    it.live(`that is cancelled (${reason ?? "without a reason"}) closes its session and says: ${message}`, () =>
      Effect.gen(function* () {
        const running = yield* Deferred.make<void>()
        const { said, runner } = sessions({
          runTurn: () => Effect.zipRight(Deferred.succeed(running, undefined), Effect.never)
        })
        yield* Effect.gen(function* () {
          const handle = yield* (yield* Processes).start(Turn, turn)
          yield* bounded(Deferred.await(running))
          yield* handle.cancel(reason)
          yield* bounded(Effect.flip(handle.await))
          assert.deepStrictEqual(yield* statusOf("turn"), { _tag: "Cancelled", output: Output.cancelled(message) })
          assert.include(said, "close session-of-turn")
        }).pipe(Effect.provide(memory([], { sessions: runner })))
      })
    )
  }

  it.live("that fails while it is interrupted closes its session all the same, and is cancelled", () =>
    Effect.gen(function* () {
      const running = yield* Deferred.make<void>()
      const { said, runner } = sessions({
        runTurn: () =>
          Effect.zipRight(Deferred.succeed(running, undefined), Effect.never).pipe(
            Effect.ensuring(Effect.die(new Error("not let go")))
          )
      })
      yield* Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(Turn, turn)
        yield* bounded(Deferred.await(running))
        yield* handle.cancel("enough")
        yield* bounded(Effect.flip(handle.await))
        assert.deepStrictEqual(yield* statusOf("turn"), { _tag: "Cancelled", output: Output.cancelled("enough") })
        assert.deepStrictEqual(said.slice(-2), ["let turn go", "close session-of-turn"])
      }).pipe(Effect.provide(memory([], { sessions: runner })))
    })
  )

  it.live("waits where no host has sessions", () =>
    Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Turn, turn)
      assert.deepStrictEqual((yield* handle.status).status, { _tag: "Running" })
    }).pipe(Effect.provide(memory([])))
  )

  it.live("gets what its runner requires from where the host is built", () => {
    const runner: SessionRunner<Greeting> = {
      ...sessions().runner,
      runTurn: () => Effect.map(Greeting, (greeting) => greeting)
    }
    return Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Turn, turn)
      assert.strictEqual((yield* bounded(handle.await)).turn, "hello")
    }).pipe(
      Effect.provide(SingleHost.layerMemory({ engines: [], sessions: runner })),
      Effect.provide(Layer.merge(Layer.succeed(Greeting, "hello"), quiet))
    )
  })
})

describe("external work", () => {
  it.live("is never run here, and ends by the outside system's word, once", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const handle = yield* processes.start(external, { id: "x", payload: { title: "Outside" } })
      const record = yield* handle.status
      assert.deepStrictEqual(record.disposition, "externally_owned")
      assert.deepStrictEqual(record.identity, { kind: "external", label: "Outside" })
      assert.strictEqual(record.firstStarted, undefined)
      yield* processes.completeExternal("x", Output.success({ n: 1 }))
      assert.deepStrictEqual(yield* bounded(handle.await), { n: 1 })
      yield* processes.completeExternal("x", Output.success({ n: 1 }))
      const late = yield* Effect.flip(processes.completeExternal("x", Output.cancelled("late")))
      assert.strictEqual(late._tag, "ProcessAlreadyTerminal")
    }).pipe(Effect.provide(memory([])))
  )

  it.live("and nothing else is ended by an outside system's word", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      yield* processes.start(Count, { id: "c", payload: { text: "a", times: 1 } })
      const error = yield* Effect.flip(processes.completeExternal("c", Output.success(1)))
      assert.strictEqual(error._tag, "CompletionRefused")
    }).pipe(Effect.provide(memory([])))
  )

  it.live("that was registered as if it could be run ends as not executable", () =>
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      const input = { _tag: "External", metadata: null } as const
      yield* registry.registerProcess(Registration.make(processId("x"), input, "rerunnable", Provenance.host))
      yield* until(Effect.map(statusOf("x"), (status) => status?._tag === "Failed"))
      const status = yield* statusOf("x")
      assert.deepInclude(status?._tag === "Failed" ? status.output : {}, {
        class: "internal",
        code: "external_process_not_executable"
      })
    }).pipe(Effect.provide(memory([])))
  )
})
