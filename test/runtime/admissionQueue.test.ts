import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import * as AdmissionQueue from "../../src/runtime/worker/AdmissionQueue.ts"
import * as Slots from "../../src/runtime/worker/Slots.ts"
import { bounded, until } from "../support/hosts.ts"

const of = (kind: string) =>
  Registration.make(processId(kind), { _tag: "Engine", kind, payload: null }, "rerunnable", Provenance.host)

const [limited, free] = [of("limited"), of("free")]

/** One place for the limited kind, three for the host. */
const made = Effect.gen(function* () {
  const host = Slots.make(3)
  const queues = AdmissionQueue.make(host, {
    limits: [{ name: "limited", concurrency: 1 }],
    limitOf: ({ input }) => (input._tag === "Engine" && input.kind === "limited" ? "limited" : undefined)
  })
  return { host, queues }
})

describe("the queues for slots", () => {
  it.live("a place of a kind is one of the host, too, and both are given back", () =>
    Effect.gen(function* () {
      const { host, queues } = yield* made
      const { slots } = queues.of(limited)
      assert.deepStrictEqual([slots.tryTake(), slots.tryTake()], [true, false])
      assert.deepStrictEqual([slots.free(), host.free()], [0, 2])
      slots.release()
      assert.deepStrictEqual([slots.free(), host.free()], [1, 3])
    })
  )

  it.live("a kind takes nothing where the host has no place, and keeps its own", () =>
    Effect.gen(function* () {
      const { host, queues } = yield* made
      const { slots } = queues.of(limited)
      for (let taken = 0; taken < 3; taken++) host.tryTake()
      assert.isFalse(slots.tryTake())
      host.release()
      assert.isTrue(slots.tryTake())
    })
  )

  it.live("whoever is interrupted while waiting for the host gives its place of the kind back", () =>
    Effect.gen(function* () {
      const { host, queues } = yield* made
      const { slots } = queues.of(limited)
      for (let taken = 0; taken < 3; taken++) host.tryTake()
      const waiting = yield* Effect.fork(slots.take)
      yield* Effect.yieldNow()
      yield* bounded(Fiber.interrupt(waiting))
      host.release()
      assert.isTrue(slots.tryTake())
    })
  )

  it.live(
    "who waits for a place of a kind holds up nobody else, and everybody is taken on in the order of their line",
    () =>
      Effect.gen(function* () {
        const { queues } = yield* made
        const takenOn: Array<string> = []
        queues.of(limited).slots.tryTake()
        for (const id of ["l1", "l2", "l1"]) queues.enqueue(queues.of(limited), { id: processId(id), dead: [] })
        for (const id of ["f1", "f2"]) queues.enqueue(queues.of(free), { id: processId(id), dead: [] })
        const admission = yield* Effect.fork(
          queues.admission(({ id }, slots) =>
            Effect.sync(() => {
              takenOn.push(id)
              slots.release()
            })
          )
        )
        yield* until(Effect.sync(() => takenOn.length === 2))
        assert.deepStrictEqual(takenOn, ["f1", "f2"])
        assert.deepStrictEqual([queues.isIdle(queues.of(free)), queues.isIdle(queues.of(limited))], [true, false])
        queues.of(limited).slots.release()
        yield* until(Effect.sync(() => takenOn.length === 4))
        assert.deepStrictEqual(takenOn, ["f1", "f2", "l1", "l2"])
        assert.isTrue(queues.isIdle(queues.of(limited)))
        yield* bounded(Fiber.interrupt(admission))
      })
  )

  it.live("what only waits comes after what has something to do, and changes its lane when it has", () =>
    Effect.gen(function* () {
      const { queues } = yield* made
      const takenOn: Array<string> = []
      const queue = queues.of(free)
      const enqueue = (id: string, isWaiting: boolean) =>
        queues.enqueue(queue, { id: processId(id), dead: [], isWaiting })
      for (const id of ["w1", "w2", "w3"]) enqueue(id, true)
      assert.isTrue(queues.isIdle(queue), "a start need not wait for them")
      enqueue("b1", false)
      enqueue("w3", false)
      enqueue("b1", true)
      assert.isFalse(queues.isIdle(queue))
      const admission = yield* Effect.fork(
        queues.admission(({ id }, slots) =>
          Effect.sync(() => {
            takenOn.push(id)
            slots.release()
          })
        )
      )
      yield* until(Effect.sync(() => takenOn.length === 4))
      assert.deepStrictEqual(takenOn, ["b1", "w3", "w1", "w2"])
      yield* bounded(Fiber.interrupt(admission))
    })
  )

  it.live("whoever stands in line when the admission is interrupted still stands there for the next one", () =>
    Effect.gen(function* () {
      const { queues } = yield* made
      const takenOn: Array<string> = []
      const take = queues.admission(({ id }) => Effect.sync(() => void takenOn.push(id)))
      queues.of(limited).slots.tryTake()
      queues.enqueue(queues.of(limited), { id: processId("l1"), dead: [] })
      const first = yield* Effect.fork(take)
      yield* Effect.yieldNow()
      yield* bounded(Fiber.interrupt(first))
      queues.of(limited).slots.release()
      const second = yield* Effect.fork(take)
      yield* until(Effect.sync(() => takenOn.length === 1))
      assert.deepStrictEqual(takenOn, ["l1"])
      yield* bounded(Fiber.interrupt(second))
    })
  )
})
