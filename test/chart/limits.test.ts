import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { assign, sendTo, setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { bounded, hostOn, memory, sqlite, temporaryFolder, until } from "../support/hosts.ts"
import { approvalNoting, noFields, noInput, stateOf, transitionsOf } from "./charts.ts"
import { onEachStore } from "./stores.ts"

/** Starts a machine without input. */
const start = <E extends ReturnType<typeof fromMachine>>(engine: E, id: string) =>
  Effect.flatMap(Processes, (processes) => processes.start(engine, { id, payload: undefined as never }))

describe("a chart in the store's transactions", () => {
  onEachStore("that sends itself events without end leaves room for others, and ends when it is stopped", () =>
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const machine = setup({ types: { events: {} as { readonly type: "tick" } } }).createMachine({
        id: "ticker",
        on: { tick: { actions: sendTo(({ self }) => self, { type: "tick" }) } }
      })
      const Ticker = fromMachine(machine, { version: "1", input: noInput, events: { tick: noFields } })
      const Approval = approvalNoting([])
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        const ticker = yield* start(Ticker, "ticker")
        yield* ticker.send({ type: "tick" })
        const other = yield* processes.start(Approval, { id: "a", payload: { n: 1 } })
        yield* other.send({ type: "approve", by: "ana" })
        yield* other.await
        yield* until(Effect.map(stateOf("ticker"), (chart) => (chart?.revision ?? 0) > 200))
        yield* ticker.cancel()
        assert.strictEqual((yield* Effect.flip(ticker.await))._tag, "ProcessCancelled")
      }).pipe(Effect.provide(hostOn(store, [Ticker, Approval])))
    })
  )

  onEachStore("takes a long backlog in several transactions, in order, and none of it twice", () =>
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const machine = setup({
        types: {
          context: {} as { readonly seen: ReadonlyArray<number> },
          events: {} as { readonly type: "n"; readonly n: number }
        }
      }).createMachine({
        id: "counter",
        context: { seen: [] },
        on: { n: { actions: assign({ seen: ({ context, event }) => [...context.seen, event.n] }) } }
      })
      const Counter = fromMachine(machine, {
        version: "1",
        input: noInput,
        events: { n: Schema.Struct({ n: Schema.Int }) }
      })
      const numbers = Array.from({ length: 250 }, (_, index) => index)
      yield* Effect.provide(start(Counter, "c"), hostOn(store, [Counter]))
      // A program without the machine appends them.
      yield* Effect.flatMap(Processes, (processes) =>
        Effect.forEach(numbers, (n) => processes.handle(Counter, "c").send({ type: "n", n }))
      ).pipe(Effect.provide(hostOn(store, [])))
      yield* Effect.provide(until(Effect.map(stateOf("c"), (chart) => chart?.inputs === 0)), hostOn(store, [Counter]))
      assert.deepStrictEqual((yield* stateOf("c"))?.context, { seen: numbers })
      assert.strictEqual((yield* transitionsOf("c")).length, 251)
    })
  )

  onEachStore("fires several timers at once whose events go to one child", () =>
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const child = setup({
        types: { context: {} as { readonly got: number }, events: {} as { readonly type: "ping" } }
      }).createMachine({
        id: "pinged",
        context: { got: 0 },
        on: { ping: { actions: assign({ got: ({ context }) => context.got + 1 }) } },
        always: { guard: ({ context }) => context.got === 3, target: ".over" },
        initial: "on",
        states: { on: {}, over: { type: "final" } }
      })
      const Pinged = fromMachine(child, { version: "1", input: noInput, events: { ping: noFields } })
      const parent = setup({ actors: { pinged: fromDurable<undefined, unknown>() } }).createMachine({
        id: "pinging",
        initial: "on",
        states: {
          on: {
            invoke: { src: "pinged", id: "pinged", onDone: "over" },
            entry: ["one", "two", "three"].map((id) => sendTo("pinged", { type: "ping" }, { delay: 20, id }))
          },
          over: { type: "final" }
        }
      })
      const Pinging = fromMachine(parent, { version: "1", input: noInput, actors: { pinged: Pinged } })
      yield* Effect.flatMap(start(Pinging, "p"), (handle) => handle.await).pipe(
        Effect.provide(hostOn(store, [Pinging]))
      )
      const got = (yield* transitionsOf("p/pinged:1")).filter(({ event }) => event.type === "ping")
      assert.strictEqual(got.length, 3)
    })
  )

  onEachStore("shows a detached action the context of its own transition, however far it has gone on", () =>
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const seen: Array<number> = []
      const gate = yield* Deferred.make<void>()
      const machine = setup({
        types: { context: {} as { readonly n: number }, events: {} as { readonly type: "go" } },
        actions: { look: () => {} }
      }).createMachine({
        id: "looker",
        context: { n: 0 },
        on: { go: { actions: [assign({ n: ({ context }) => context.n + 1 }), "look"] } }
      })
      const Looker = fromMachine(machine, {
        version: "1",
        input: noInput,
        events: { go: noFields },
        actions: {
          look: {
            detached: true,
            run: ({ context }) =>
              Effect.zipRight(
                Deferred.await(gate),
                Effect.sync(() => void seen.push(context.n))
              )
          }
        }
      })
      yield* Effect.gen(function* () {
        const looker = yield* start(Looker, "l")
        for (let times = 0; times < 3; times++) yield* looker.send({ type: "go" })
        assert.strictEqual((yield* stateOf("l"))?.revision, 3)
        yield* Deferred.succeed(gate, undefined)
        yield* until(Effect.map(stateOf("l"), (chart) => chart?.actions.length === 0))
      }).pipe(Effect.provide(hostOn(store, [Looker])))
      assert.deepStrictEqual(seen, [1, 2, 3])
    })
  )
})

/** Keeps what is said. */
const Sayer = fromMachine(
  setup({
    types: {
      context: {} as { readonly said: ReadonlyArray<string> },
      events: {} as { readonly type: "say"; readonly text: string }
    }
  }).createMachine({
    id: "sayer",
    context: { said: [] },
    on: { say: { actions: assign({ said: ({ context, event }) => [...context.said, event.text] }) } }
  }),
  { version: "1", input: noInput, events: { say: Schema.Struct({ text: Schema.String }) } }
)

describe("an event whose text holds half a surrogate pair", () => {
  it.live("is mended where the host says so, however it is sent", () =>
    bounded(
      Effect.gen(function* () {
        const sayer = yield* start(Sayer, "s")
        yield* sayer.send({ type: "say", text: "a\ud800" })
        yield* sayer.ask({ type: "say", text: "b\ud800" })
        assert.isTrue(yield* sayer.can({ type: "say", text: "c\ud800" }))
        assert.deepStrictEqual((yield* sayer.snapshot).context, { said: ["a\ufffd", "b\ufffd"] })
      }).pipe(Effect.provide(memory([Sayer], { halfSurrogates: "replace" })))
    )
  )
})

describe("a cancel", () => {
  /** A machine whose second action never ends. */
  const hanging = (begun: Deferred.Deferred<void>, interrupted: Deferred.Deferred<void>) =>
    fromMachine(
      setup({
        types: { events: {} as { readonly type: "go" } },
        actions: { note: () => {}, hang: () => {} }
      }).createMachine({ id: "hanging", entry: "note", on: { go: { actions: "hang" } } }),
      {
        version: "1",
        input: noInput,
        events: { go: noFields },
        actions: {
          note: () => Effect.void,
          hang: () =>
            Effect.onInterrupt(Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never), () =>
              Deferred.succeed(interrupted, undefined)
            )
        }
      }
    )

  onEachStore("reaches an action that runs in a later activation", () =>
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const [begun, interrupted] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
      const Hanging = hanging(begun, interrupted)
      yield* Effect.gen(function* () {
        const handle = yield* start(Hanging, "h")
        yield* until(Effect.map(stateOf("h"), (chart) => chart?.actions.length === 0))
        yield* handle.send({ type: "go" })
        yield* Deferred.await(begun)
        yield* handle.cancel("enough")
        yield* Deferred.await(interrupted)
        assert.strictEqual((yield* Effect.flip(handle.await))._tag, "ProcessCancelled")
      }).pipe(Effect.provide(hostOn(store, [Hanging])))
    })
  )

  it.live("of another program reaches it, too", () =>
    bounded(
      Effect.scoped(
        Effect.gen(function* () {
          const filename = `${yield* temporaryFolder}/cancel.db`
          const [begun, interrupted] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
          const Hanging = hanging(begun, interrupted)
          yield* Effect.gen(function* () {
            const handle = yield* start(Hanging, "h")
            yield* handle.send({ type: "go" })
            yield* Deferred.await(begun)
            // A connection of its own, as another program has it.
            yield* Effect.flatMap(ProcessRegistry, (registry) =>
              registry.requestProcessCancel(handle.id, "enough", Authority.host)
            ).pipe(Effect.provide(Registry.layer.pipe(Layer.provide(SqliteStore.layer({ filename })))))
            yield* Deferred.await(interrupted)
            assert.strictEqual((yield* Effect.flip(handle.await))._tag, "ProcessCancelled")
          }).pipe(Effect.provide(sqlite(filename, [Hanging])))
        })
      )
    )
  )
})
