/**
 * The events of a host: what a sink that projects processes, or alerts, learns of them.
 */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import type { HostEvent } from "../../src/host/Host.ts"
import { Host } from "../../src/host/Host.ts"
import * as HostEvents from "../../src/host/HostEvents.ts"
import { Processes } from "../../src/host/Processes.ts"
import { StoreError } from "../../src/model/errors.ts"
import type { ProcessId } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import type { ProcessRecord } from "../../src/model/ProcessRecord.ts"
import { ChangeFeed } from "../../src/operations/ChangeFeed.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Listeners from "../../src/store/listeners.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { bounded, memory, sqlite, temporaryFolder, until } from "../support/hosts.ts"

const Work = Engine.make("work", {
  version: "1",
  payload: Schema.Struct({ steps: Schema.Number }),
  success: Schema.Number,
  disposition: "rerunnable",
  run: ({ steps }, ctx) =>
    Effect.as(
      Effect.forEach(
        Array.from({ length: steps }, (_, index) => index),
        (index) => ctx.step(`step ${index}`, Effect.succeed(index))
      ),
      steps
    )
})

describe("the events of a host", () => {
  it.live("begin with a resync, and then say how far each process has got, ended ones included", () =>
    Effect.gen(function* () {
      const { events } = yield* Host
      const processes = yield* Processes
      const seen: Array<HostEvent> = []
      const begun = yield* Deferred.make<void>()
      const reader = yield* Effect.fork(
        Stream.runForEach(events, (event) =>
          Effect.zipRight(
            Effect.sync(() => void seen.push(event)),
            Deferred.succeed(begun, undefined)
          )
        )
      )
      yield* bounded(Deferred.await(begun))
      assert.deepStrictEqual(seen, [{ _tag: "Resync" }])
      const handle = yield* processes.start(Work, { id: "a", payload: { steps: 3 } })
      yield* handle.await
      const { row } = yield* presentRow("a")
      yield* until(Effect.sync(() => seen.some((event) => event._tag === "Moved" && event.sequence === row.sequence)))
      assert.deepStrictEqual(seen.at(-1), {
        _tag: "Moved",
        processId: processId("a"),
        sequence: row.sequence,
        lifecycle: "completed"
      })
      const positions = seen.flatMap((event) => (event._tag === "Moved" ? [event.sequence] : []))
      assert.deepStrictEqual(
        positions,
        positions.toSorted((one, other) => one - other)
      )
      yield* Fiber.interrupt(reader)
    }).pipe(Effect.provide(memory([Work])))
  )

  it.live("hold nothing up: a slow reader meets the latest position of each process, once", () =>
    Effect.gen(function* () {
      const { events } = yield* Host
      const processes = yield* Processes
      const gate = yield* Deferred.make<void>()
      const begun = yield* Deferred.make<void>()
      const seen: Array<HostEvent> = []
      const reader = yield* Effect.fork(
        Stream.runForEach(events, (event) =>
          Effect.sync(() => void seen.push(event)).pipe(
            Effect.zipRight(Deferred.succeed(begun, undefined)),
            Effect.zipRight(Deferred.await(gate))
          )
        )
      )
      yield* bounded(Deferred.await(begun))
      for (const id of ["a", "b"]) {
        yield* Effect.flatMap(processes.start(Work, { id, payload: { steps: 20 } }), (handle) => handle.await)
      }
      yield* Deferred.succeed(gate, undefined)
      yield* until(Effect.sync(() => seen.length === 3))
      assert.deepStrictEqual(
        seen.map((event) => (event._tag === "Moved" ? [event.processId, event.lifecycle] : event._tag)),
        ["Resync", ["a", "completed"], ["b", "completed"]]
      )
      yield* Fiber.interrupt(reader)
    }).pipe(Effect.provide(memory([Work])))
  )

  it.live("ask a reader that has too much before it to read everything again", () =>
    Effect.gen(function* () {
      const changes = Listeners.make<ProcessId>()
      const gate = yield* Deferred.make<void>()
      const seen: Array<HostEvent> = []
      const store = { find: () => Effect.succeed({ _tag: "Absent" as const }) }
      const reader = yield* Effect.fork(
        Stream.runForEach(HostEvents.make(store, { listen: changes.subscribe }, 2), (event) =>
          Effect.zipRight(
            Effect.sync(() => void seen.push(event)),
            Deferred.await(gate)
          )
        )
      )
      yield* until(Effect.sync(() => seen.length === 1))
      for (const id of ["a", "b", "c", "d"]) changes.publish(processId(id))
      yield* Deferred.succeed(gate, undefined)
      yield* until(Effect.sync(() => seen.length === 2))
      changes.publish(processId("e"))
      yield* until(Effect.sync(() => seen.length === 3))
      assert.deepStrictEqual(seen, [
        { _tag: "Resync" },
        { _tag: "Resync" },
        { _tag: "Gone", processId: processId("e") }
      ])
      yield* Fiber.interrupt(reader)
      assert.strictEqual(changes.size(), 0, "a reader that has left is forgotten")
    })
  )

  it.effect("ask it again once a store that could not be read is back", () =>
    Effect.gen(function* () {
      const changes = Listeners.make<ProcessId>()
      const seen: Array<HostEvent> = []
      let fails = true
      const outage = new StoreError({ operation: "find", reason: "busy", written: "no", detail: "it is out" })
      const store = {
        find: () => Effect.suspend(() => (fails ? Effect.fail(outage) : Effect.succeed({ _tag: "Absent" as const })))
      }
      const reader = yield* Effect.fork(
        Stream.runForEach(HostEvents.make(store, { listen: changes.subscribe }), (event) =>
          Effect.sync(() => void seen.push(event))
        )
      )
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(seen.length, 1)
      changes.publish(processId("a"))
      yield* TestClock.adjust("500 millis")
      assert.strictEqual(seen.length, 1)
      fails = false
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(seen, [{ _tag: "Resync" }, { _tag: "Resync" }])
      yield* Fiber.interrupt(reader)
    })
  )

  it.scopedLive("tell of what other programs commit", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "a.db")
      yield* Effect.gen(function* () {
        const { events } = yield* Host
        const begun = yield* Deferred.make<void>()
        const reader = yield* events.pipe(
          Stream.tap(() => Deferred.succeed(begun, undefined)),
          Stream.filter((event) => event._tag === "Moved" && event.lifecycle === "completed"),
          Stream.runHead,
          Effect.fork
        )
        yield* bounded(Deferred.await(begun))
        yield* Effect.flatMap(Processes, (processes) =>
          Effect.flatMap(processes.start(Work, { id: "elsewhere", payload: { steps: 1 } }), (handle) => handle.await)
        ).pipe(Effect.provide(sqlite(file, [Work])))
        const found = yield* bounded(Fiber.join(reader))
        assert.strictEqual(
          found._tag === "Some" && found.value._tag === "Moved" && found.value.processId,
          processId("elsewhere")
        )
      }).pipe(Effect.provide(sqlite(file, [])))
    })
  )

  it.live("with the change feed, keep a projection that equals the store, however slow it is", () =>
    Effect.gen(function* () {
      const { events } = yield* Host
      const feed = yield* ChangeFeed
      const registry = yield* ProcessRegistry
      const processes = yield* Processes
      const projection = new Map<string, ProcessRecord>()
      let cursor = feed.beginning
      const catchUp = Effect.gen(function* () {
        while (true) {
          const { changes, next } = yield* feed.changesSince(cursor, 7)
          for (const change of changes) {
            if (change._tag === "Upsert") projection.set(change.record.id, change.record)
            else projection.delete(change.tombstone.processId)
          }
          if (next === cursor) return
          cursor = next
        }
      })
      const sink = yield* Effect.fork(
        Stream.runForEachChunk(events, () => Effect.zipRight(Effect.sleep("3 millis"), catchUp))
      )
      const handles = yield* Effect.forEach(
        Array.from({ length: 30 }, (_, index) => index),
        (index) => processes.start(Work, { id: `p${index}`, payload: { steps: index % 4 } }),
        { concurrency: 8 }
      )
      yield* Effect.forEach(handles, (handle) => handle.await, { concurrency: "unbounded" })
      yield* until(
        Effect.sync(
          () => projection.size === 30 && [...projection.values()].every(({ status }) => status._tag === "Completed")
        )
      )
      for (const [id, record] of projection) {
        assert.deepStrictEqual(yield* registry.getProcess(processId(id)), record)
      }
      yield* Fiber.interrupt(sink)
    }).pipe(Effect.provide(memory([Work])))
  )
})

const presentRow = (id: string) =>
  Effect.flatMap(ProcessStore, (store) =>
    Effect.map(store.find(processId(id)), (found) => (found._tag === "Present" ? found : assert.fail(id)))
  )
