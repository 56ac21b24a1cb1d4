import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import type { AwaitError } from "../../src/model/failures.ts"
import type { EnvironmentRef } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import type { SessionRunner } from "../../src/runtime/engine/SessionTurn.ts"
import * as SessionTurn from "../../src/runtime/engine/SessionTurn.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { external } from "../../src/runtime/engine/Startable.ts"
import * as Tool from "../../src/runtime/engine/Tool.ts"
import { recordOf } from "../../src/store/Decision.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as WakeSink from "../../src/supervision/WakeSink.ts"
import { bounded, memory, sqlite, temporaryFolder, until } from "../support/hosts.ts"

const Found = Signal.event("found", {
  payload: Schema.Struct({ text: Schema.String }),
  semantics: { wake: { input: { pointer: "/text" }, dedupeKey: "event_identity" } }
})

const rowOf = (id: string) =>
  Effect.map(
    Effect.flatMap(ProcessStore, (store) => store.find(processId(id))),
    (found) => (found._tag === "Present" ? found.row : undefined)
  )

const recordAt = (id: string) => Effect.map(rowOf(id), (row) => (row === undefined ? undefined : recordOf(row)))

const isRunning = (id: string) => Effect.map(recordAt(id), (record) => record?.status._tag === "Running")

/** What bodies say, in the order in which they say it. */
const diary = () => {
  const entries: Array<string> = []
  const say = (entry: string) => Effect.sync(() => void entries.push(entry))
  return { entries, say, said: (entry: string) => Effect.sync(() => entries.includes(entry)) }
}

type Diary = ReturnType<typeof diary>

const leafOf = ({ say }: Diary) =>
  Engine.make("leaf", {
    version: "1",
    payload: Schema.String,
    success: Schema.String,
    disposition: "rerunnable",
    run: (text) => Effect.as(say(`leaf: ${text}`), text.toUpperCase())
  })

const toolOf = ({ say }: Diary) =>
  Tool.make("shout", {
    description: "Shouts",
    args: Schema.Struct({ text: Schema.String }),
    success: Schema.String,
    disposition: "rerunnable",
    run: ({ text }) => Effect.as(say(`tool: ${text}`), `${text}!`)
  })

/** Sessions whose turns are run by one function. */
const runnerOf = ({ say }: Diary, runTurn: SessionRunner<never>["runTurn"]): SessionRunner<never> => ({
  create: ({ processId: id }) => Effect.as(say(`create for ${id}`), `session of ${id}`),
  openTurn: () => Effect.void,
  runTurn,
  close: (sessionId) => say(`close ${sessionId}`)
})

const turn = {
  createRequest: { usage_source: "test" },
  turnInput: null,
  outputContract: null
}

const Turn = SessionTurn.make({ disposition: "rerunnable" })

const parentOf = <A>(run: (ctx: ExecutionContext) => Effect.Effect<A, { readonly _tag: string }>) =>
  Engine.make("parent", {
    version: "1",
    payload: Schema.Null,
    success: Schema.Unknown,
    disposition: "rerunnable",
    run: (_, ctx) => Effect.orDie(run(ctx))
  })

describe("children of every kind", () => {
  it.scopedLive("are found again by a body that runs again, and none is started twice", () =>
    Effect.gen(function* () {
      const book = diary()
      const [leaf, tool] = [leafOf(book), toolOf(book)]
      let isFirst = true
      const parent = parentOf((ctx) =>
        Effect.gen(function* () {
          const children = [
            yield* ctx.start(leaf, { name: "leaf", payload: "a" }),
            yield* ctx.start(tool, { name: "tool", payload: { text: "b" } }),
            yield* ctx.start(Turn, { payload: turn, name: "turn" })
          ]
          const ends = yield* Effect.forEach(children, (child): Effect.Effect<unknown, AwaitError> => child.await)
          yield* book.say("all have ended")
          return isFirst ? yield* Effect.never : ends
        })
      )
      const sessions = runnerOf(book, (_, ctx) =>
        Effect.flatMap(ctx.start(leaf, { name: "within", payload: "c" }), (child) => child.await)
      )
      const file = `${yield* temporaryFolder}/kinds.db`
      const host = () => sqlite(file, [leaf, parent], { tools: [tool], sessions, maxConcurrent: 1 })
      yield* Effect.gen(function* () {
        yield* (yield* Processes).start(parent, { id: "p", payload: null })
        yield* until(book.said("all have ended"))
      }).pipe(Effect.provide(host()))
      isFirst = false
      yield* Effect.gen(function* () {
        const ends = yield* bounded((yield* Processes).handle(parent, "p").await)
        assert.deepStrictEqual(ends, [
          "A",
          "b!",
          { processId: "p/turn", childSessionId: "session of p/turn", turn: "C" }
        ])
        assert.deepStrictEqual(book.entries, [
          "leaf: a",
          "tool: b",
          "create for p/turn",
          "leaf: c",
          "all have ended",
          "all have ended"
        ])
        const store = yield* ProcessStore
        const journal = yield* store.execution.journal(processId("p"))
        assert.deepStrictEqual(
          journal.map(({ key, operation, outcome }) => [key, operation, outcome]),
          ["leaf", "tool", "turn"].map((name) => [`${name}#1`, "start_child", { process_id: `p/${name}` }])
        )
      }).pipe(Effect.provide(host()))
    })
  )

  it.live(
    "are registered under their parent, in whose name they are, under the environment that their kind captures",
    () => {
      const book = diary()
      const tool = toolOf(book)
      const parent = parentOf((ctx) =>
        Effect.gen(function* () {
          yield* ctx.start(tool, { name: "tool", payload: { text: "b" } })
          yield* ctx.start(Tool.calledAs(tool, "call-7"), {
            name: "named",
            id: "mine",
            label: "Mine",
            payload: { text: "b" }
          })
          yield* ctx.start(Turn, { payload: turn, name: "turn", closePolicy: "keep" })
          const { origin } = yield* ctx.surroundings
          return ["p/tool", "mine", "p/turn", "p/other"].map((id) => origin.runLocal.has(processId(id)))
        })
      )
      const sessions = runnerOf(book, () => Effect.succeed(null))
      const environment = { pluginOptions: {}, policy: { provider: "p" } }
      return Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(parent, { id: "p", payload: null })
        assert.deepStrictEqual(yield* bounded(handle.await), [true, true, true, false])
        const { envRef } = yield* handle.status
        const provenance = {
          originator: { _tag: "Host" },
          causedBy: { _tag: "Process", processId: processId("p") }
        } as const
        const call = { toolId: "shout", toolName: "shout", args: { text: "b" } }
        const [plain, named, asTurn] = yield* Effect.forEach(["p/tool", "mine", "p/turn"], recordAt)
        assert.deepInclude(plain, {
          input: { _tag: "ToolCall", call: { ...call, callId: "p/tool" } },
          identity: { kind: "tool", label: "shout" },
          disposition: "rerunnable",
          provenance,
          parent: { processId: processId("p"), closePolicy: "cancel" },
          envRef: envRef as EnvironmentRef // an engine has one
        })
        assert.deepInclude(named, {
          input: { _tag: "ToolCall", call: { ...call, callId: "call-7" } },
          identity: { kind: "tool", label: "Mine" }
        })
        assert.deepInclude(asTurn, {
          input: {
            _tag: "SessionTurn",
            createRequest: { usage_source: "test" },
            turnInput: null,
            outputContract: null
          },
          identity: { kind: "session_turn", label: "test" },
          provenance,
          parent: { processId: processId("p"), closePolicy: "keep" }
        })
        assert.strictEqual(asTurn?.envRef, undefined)
      }).pipe(Effect.provide(memory([parent], { tools: [tool], sessions, environment })))
    }
  )

  it.live(
    "a cancel of the parent reaches a turn that runs and the children of that turn, and its session is closed",
    () => {
      const book = diary()
      const waits = Engine.make("waits", {
        version: "1",
        payload: Schema.Null,
        success: Schema.Null,
        disposition: "rerunnable",
        run: (_, { processId: id }) =>
          Effect.zipRight(
            book.say(`${id} began`),
            Effect.onInterrupt(Effect.never, () => book.say(`${id} let go`))
          )
      })
      const parent = parentOf((ctx) =>
        Effect.flatMap(ctx.start(Turn, { payload: turn, name: "turn" }), (child) => child.await)
      )
      const sessions = runnerOf(book, (_, ctx) =>
        Effect.flatMap(ctx.start(waits, { name: "deep", payload: null }), (child) => child.await)
      )
      return Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(parent, { id: "p", payload: null })
        yield* until(book.said("p/turn/deep began"))
        yield* handle.cancel("enough")
        const ids = ["p", "p/turn", "p/turn/deep"]
        yield* until(
          Effect.every(ids, (id) => Effect.map(recordAt(id), (record) => record?.status._tag === "Cancelled"))
        )
        assert.sameMembers(book.entries, [
          "create for p/turn",
          "p/turn/deep began",
          "close session of p/turn",
          "p/turn/deep let go"
        ])
      }).pipe(Effect.provide(memory([parent, waits], { sessions, sweepInterval: false })))
    }
  )
})

describe("what is said of a process, and not of what it runs,", () => {
  it.scopedLive("ends neither a tool call nor a turn whose code does not fit its journal: both rest", () =>
    Effect.gen(function* () {
      const book = diary()
      let changed = false
      const run = (ctx: ExecutionContext) =>
        Effect.gen(function* () {
          if (changed) yield* ctx.sleep("1 milli", { name: "first" })
          else yield* ctx.step("first", book.say(`${ctx.processId} stepped`))
          return yield* Effect.never
        })
      const tool = Tool.make("t", {
        description: "Changes",
        args: Schema.Null,
        success: Schema.Null,
        disposition: "rerunnable",
        run: (_, ctx) => run(ctx)
      })
      const file = `${yield* temporaryFolder}/rests.db`
      const host = () => sqlite(file, [], { tools: [tool], sessions: runnerOf(book, (_, ctx) => run(ctx)) })
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        yield* processes.start(tool, { id: "call", payload: null })
        yield* processes.start(Turn, { payload: turn, id: "turn" })
        yield* until(book.said("call stepped"))
        yield* until(book.said("turn stepped"))
      }).pipe(Effect.provide(host()))
      changed = true
      book.entries.length = 0
      yield* Effect.gen(function* () {
        for (const id of ["call", "turn"]) {
          yield* until(Effect.map(rowOf(id), (row) => row?.backOff !== undefined))
          assert.include((yield* rowOf(id))?.backOff?.problem, "is step under `first#1`")
          assert.isTrue(yield* isRunning(id))
        }
        assert.deepStrictEqual(book.entries.slice(0, 2), ["create for turn", "close session of turn"])
      }).pipe(Effect.provide(host()))
    })
  )
})

describe("an external child", () => {
  it.live("waits for the outside system's word, as its parent waits for it", () => {
    const parent = parentOf((ctx) =>
      Effect.flatMap(ctx.start(external, { name: "outside", payload: { title: "Outside" } }), (child) => child.await)
    )
    return Effect.gen(function* () {
      const processes = yield* Processes
      const handle = yield* processes.start(parent, { id: "p", payload: null })
      yield* until(isRunning("p/outside"))
      yield* processes.completeExternal("p/outside", { _tag: "Success", value: 7 })
      assert.strictEqual(yield* bounded(handle.await), 7)
    }).pipe(Effect.provide(memory([parent])))
  })
})

describe("a wake target", () => {
  const scope = { sessionId: "ana" }
  const other = { sessionId: "bo", agentFrameId: "f" }

  it.live("can be named by every start of a host, and by none has to be", () => {
    const book = diary()
    const [leaf, tool] = [leafOf(book), toolOf(book)]
    return Effect.gen(function* () {
      const processes = yield* Processes
      const outside = { payload: { title: "Outside" } }
      yield* processes.start(leaf, { id: "engine", payload: "a", wakeTarget: scope })
      yield* processes.start(tool, { id: "call", payload: { text: "b" }, wakeTarget: scope })
      yield* processes.start(Turn, { payload: turn, id: "turn", wakeTarget: scope })
      yield* processes.start(external, { ...outside, id: "external", wakeTarget: other })
      yield* processes.start(external, { ...outside, id: "none" })
      const targets = yield* Effect.forEach(["engine", "call", "turn", "external", "none"], (id) =>
        Effect.map(recordAt(id), (record) => record?.wakeTarget)
      )
      assert.deepStrictEqual(targets, [scope, scope, scope, other, undefined])
    }).pipe(Effect.provide(memory([leaf], { tools: [tool] })))
  })

  it.live("is inherited by children of every kind, unless they name another", () => {
    const book = diary()
    const [leaf, tool] = [leafOf(book), toolOf(book)]
    const starts = (ctx: ExecutionContext, suffix: string, target: { readonly wakeTarget?: typeof other }) =>
      Effect.all([
        ctx.start(leaf, { name: `leaf${suffix}`, payload: "a", ...target }),
        ctx.start(tool, { name: `tool${suffix}`, payload: { text: "b" }, ...target }),
        ctx.start(Turn, { payload: turn, name: `turn${suffix}`, ...target })
      ])
    const parent = parentOf((ctx) =>
      Effect.as(
        Effect.zipRight(
          starts(ctx, "", {}),
          ctx.processId === "p" ? starts(ctx, "-2", { wakeTarget: other }) : Effect.void
        ),
        null
      )
    )
    const sessions = runnerOf(book, () => Effect.succeed(null))
    return Effect.gen(function* () {
      const processes = yield* Processes
      yield* bounded((yield* processes.start(parent, { id: "p", payload: null, wakeTarget: scope })).await)
      yield* bounded((yield* processes.start(parent, { id: "q", payload: null })).await)
      const targetsOf = (...ids: ReadonlyArray<string>) =>
        Effect.forEach(ids, (id) => Effect.map(recordAt(id), (record) => record?.wakeTarget))
      assert.deepStrictEqual(yield* targetsOf("p/leaf", "p/tool", "p/turn"), [scope, scope, scope])
      assert.deepStrictEqual(yield* targetsOf("p/leaf-2", "p/tool-2", "p/turn-2"), [other, other, other])
      assert.deepStrictEqual(yield* targetsOf("q/leaf", "q/tool", "q/turn"), [undefined, undefined, undefined])
    }).pipe(Effect.provide(memory([leaf, parent], { tools: [tool], sessions })))
  })

  it.live("hears of what a turn found, once, also from a turn that inherited it", () => {
    const book = diary()
    const wakeSink = WakeSink.layer((wake) =>
      Effect.as(book.say(`to ${wake.targetScopeId} from ${wake.processId}: ${wake.input}`), { _tag: "Delivered" })
    )
    const sessions = runnerOf(book, ({ turnInput }, ctx) =>
      Effect.as(ctx.appendEvent(Found, { text: String(turnInput) }), null)
    )
    const Finding = SessionTurn.make({ disposition: "rerunnable", events: [Found] })
    const parent = parentOf((ctx) =>
      Effect.gen(function* () {
        yield* (yield* ctx.start(Finding, { payload: { ...turn, turnInput: "mine" }, name: "own" })).await
        yield* (yield* ctx.start(Finding, {
          payload: { ...turn, turnInput: "yours" },
          name: "your",
          wakeTarget: other
        })).await
      })
    )
    return Effect.gen(function* () {
      const processes = yield* Processes
      yield* bounded((yield* processes.start(parent, { id: "p", payload: null, wakeTarget: scope })).await)
      const host = yield* processes.start(Finding, {
        payload: { ...turn, turnInput: "hers" },
        id: "t",
        wakeTarget: scope
      })
      yield* bounded(host.await)
      const heard = [
        "to session:ana from p/own: mine",
        "to session:bo/frame:f from p/your: yours",
        "to session:ana from t: hers"
      ]
      yield* until(Effect.every(heard, book.said))
      assert.sameMembers(
        book.entries.filter((entry) => entry.startsWith("to ")),
        heard
      )
    }).pipe(Effect.provide(memory([parent], { sessions, wakeSink })))
  })

  it.live("hears nothing of an event that the turn's start did not declare: the turn fails and says so", () => {
    const book = diary()
    const sessions = runnerOf(book, (_, ctx) => ctx.appendEvent(Found, { text: "x" }))
    return Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Turn, { payload: turn, id: "t", wakeTarget: scope })
      const error = yield* bounded(Effect.flip(handle.await))
      assert.isTrue(
        error._tag === "ProcessFailed" &&
          error.output._tag === "Failure" &&
          error.output.code === "process_session_turn_failed" &&
          error.output.message.includes("undeclared event type `found`")
      )
    }).pipe(Effect.provide(memory([], { sessions })))
  })
})
