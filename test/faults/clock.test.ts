import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import { Leases } from "../../src/operations/Leases.ts"
import { RecoverySweep } from "../../src/supervision/RecoverySweep.ts"
import { bounded, temporaryFolder, until } from "../support/hosts.ts"
import { gated, host, jumpingClock, logOf } from "./faults.ts"

const hourMs = 3_600_000

const timings = { leaseTtl: "3 seconds", leaseRenewal: "100 millis", sweepInterval: "20 millis" } as const

const leaseOf = (id: string) => Effect.flatMap(Leases, (leases) => leases.getProcessLease(processId(id)))

/** Waits until the lease of a process was taken or renewed under the clock as it stands. */
const settled = (id: string, now: () => number) =>
  until(
    Effect.map(leaseOf(id), (lease) => {
      const leftMs = (lease?.expiresAtMs ?? 0) - now()
      return leftMs > 0 && leftMs <= 3_000
    })
  )

const ids = ["once-1", "once-2", "again-1", "again-2"]

/** Two processes of each kind run on a host whose clock is set by what is tested. */
const running = (
  play: (world: {
    readonly jump: (ms: number) => Effect.Effect<void>
    readonly settle: Effect.Effect<void, unknown, Leases>
  }) => Effect.Effect<ReadonlyArray<number>, unknown, Leases | RecoverySweep>
) =>
  Effect.gen(function* () {
    const file = `${yield* temporaryFolder}/a.db`
    const { clock, jump } = jumpingClock()
    const once = gated("owner_bound")
    const again = gated("rerunnable")
    yield* Effect.gen(function* () {
      const processes = yield* Processes
      const handles = yield* Effect.forEach(ids, (id) =>
        processes.start(id.startsWith("once") ? once.engine : again.engine, { id, payload: id })
      )
      yield* until(Effect.sync(() => once.begun.length + again.begun.length === ids.length))
      const settle = Effect.forEach(ids, (id) => settled(id, () => clock.unsafeCurrentTimeMillis()), { discard: true })
      const fences = yield* play({ jump, settle })
      yield* Effect.zipRight(once.open, again.open)
      assert.deepStrictEqual(yield* bounded(Effect.all(handles.map((handle) => handle.await))), ids)
      for (const id of ids) assert.deepStrictEqual(yield* logOf(id), ["process.started", "process.completed"])
      assert.deepStrictEqual([...once.begun, ...again.begun].sort(), [...ids].sort())
      assert.deepStrictEqual([...once.interrupted, ...again.interrupted], [])
      return fences
    }).pipe(Effect.provide(host(file, [once.engine, again.engine], timings)), Effect.withClock(clock))
  })

const fences = Effect.forEach(ids, (id) => Effect.map(leaseOf(id), (lease) => lease?.fencingToken ?? 0))

describe("a clock that jumps", () => {
  it.scopedLive(
    "an hour ahead: every lease has expired, nobody held one in between, so each goes on under the next",
    () =>
      running(({ jump, settle }) =>
        Effect.gen(function* () {
          yield* jump(hourMs)
          const { admitted, ended } = yield* (yield* RecoverySweep).sweep
          assert.deepStrictEqual([admitted, ended], [[], []])
          yield* settle
          const seen = yield* fences
          assert.deepStrictEqual(seen, [2, 2, 2, 2])
          return seen
        })
      )
  )

  it.scopedLive("an hour back: leases are renewed as if nothing had happened", () =>
    running(({ jump, settle }) =>
      Effect.gen(function* () {
        yield* jump(-hourMs)
        const { admitted, ended } = yield* (yield* RecoverySweep).sweep
        assert.deepStrictEqual([admitted, ended], [[], []])
        yield* settle
        const seen = yield* fences
        assert.deepStrictEqual(seen, [1, 1, 1, 1])
        return seen
      })
    )
  )

  it.scopedLive(
    "there and back, again and again: nothing begins twice, no host is declared dead, everything ends",
    () =>
      running(({ jump, settle }) =>
        Effect.gen(function* () {
          for (const ms of [hourMs, -hourMs, -hourMs, hourMs]) {
            yield* jump(ms)
            const { admitted, ended } = yield* (yield* RecoverySweep).sweep
            assert.deepStrictEqual([admitted, ended], [[], []])
            yield* settle
          }
          return yield* fences
        })
      )
  )

  it.scopedLive("an hour ahead, and the bodies end before their leases were looked at: nobody else held them", () =>
    running(({ jump }) => Effect.as(jump(hourMs), []))
  )
})
