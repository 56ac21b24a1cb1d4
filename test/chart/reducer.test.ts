import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { fromTransition, sendTo, setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as Machines from "../../src/testing/Machines.ts"
import { hostOn, until } from "../support/hosts.ts"
import { samples } from "../support/samples.ts"
import { stateOf } from "./charts.ts"
import { onEachStore } from "./stores.ts"

type Command = { readonly type: "add"; readonly by: number } | { readonly type: "reset" }

const counting = fromTransition(
  (sum: number, command: Command) => (command.type === "add" ? sum + command.by : 0),
  ({ input }: { readonly input: number }) => input
)

/** It counts what comes in a reducer of its own, until it is closed. */
const till = setup({
  types: { events: {} as { readonly type: "pay"; readonly amount: number } | { readonly type: "close" | "odd" } },
  actors: { sum: counting }
}).createMachine({
  id: "till",
  initial: "open",
  states: {
    open: {
      invoke: { src: "sum", id: "sum", input: 100 },
      on: {
        pay: { actions: sendTo("sum", ({ event }) => ({ type: "add", by: event.amount })) },
        odd: { actions: sendTo("sum", { type: "reset" }) },
        close: "closed"
      }
    },
    closed: { on: { odd: "open" } }
  }
})

const events = { pay: Schema.Struct({ amount: Schema.Int }), close: Schema.Struct({}), odd: Schema.Struct({}) }
const Till = fromMachine(till, {
  version: "1",
  input: Schema.Null,
  events,
  actors: { sum: { events: { add: Schema.Struct({ by: Schema.Int }) }, state: Schema.Int } }
})

const sumOf = (id: string) => Effect.map(stateOf(id), (chart) => chart?.context["state"])

describe("a reducer as an actor", () => {
  onEachStore(
    "is a process with its state, which hosts that end do not lose, and ends with the state that invoked it",
    () =>
      Effect.gen(function* () {
        const store = yield* ProcessStore
        const hosted = <A, E>(effect: Effect.Effect<A, E, Processes | ProcessStore>) =>
          Effect.provide(effect, hostOn(store, [Till]))
        const handle = Effect.map(Processes, (processes) => processes.handle(Till, "t"))
        yield* hosted(
          Effect.gen(function* () {
            const processes = yield* Processes
            const started = yield* processes.start(Till, { id: "t", payload: null })
            yield* started.send({ type: "pay", amount: 3 })
            yield* until(Effect.map(sumOf("t/sum:1"), (sum) => sum === 103))
          })
        )
        yield* hosted(
          Effect.gen(function* () {
            const till = yield* handle
            yield* till.send({ type: "pay", amount: 4 })
            // It takes what was declared: nothing resets it.
            yield* till.send({ type: "odd" })
            yield* until(Effect.map(sumOf("t/sum:1"), (sum) => sum === 107))
            yield* till.send({ type: "close" })
            const processes = yield* Processes
            yield* Effect.flip(processes.handle(Till, "t/sum:1").await)
            yield* till.send({ type: "odd" })
            yield* until(Effect.map(sumOf("t/sum:2"), (sum) => sum === 100))
          })
        )
      })
  )

  it("is checked as part of its machine", () => Effect.runPromise(Machines.check(Till, { runs: samples(10, 1_000) })))

  it("is refused without the events that it takes, and with what runs it", () => {
    assert.throws(
      // @ts-expect-error a reducer is not run by a function
      () => fromMachine(till, { version: "1", input: Schema.Null, events, actors: { sum: () => Effect.succeed(1) } }),
      /actors of machine `till`\/sum is a function/
    )
    assert.throws(
      () =>
        // @ts-expect-error it takes no such event
        fromMachine(till, { version: "1", input: Schema.Null, events, actors: { sum: { events: { add: 7 } } } }),
      /event|schema/
    )
  })
})
