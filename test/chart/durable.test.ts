import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assign, createMachine, fromPromise, sendParent, sendTo, setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import { InputInvalid } from "../../src/model/errors.ts"
import { verify } from "../../src/operations/verify.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as Times from "../../src/testing/bodies/Time.ts"
import * as Worlds from "../../src/testing/bodies/World.ts"
import { hostOn, until } from "../support/hosts.ts"
import { approvalNoting, noFields, noInput, onMemory, pathOf, stateOf, transitionsOf } from "./charts.ts"

const Approve = Signal.make("approve", { payload: Schema.Struct({ by: Schema.String }) })
const Remind = Signal.make("remind", { payload: Schema.Struct({}) })

const start = (engine: ReturnType<typeof approvalNoting>, id: string, n = 3) =>
  Effect.flatMap(Processes, (processes) => processes.start(engine, { id, payload: { n } }))

/** It buys for an amount that its child may refuse to begin with. */
const ordering = {
  machine: setup({
    types: {
      context: {} as { readonly amount: number; readonly refusals: ReadonlyArray<string> },
      input: {} as { readonly amount: number },
      events: {} as { readonly type: "again"; readonly amount: number } | { readonly type: "unheard" }
    },
    actors: { buy: fromDurable<{ readonly amount: number }, number>() }
  }).createMachine({
    id: "ordering",
    context: ({ input }) => ({ ...input, refusals: [] }),
    initial: "buying",
    states: {
      buying: {
        invoke: {
          src: "buy",
          id: "buy",
          input: ({ context: { amount } }) => ({ amount }),
          onDone: "bought",
          onError: {
            target: "refused",
            actions: assign({
              refusals: ({ context, event }) => [...context.refusals, (event.error as { message: string }).message]
            })
          }
        }
      },
      refused: { on: { again: { target: "buying", actions: assign({ amount: ({ event }) => event.amount }) } } },
      bought: { on: { unheard: "hoping" } },
      hoping: { invoke: { src: "buy", id: "hope", input: { amount: 0 } } }
    }
  }),
  options: {
    version: "1",
    input: Schema.Struct({ amount: Schema.Number }),
    events: { again: Schema.Struct({ amount: Schema.Number }), unheard: noFields },
    actors: {
      buy: Engine.make("buy", {
        version: "1",
        payload: Schema.Struct({ amount: Schema.Int.pipe(Schema.positive()) }),
        success: Schema.Number,
        disposition: "rerunnable",
        run: ({ amount }) => Effect.succeed(amount)
      })
    }
  }
} as const

describe("a machine as a process", () => {
  it.live(
    "begins with its registration, performs its actions, waits as a row, and ends with the commit that ends it",
    () =>
      onMemory(
        Effect.gen(function* () {
          const done: Array<string> = []
          const engine = approvalNoting(done)
          const store = yield* ProcessStore
          yield* Effect.gen(function* () {
            const handle = yield* start(engine, "a")
            yield* until(Effect.map(stateOf("a"), (chart) => chart?.actions.length === 0))
            // It waits: no lease is held, and nothing is due.
            yield* until(
              Effect.map(
                store.find(handle.id),
                (found) => found._tag === "Present" && found.row.lease.held === undefined
              )
            )
            const found = yield* store.find(handle.id)
            assert.deepStrictEqual(found._tag === "Present" && found.row.dueAtMs, null)
            yield* handle.signal(Remind, {})
            yield* handle.signal(Approve, { by: "ana" })
            assert.deepStrictEqual(yield* handle.await, { state: "xstate.done.state.approval.paid", receipt: "r-3" })
          }).pipe(Effect.provide(hostOn(store, [engine])))
          assert.deepStrictEqual(yield* pathOf("a"), [
            'xstate.init: "" -> "waiting"',
            'remind: "waiting" -> "waiting"',
            'approve: "waiting" -> "paying"',
            'xstate.done.actor.charge: "paying" -> "paid"'
          ])
          assert.deepStrictEqual(done, [
            "notify ana because of xstate.init (a:0:0)",
            "notify ana again for 3 because of remind (a:1:0)",
            "charge 3"
          ])
          const events = yield* store.eventsAfter("a" as never, 0)
          assert.deepStrictEqual(
            events.slice(-3).map(({ eventType }) => eventType),
            ["process.child_ended", "machine.transitioned", "process.completed"]
          )
        })
      )
  )

  it.live("waits for its actions before it takes the next event", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const gate = yield* Effect.makeLatch()
        const done: Array<string> = []
        const engine = approvalNoting(done, Effect.void, gate.await)
        // Events queue up behind the action of the beginning, which does not end.
        yield* Effect.gen(function* () {
          const handle = yield* start(engine, "a")
          yield* handle.signal(Remind, {})
          yield* handle.signal(Approve, { by: "ana" })
          const chart = yield* stateOf("a")
          assert.deepStrictEqual([chart?.value, chart?.actions.length, chart?.inputs], ["waiting", 1, 2])
          yield* gate.open
          yield* handle.await
          assert.deepStrictEqual(done.at(-1), "charge 3")
        }).pipe(Effect.provide(hostOn(store, [engine])))
      })
    )
  )

  it.live("goes on where it was when its host has ended: what is pending is performed, what was recorded is not", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const done: Array<string> = []
        const engine = approvalNoting(done)
        yield* Effect.provide(
          Effect.zipRight(start(engine, "a"), until(Effect.map(stateOf("a"), (chart) => chart?.actions.length === 0))),
          hostOn(store, [engine])
        )
        // A program without the machine takes the signal; one that has it goes on.
        yield* Effect.provide(
          Effect.flatMap(Processes, (processes) => processes.handle(engine, "a").signal(Approve, { by: "bo" })),
          hostOn(store, [])
        )
        assert.deepStrictEqual((yield* stateOf("a"))?.inputs, 1)
        const answer = yield* Effect.provide(
          Effect.flatMap(Processes, (processes) => processes.handle(engine, "a").await),
          hostOn(store, [engine])
        )
        assert.deepStrictEqual(answer, { state: "xstate.done.state.approval.paid", receipt: "r-3" })
        assert.deepStrictEqual(done, ["notify ana because of xstate.init (a:0:0)", "charge 3"])
      })
    )
  )

  it("fires a delay at its time although no host ran then, and never early", async () => {
    const time = Times.make(1_000)
    const day = 24 * 60 * 60 * 1_000
    await Effect.runPromise(
      time
        .drive(
          Effect.provide(
            Effect.gen(function* () {
              const store = yield* ProcessStore
              const engine = approvalNoting([])
              yield* Effect.provide(
                Effect.zipRight(
                  start(engine, "a"),
                  until(Effect.map(stateOf("a"), (chart) => chart?.actions.length === 0))
                ),
                hostOn(store, [engine])
              )
              const armed = (yield* stateOf("a"))?.timers[0]
              assert.strictEqual(armed?.id, "xstate.after.3 days.approval.waiting")
              assert.isAtLeast(armed?.at ?? 0, 1_000 + 3 * day)
              time.leap(2 * day)
              yield* Effect.provide(Effect.sleep("1 minute"), hostOn(store, [engine]))
              assert.deepStrictEqual((yield* stateOf("a"))?.value, "waiting")
              time.leap(day)
              const answer = yield* Effect.provide(
                Effect.flatMap(Processes, (processes) => processes.handle(engine, "a").await),
                hostOn(store, [engine])
              )
              assert.deepStrictEqual(answer, { state: "xstate.done.state.approval.expired" })
            }),
            MemoryStore.layer
          )
        )
        .pipe(Effect.withClock(time.clock))
    )
  })

  it.live("ends cancelled when it is asked to stop, and its child with it", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const engine = approvalNoting([], Effect.never)
        yield* Effect.gen(function* () {
          const handle = yield* start(engine, "a")
          yield* handle.signal(Approve, { by: "ana" })
          yield* until(Effect.map(stateOf("a"), (chart) => chart?.value === "paying"))
          yield* handle.cancel("enough")
          const end = yield* Effect.flip(handle.await)
          assert.deepStrictEqual(end._tag, "ProcessCancelled")
          const processes = yield* Processes
          yield* Effect.flip(processes.handle(engine, "a/charge:1").await)
        }).pipe(Effect.provide(hostOn(store, [engine])))
      })
    )
  )

  it.live("takes the failure of a child as an event, and fails when no state takes that", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const machine = setup({
          types: { events: {} as { readonly type: "go" } },
          actors: { work: fromDurable<undefined, number>() }
        }).createMachine({ id: "unheard", invoke: { src: "work", id: "work" } })
        const engine = fromMachine(machine, {
          version: "1",
          input: noInput,
          actors: { work: () => Effect.fail({ _tag: "Broken" as const, message: "it broke" }) }
        })
        const end = yield* Effect.flatMap(Processes, (processes) =>
          Effect.flatMap(processes.start(engine, { id: "u", payload: undefined }), (handle) =>
            Effect.flip(handle.await)
          )
        ).pipe(Effect.provide(hostOn(store, [engine])))
        assert.deepStrictEqual(end._tag, "ProcessFailed")
      })
    )
  )

  it.live("sends to its parent, its child and itself, and each takes the event once", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const child = setup({
          types: { events: {} as { readonly type: "ping"; readonly n: number } },
          actors: {}
        }).createMachine({
          id: "ponger",
          on: {
            ping: [
              { guard: ({ event }) => event.n > 2, target: ".over" },
              { actions: sendParent(({ event }) => ({ type: "pong", n: event.n })) }
            ]
          },
          initial: "on",
          states: { on: {}, over: { type: "final" } }
        })
        const Ponger = fromMachine(child, {
          version: "1",
          input: noInput,
          events: { ping: Schema.Struct({ n: Schema.Int }) }
        })
        const parent = setup({
          types: {
            context: {} as { readonly n: number },
            events: {} as { readonly type: "pong"; readonly n: number },
            output: {} as number
          },
          actors: { ponger: fromDurable<undefined, unknown>() }
        }).createMachine({
          id: "pinger",
          context: { n: 0 },
          initial: "on",
          states: {
            on: {
              invoke: { src: "ponger", id: "ponger", onDone: "done" },
              entry: sendTo("ponger", { type: "ping", n: 0 }),
              on: { pong: { actions: sendTo("ponger", ({ event }) => ({ type: "ping", n: event.n + 1 })) } }
            },
            done: { type: "final" }
          },
          output: 7
        })
        const Pinger = fromMachine(parent, {
          version: "1",
          input: noInput,
          events: { pong: Schema.Struct({ n: Schema.Int }) },
          actors: { ponger: Ponger }
        })
        const answer = yield* Effect.flatMap(Processes, (processes) =>
          Effect.flatMap(processes.start(Pinger, { id: "p", payload: undefined }), (handle) => handle.await)
        ).pipe(Effect.provide(hostOn(store, [Pinger])))
        assert.strictEqual(answer, 7)
        const taken = (id: string) => Effect.map(transitionsOf(id), (all) => all.map(({ event }) => event.type))
        assert.deepStrictEqual(yield* taken("p"), ["xstate.init", "pong", "pong", "pong", "xstate.done.actor.ponger"])
        assert.deepStrictEqual(yield* taken("p/ponger:1"), ["xstate.init", "ping", "ping", "ping", "ping"])
        // It is registered and has an event in one commit.
        assert.deepStrictEqual(
          (yield* store.children.of("p" as never)).map(({ processId }) => processId),
          ["p/ponger:1"] as never
        )
      })
    )
  )

  it.live("takes it as the failure of a child that the child cannot be started, at the beginning and later", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const { machine, options } = ordering
        const engine = fromMachine(machine, options)
        const why = "payload/amount of engine `buy` does not fit its schema: Expected"
        const bought = yield* Effect.gen(function* () {
          const processes = yield* Processes
          const handle = yield* processes.start(engine, { id: "o", payload: { amount: -1 } })
          yield* until(Effect.map(stateOf("o"), (chart) => chart?.value === "refused"))
          yield* handle.send({ type: "again", amount: 0.5 })
          yield* handle.send({ type: "again", amount: 2 })
          yield* until(Effect.map(stateOf("o"), (chart) => chart?.value === "bought"))
          const chart = yield* stateOf("o")
          // Nothing takes that its second child fails.
          yield* handle.send({ type: "unheard" })
          assert.include((yield* Effect.flip(handle.await)).message, `${why} a positive number, actual 0`)
          return chart
        }).pipe(Effect.provide(hostOn(store, [engine])))
        assert.deepStrictEqual(bought?.context, {
          amount: 2,
          refusals: [`${why} a positive number, actual -1`, `${why} an integer, actual 0.5`]
        })
        assert.deepStrictEqual([bought?.inputs, bought?.starts], [0, { buy: 1 }])
        const { differences } = yield* verify({ machines: [engine] })
        assert.deepStrictEqual(differences, [])
      })
    )
  )

  it.live("rests with the reason when a guard throws, and goes on with a version that does not", () =>
    onMemory(
      Effect.gen(function* () {
        const store = yield* ProcessStore
        let isBroken = true
        const machine = setup({ types: { events: {} as { readonly type: "go" } } }).createMachine({
          id: "thrower",
          initial: "a",
          states: {
            a: {
              on: {
                go: {
                  guard: () => {
                    if (isBroken) throw new Error("the guard broke")
                    return true
                  },
                  target: "b"
                }
              }
            },
            b: { type: "final" }
          }
        })
        const engine = fromMachine(machine, {
          version: "1",
          input: noInput,
          events: { go: noFields }
        })
        yield* Effect.gen(function* () {
          const processes = yield* Processes
          const handle = yield* processes.start(engine, { id: "t", payload: undefined })
          yield* handle.signal(Signal.make("go", { payload: Schema.Struct({}) }), {})
          yield* until(
            Effect.map(store.find(handle.id), (found) => found._tag === "Present" && found.row.backOff !== undefined)
          )
          const found = yield* store.find(handle.id)
          assert.deepStrictEqual(
            found._tag === "Present" && found.row.backOff?.problem,
            "the machine threw on event `go` in state \"a\": Unable to evaluate guard in transition for event 'go' in state node 'thrower.a':\nthe guard broke"
          )
          isBroken = false
          yield* handle.await
        }).pipe(Effect.provide(hostOn(store, [engine])))
      })
    )
  )
})

describe("what cannot be durable", () => {
  const refused = (machine: () => unknown, problem: RegExp) => () => {
    try {
      machine()
      assert.fail("it was taken")
    } catch (thrown) {
      assert.instanceOf(thrown, InputInvalid)
      assert.match((thrown as InputInvalid).message, problem)
    }
  }
  const rest = { version: "1", input: noInput } as const

  it(
    "is an action that is a function in the machine",
    refused(
      () => fromMachine(createMachine({ id: "m", entry: () => {} }), rest as never),
      /action in state `m`.*is given as a function: name it/
    )
  )
  it(
    "is an action that nothing performs",
    refused(
      () => fromMachine(setup({ actions: { act: () => {} } }).createMachine({ id: "m", entry: "act" }), rest as never),
      /^action `act` of machine `m` is performed by nothing: give it under `actions`$/
    )
  )
  it(
    "is a promise",
    refused(
      () =>
        fromMachine(
          setup({ actors: { p: fromPromise(async () => 1) } }).createMachine({ id: "m", invoke: { src: "p" } }),
          { ...rest, actors: { p: () => Effect.succeed(1) } } as never
        ),
      /actor `p`.*declare it with `fromDurable`/
    )
  )
  it(
    "is a delay that is neither a number nor a duration",
    refused(
      () => fromMachine(createMachine({ id: "m", after: { "in a while": {} } }), rest as never),
      /delay `in a while` of machine `m`.*is no duration/
    )
  )
  it(
    "is an event whose type is no name of a signal",
    refused(
      () =>
        fromMachine(createMachine({ id: "m", on: { "a b": {} } }), {
          ...rest,
          events: { "a b": Schema.Struct({}) }
        } as never),
      /event `a b` of machine `m`.*is no name of a signal/
    )
  )
})

describe("a host that went on after its process was taken over", () => {
  it.live("performs no action that its row says is another host's", () =>
    Effect.gen(function* () {
      const done: Array<string> = []
      const machine = setup({ actions: { first: () => {}, second: () => {} } }).createMachine({
        entry: ["first", "second"]
      })
      const engine = fromMachine(machine, {
        version: "1",
        input: noInput,
        context: noFields,
        events: {},
        actions: {
          first: () => Effect.sync(() => done.push("first")),
          second: () =>
            Effect.zipRight(
              Effect.sync(() => done.push("second")),
              Effect.never
            )
        }
      })
      const world = yield* Worlds.make(Worlds.inMemory)
      const timings = { leaseTtl: "90 millis", leaseRenewal: "30 millis", sweepInterval: "20 millis" } as const
      let isFrozen = false
      const host = yield* world.boot([engine], {
        ...timings,
        // Its next look at the row is after the other host has begun.
        onCommit: () => {
          if (done.length !== 1 || isFrozen) return
          isFrozen = true
          Effect.runSync(host.freeze)
        }
      })
      yield* host.begin(
        Effect.flatMap(Processes, (processes) => processes.start(engine, { id: "a", payload: undefined }))
      )
      yield* until(
        Effect.zipRight(
          world.turns(1),
          Effect.sync(() => isFrozen)
        )
      )
      yield* world.boot([engine], timings)
      yield* world.advance(150)
      assert.deepStrictEqual(done, ["first", "second"])
      yield* host.thaw
      yield* world.advance(150)
      assert.deepStrictEqual(done, ["first", "second"])
    }).pipe(Effect.scoped)
  )
})
