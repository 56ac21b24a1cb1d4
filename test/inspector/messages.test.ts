/**
 * The messages of a tree of processes, as the page and Mermaid have them.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { sendParent, sendTo, setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import { messagesView } from "../../src/inspector/views/messages.ts"
import { processId } from "../../src/model/ids.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { bounded, hostOn, temporaryFolder } from "../support/hosts.ts"

const input = Schema.Undefined as Schema.Schema<undefined, unknown>
const nothing = Schema.Struct({})

/** Asks its parent back after a moment; a second ping ends it. */
const Ponger = fromMachine(
  setup({ types: { events: {} as { readonly type: "ping" } } }).createMachine({
    id: "ponger",
    initial: "fresh",
    states: {
      fresh: { on: { ping: { target: "asked", actions: sendParent({ type: "pong" }, { delay: 5 }) } } },
      asked: { on: { ping: "over" } },
      over: { type: "final" }
    }
  }),
  { version: "1", input, events: { ping: nothing } }
)

const Asked = fromMachine(
  setup({ types: { events: {} as { readonly type: "ping" } } }).createMachine({
    id: "asked",
    initial: "fresh",
    states: { fresh: { on: { ping: "asked" } }, asked: { on: { ping: "over" } }, over: { type: "final" } }
  }),
  { version: "1", input, events: { ping: nothing } }
)

const Pinger = fromMachine(
  setup({
    types: { events: {} as { readonly type: "pong" | "stop" } },
    actors: { ponger: fromDurable(), idler: fromDurable() }
  }).createMachine({
    id: "pinger",
    initial: "on",
    states: {
      on: {
        invoke: [
          { src: "ponger", id: "ponger", onDone: "idle" },
          { src: "idler", id: "idler" }
        ],
        entry: sendTo("ponger", { type: "ping" }),
        on: { pong: { actions: sendTo("ponger", { type: "ping" }) } }
      },
      idle: { entry: sendTo(({ system }) => system.get("gone"), { type: "ping" }), after: { 20: "waiting" } },
      waiting: { on: { stop: "done" } },
      done: { type: "final" }
    }
  }),
  {
    version: "1",
    input,
    events: { pong: nothing, stop: nothing },
    actors: { ponger: Ponger, idler: () => Effect.never }
  }
)

const Caller = fromMachine(
  setup({}).createMachine({
    id: "caller",
    initial: "on",
    states: { on: { entry: [1, 2].map(() => sendTo(({ system }) => system.get("q"), { type: "ping" })) } }
  }),
  { version: "1", input }
)

const Leaf = Engine.make("leaf", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.succeed(null)
})

const Family = Engine.make("family", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: (_payload, ctx) =>
    Effect.flatMap(ctx.start(Leaf, { name: "leaf", payload: null }), (child) => Effect.orDie(child.await))
})

const stores = {
  memory: MemoryStore.layer,
  SQLite: Layer.unwrapScoped(
    Effect.map(temporaryFolder, (folder) => SqliteStore.layer({ filename: `${folder}/messages.db` }))
  )
}

describe.each(["memory", "SQLite"] as const)("the messages of a tree, in a store on %s", (name) => {
  it.live(
    "are those of its machines, in order: starts, events with their senders, timers, ends and what was refused",
    () =>
      bounded(
        Effect.gen(function* () {
          const store = yield* ProcessStore
          yield* Effect.gen(function* () {
            const processes = yield* Processes
            const handle = yield* processes.start(Pinger, { id: "p", payload: undefined })
            yield* handle.waitFor({ state: "waiting" })
            yield* handle.send({ type: "stop" })
            yield* handle.await
          }).pipe(Effect.provide(hostOn(store, [Pinger])))
          const view = yield* messagesView(store, processId("p/ponger:1"))
          assert.sameMembers(
            view.participants.map(({ process_id: id }) => id),
            ["p", "p/ponger:1", "p/idler:1"]
          )
          assert.isTrue(view.complete)
          const said = view.messages.map(({ kind, from, to, text }) => `${from} ${kind} ${to}: ${text}`)
          const between = (...ids: ReadonlyArray<string>) =>
            said.filter((line) => ids.every((id) => line.split(": ")[0]?.split(" ").includes(id)))
          assert.deepStrictEqual(between("p", "p/ponger:1"), [
            "p start p/ponger:1: start",
            "p message p/ponger:1: ping",
            "p/ponger:1 message p: pong",
            "p message p/ponger:1: ping",
            "p/ponger:1 end p: completed"
          ])
          assert.deepStrictEqual(between("null"), [
            "null start p: start",
            "p message null: ping",
            "null message p: stop"
          ])
          assert.deepStrictEqual(between("timer"), ["p timer p: after 20 ms"])
          assert.include(said, "p message p/idler:1: cancel")
          assert.match(view.messages.find(({ to }) => to === null)?.problem ?? "", /gone/)
          const index = Number(view.participants.findIndex(({ process_id: id }) => id === "p/ponger:1"))
          assert.include(view.mermaid.split("\n"), `  p${index}-->>p0: completed`)
        }).pipe(Effect.provide(stores[name]))
      )
  )

  it.live("name a process of another tree that sent or took an event", () =>
    bounded(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        yield* Effect.gen(function* () {
          const processes = yield* Processes
          const called = yield* processes.start(Asked, { id: "q", payload: undefined })
          yield* processes.start(Caller, { id: "c", payload: undefined })
          yield* called.await
        }).pipe(Effect.provide(hostOn(store, [Caller, Asked])))
        for (const [one, other] of [
          ["c", "q"],
          ["q", "c"]
        ] as const) {
          const { participants, messages } = yield* messagesView(store, processId(one))
          assert.deepStrictEqual(
            participants.map(({ process_id: id }) => id),
            [one, other] as never
          )
          const pings = messages.flatMap(({ from, to, text }) => (text === "ping" ? [`${from} → ${to}`] : []))
          assert.deepStrictEqual(pings, ["c → q", "c → q"])
        }
      }).pipe(Effect.provide(stores[name]))
    )
  )

  it.live("are those of bodies of code, too", () =>
    bounded(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        yield* Effect.flatMap(Processes, (processes) =>
          Effect.flatMap(processes.start(Family, { id: "f", payload: null }), (handle) => handle.await)
        ).pipe(Effect.provide(hostOn(store, [Family, Leaf])))
        const { messages } = yield* messagesView(store, processId("f"))
        assert.deepStrictEqual(
          messages.map(({ from, to, text }) => `${from} → ${to}: ${text}`),
          ["null → f: start", "f → f/leaf: start", "f/leaf → f: completed"]
        )
      }).pipe(Effect.provide(stores[name]))
    )
  )
})
