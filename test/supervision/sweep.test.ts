import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { Host } from "../../src/host/Host.ts"
import { Processes } from "../../src/host/Processes.ts"
import { StoreError } from "../../src/model/errors.ts"
import { processId } from "../../src/model/ids.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { RecoverySweep } from "../../src/supervision/RecoverySweep.ts"
import { bounded, until } from "../support/hosts.ts"
import { isWhole, samples } from "../support/samples.ts"
import { faultyStore, gated, hostOn, inVirtualTime, nodeIn, testimony } from "./harness.ts"
import { rowsOn } from "./rows.ts"

/** More than one page of what is due. */
const many = samples(isWhole ? 2_000 : 1_000, 10_000)

const off = { sweepInterval: false } as const

const sweepOnce = Effect.flatMap(RecoverySweep, ({ sweep }) => sweep)
const recoverNow = (id: string) => Effect.flatMap(RecoverySweep, (sweep) => sweep.recoverNow(processId(id)))

/** What one sweep says, without its times. */
const told = Effect.map(sweepOnce, ({ admitted, ended, deferred }) => ({ admitted, ended, deferred }))

const elsewhere = gated("rerunnable", "elsewhere").engine

/** What was stored decodes no more. */
const Unreadable: Schema.Schema<string> = Schema.transformOrFail(Schema.String, Schema.String, {
  strict: true,
  decode: (text, _options, ast) => ParseResult.fail(new ParseResult.Type(ast, text, "no such thing")),
  encode: (text) => ParseResult.succeed(text)
})

const Picky = Engine.make("picky", {
  version: "1",
  payload: Unreadable,
  success: Schema.String,
  disposition: "rerunnable",
  run: (text) => Effect.succeed(text)
})

describe("a commit for a process whose holder is dead", () => {
  it.live("has it taken over at once, without a sweep; that of a holder who may live changes nothing", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const rows = yield* rowsOn(store)
      const { engine } = gated()
      for (const [id, holder] of [
        ["left", "the dead"],
        ["held", "somebody"]
      ] as const) {
        yield* rows.register(engine, id)
        yield* rows.begin(id, holder, 60_000)
      }
      const { layer, kill } = testimony()
      kill("the dead")
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        yield* processes.handle(engine, "held").cancel("stop")
        yield* processes.handle(engine, "left").cancel("stop")
        yield* until(Effect.map(rows.record("left"), (record) => record?.status._tag === "Cancelled"))
        const held = yield* store.find(processId("held"))
        assert.strictEqual(held._tag === "Present" ? held.row.lease.held?.owner.ownerId : undefined, "somebody")
      }).pipe(Effect.provide(hostOn(store, [engine], { ...off, liveness: layer })))
    })
  )
})

describe("the report of a sweep", () => {
  it.live("says once that a holder is dead while its rows wait for slots, and again when it left more", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const rows = yield* rowsOn(store)
      const { engine, open } = gated()
      const leave = (id: string) => Effect.zipRight(rows.register(engine, id), rows.begin(id, "the dead", 60_000))
      for (const id of ["a", "b", "c"]) yield* leave(id)
      const { layer, kill } = testimony()
      kill("the dead")
      const said: Array<string> = []
      const logger = Logger.make(({ message }) => said.push(String(message)))
      const loud = sweepOnce.pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
        Logger.withMinimumLogLevel(LogLevel.Info)
      )
      yield* Effect.gen(function* () {
        const leases = Effect.map(loud, ({ dead }) => dead.map((holder) => holder.leases))
        assert.deepStrictEqual(yield* leases, [3])
        assert.deepStrictEqual(yield* leases, [2], "one of them runs, and the others wait")
        assert.deepStrictEqual(yield* leases, [2])
        assert.deepStrictEqual(said, ["the dead is dead and left 3 leases"])
        yield* leave("d")
        assert.deepStrictEqual(yield* leases, [3])
        assert.deepStrictEqual(said.splice(0), [
          "the dead is dead and left 3 leases",
          "the dead is dead and left 3 leases"
        ])
        yield* open
        yield* until(Effect.map(leases, (left) => left.length === 0))
        assert.deepStrictEqual(said, [])
        yield* leave("e")
        yield* leases
        assert.deepStrictEqual(said, ["the dead is dead and left 1 lease"])
      }).pipe(Effect.provide(hostOn(store, [engine], { ...off, maxConcurrent: 1, liveness: layer })))
    })
  )

  it.live("says of every row that was due what became of it, and whose death it went by", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const rows = yield* rowsOn(store)
      const again = gated()
      const once = gated("owner_bound", "once")
      const twice = { ...gated("rerunnable", "tried").engine, maxAttempts: 1 }
      for (const id of ["free", "lapsed"]) yield* rows.register(again.engine, id)
      yield* rows.begin("lapsed", "somebody", 0)
      yield* rows.register(elsewhere, "cancelled")
      yield* rows.cancel("cancelled")
      yield* rows.register(twice, "exhausted")
      yield* rows.begin("exhausted", "somebody", 0)
      for (const id of ["orphan", "requested", "held"]) yield* rows.register(once.engine, id)
      yield* rows.begin("orphan", "the dead", 60_000)
      yield* rows.begin("requested", "somebody", 0)
      yield* rows.abandon("requested")
      yield* rows.begin("held", "the living", 60_000)
      yield* rows.register(elsewhere, "foreign")
      yield* rows.register(Picky, "unreadable")
      const { layer, kill } = testimony()
      kill("the dead")
      yield* Effect.gen(function* () {
        const report = yield* sweepOnce
        assert.deepStrictEqual(report.dead, [{ ownerId: "the dead", leases: 1 }])
        assert.deepStrictEqual<ReadonlyArray<string>>(report.admitted, ["free", "lapsed"])
        assert.deepStrictEqual<ReadonlyArray<unknown>>(report.ended, [
          { id: "orphan", as: "abandoned" },
          { id: "cancelled", as: "cancelled" },
          { id: "exhausted", as: "failed" },
          { id: "requested", as: "abandoned" }
        ])
        const [foreign, unreadable, ...more] = report.deferred
        assert.deepStrictEqual(more, [])
        assert.deepStrictEqual<unknown>(foreign, {
          id: "foreign",
          reason: { why: "no_engine", kind: "elsewhere", version: "1" }
        })
        assert.strictEqual(unreadable?.id, processId("unreadable"))
        assert.deepInclude(unreadable?.reason, { why: "backing_off", failures: 1 })
        assert.isAtLeast(report.endedAtMs, report.beganAtMs)
        assert.deepStrictEqual((yield* (yield* RecoverySweep).latest).report, report)
      }).pipe(Effect.provide(hostOn(store, [again.engine, once.engine, twice, Picky], { ...off, liveness: layer })))
      const evidence = (yield* rows.record("orphan"))?.status
      assert.deepInclude(
        evidence?._tag === "Abandoned" && evidence.output._tag === "Abandoned" ? evidence.output.evidence : {},
        {
          writer: "sweep",
          owner: { ownerId: "the dead", incarnationId: "the dead", liveness: { _tag: "Opaque" } }
        }
      )
      assert.deepStrictEqual(once.begun, [])
    })
  )

  it.live("of one row, asked for at any time, says why it is left where it is", () =>
    Effect.gen(function* () {
      const { store, breaks } = yield* faultyStore
      const rows = yield* rowsOn(store)
      const again = gated()
      const once = gated("owner_bound", "once")
      yield* rows.register(again.engine, "held")
      yield* rows.begin("held", "the living", 60_000)
      yield* rows.register(once.engine, "unknown")
      yield* rows.begin("unknown", "somebody", 0)
      yield* rows.registerExternal("external")
      yield* rows.register(Picky, "unreadable")
      yield* rows.register(again.engine, "free")
      yield* rows.register(elsewhere, "foreign")
      yield* Effect.gen(function* () {
        for (const [id, expected] of [
          ["held", { _tag: "Deferred", reason: { why: "busy", holder: "the living" } }],
          ["unknown", { _tag: "Deferred", reason: { why: "outcome_unknown" } }],
          ["external", { _tag: "Deferred", reason: { why: "externally_owned" } }],
          ["foreign", { _tag: "Deferred", reason: { why: "no_engine", kind: "elsewhere", version: "1" } }],
          ["free", { _tag: "Admitted" }],
          ["free", { _tag: "Deferred", reason: { why: "busy", holder: "me" } }]
        ] as const) {
          assert.deepStrictEqual<unknown>(yield* recoverNow(id), { id, ...expected })
        }
        assert.strictEqual((yield* Effect.flip(recoverNow("nowhere")))._tag, "ProcessUnknown")
        // A row that rests is looked at all the same.
        for (const failures of [1, 2]) {
          const row = yield* recoverNow("unreadable")
          assert.deepInclude(row._tag === "Deferred" ? row.reason : {}, { why: "backing_off", failures })
        }
        yield* again.open
        yield* bounded((yield* Processes).handle(again.engine, "free").await)
        assert.deepStrictEqual<unknown>(yield* recoverNow("free"), {
          id: "free",
          _tag: "Deferred",
          reason: { why: "settled" }
        })
        breaks("find", 1)
        assert.deepStrictEqual<unknown>((yield* told).deferred, [
          { id: "foreign", reason: { why: "store_error", problem: "find broke" } }
        ])
      }).pipe(Effect.provide(hostOn(store, [again.engine, once.engine, Picky], off)))
    })
  )
})

describe("the loop of sweeps", () => {
  it.live("off, does nothing by itself and nothing when nudged; a sweep on demand does all there is to do", () =>
    Effect.gen(function* () {
      const { store, callsOf } = yield* faultyStore
      const rows = yield* rowsOn(store)
      const { engine, begun } = gated()
      yield* rows.register(engine, "p")
      yield* Effect.gen(function* () {
        yield* (yield* RecoverySweep).wake
        yield* Effect.sleep("1 minute")
        assert.deepStrictEqual([begun, callsOf("due")], [[], 0])
        assert.deepStrictEqual<ReadonlyArray<string>>((yield* sweepOnce).admitted, ["p"])
        yield* Effect.sleep("1 second")
        assert.deepStrictEqual([begun, callsOf("due")], [["p"], 1])
      }).pipe(Effect.provide(hostOn(store, [engine], off)), inVirtualTime)
    })
  )

  it.live("sweeps at the start, at its interval, and at once when nudged", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const rows = yield* rowsOn(store)
      const { engine, begun } = gated()
      const second = 1_000
      yield* rows.register(engine, "at the start")
      yield* Effect.gen(function* () {
        yield* Effect.sleep(second)
        assert.deepStrictEqual(begun, ["at the start"])
        yield* rows.register(engine, "at the interval")
        yield* Effect.sleep(50 * second)
        assert.strictEqual(begun.length, 1)
        yield* Effect.sleep(20 * second)
        assert.deepStrictEqual(begun.slice(1), ["at the interval"])
        yield* rows.register(engine, "when nudged")
        yield* (yield* RecoverySweep).wake
        yield* Effect.sleep(1)
        assert.deepStrictEqual(begun.slice(2), ["when nudged"])
      }).pipe(Effect.provide(hostOn(store, [engine], { sweepInterval: "1 minute" })), inVirtualTime)
    })
  )

  it.live("notes that the store could not be read, goes on, and takes up the work once it can", () =>
    Effect.gen(function* () {
      const memory = yield* MemoryStore.make
      let broken = true
      const refusal = new StoreError({ operation: "read", reason: "failed", written: "no", detail: "out" })
      const store = {
        ...memory,
        due: (of: { nowMs: number; limit: number }) => (broken ? Effect.fail(refusal) : memory.due(of))
      }
      const rows = yield* rowsOn(store)
      const { engine, begun } = gated()
      yield* rows.register(engine, "p")
      yield* Effect.gen(function* () {
        const sweep = yield* RecoverySweep
        yield* until(Effect.map(sweep.latest, ({ failure }) => failure?.problem === "the store could not read: out"))
        assert.strictEqual((yield* Effect.flip(sweep.sweep)).message, "the store could not read: out")
        broken = false
        yield* until(Effect.sync(() => begun.length === 1))
        yield* until(Effect.map(sweep.latest, ({ report }) => report?.admitted.length === 1))
        const { tree } = yield* Host
        assert.strictEqual(nodeIn(yield* tree, "sweep")?.restarts, 0)
      }).pipe(Effect.provide(hostOn(store, [engine])))
    })
  )

  it.live(
    "looks less and less often at a row that cannot run here, and keeps no other row from running because of it",
    () =>
      Effect.gen(function* () {
        const store = yield* MemoryStore.make
        const rows = yield* rowsOn(store)
        const { engine } = gated()
        yield* rows.register(elsewhere, "foreign")
        const missing = { id: "foreign", reason: { why: "no_engine", kind: "elsewhere", version: "1" } }
        yield* Effect.gen(function* () {
          const seen: Array<number> = []
          for (let second = 0; second < 16; second++) {
            const { deferred } = yield* told
            if (deferred.length > 0) seen.push(second)
            for (const each of deferred) assert.deepStrictEqual<unknown>(each, missing)
            yield* Effect.sleep(1_000)
          }
          assert.deepStrictEqual(seen, [0, 1, 3, 7, 15])
          yield* rows.register(engine, "other")
          assert.deepStrictEqual<ReadonlyArray<string>>((yield* told).admitted, ["other"])
        }).pipe(Effect.provide(hostOn(store, [engine], off)), inVirtualTime)
      })
  )
})

describe("a row that was stuck here", () => {
  it.live("and went on elsewhere meanwhile is looked at again as soon as it is due", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const rows = yield* rowsOn(store)
      yield* rows.register(elsewhere, "foreign")
      yield* Effect.gen(function* () {
        for (let second = 0; second < 8; second++) yield* Effect.zipRight(told, Effect.sleep(1_000))
        // It would rest here for seven seconds more.
        yield* rows.begin("foreign", "somebody", 1_000)
        assert.deepStrictEqual((yield* told).deferred, [])
        yield* Effect.sleep(1_000)
        assert.deepStrictEqual<unknown>((yield* told).deferred, [
          { id: "foreign", reason: { why: "no_engine", kind: "elsewhere", version: "1" } }
        ])
      }).pipe(Effect.provide(hostOn(store, [], off)), inVirtualTime)
    })
  )
})

describe("more rows than slots", () => {
  it.live("one slot and thousands of rows that are due: one is taken on, the others stand in line, and all end", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const rows = yield* rowsOn(store)
      const { engine, begun, open } = gated()
      const ids = Array.from({ length: many }, (_, index) => `p-${index}`)
      yield* Effect.forEach(ids, (id) => rows.register(engine, id), { discard: true })
      yield* Effect.gen(function* () {
        const { admitted, deferred } = yield* told
        assert.deepStrictEqual<ReadonlyArray<string>>(admitted, ["p-0"])
        assert.deepStrictEqual<unknown>(
          deferred,
          ids.slice(1).map((id) => ({ id, reason: { why: "no_slot" } }))
        )
        assert.strictEqual((yield* told).deferred.length, many - 1)
        assert.deepStrictEqual(begun, ["p-0"])
        yield* open
        yield* until(Effect.sync(() => begun.length === many))
        yield* until(Effect.map(store.listNonTerminal, (left) => left.length === 0))
        assert.deepStrictEqual(begun, ids)
      }).pipe(Effect.provide(hostOn(store, [engine], { ...off, maxConcurrent: 1 })))
    })
  )

  it.live("one slot, and a parent that waits for a child which a sweep must take on: both end", () =>
    Effect.gen(function* () {
      const store = yield* MemoryStore.make
      const rows = yield* rowsOn(store)
      const child = gated("rerunnable", "child")
      const Parent = Engine.make("parent", {
        version: "1",
        payload: Schema.String,
        success: Schema.String,
        disposition: "rerunnable",
        run: (name, ctx) =>
          Effect.flatMap(ctx.start(child.engine, { name, payload: name }), (handle) => Effect.orDie(handle.await))
      })
      yield* rows.register(Parent, "p")
      yield* rows.register(child.engine, "other")
      yield* child.open
      yield* Effect.gen(function* () {
        const processes = yield* Processes
        assert.strictEqual(yield* bounded(processes.handle(Parent, "p").await), "p")
        assert.strictEqual(yield* bounded(processes.handle(child.engine, "other").await), "other")
      }).pipe(Effect.provide(hostOn(store, [Parent, child.engine], { maxConcurrent: 1 })))
    })
  )
})
