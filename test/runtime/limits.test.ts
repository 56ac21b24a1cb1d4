import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { InputInvalid } from "../../src/model/errors.ts"
import type { RuntimeError } from "../../src/model/failures.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { bounded, memory, until } from "../support/hosts.ts"

/** Bodies that count how many of them work at once, and wait for the gate. */
const gated = (kind: string, concurrency?: number) => {
  const gate = Deferred.unsafeMake<void>(FiberId.none)
  const seen = { now: 0, most: 0, begun: 0 }
  const engine = Engine.make(kind, {
    version: "1",
    payload: Schema.Number,
    success: Schema.Number,
    disposition: "rerunnable",
    ...(concurrency === undefined ? {} : { concurrency }),
    run: (n) =>
      Effect.acquireUseRelease(
        Effect.sync(() => {
          seen.begun++
          seen.most = Math.max(seen.most, ++seen.now)
        }),
        () => Effect.as(Deferred.await(gate), n),
        () => Effect.sync(() => seen.now--)
      )
  })
  return { engine, gate, seen }
}

describe("an engine with a limit of its own", () => {
  it.live("never has more bodies at work, and all of them are run in the end", () => {
    const { engine, gate, seen } = gated("limited", 2)
    return Effect.gen(function* () {
      const processes = yield* Processes
      const handles = yield* Effect.forEach([1, 2, 3, 4, 5, 6], (n) =>
        processes.start(engine, { id: `l${n}`, payload: n })
      )
      yield* until(Effect.sync(() => seen.begun === 2))
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* bounded(Effect.forEach(handles, (handle) => handle.await)), [1, 2, 3, 4, 5, 6])
      assert.strictEqual(seen.most, 2)
    }).pipe(Effect.provide(memory([engine])))
  })

  it.live("does not hold up others while its own places are taken", () => {
    const limited = gated("limited", 1)
    const free = gated("free")
    Deferred.unsafeDone(free.gate, Effect.void)
    return Effect.gen(function* () {
      const processes = yield* Processes
      const handles = yield* Effect.forEach([1, 2, 3], (n) =>
        processes.start(limited.engine, { id: `l${n}`, payload: n })
      )
      for (const n of [4, 5, 6]) {
        const handle = yield* processes.start(free.engine, { id: `f${n}`, payload: n })
        assert.strictEqual(yield* bounded(handle.await), n)
      }
      assert.strictEqual(limited.seen.begun, 1)
      yield* Deferred.succeed(limited.gate, undefined)
      yield* bounded(Effect.forEach(handles, (handle) => handle.await))
      assert.strictEqual(limited.seen.most, 1)
    }).pipe(Effect.provide(memory([limited.engine, free.engine], { maxConcurrent: 2 })))
  })

  it.live(
    "one place is enough for a parent and a child of the same engine, since a body that waits lends its place",
    () => {
      const Nested: Engine.Engine<number, number, RuntimeError, never> = Engine.make("nested", {
        version: "1",
        payload: Schema.Number,
        success: Schema.Number,
        disposition: "rerunnable",
        concurrency: 1,
        run: (depth, ctx) =>
          depth === 0
            ? Effect.succeed(0)
            : Effect.gen(function* () {
                const child = yield* ctx.start(Nested, { name: "child", payload: depth - 1 })
                return 1 + (yield* Effect.orDie(child.await))
              })
      })
      return Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(Nested, { id: "n", payload: 4 })
        assert.strictEqual(yield* bounded(handle.await), 4)
      }).pipe(Effect.provide(memory([Nested], { maxConcurrent: 1 })))
    }
  )

  it.effect("is refused when its limit is no count", () =>
    Effect.gen(function* () {
      const { engine } = gated("limited", 0)
      const error = yield* Effect.flip(Effect.scoped(Layer.build(SingleHost.layerMemory({ engines: [engine] }))))
      assert.strictEqual(error.message, "engines/limited@1/concurrency must be a whole number of at least 1")
    })
  )
})

describe("what an engine says of a start", () => {
  const Picky = Engine.make("picky", {
    version: "3",
    payload: Schema.Struct({ from: Schema.Number, to: Schema.Number }),
    success: Schema.Number,
    disposition: "rerunnable",
    validateStart: ({ from, to }) =>
      from <= to ? Effect.void : Effect.fail(new InputInvalid({ field: "payload", problem: "ends before it begins" })),
    identity: ({ from, to }) => ({ label: `${from} to ${to}`, definition: { steps: to - from, version: "forged" } }),
    run: ({ from, to }) => Effect.succeed(to - from)
  })

  it.live("a payload that makes no sense is refused, and nothing is registered", () =>
    Effect.gen(function* () {
      const processes = yield* Processes
      const error = yield* Effect.flip(processes.start(Picky, { id: "p", payload: { from: 2, to: 1 } }))
      assert.strictEqual(error.message, "payload ends before it begins")
      assert.deepStrictEqual(yield* processes.listNonTerminal, [])
    }).pipe(Effect.provide(memory([Picky])))
  )

  it.live(
    "a process is known by what its engine makes of the payload, and runs by the engine's own kind and version",
    () =>
      Effect.gen(function* () {
        const processes = yield* Processes
        const handle = yield* processes.start(Picky, { id: "p", payload: { from: 1, to: 3 } })
        assert.strictEqual(yield* bounded(handle.await), 2)
        assert.deepStrictEqual((yield* handle.status).identity, {
          kind: "picky",
          label: "1 to 3",
          definition: { steps: 2, kind: "picky", version: "3" }
        })
        const labelled = yield* processes.start(Picky, { id: "q", label: "mine", payload: { from: 1, to: 3 } })
        assert.strictEqual((yield* labelled.status).identity.label, "mine")
      }).pipe(Effect.provide(memory([Picky])))
  )
})
