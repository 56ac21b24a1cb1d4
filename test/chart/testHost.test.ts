import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { setup } from "xstate"
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
