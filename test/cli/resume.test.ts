/** `holdfast resume` on the file of a process whose code has changed. */
import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { bounded, sqlite, temporaryFolder, until } from "../support/hosts.ts"
import { holdfast } from "./running.ts"

const Go = Signal.make("go", { payload: Schema.Number })

const engineWith = (step: string) =>
  Engine.make("order", {
    version: "1",
    payload: Schema.Null,
    success: Schema.String,
    signals: [Go],
    disposition: "rerunnable",
    run: (_, ctx) =>
      Effect.zipWith(ctx.step(step, Effect.succeed(step)), ctx.awaitSignal(Go), (done, n) => `${done} ${n}`)
  })

it.scopedLive("a process that rests is shown what a resumption leaves behind, and goes on once it is allowed", () =>
  Effect.gen(function* () {
    const db = `${yield* temporaryFolder}/agent.db`
    const before = engineWith("charge")
    yield* Effect.gen(function* () {
      yield* (yield* Processes).start(before, { id: "p", payload: null })
      const registry = yield* ProcessRegistry
      yield* until(
        Effect.map(registry.recentEvents(processId("p"), 1), ([event]) => event?.eventType === "process.waiting")
      )
    }).pipe(Effect.provide(sqlite(db, [before])))

    const run = (...args: ReadonlyArray<string>) => Effect.promise(() => holdfast(["resume", "p", "--db", db, ...args]))
    assert.deepStrictEqual(yield* run("--from", "1", "--dry-run"), {
      code: 0,
      out: "p: entries 1 to 2 of its journal would not count any more.\n  1 charge#1 (step) may be done again\n",
      err: ""
    })
    const refused = yield* run("--from", "1")
    assert.strictEqual(refused.code, 1)
    assert.include(refused.err, "what it did would be done again: 1 charge#1; allow that (repeat)")
    assert.strictEqual((yield* run("--from", "3")).code, 1)
    assert.strictEqual((yield* run()).code, 2)
    assert.strictEqual((yield* run("--from", "1", "--children", "sell")).code, 2)
    const done = yield* run("--from", "1", "--repeat", "--json", "--reason", "new code")
    assert.deepInclude(JSON.parse(done.out), { from: 1, to: 2, children: [] })

    const after = engineWith("bill")
    yield* Effect.gen(function* () {
      const handle = (yield* Processes).handle(after, "p")
      yield* handle.signal(Go, 7)
      assert.strictEqual(yield* bounded(handle.await), "bill 7")
    }).pipe(Effect.provide(sqlite(db, [after])))
    const verified = yield* Effect.promise(() => holdfast(["verify", "--db", db]))
    assert.strictEqual(verified.code, 0, verified.err)
  })
)
