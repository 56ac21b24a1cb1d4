import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import { Leases } from "../../src/operations/Leases.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { bounded, memory, sqlite, temporaryFolder, until } from "../support/hosts.ts"

/** Holds the event loop, as a laptop's sleep does: nothing in this process runs meanwhile. */
const sleepLike = (ms: number) =>
  Effect.sync(() => {
    const until = performance.now() + ms
    while (performance.now() < until);
  })

describe("recovery by the host that runs a process", () => {
  it.live("a host that slept past its leases goes on with its bodies: each runs once, under the next fence", () => {
    let begun = 0
    let running = 0
    let most = 0
    let open = false
    const Slow = Engine.make("slow", {
      version: "1",
      payload: Schema.Null,
      success: Schema.String,
      disposition: "rerunnable",
      run: () =>
        Effect.acquireUseRelease(
          Effect.sync(() => {
            begun++
            most = Math.max(most, ++running)
          }),
          () => Effect.as(until(Effect.sync(() => open)), "done"),
          () => Effect.sync(() => running--)
        )
    })
    return Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Slow, { id: "s", payload: null })
      yield* until(Effect.sync(() => begun === 1))
      yield* sleepLike(400)
      yield* until(
        Effect.flatMap(Leases, (leases) =>
          Effect.map(leases.getProcessLease(processId("s")), (lease) => lease?.fencingToken === 2)
        )
      )
      open = true
      assert.strictEqual(yield* bounded(handle.await), "done")
      assert.deepStrictEqual([begun, most], [1, 1])
      assert.strictEqual((yield* handle.status).activations, 1)
    }).pipe(
      Effect.provide(memory([Slow], { leaseTtl: "240 millis", leaseRenewal: "80 millis", sweepInterval: "20 millis" }))
    )
  })

  it.scopedLive("a cancel that came while no worker ran the process reaches the body that is activated again", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/a.db`
      let begun = 0
      const Waits = Engine.make("waits", {
        version: "1",
        payload: Schema.Null,
        success: Schema.Null,
        disposition: "rerunnable",
        run: () =>
          Effect.zipRight(
            Effect.sync(() => begun++),
            Effect.never
          )
      })
      yield* Effect.gen(function* () {
        yield* (yield* Processes).start(Waits, { id: "w", payload: null })
        yield* until(Effect.sync(() => begun === 1))
      }).pipe(Effect.provide(sqlite(file, [Waits])))
      yield* Effect.gen(function* () {
        yield* (yield* ProcessRegistry).requestProcessCancel(processId("w"), "over", Authority.host)
      }).pipe(Effect.provide(sqlite(file, [], { sweepInterval: false })))
      const failure = yield* Effect.gen(function* () {
        return yield* bounded(Effect.flip((yield* Processes).handle(Waits, "w").await))
      }).pipe(Effect.provide(sqlite(file, [Waits])))
      assert.strictEqual(failure.message, "process `w` was cancelled: over")
    })
  )

  it.scopedLive("rows that cannot run here keep no other row from running", () =>
    Effect.gen(function* () {
      const file = `${yield* temporaryFolder}/b.db`
      const Throws = Schema.transform(Schema.String, Schema.String, {
        strict: true,
        decode: (text) => {
          if (text === "bad") throw new Error("no such thing")
          return text
        },
        encode: (text) => text
      })
      const Picky = Engine.make("picky", {
        version: "1",
        payload: Throws,
        success: Schema.String,
        disposition: "rerunnable",
        run: Effect.succeed
      })
      const ids = Array.from({ length: 20 }, (_, index) => index)
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        yield* Effect.forEach(ids, (n) => processes.start(Picky, { id: `a-${n}`, payload: "bad" }))
        yield* Effect.forEach(ids, (n) => processes.start(Picky, { id: `b-${n}`, payload: "good" }))
      }).pipe(Effect.provide(sqlite(file, [])))
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        const good = yield* bounded(
          Effect.forEach(ids, (n) => processes.handle(Picky, `b-${n}`).await, { concurrency: "unbounded" })
        )
        assert.strictEqual(good.length, 20)
        const left = yield* processes.listNonTerminal
        assert.deepStrictEqual([left.length, left.every((record) => record.activations === 0)], [20, true])
      }).pipe(Effect.provide(sqlite(file, [Picky])))
    })
  )

  it.live("a commit listener that throws hears every commit nevertheless, and no commit waits for it", () =>
    Effect.gen(function* () {
      const Echo = Engine.make("echo", {
        version: "1",
        payload: Schema.String,
        success: Schema.String,
        disposition: "rerunnable",
        run: Effect.succeed
      })
      const folder = yield* temporaryFolder
      yield* Effect.gen(function* () {
        const heard = new Set<string>()
        yield* (yield* ProcessStore).onCommit((changes) => {
          for (const { events } of changes)
            for (const { processId: id, sequence } of events) heard.add(`${id} ${sequence}`)
          throw new Error("a fault of the listener")
        })
        const processes = yield* Processes
        for (const id of ["one", "two"]) {
          const handle = yield* processes.start(Echo, { id, payload: id })
          assert.strictEqual(yield* bounded(handle.await), id)
        }
        assert.deepStrictEqual([...heard], ["one 1", "one 2", "two 1", "two 2"])
      }).pipe(Effect.scoped, Effect.provide(sqlite(`${folder}/c.db`, [Echo])))
    }).pipe(Effect.scoped)
  )

  it.live("what the runtime reports is never taken for the engine's own error", () => {
    const Dies = Engine.make("dies", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Null,
      error: Schema.Unknown,
      disposition: "rerunnable",
      run: () =>
        Effect.all([Effect.die(new Error("broken")), Effect.never], { concurrency: 2, discard: true }).pipe(
          Effect.as(null)
        )
    })
    return Effect.gen(function* () {
      const handle = yield* (yield* Processes).start(Dies, { id: "d", payload: null })
      const failure = yield* bounded(Effect.flip(handle.await))
      assert.include(String(failure), "process_defect")
      assert.include(String(failure), "Error: broken")
    }).pipe(Effect.provide(memory([Dies])))
  })
})
