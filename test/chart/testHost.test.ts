import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Processes } from "../../src/host/Processes.ts"
import * as TestHost from "../../src/testing/TestHost.ts"
import { approvalNoting } from "./charts.ts"

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
})
