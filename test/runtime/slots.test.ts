import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Inbox from "../../src/runtime/worker/Inbox.ts"
import * as Slots from "../../src/runtime/worker/Slots.ts"

/** Waits as a body does: without its slot, which it takes back before it goes on. */
const waiting = <A>(held: Slots.HeldSlot, wait: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.zipRight(
    Effect.sync(held.letGo),
    Effect.tap(wait, () => held.takeBack)
  )

describe("slots", () => {
  it("no more are taken than there are", () => {
    const slots = Slots.make(2)
    assert.deepStrictEqual([slots.tryTake(), slots.tryTake(), slots.tryTake()], [true, true, false])
    slots.release()
    assert.deepStrictEqual([slots.tryTake(), slots.tryTake()], [true, false])
  })

  it.effect("who waits for a slot gets it in order, before anybody who only tries", () =>
    Effect.gen(function* () {
      const slots = Slots.make(1)
      slots.tryTake()
      const order: Array<string> = []
      const first = yield* Effect.fork(
        Effect.zipRight(
          slots.take,
          Effect.sync(() => order.push("first"))
        )
      )
      yield* Effect.yieldNow()
      const second = yield* Effect.fork(
        Effect.zipRight(
          slots.take,
          Effect.sync(() => order.push("second"))
        )
      )
      yield* Effect.yieldNow()
      slots.release()
      assert.isFalse(slots.tryTake())
      slots.release()
      yield* Fiber.join(first)
      yield* Fiber.join(second)
      assert.deepStrictEqual(order, ["first", "second"])
    })
  )

  it.effect("a waiter that is interrupted leaves the line", () =>
    Effect.gen(function* () {
      const slots = Slots.make(1)
      slots.tryTake()
      const waiter = yield* Effect.fork(slots.take)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(waiter)
      slots.release()
      assert.strictEqual(slots.free(), 1)
    })
  )

  it.effect("a slot is lent while its body waits, and taken back before it goes on", () =>
    Effect.gen(function* () {
      const slots = Slots.make(1)
      slots.tryTake()
      const held = Slots.hold(slots)
      const gate = yield* Deferred.make<string>()
      const body = yield* Effect.fork(waiting(held, Deferred.await(gate)))
      yield* Effect.yieldNow()
      assert.isTrue(slots.tryTake(), "another body works in the lent slot")
      yield* Deferred.succeed(gate, "go on")
      yield* Effect.yieldNow()
      assert.isTrue((yield* Fiber.poll(body))._tag === "None", "it waits for its slot")
      slots.release()
      assert.strictEqual(yield* Fiber.join(body), "go on")
      assert.strictEqual(slots.free(), 0)
      held.release()
      assert.strictEqual(slots.free(), 1)
    })
  )

  it.effect("branches of one body that wait at once lend its slot once", () =>
    Effect.gen(function* () {
      const slots = Slots.make(1)
      slots.tryTake()
      const held = Slots.hold(slots)
      const gates = [yield* Deferred.make<void>(), yield* Deferred.make<void>()] as const
      const body = yield* Effect.fork(
        Effect.all(
          gates.map((gate) => waiting(held, Deferred.await(gate))),
          { concurrency: "unbounded" }
        )
      )
      for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow()
      assert.strictEqual(slots.free(), 1)
      yield* Deferred.succeed(gates[0], undefined)
      yield* Deferred.succeed(gates[1], undefined)
      yield* Fiber.join(body)
      assert.strictEqual(slots.free(), 0)
      held.release()
      held.release()
      assert.strictEqual(slots.free(), 1)
    })
  )

  it.effect("a branch that begins to wait while another stands in line for the slot takes no second one", () =>
    Effect.gen(function* () {
      const slots = Slots.make(1)
      slots.tryTake()
      const held = Slots.hold(slots)
      const first = yield* Deferred.make<void>()
      const second = yield* Deferred.make<void>()
      const one = yield* Effect.fork(waiting(held, Deferred.await(first)))
      yield* Effect.yieldNow()
      assert.isTrue(slots.tryTake(), "another body has the lent slot")
      yield* Deferred.succeed(first, undefined)
      for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow()
      const two = yield* Effect.fork(waiting(held, Deferred.await(second)))
      for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow()
      yield* Deferred.succeed(second, undefined)
      for (let turn = 0; turn < 10; turn++) yield* Effect.yieldNow()
      slots.release()
      yield* Fiber.join(one)
      yield* Fiber.join(two)
      assert.strictEqual(slots.free(), 0)
      held.release()
      assert.strictEqual(slots.free(), 1)
    })
  )

  it.effect("whoever waits in the name of a body that has ended takes no slot", () =>
    Effect.gen(function* () {
      const slots = Slots.make(1)
      slots.tryTake()
      const held = Slots.hold(slots)
      const gate = yield* Deferred.make<void>()
      const outlives = yield* Effect.fork(waiting(held, Deferred.await(gate)))
      yield* Effect.yieldNow()
      held.release()
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(outlives)
      assert.strictEqual(slots.free(), 1)
    })
  )

  it.effect("a slot granted to somebody who is interrupted at that moment goes back", () =>
    Effect.gen(function* () {
      const slots = Slots.make(1)
      slots.tryTake()
      const waiter = yield* Effect.fork(slots.take)
      yield* Effect.yieldNow()
      slots.release()
      yield* Fiber.interrupt(waiter)
      assert.strictEqual(slots.free(), 1)
    })
  )

  it.effect("a body interrupted in its wait does not come back for its slot", () =>
    Effect.gen(function* () {
      const slots = Slots.make(1)
      slots.tryTake()
      const held = Slots.hold(slots)
      const body = yield* Effect.fork(waiting(held, Effect.never))
      yield* Effect.yieldNow()
      assert.isTrue(slots.tryTake())
      yield* Fiber.interrupt(body)
      held.release()
      assert.strictEqual(slots.free(), 0)
    })
  )
})

describe("an inbox", () => {
  it.effect("hands messages over in order, to a reader that waits and to one that comes later", () =>
    Effect.gen(function* () {
      const inbox = Inbox.make(1)
      inbox.offer(2)
      assert.deepStrictEqual([yield* inbox.take, yield* inbox.take], [1, 2])
      const reader = yield* Effect.fork(inbox.take)
      yield* Effect.yieldNow()
      inbox.offer(3)
      inbox.offer(4)
      assert.strictEqual(yield* Fiber.join(reader), 3)
      assert.strictEqual(yield* inbox.take, 4)
    })
  )

  it.effect("an interrupted reader takes no message with it", () =>
    Effect.gen(function* () {
      const inbox = Inbox.make<number>()
      const reader = yield* Effect.fork(inbox.take)
      yield* Effect.yieldNow()
      yield* Fiber.interrupt(reader)
      inbox.offer(1)
      assert.strictEqual(yield* inbox.take, 1)
    })
  )
})
