import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { RecoverySweep } from "../../src/supervision/RecoverySweep.ts"
import { bounded } from "../support/hosts.ts"
import { gated, hostOn, inVirtualTime, leap, logOf } from "./harness.ts"
import { rowsOn } from "./rows.ts"

const request = { requestedBy: "operator", requestedAtMs: 5, reason: "gone" }

const abandon = (id: string) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.requestProcessAbandon(processId(id), request, { _tag: "Host" })
  )

describe("a process that is to be given up", () => {
  it.live("shows the request and goes on; it ends once its lease has lapsed, with who began it as evidence", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const rows = yield* rowsOn(store)
      const { engine, begun } = gated("owner_bound")
      yield* Effect.gen(function* () {
        yield* rows.register(engine, "p")
        yield* rows.begin("p", "somebody", 10_000)
        const asked = yield* abandon("p")
        assert.deepStrictEqual([asked.abandonRequest, asked.status._tag], [request, "Running"])
        yield* Effect.sleep("9 seconds")
        assert.deepStrictEqual(yield* logOf(store, "p"), ["process.started", "process.abandon_requested"])
        yield* Effect.sleep("2 seconds")
        const failure = yield* Effect.flip((yield* Processes).handle(engine, "p").await)
        assert.strictEqual(failure._tag, "ProcessAbandoned")
        const { status } = yield* (yield* Processes).handle(engine, "p").status
        const output = status._tag === "Abandoned" && status.output._tag === "Abandoned" ? status.output : undefined
        assert.deepInclude(output?.evidence ?? {}, {
          writer: "reconciled_request",
          owner: { ownerId: "somebody", incarnationId: "somebody", liveness: { _tag: "Opaque" } }
        })
        assert.deepStrictEqual(begun, [])
      }).pipe(Effect.provide(hostOn(store, [engine], { sweepInterval: "100 millis" })), inVirtualTime)
    })
  )

  it.live("is ended by no length of time alone: without a request it stays, for a month and with a lapsed lease", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const rows = yield* rowsOn(store)
      const { engine, begun } = gated("owner_bound")
      yield* Effect.gen(function* () {
        yield* rows.register(engine, "p")
        yield* rows.begin("p", "somebody", 10_000)
        for (let day = 0; day < 30; day++) {
          yield* leap(86_400_000)
          yield* Effect.sleep("1 second")
        }
        assert.deepStrictEqual(yield* (yield* RecoverySweep).recoverNow(processId("p")), {
          id: processId("p"),
          _tag: "Deferred",
          reason: { why: "outcome_unknown" }
        })
        assert.deepStrictEqual(yield* logOf(store, "p"), ["process.started"])
        assert.strictEqual((yield* rows.record("p"))?.status._tag, "Running")
        assert.deepStrictEqual(begun, [])
      }).pipe(Effect.provide(hostOn(store, [engine], { sweepInterval: "500 millis" })), inVirtualTime)
    })
  )

  it.live("is not stopped while it runs: its own end counts", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const { engine, interrupted, open } = gated("owner_bound")
      yield* Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(engine, { id: "p", payload: "p" })
        yield* abandon("p")
        yield* Effect.sleep("1 minute")
        yield* open
        assert.strictEqual(yield* handle.await, "p")
        assert.deepStrictEqual(interrupted, [])
        const late = yield* Effect.flip(abandon("p"))
        assert.strictEqual(late._tag, "ProcessAlreadyTerminal")
      }).pipe(Effect.provide(hostOn(store, [engine])), inVirtualTime)
    })
  )

  it.live("runs all the same when it may run again, and when it never began", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const rows = yield* rowsOn(store)
      const again = gated("rerunnable", "again")
      const once = gated("owner_bound", "once")
      yield* rows.register(again.engine, "again")
      yield* rows.begin("again", "somebody", 0)
      yield* rows.register(once.engine, "once")
      for (const id of ["again", "once"]) yield* rows.abandon(id)
      yield* Effect.zipRight(again.open, once.open)
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        const ends = [processes.handle(again.engine, "again").await, processes.handle(once.engine, "once").await]
        assert.deepStrictEqual(yield* bounded(Effect.all(ends)), ["again", "once"])
      }).pipe(Effect.provide(hostOn(store, [again.engine, once.engine])))
    })
  )

  it.live("that an outside system runs ends with the next sweep, and names nobody", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const rows = yield* rowsOn(store)
      yield* rows.registerExternal("x")
      yield* rows.registerExternal("other")
      yield* rows.abandon("x")
      yield* Effect.gen(function* () {
        yield* Effect.sleep("1 second")
        const status = (yield* rows.record("x"))?.status
        const output = status?._tag === "Abandoned" && status.output._tag === "Abandoned" ? status.output : undefined
        assert.strictEqual(output?.evidence.writer, "reconciled_request")
        assert.notProperty(output?.evidence, "owner")
        assert.strictEqual((yield* rows.record("other"))?.status._tag, "Running")
      }).pipe(Effect.provide(hostOn(store, [])), inVirtualTime)
    })
  )
})
