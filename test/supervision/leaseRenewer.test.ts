import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import { Leases } from "../../src/operations/Leases.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import type { RuntimeOptions } from "../../src/runtime/RuntimeConfig.ts"
import * as RuntimeConfig from "../../src/runtime/RuntimeConfig.ts"
import { until } from "../support/hosts.ts"
import { faultyStore, gated, hostOn, inVirtualTime, logOf } from "./harness.ts"

const off = { sweepInterval: false } as const

const start = (engine: ReturnType<typeof gated>["engine"], id: string) =>
  Effect.flatMap(Processes, (processes) => processes.start(engine, { id, payload: id }))

const stranger = opaqueOwner("stranger", "stranger")

describe("the keeper of leases", () => {
  it.live("renews 500 leases in one write for each interval, and none expires", () =>
    Effect.gen(function* () {
      const { store, callsOf } = yield* faultyStore
      const { engine, begun, interrupted } = gated()
      let writes = 0
      const counted = {
        ...store,
        transact: ((plan, decide) => {
          writes++
          return store.transact(plan, decide)
        }) satisfies (typeof store)["transact"] as (typeof store)["transact"]
      } // the parameters of a generic function
      yield* Effect.gen(function* () {
        for (let index = 0; index < 500; index++) yield* start(engine, `p-${index}`)
        yield* Effect.sleep(1)
        const before = { renewals: callsOf("renewKept"), writes }
        yield* Effect.sleep("30 seconds")
        assert.strictEqual(callsOf("renewKept") - before.renewals, 100)
        assert.strictEqual(writes, before.writes)
        for (const id of begun) assert.strictEqual((yield* store.leases.of(processId(id)))?.fencingToken, 1)
        assert.deepStrictEqual([begun.length, interrupted], [500, []])
      }).pipe(
        Effect.provide(hostOn(counted, [engine], { ...off, maxConcurrent: 500, leaseRenewal: "300 millis" })),
        inVirtualTime
      )
    })
  )

  it.live("stops the body of a lease that is another's by now; nothing is written, and the other's lease remains", () =>
    Effect.gen(function* () {
      const { store } = yield* faultyStore
      const { engine, begun, interrupted } = gated()
      yield* Effect.gen(function* () {
        const leases = yield* Leases
        for (const id of ["lost", "kept"]) yield* start(engine, id)
        yield* until(Effect.sync(() => begun.length === 2))
        const lease = yield* leases.getProcessLease(processId("lost"))
        yield* leases.completeProcessLease({ processId: processId("lost"), leaseToken: lease?.leaseToken ?? "" })
        const taken = yield* leases.claimProcessLease(processId("lost"), stranger, 60_000)
        assert.strictEqual(taken._tag, "Acquired")
        yield* until(Effect.sync(() => interrupted.length > 0))
        assert.deepStrictEqual(interrupted, ["lost"])
        assert.deepStrictEqual(yield* logOf(store, "lost"), ["process.started"])
        const now = yield* leases.getProcessLease(processId("lost"))
        assert.deepStrictEqual([now?.owner, now?.fencingToken], [stranger, 2])
      }).pipe(Effect.provide(hostOn(store, [engine], { ...off, leaseRenewal: "20 millis" })))
      assert.deepStrictEqual(yield* logOf(store, "lost"), ["process.started"])
      assert.deepStrictEqual(yield* logOf(store, "kept"), ["process.started", "process.suspended"])
    })
  )

  it.live("renews while the host stops, for longer than a lease lasts if bodies take that long", () =>
    Effect.gen(function* () {
      const { store } = yield* faultyStore
      let [begun, isHeld] = [false, false]
      const look = Effect.all([store.leases.of(processId("p")), Clock.currentTimeMillis]).pipe(
        Effect.map(([lease, nowMs]) => {
          isHeld = lease !== undefined && lease.expiresAtMs > nowMs
        })
      )
      const Slow = Engine.make("slow", {
        version: "1",
        payload: Schema.String,
        success: Schema.String,
        disposition: "rerunnable",
        run: () =>
          Effect.sync(() => {
            begun = true
          }).pipe(
            Effect.zipRight(Effect.never),
            Effect.onInterrupt(() => Effect.ignore(Effect.delay(look, "10 seconds")))
          )
      })
      const stopping = { ...off, leaseTtl: "3 seconds", leaseRenewal: "1 seconds", shutdown: "20 seconds" } as const
      yield* Effect.gen(function* () {
        yield* (yield* Processes).start(Slow, { id: "p", payload: "" })
        yield* until(Effect.sync(() => begun))
      }).pipe(Effect.provide(hostOn(store, [Slow], stopping)), inVirtualTime)
      assert.isTrue(isHeld)
      assert.deepStrictEqual(yield* logOf(store, "p"), ["process.started", "process.suspended"])
    })
  )

  it.live("that could not renew in time goes on with what no other worker held in between, and with nothing else", () =>
    Effect.gen(function* () {
      const { store, breaks, mends } = yield* faultyStore
      const { engine, begun, interrupted, open } = gated()
      yield* Effect.gen(function* () {
        const leases = yield* Leases
        const handle = yield* start(engine, "free")
        yield* start(engine, "held in between")
        breaks("renewKept")
        yield* Effect.sleep("5 seconds")
        // Somebody had it for no time at all: its fence is all that tells.
        const taken = yield* leases.claimProcessLease(processId("held in between"), stranger, 0)
        assert.strictEqual(taken._tag, "Acquired")
        mends("renewKept")
        yield* Effect.sleep("1 minute")
        assert.deepStrictEqual(interrupted, ["held in between"])
        assert.strictEqual((yield* leases.getProcessLease(processId("free")))?.fencingToken, 2)
        yield* open
        assert.strictEqual(yield* handle.await, "free")
        assert.deepStrictEqual(begun, ["free", "held in between"])
        assert.deepStrictEqual(yield* logOf(store, "free"), ["process.started", "process.completed"])
        assert.deepStrictEqual(yield* logOf(store, "held in between"), ["process.started"])
      }).pipe(Effect.provide(hostOn(store, [engine], off)), inVirtualTime)
    })
  )
})

describe("the timings of a host", () => {
  const refusals: ReadonlyArray<readonly [RuntimeOptions, field: string]> = [
    [{ leaseRenewal: 0 }, "leaseRenewal"],
    [{ leaseTtl: 2, leaseRenewal: 0.6 }, "leaseRenewal"],
    [{ leaseTtl: "29 seconds", leaseRenewal: "10 seconds" }, "leaseTtl"],
    [{ leaseTtl: 3_000.5 }, "leaseTtl"],
    [{ leaseTtl: 2 }, "leaseTtl"],
    [{ leaseTtl: Number.POSITIVE_INFINITY }, "leaseTtl"],
    [{ leaseTtl: "31 days" }, "leaseTtl"],
    [{ leaseTtl: "30 days", leaseRenewal: "31 days" }, "leaseRenewal"],
    [{ leaseRenewal: 10.5 }, "leaseRenewal"],
    [{ leaseRenewal: "11 seconds" }, "leaseTtl"],
    [{ shutdown: Number.POSITIVE_INFINITY }, "shutdown"],
    [{ sweepInterval: 0 }, "sweepInterval"],
    [{ maxConcurrent: 0 }, "maxConcurrent"],
    [{ maxConcurrent: 1.5 }, "maxConcurrent"]
  ]
  for (const [options, field] of refusals) {
    it.effect(`${JSON.stringify(options)} is refused, naming ${field}`, () =>
      Effect.gen(function* () {
        const refusal = yield* Effect.flip(RuntimeConfig.check(options))
        assert.deepStrictEqual([refusal._tag, refusal.field], ["InputInvalid", field])
      })
    )
  }

  for (const leaseTtl of [3, 4, 60, 29_000, 100_000, 30 * 24 * 3_600_000]) {
    it.effect(`with a lease of ${leaseTtl} ms and nothing else renew it three times in its life`, () =>
      Effect.gen(function* () {
        const { leaseTtlMs, leaseRenewalMs } = yield* RuntimeConfig.check({ leaseTtl })
        assert.strictEqual(leaseTtlMs, leaseTtl)
        assert.isAtMost(3 * leaseRenewalMs, leaseTtl)
        assert.isAbove(3 * (leaseRenewalMs + 1), leaseTtl)
      })
    )
  }

  it.effect("at their bounds are accepted", () =>
    Effect.gen(function* () {
      const timings = yield* RuntimeConfig.check({ leaseTtl: 60, leaseRenewal: 20, shutdown: 0, sweepInterval: false })
      assert.deepStrictEqual(timings, {
        leaseTtlMs: 60,
        leaseRenewalMs: 20,
        sweepIntervalMs: 0,
        shutdownMs: 0,
        maxConcurrent: 64
      })
    })
  )
})
