import { assert, describe } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import type { MachineHandle } from "../../src/runtime/client/MachineHandle.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { fast, testimony } from "../support/hosts.ts"
import { stateOf } from "./charts.ts"
import { onEachStore } from "./stores.ts"

/** A shop: it rings while it opens, and may close with a last bell. Its root takes `stop` in every state. */
const machine = setup({
  types: {
    events: {} as { readonly type: "close" } | { readonly type: "closeWithBell" } | { readonly type: "stop" }
  },
  actions: { ring: () => {} }
}).createMachine({
  id: "shop",
  initial: "open",
  on: { stop: ".closed" },
  states: {
    open: { entry: "ring", on: { close: "closed", closeWithBell: "ringing" } },
    ringing: { type: "final", entry: "ring" },
    closed: { type: "final" }
  }
})

class BellBroken extends Schema.TaggedError<BellBroken>()("BellBroken", {}) {}

/** A host of a shop whose bell rings so, one time after the other, and what the host says of it. */
const opened = <A, E>(
  rings: ReadonlyArray<Effect.Effect<void, BellBroken>>,
  test: (shop: MachineHandle<typeof machine>) => Effect.Effect<A, E, ProcessStore>
) =>
  Effect.gen(function* () {
    let rung = 0
    const warnings: Array<string> = []
    const Shop = fromMachine(machine, {
      version: "1",
      input: Schema.Struct({}),
      events: { close: Schema.Struct({}), closeWithBell: Schema.Struct({}), stop: Schema.Struct({}) },
      actions: { ring: () => Effect.suspend(() => rings[rung++] ?? Effect.void) }
    })
    const logger = Logger.make(({ logLevel, message }) => {
      if (LogLevel.greaterThanEqual(logLevel, LogLevel.Warning)) warnings.push(String(message))
    })
    const store = yield* ProcessStore
    const host = SingleHost.onStore({ ...fast, engines: [Shop] }, testimony().layer).pipe(
      Layer.provide(Layer.succeed(ProcessStore, store)),
      Layer.provide(Logger.replace(Logger.defaultLogger, logger))
    )
    yield* Effect.flatMap(Processes, (processes) => processes.start(Shop, { id: "s", payload: {} })).pipe(
      Effect.flatMap(test),
      Effect.provide(host)
    )
    return warnings
  })

describe("the end of a machine", () => {
  onEachStore("is the end of its process in the same commit, although a worker has its lease", () =>
    Effect.gen(function* () {
      const bell = yield* Deferred.make<void, BellBroken>()
      const warnings = yield* opened([Deferred.await(bell)], (shop) =>
        Effect.gen(function* () {
          const asked = yield* Effect.fork(shop.ask({ type: "close" }))
          yield* inputsOf("s", 1)
          yield* Deferred.succeed(bell, undefined)
          const end = yield* Fiber.join(asked)
          assert.deepStrictEqual([end.value, end.status, end.isAtRest], ["closed", "done", true])
          const store = yield* ProcessStore
          const events = yield* store.eventsAfter(shop.id, 0)
          assert.deepStrictEqual(
            events.slice(-2).map(({ eventType }) => eventType),
            ["machine.transitioned", "process.completed"]
          )
        })
      )
      assert.deepStrictEqual(warnings, [])
    })
  )

  for (const [rings, bellEnds, status] of [
    ["rings", Exit.void, "done"],
    ["breaks", Exit.fail(new BellBroken()), "error"]
  ] as const) {
    onEachStore(`is not shown before its last action has been performed, when that ${rings}`, () =>
      Effect.gen(function* () {
        const bell = yield* Deferred.make<void, BellBroken>()
        const warnings = yield* opened([Effect.void, Deferred.await(bell)], (shop) =>
          Effect.gen(function* () {
            const last = yield* shop.ask({ type: "closeWithBell" })
            assert.deepStrictEqual([last.value, last.status, last.isAtRest], ["ringing", "active", false])
            assert.deepStrictEqual([last.accepts, last.can({ type: "stop" })], [[], false])
            yield* Deferred.done(bell, bellEnds)
            const end = yield* shop.waitFor((now) => now.status !== "active")
            assert.deepStrictEqual([end.value, end.status, end.isAtRest], ["ringing", status, true])
          })
        )
        assert.deepStrictEqual(warnings, [])
      })
    )
  }
})

/** Waits until so many events have come that a machine has not taken. */
const inputsOf = (id: string, count: number) =>
  Effect.repeat(stateOf(id), { until: (state) => state?.inputs === count, schedule: Schedule.spaced("5 millis") })
