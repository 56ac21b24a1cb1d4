import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as TestClock from "effect/TestClock"
import type { AwaitOutput } from "../../src/model/AwaitOutput.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { Awaiter, backOffMs, layer } from "../../src/runtime/client/Awaiter.ts"
import * as ChangeHub from "../../src/runtime/client/ChangeHub.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { until } from "../support/hosts.ts"

const id = processId("p")

const done: AwaitOutput = { _tag: "Success", value: "done" }

const register = Effect.flatMap(ProcessRegistry, (registry) =>
  registry.registerProcess({
    ...Registration.make(id, { _tag: "External", metadata: null }, "externally_owned", Provenance.host),
    eventTypes: [{ name: "tick", payloadSchema: { schema: {} }, semantics: {} }]
  })
)

const complete = Effect.flatMap(ProcessRegistry, (registry) =>
  registry.completeProcess(id, done, { _tag: "ExternalOwner" })
)

const deafHub = Layer.succeed(
  ChangeHub.ChangeHub,
  ChangeHub.ChangeHub.of({
    subscribe: () => ({ next: (timeoutMs) => Effect.as(Effect.sleep(timeoutMs), "timeout"), close: () => {} }),
    notify: () => {},
    look: (changes) => changes,
    listen: () => Effect.void,
    size: () => 0
  })
)

const base = Layer.provideMerge(Registry.layer, MemoryStore.layer)
const withHub = Layer.provideMerge(layer, Layer.provideMerge(ChangeHub.layer, base))
const withoutHub = Layer.provideMerge(layer, Layer.provideMerge(deafHub, base))

describe("the awaiter", () => {
  it.effect("answers at once when the process has ended, and fails when there is none", () =>
    Effect.gen(function* () {
      const awaiter = yield* Awaiter
      assert.strictEqual((yield* Effect.flip(awaiter.awaitProcess(id)))._tag, "ProcessUnknown")
      yield* register
      yield* complete
      assert.deepStrictEqual(yield* awaiter.awaitProcess(id), done)
    }).pipe(Effect.provide(withHub))
  )

  it.effect("hears of the end without any time passing", () =>
    Effect.gen(function* () {
      yield* register
      const waiters = yield* Effect.fork(
        Effect.all(
          Array.from({ length: 3 }, () => Effect.flatMap(Awaiter, (awaiter) => awaiter.awaitProcess(id))),
          { concurrency: "unbounded" }
        )
      )
      for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow()
      const hub = yield* ChangeHub.ChangeHub
      assert.strictEqual(hub.size(), 1)
      yield* complete
      assert.deepStrictEqual(yield* Fiber.join(waiters), [done, done, done])
      assert.strictEqual(hub.size(), 0, "nobody is subscribed any more")
    }).pipe(Effect.provide(withHub))
  )

  it.effect("finds the end by polling when nobody notifies, within the present pause", () =>
    Effect.gen(function* () {
      yield* register
      const waiter = yield* Effect.fork(Effect.flatMap(Awaiter, (awaiter) => awaiter.awaitProcess(id)))
      yield* TestClock.adjust("10 seconds")
      yield* complete
      assert.isTrue(Option.isNone(yield* Fiber.poll(waiter)))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(waiter), done)
    }).pipe(Effect.provide(withoutHub))
  )

  it.effect("polls as well with a hub that says nothing: another program's commits are found", () =>
    Effect.gen(function* () {
      yield* register
      const waiter = yield* Effect.fork(Effect.flatMap(Awaiter, (awaiter) => awaiter.awaitProcess(id)))
      yield* TestClock.adjust("5 seconds")
      const hub = yield* ChangeHub.ChangeHub
      const subscription = hub.subscribe(id)
      const timed = yield* Effect.fork(subscription.next(1_000))
      yield* TestClock.adjust("975 millis")
      assert.isTrue(Option.isNone(yield* Fiber.poll(timed)))
      yield* TestClock.adjust("25 millis")
      assert.strictEqual(yield* Fiber.join(timed), "timeout")
      yield* complete
      assert.deepStrictEqual(yield* Fiber.join(waiter), done)
      assert.strictEqual(yield* subscription.next(1_000), "changed", "a change between two waits is not missed")
      subscription.close()
    }).pipe(Effect.provide(withHub))
  )

  it.effect("is told of no commit that is none of its concern, and of every one that another program made", () =>
    Effect.gen(function* () {
      yield* register
      const hub = yield* ChangeHub.ChangeHub
      const registry = yield* ProcessRegistry
      const subscription = hub.subscribe(id, { concerns: ({ snapshot }) => snapshot.context.output !== undefined })
      const next = Effect.zipLeft(Effect.fork(subscription.next(1_000)), TestClock.adjust("1 second"))
      const why = Effect.flatMap(next, Fiber.join)
      yield* registry.requestProcessCancel(id, null, Authority.host)
      assert.strictEqual(yield* why, "timeout")
      hub.notify(id)
      assert.strictEqual(yield* why, "changed")
      yield* complete
      assert.strictEqual(yield* why, "changed")
      subscription.close()
    }).pipe(Effect.provide(withHub))
  )

  it.live(
    "reads nothing while its host looks at what other programs commit, but once a minute; and soon when it does not",
    () => {
      let nowMs = 0
      const real = Clock.make()
      const clock: Clock.Clock = {
        [Clock.ClockTypeId]: Clock.ClockTypeId,
        unsafeCurrentTimeMillis: () => nowMs,
        currentTimeMillis: Effect.sync(() => nowMs),
        unsafeCurrentTimeNanos: () => BigInt(nowMs) * 1_000_000n,
        currentTimeNanos: Effect.sync(() => BigInt(nowMs) * 1_000_000n),
        sleep: (duration) => real.sleep(duration)
      }
      return Effect.gen(function* () {
        const store = yield* ProcessStore
        const hub = yield* ChangeHub.ChangeHub
        yield* register
        let reads = 0
        const counted = {
          ...store,
          find: (of: typeof id) =>
            Effect.zipRight(
              Effect.sync(() => reads++),
              store.find(of)
            )
        }
        yield* Effect.forkScoped(
          Effect.flatMap(Awaiter, (awaiter) => awaiter.awaitProcess(id)).pipe(
            Effect.provide(Layer.provide(layer, Layer.succeed(ProcessStore, counted))),
            Effect.provideService(ChangeHub.ChangeHub, hub)
          )
        )
        const at = (atMs: number, looks: boolean) =>
          Effect.zipRight(
            Effect.sync(() => {
              nowMs = atMs
            }),
            looks ? hub.look(Effect.succeed([])) : Effect.void
          )
        const hasRead = (times: number) => until(Effect.sync(() => reads === times))
        yield* hasRead(1)
        for (const atMs of [10, 5_000, 59_000]) {
          yield* at(atMs, true)
          yield* Effect.sleep(4 * ChangeHub.tickMs)
        }
        assert.strictEqual(reads, 1, "it trusts the looks")
        yield* at(61_000, true)
        yield* hasRead(2)
        // A look that takes longer than a look counts, as that of a server which thousands of readers ask.
        const answered = yield* Effect.makeLatch()
        const slow = yield* Effect.fork(hub.look(Effect.as(answered.await, [])))
        yield* at(62_900, false)
        yield* Effect.sleep(4 * ChangeHub.tickMs)
        assert.strictEqual(reads, 2, "it trusts the look that is under way")
        yield* answered.open
        yield* Fiber.join(slow)
        yield* at(64_000, false)
        yield* hasRead(3)
        yield* Effect.forkScoped(hub.look(Effect.never))
        yield* at(125_000, false)
        yield* hasRead(4)
      }).pipe(Effect.scoped, Effect.provide(withHub), Effect.withClock(clock))
    }
  )

  it("pauses 25 ms, doubled up to one second", () => {
    const pauses = Chunk.toReadonlyArray(Chunk.makeBy(9, backOffMs))
    assert.deepStrictEqual(pauses, [25, 50, 100, 200, 400, 800, 1000, 1000, 1000])
  })

  it.effect("waits for the first event of exactly one type after a sequence", () =>
    Effect.gen(function* () {
      yield* register
      const registry = yield* ProcessRegistry
      const awaiter = yield* Awaiter
      const append = (payload: number) => registry.appendEvent(id, { eventType: "tick", payload }, Authority.external)
      yield* append(1)
      assert.strictEqual((yield* awaiter.waitEventAfter(id, "tick", 0)).payload, 1, "historical events answer at once")
      const later = yield* Effect.fork(awaiter.waitEventAfter(id, "tick", 1))
      for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow()
      yield* registry.requestProcessCancel(id, null, Authority.host)
      yield* append(2)
      const event = yield* Fiber.join(later)
      assert.deepStrictEqual([event.sequence, event.payload], [3, 2])
      assert.strictEqual((yield* Effect.flip(awaiter.waitEventAfter(processId("q"), "tick", 0)))._tag, "ProcessUnknown")
    }).pipe(Effect.provide(withHub))
  )
})
