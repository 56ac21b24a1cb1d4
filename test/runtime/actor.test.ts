import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Host } from "../../src/host/Host.ts"
import { Processes } from "../../src/host/Processes.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { faultyStore, gated, hostOn, inVirtualTime, logOf, nodeIn } from "../supervision/harness.ts"
import { bounded, until } from "../support/hosts.ts"

const node = (name: string) =>
  Effect.map(
    Effect.flatMap(Host, ({ tree }) => tree),
    (tree) => nodeIn(tree, name)
  )

const Breaks = Engine.make("breaks", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.die(new RangeError("the body's own"))
})

describe("the actor of an activation", () => {
  it.live("survives defects of its own: the body runs once, its end is written, and the tree says what happened", () =>
    Effect.gen(function* () {
      const { store, breaks, mends } = yield* faultyStore
      const { engine, begun, interrupted, open } = gated("owner_bound")
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        const handle = yield* processes.start(engine, { id: "p", payload: "p" })
        yield* until(Effect.sync(() => begun.length === 1))
        breaks("process.completed")
        yield* open
        yield* until(Effect.map(node("p"), (actor) => (actor?.restarts ?? 0) >= 2))
        assert.include((yield* node("p"))?.lastFailure?.problem, "process.completed broke")
        assert.deepInclude(yield* node("p"), { kind: "process", state: "completing" })
        // What has nothing to do with it ends as it should.
        const other = yield* processes.start(Breaks, { id: "q", payload: null })
        assert.include((yield* bounded(Effect.flip(other.await))).message, "the body's own")
        mends("process.completed")
        assert.strictEqual(yield* bounded(handle.await), "p")
        assert.deepStrictEqual([begun, interrupted], [["p"], []])
        assert.deepStrictEqual(yield* logOf(store, "p"), ["process.started", "process.completed"])
        yield* until(Effect.map(node("p"), (actor) => actor === undefined))
      }).pipe(Effect.provide(hostOn(store, [engine, Breaks])))
    })
  )

  it.live("gives up after ten defects and leaves its lease to run out: then the work is begun again", () =>
    Effect.gen(function* () {
      const { store, breaks } = yield* faultyStore
      const { engine, begun, open } = gated()
      const record = yield* Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(engine, { id: "p", payload: "p" })
        breaks("process.completed", 11)
        yield* open
        assert.strictEqual(yield* handle.await, "p")
        return yield* handle.status
      }).pipe(Effect.provide(hostOn(store, [engine])), inVirtualTime)
      assert.deepStrictEqual(begun, ["p", "p"])
      assert.deepStrictEqual([record.activations, record.attempts], [2, 2])
      assert.deepStrictEqual(yield* logOf(store, "p"), ["process.started", "process.started", "process.completed"])
    })
  )

  it.live("never starts a body again in place: a defect of the body is its outcome", () =>
    Effect.gen(function* () {
      const { store } = yield* faultyStore
      yield* Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(Breaks, { id: "p", payload: null })
        const failure = yield* bounded(Effect.flip(handle.await))
        assert.strictEqual(failure._tag, "ProcessFailed")
        assert.include(failure.message, "RangeError: the body's own")
        assert.deepStrictEqual(yield* logOf(store, "p"), ["process.started", "process.failed"])
        assert.deepStrictEqual((yield* handle.status).activations, 1)
      }).pipe(Effect.provide(hostOn(store, [Breaks])))
    })
  )
})
