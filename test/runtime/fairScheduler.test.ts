import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import * as Fair from "../../src/runtime/body/fairScheduler.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { until } from "../support/hosts.ts"

/** Holds the event loop. */
const burn = (ms: number): void => {
  const untilMs = performance.now() + ms
  while (performance.now() < untilMs);
}

let turns = 0

/** How often the busy step gives way: for two seconds in all. */
const allTurns = 400

const options = { version: "1", payload: Schema.Null, success: Schema.Int, disposition: "rerunnable" } as const

const Busy = Engine.make("busy", {
  ...options,
  run: (_, ctx) =>
    ctx.step(
      "compute",
      Effect.gen(function* () {
        for (turns = 1; turns < allTurns; turns++) {
          burn(5)
          yield* Effect.yieldNow()
        }
        return turns
      })
    )
})

const Quick = Engine.make("quick", {
  ...options,
  run: (_, ctx) =>
    Effect.gen(function* () {
      yield* ctx.step("one", Effect.succeed(1))
      return yield* ctx.step(
        "two",
        Effect.sync(() => turns)
      )
    })
})

describe("the fibers of bodies", () => {
  it("let the event loop have its turn between them, and begin in their order", async () => {
    const ran: Array<number> = []
    let ranBefore = 0
    let most = 0
    const turn = (): void => {
      most = Math.max(most, ran.length - ranBefore)
      ranBefore = ran.length
      if (ran.length < 60) setImmediate(turn)
    }
    const all = Effect.forEach(
      Array.from({ length: 60 }, (_, n) => n),
      (n) =>
        Effect.sync(() => {
          burn(1)
          ran.push(n)
        }),
      { concurrency: "unbounded", discard: true }
    )
    setImmediate(turn)
    const scheduler = Fair.make()
    await Effect.runPromise(Effect.locally(all, FiberRef.currentScheduler, scheduler))
    assert.isAtMost(most, 10, "fibers in one turn")
    assert.deepStrictEqual(
      ran,
      ran.toSorted((one, other) => one - other)
    )
    assert.isFalse(scheduler.hasPutOff())
  })
  it("come to rest by themselves, whatever others put off; who waits for that is called once", async () => {
    const [busy, idle] = [Fair.make(), Fair.make()]
    const called: Array<string> = []
    const work = Effect.forEach(
      Array.from({ length: 20 }),
      () =>
        Effect.zipRight(
          Effect.sync(() => burn(1)),
          Effect.yieldNow()
        ),
      {
        concurrency: "unbounded",
        discard: true
      }
    )
    const running = Effect.runPromise(Effect.locally(work, FiberRef.currentScheduler, busy))
    for (let n = 0; !busy.hasPutOff() && n < 10_000; n++) await Promise.resolve()
    assert.isFalse(idle.hasPutOff())
    busy.afterwards(() => called.push("first"))
    busy.afterwards(() => called.push("second"))
    await running
    assert.isFalse(busy.hasPutOff())
    assert.deepStrictEqual(called, ["second"])
  })

  it.live("let one body learn of its steps while a step of another one computes", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const busy = yield* processes.start(Busy, { id: "busy", payload: null })
      yield* until(Effect.sync(() => turns > 2))
      const quick = yield* processes.start(Quick, { id: "quick", payload: null })
      assert.isBelow(yield* quick.await, allTurns)
      assert.strictEqual(yield* busy.await, allTurns)
    }).pipe(Effect.provide(SingleHost.layerMemory({ engines: [Busy, Quick] })))
  )
})
