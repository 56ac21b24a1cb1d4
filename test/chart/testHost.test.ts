import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assign, setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import * as TestHost from "../../src/testing/TestHost.ts"
import { approvalNoting } from "./charts.ts"

/** A body that naps for an hour twice, and notes when it woke. */
const napper = (woke: Array<number>, more: { readonly passivateAfter?: "1 minute" } = {}) =>
  Engine.make("napper", {
    version: "1",
    payload: Schema.Null,
    success: Schema.Null,
    disposition: "rerunnable",
    ...more,
    run: (_, ctx) => {
      const wake = ctx.step(
        "wake",
        Effect.map(Clock.currentTimeMillis, (nowMs) => void woke.push(nowMs))
      )
      const nap = Effect.zipRight(ctx.sleep("1 hour"), wake)
      return Effect.as(Effect.zipRight(nap, nap), null)
    }
  })

const parent = setup({ actors: { napper: fromDurable<null, null>() } }).createMachine({
  id: "parent",
  initial: "waiting",
  states: { waiting: { invoke: { src: "napper", input: null, onDone: "over" } }, over: { type: "final" } }
})

/** A chain of delays, each armed while its host rests. */
const hops = setup({}).createMachine({
  id: "hops",
  initial: "one",
  states: { one: { after: { 37: "two" } }, two: { after: { 0: "three" } }, three: { after: { 5: "over" } }, over: {} }
})

/** It beats once a minute. */
const beating = setup({ types: { context: {} as { readonly beats: number } } }).createMachine({
  id: "beating",
  context: { beats: 0 },
  initial: "on",
  states: {
    on: {
      after: {
        60000: {
          target: "on",
          reenter: true,
          actions: assign({ beats: ({ context }) => context.beats + 1 })
        }
      }
    }
  }
})

/** It may leave its actor before it has taken that this one ended. */
const leaving = setup({
  types: {
    context: {} as { readonly heard: number },
    events: {} as { readonly type: "leave" } | { readonly type: "xstate.done.actor.work" }
  },
  actors: { work: fromDurable<undefined, null>() },
  actions: { mail: () => {} }
}).createMachine({
  id: "leaving",
  context: { heard: 0 },
  initial: "working",
  on: { "xstate.done.actor.work": { actions: assign({ heard: ({ context }) => context.heard + 1 }) } },
  states: {
    working: { entry: "mail", invoke: { src: "work", id: "work" }, on: { leave: "left" } },
    left: {}
  }
})

/** The first one is started. */
const nappersOf = {
  "a body that is put away": (woke: Array<number>) => [napper(woke, { passivateAfter: "1 minute" })] as const,
  "a body in memory": (woke: Array<number>) => [napper(woke)] as const,
  "the actor of a machine": (woke: Array<number>) =>
    [fromMachine(parent, { version: "1", input: Schema.Null, events: {}, actors: { napper: napper(woke) } })] as const
}

describe("a host for tests", () => {
  it("crashes with the commit that it was given as its last", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const engine = approvalNoting([])
          const host = yield* TestHost.make([engine])
          yield* host.restart({ lastCommit: 1 })
          yield* host.begin(
            Effect.flatMap(Processes, (processes) => processes.start(engine, { id: "a", payload: { n: 1 } }))
          )
          yield* host.settle
          assert.isFalse(host.isAlive())
        })
      )
    ))

  it("lets months pass in a moment, and delays fire at their time", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const engine = approvalNoting([])
          const host = yield* TestHost.make([engine])
          yield* host.run(
            Effect.flatMap(Processes, (processes) => processes.start(engine, { id: "a", payload: { n: 1 } }))
          )
          yield* host.settle
          yield* host.restart()
          yield* host.advance("2 days")
          assert.deepStrictEqual((yield* host.row("a"))?.snapshot.context.chart?.value, "waiting")
          yield* host.advance("60 days")
          assert.deepStrictEqual((yield* host.row("a"))?.snapshot.context.chart?.value, "expired")
        })
      )
    ))

  it("fires each delay of a machine at its time, also one that is armed while the driver of timers sleeps", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const engine = fromMachine(hops, { version: "1", input: Schema.Undefined, events: {} })
          const host = yield* TestHost.make([engine])
          yield* host.run(
            Effect.flatMap(Processes, (processes) => processes.start(engine, { id: "hops", payload: undefined }))
          )
          yield* host.advance(100)
          const log = yield* host.log("hops")
          const times = log.flatMap(({ eventType, occurredAtMs }) =>
            eventType === "machine.input" ? [occurredAtMs] : []
          )
          const [beganMs = 0] = log.map(({ occurredAtMs }) => occurredAtMs)
          assert.deepStrictEqual(times, [beganMs + 37, beganMs + 37, beganMs + 42])
        })
      )
    ))

  it("lets a day pass of a machine that does something each minute", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const engine = fromMachine(beating, { version: "1", input: Schema.Undefined })
          const host = yield* TestHost.make([engine])
          const start = Effect.flatMap(Processes, (processes) =>
            processes.start(engine, { id: "beating", payload: undefined })
          )
          yield* host.run(start)
          yield* host.advance("1 day")
          const { chart } = (yield* host.row("beating"))?.snapshot.context ?? {}
          assert.deepStrictEqual(chart?.context, { beats: 24 * 60 })
        })
      )
    ))

  it("lets a machine hear of an actor that had ended when its state was left, as XState does", () =>
    Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const mailed = yield* Deferred.make<void>()
          const worked = yield* Deferred.make<void>()
          const engine = fromMachine(leaving, {
            version: "1",
            input: Schema.Undefined,
            events: { leave: Schema.Struct({}) },
            actions: { mail: () => Deferred.await(mailed) },
            actors: { work: () => Effect.as(Deferred.await(worked), null) }
          })
          const host = yield* TestHost.make([engine])
          const id = "leaving"
          const start = Effect.flatMap(Processes, (processes) => processes.start(engine, { id, payload: undefined }))
          yield* host.run(Effect.flatMap(start, (handle) => handle.send({ type: "leave" })))
          yield* Deferred.succeed(worked, undefined)
          yield* host.settle
          const log = yield* host.log(id)
          const types = log
            .map(({ eventType }) => eventType)
            .filter((type) => /^(signal|machine|process.child)/.test(type))
          assert.deepStrictEqual(types, ["machine.transitioned", "signal.leave", "process.child_ended"])
          yield* Deferred.succeed(mailed, undefined)
          yield* host.settle
          const { value, context } = (yield* host.row(id))?.snapshot.context.chart ?? {}
          assert.deepStrictEqual([value, context], ["left", { heard: 1 }])
        })
      )
    ))

  for (const [of, nappers] of Object.entries(nappersOf)) {
    it(`wakes ${of} at its time, however far time goes at once`, () =>
      Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const woke: Array<number> = []
            const engines = nappers(woke)
            const host = yield* TestHost.make(engines)
            const beginMs = host.nowMs()
            yield* host.run(
              Effect.flatMap(Processes, (processes) => processes.start(engines[0], { id: "napper", payload: null }))
            )
            yield* host.advance("3 hours")
            assert.deepStrictEqual(
              woke.map((atMs) => Math.round((atMs - beginMs) / 60_000)),
              [60, 120]
            )
            assert.strictEqual(host.nowMs(), beginMs + 3 * 3_600_000)
            assert.strictEqual((yield* host.row("napper"))?.snapshot.value, "completed")
          })
        )
      ))
  }
})
