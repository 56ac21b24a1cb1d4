import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { StoreError } from "../../src/model/errors.ts"
import type { ProcessId } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import type { SessionScope } from "../../src/model/Provenance.ts"
import * as Wakes from "../../src/model/WakeDelivery.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as Outbox from "../../src/operations/WakeOutbox.ts"
import { WakeOutbox } from "../../src/operations/WakeOutbox.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as WakeDriver from "../../src/supervision/WakeDriver.ts"
import * as WakeSink from "../../src/supervision/WakeSink.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"
import { quiet } from "../support/hosts.ts"

/** A driver with a sink, on a store in memory that a test may tamper with. */
const world = (
  sink: Layer.Layer<WakeSink.WakeSink>,
  tamper: (store: typeof ProcessStore.Service) => Partial<typeof ProcessStore.Service> = () => ({})
) => {
  const store = Layer.effect(
    ProcessStore,
    Effect.map(MemoryStore.make, (made) => ProcessStore.of({ ...made, ...tamper(made) }))
  )
  return WakeDriver.layer.pipe(
    Layer.provide(sink),
    Layer.provideMerge(Layer.mergeAll(Registry.layer, Outbox.layer)),
    Layer.provideMerge(store),
    Layer.merge(quiet)
  )
}

const delivered = { _tag: "Delivered" } as const

const register = (id: string, wakeTarget: SessionScope) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.registerProcess(registrationOf(processId(id), "rerunnable", { wakeTarget }))
  )

const wake = (id: string, text: string) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.appendEvent(
      processId(id) as ProcessId,
      { eventType: "progress", payload: { urgent: true, text } },
      Authority.host
    )
  )

const driving = Effect.flatMap(WakeDriver.WakeDriver, ({ run }) => Effect.forkScoped(run))

/** Lets other fibers run until something is so, without any time passing; bounded in turns. */
const settledTo = <E, R>(isSo: Effect.Effect<boolean, E, R>, turns = 10_000): Effect.Effect<void, E, R> =>
  Effect.flatMap(isSo, (so) => {
    if (so) return Effect.void
    return turns === 0
      ? Effect.dieMessage("it did not come to that")
      : Effect.zipRight(Effect.yieldNow(), settledTo(isSo, turns - 1))
  })

/** The same, with time passing between two looks; bounded in steps. */
const inTime = <E, R>(isSo: Effect.Effect<boolean, E, R>, steps = 2_000): Effect.Effect<void, E, R> =>
  Effect.flatMap(isSo, (so) => {
    if (so) return Effect.void
    return steps === 0
      ? Effect.dieMessage("it did not come to that in time")
      : Effect.zipRight(TestClock.adjust("5 millis"), inTime(isSo, steps - 1))
  })

const counts = Effect.flatMap(WakeOutbox, (outbox) => Effect.map(outbox.report, (report) => report.counts))

const enqueued = (n: number) => Effect.map(counts, (found) => found.enqueued === n)

describe("the wake driver", () => {
  it.scoped("a commit that owes wakes nudges it: they are delivered at once, each group in order", () => {
    const taken: Array<string> = []
    const sink = WakeSink.layer(({ processId: id, input }) =>
      Effect.as(
        Effect.sync(() => taken.push(`${id} ${input}`)),
        delivered
      )
    )
    return Effect.gen(function* () {
      yield* register("a", { sessionId: "s" })
      yield* register("b", { sessionId: "s" })
      yield* driving
      for (const text of ["1", "2", "3"]) for (const id of ["a", "b"]) yield* wake(id, text)
      yield* settledTo(enqueued(6))
      const of = (id: string) => taken.filter((name) => name.startsWith(id))
      assert.deepStrictEqual(of("a"), ["a 1", "a 2", "a 3"])
      assert.deepStrictEqual(of("b"), ["b 1", "b 2", "b 3"])
    }).pipe(Effect.provide(world(sink)))
  })

  it.scoped("what was owed before it began is delivered when it begins", () =>
    Effect.gen(function* () {
      yield* register("a", { sessionId: "s" })
      yield* wake("a", "early")
      yield* driving
      yield* settledTo(enqueued(1))
    }).pipe(Effect.provide(world(WakeSink.layer(() => Effect.succeed(delivered)))))
  )

  const refusals: ReadonlyArray<readonly [string, ReturnType<WakeSink.Deliver>]> = [
    ["fails", Effect.fail("the queue is down")],
    ["dies", Effect.dieMessage("a bug")],
    ["says later", Effect.succeed({ _tag: "RetryLater" } as const)]
  ]
  for (const [name, answer] of refusals) {
    it.scoped(
      `a sink that ${name} is asked again after 50, 100, 200 ms, with the same id, and those behind wait`,
      () => {
        const asked: Array<{ readonly atMs: number; readonly name: string }> = []
        const sink = WakeSink.layer((delivery) =>
          Effect.flatMap(Clock.currentTimeMillis, (atMs) => {
            asked.push({ atMs, name: `${delivery.wakeId} ${Wakes.sourceKey(delivery)}` })
            return asked.length <= 3 ? answer : Effect.succeed(delivered)
          })
        )
        return Effect.gen(function* () {
          yield* register("a", { sessionId: "s" })
          const first = yield* wake("a", "1")
          yield* wake("a", "2")
          yield* driving
          yield* inTime(enqueued(2))
          const { wakeDelivery } = first
          const firstName = `${wakeDelivery?.wakeId} process:a:event:1:wake`
          assert.deepStrictEqual(
            asked.slice(0, 4).map((each) => each.name),
            [firstName, firstName, firstName, firstName]
          )
          assert.strictEqual(asked.length, 5)
          const gaps = [1, 2, 3].map((index) => (asked[index]?.atMs ?? 0) - (asked[index - 1]?.atMs ?? 0))
          for (const [index, least] of [50, 100, 200].entries()) {
            assert.isAtLeast(gaps[index] ?? 0, least)
            // It may be found one pause late.
            assert.isAtMost(gaps[index] ?? 0, least + 1_000)
          }
        }).pipe(Effect.provide(world(sink)))
      }
    )
  }

  it("the rest doubles from 50 ms up to five minutes", () => {
    assert.deepStrictEqual(
      [1, 2, 3, 4, 13, 14, 99].map(WakeDriver.backOffMs),
      [50, 100, 200, 400, 204_800, 300_000, 300_000]
    )
  })

  it.scoped("a target that is gone is discarded and not asked again; nobody else notices", () => {
    let asked = 0
    const sink = WakeSink.layer(({ targetSessionId }) =>
      Effect.sync(() => {
        if (targetSessionId !== "gone") return delivered
        asked++
        return { _tag: "TargetGone" } as const
      })
    )
    return Effect.gen(function* () {
      yield* register("a", { sessionId: "gone" })
      yield* register("b", { sessionId: "s" })
      yield* driving
      const { wakeDelivery } = yield* wake("a", "1")
      yield* wake("b", "1")
      yield* settledTo(enqueued(1))
      yield* settledTo(Effect.map(counts, ({ discarded }) => discarded.target_gone === 1))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(asked, 1)
      const outbox = yield* WakeOutbox
      assert.deepStrictEqual(yield* outbox.redrive(wakeDelivery?.wakeId ?? ""), { _tag: "Redriven", rows: 1 })
      yield* inTime(Effect.sync(() => asked === 2))
    }).pipe(Effect.provide(world(sink)))
  })

  it.scoped(
    "a sink that is silent about one target delays no other, and is asked again before the claim is stale",
    () => {
      let silent = 0
      const sink = WakeSink.layer(({ targetSessionId }) =>
        Effect.suspend(() => {
          if (targetSessionId !== "silent") return Effect.succeed(delivered)
          // It cannot even be interrupted.
          return silent++ === 0
            ? Effect.uninterruptible(Effect.sleep("1 hour")).pipe(Effect.as(delivered))
            : Effect.succeed(delivered)
        })
      )
      return Effect.gen(function* () {
        yield* register("a", { sessionId: "silent" })
        yield* register("b", { sessionId: "s" })
        yield* driving
        yield* wake("a", "1")
        yield* settledTo(Effect.sync(() => silent === 1))
        for (const text of ["1", "2", "3"]) yield* wake("b", text)
        yield* settledTo(enqueued(3))
        yield* TestClock.adjust("19 seconds")
        assert.strictEqual(silent, 1)
        yield* inTime(enqueued(4))
        assert.strictEqual(silent, 2)
        assert.isBelow(yield* Clock.currentTimeMillis, 30_000)
      }).pipe(Effect.provide(world(sink)))
    }
  )

  it.scoped("a driver that is stopped gives back what it was delivering, due at once", () =>
    Effect.gen(function* () {
      yield* register("a", { sessionId: "s" })
      const driver = yield* driving
      const { wakeDelivery } = yield* wake("a", "1")
      yield* settledTo(Effect.map(counts, ({ enqueuing }) => enqueuing === 1))
      yield* Fiber.interrupt(driver)
      const outbox = yield* WakeOutbox
      const [row] = yield* outbox.rowsOf(wakeDelivery?.wakeId ?? "")
      assert.deepStrictEqual([row?.state, row?.attempts, row?.isOpen], ["pending", 1, false])
      assert.isTrue(yield* outbox.isDue)
    }).pipe(Effect.provide(world(WakeSink.layer(() => Effect.never))))
  )

  it.scoped("without a sink nothing is claimed and nothing is discarded, however long it takes", () =>
    Effect.gen(function* () {
      yield* register("a", { sessionId: "s" })
      yield* wake("a", "1")
      yield* driving
      yield* TestClock.adjust("30 days")
      assert.deepStrictEqual(yield* counts, {
        pending: 1,
        enqueuing: 0,
        enqueued: 0,
        discarded: { expired: 0, target_gone: 0, retargeted: 0 }
      })
    }).pipe(Effect.provide(world(WakeSink.layerNoop)))
  )

  it.scoped("a wake that nobody could deliver for seven days is discarded as expired", () =>
    Effect.gen(function* () {
      yield* register("a", { sessionId: "s" })
      const { wakeDelivery } = yield* wake("a", "1")
      const outbox = yield* WakeOutbox
      const [row] = yield* outbox.rowsOf(wakeDelivery?.wakeId ?? "")
      assert.strictEqual(row?.expiresAtMs, (wakeDelivery?.createdAtMs ?? 0) + 604_800_000)
      yield* TestClock.adjust("7 days")
      yield* driving
      yield* settledTo(Effect.map(counts, ({ discarded }) => discarded.expired === 1))
    }).pipe(Effect.provide(world(WakeSink.layer(() => Effect.succeed(delivered)))))
  )

  it.scoped("an idle driver writes nothing, and looks once a second", () => {
    const did = { writes: 0, looks: 0 }
    const sink = WakeSink.layer(() => Effect.succeed(delivered))
    const counting = (store: typeof ProcessStore.Service): Partial<typeof ProcessStore.Service> => ({
      transact: (plan, decide) => {
        did.writes++
        return store.transact(plan, decide)
      },
      outbox: {
        ...store.outbox,
        isDue: (nowMs) => {
          did.looks++
          return store.outbox.isDue(nowMs)
        }
      }
    })
    return Effect.gen(function* () {
      yield* driving
      yield* Effect.forEach(Array.from({ length: 100 }), () => TestClock.adjust("1 second"))
      assert.strictEqual(did.writes, 0)
      // The pauses grow from 25 ms to a second within 1,575 ms.
      assert.isAtLeast(did.looks, 90)
      assert.isAtMost(did.looks, 110)
    }).pipe(Effect.provide(world(sink, counting)))
  })

  it.scoped("a store that does not answer is asked again, and a settling that it refuses is tried again", () => {
    // The first claim, the second claim, its settling, and that again.
    const answers = [false, true, false]
    let delivered = 0
    const failure = new StoreError({ operation: "write", reason: "busy", written: "no", detail: "it is away" })
    const sink = WakeSink.layer(() =>
      Effect.sync(() => {
        delivered++
        return { _tag: "Delivered" } as const
      })
    )
    const failing = (store: typeof ProcessStore.Service): Partial<typeof ProcessStore.Service> => ({
      // Claims and settlements lock nothing.
      transact: (plan, decide) =>
        Effect.suspend(() =>
          plan.lock.length > 0 || (answers.shift() ?? true) ? store.transact(plan, decide) : Effect.fail(failure)
        )
    })
    return Effect.gen(function* () {
      yield* register("a", { sessionId: "s" })
      yield* wake("a", "1")
      yield* driving
      yield* inTime(enqueued(1))
      assert.deepStrictEqual([delivered, answers.length], [1, 0])
    }).pipe(Effect.provide(world(sink, failing)))
  })
})
