import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { childEnded, during, ended, made, next, place, recorded, rest } from "./ended.ts"

describe("the ends of a body's operations", () => {
  it("find the body busy from the moment an end is handed over, however long it takes to take that up", async () => {
    const { ends } = made()
    ends.begin([])
    const taken = Effect.runFork(
      during(
        ends,
        "a",
        next(ends, "child c", () => Effect.never)
      )
    )
    await rest()
    assert.strictEqual(ends.idleSinceMs(), 5)
    ends.arrive(childEnded("c", 1))
    assert.deepStrictEqual([ends.idleSinceMs(), ends.pause(), ends.awaited().children], [undefined, false, []])
    await Effect.runPromise(Fiber.interrupt(taken))
  })

  it("are handed over by their place, whenever they arrive", async () => {
    const { ends, learned, waits } = made()
    ends.begin([recorded("d", 4, 1), recorded("b", 2, 2), recorded("a", 2, 1), recorded("c", 3)])
    for (const key of ["d", "c", "b", "a"]) waits(`recorded ${key}`, key)
    await rest()
    assert.deepStrictEqual(learned, ["a", "b", "c", "d"])
  })

  it("are handed over one at a time: the next one once the body has come to rest", async () => {
    const { ends, learned, waits } = made()
    ends.begin([])
    const work = Effect.promise(async () => {
      for (let tick = 0; tick < 20; tick++) await Promise.resolve()
      learned.push("went on")
    })
    waits("wait a", "a", work)
    waits("wait b", "b")
    await rest()
    ends.arrive(ended("a", 1))
    ends.arrive(ended("b", 2))
    await rest()
    assert.deepStrictEqual(learned, ["a", "went on", "b"])
  })

  it("of the journal keep their place until the body asks for them: it may do something else first", async () => {
    const { ends, learned, waits } = made()
    ends.begin([recorded("a", 1, 1), ended("b", 2)], new Set(["b"]))
    await rest()
    waits("wait b", "b")
    await rest()
    assert.deepStrictEqual(learned, [])
    waits("recorded a", "a")
    await rest()
    assert.deepStrictEqual(learned, ["a", "b"])
  })

  it("of the journal are passed over in the end, for code that does not ask for them", async () => {
    const { ends, alarms, learned, waits } = made()
    ends.begin([recorded("a", 1, 1), recorded("b", 1, 2)])
    waits("recorded b", "b")
    await rest()
    assert.deepStrictEqual([learned, alarms.length], [[], 1])
    for (const ring of alarms) ring()
    await rest()
    assert.deepStrictEqual(learned, ["b"])
  })

  it("of the journal keep their place where all that the body asks for has none, and that begins", async () => {
    const { ends, alarms, learned, waits } = made()
    ends.begin([recorded("a", 1, 1), recorded("b", 1, 2)])
    const fails = during(ends, "x", ends.caughtUp)
    Effect.runFork(Effect.map(fails, () => learned.push("x") && ["b", "a"].map((key) => waits(`recorded ${key}`, key))))
    await rest()
    assert.deepStrictEqual([learned, alarms.length, ends.isCaughtUp()], [["x", "a", "b"], 0, true])
  })

  it("of the journal keep their place for a second, and then what has no record begins before it is handed anything", async () => {
    const { ends, alarms, learned, waits } = made()
    ends.begin([recorded("a", 1, 1), recorded("b", 1, 2)])
    waits("recorded b", "b")
    Effect.runFork(
      during(
        ends,
        "x",
        Effect.zipRight(
          Effect.map(ends.caughtUp, () => learned.push("x begins")),
          next(ends, "recorded x", () => Effect.sync(() => learned.push("x")))
        )
      )
    )
    await rest()
    ends.arrive(recorded("x", 2, 1))
    await rest()
    assert.deepStrictEqual([learned, alarms.length], [[], 1])
    for (const ring of alarms.splice(0)) ring()
    await rest()
    assert.deepStrictEqual([learned, alarms.length], [["x begins"], 1])
    for (const ring of alarms.splice(0)) ring()
    await rest()
    assert.deepStrictEqual(learned, ["x begins", "b", "x"])
  })

  it("of waits that no journal knows are passed over at once, as those of children", async () => {
    const { ends, alarms, learned, waits } = made()
    ends.begin([ended("from outside", 1), childEnded("c", 2), recorded("a", 3, 1)])
    waits("recorded a", "a")
    await rest()
    assert.deepStrictEqual([learned, alarms.length], [["a"], 0])
    waits("child c", "c")
    await rest()
    assert.deepStrictEqual(learned, ["a", "c"])
  })

  it("may be as many as a long life leaves", async () => {
    const { ends, learned, waits } = made()
    const count = 200_000
    ends.begin(Array.from({ length: count }, (_, index) => childEnded(String(index), index + 1)))
    waits(`child ${count - 1}`, "last")
    await rest()
    assert.deepStrictEqual(learned, ["last"])
  })

  it("wait for a write that is under way and may have an earlier place", async () => {
    const { ends, learned, waits } = made()
    ends.begin([])
    waits("wait b", "b")
    waits("recorded a", "a")
    await rest()
    const settle = ends.writing()
    ends.arrive(ended("b", 2))
    await rest()
    assert.deepStrictEqual(learned, [])
    ends.arrive(recorded("a", 1, 1))
    settle()
    await rest()
    assert.deepStrictEqual(learned, ["a", "b"])
  })

  it("keep their places from the moment the body asks for the end of a child, and let it ask all else meanwhile", async () => {
    const { ends, learned, waits } = made()
    ends.begin([recorded("a", 1, 1)])
    const [one, two] = [ends.asking("child c"), ends.asking("child c")]
    Effect.runFork(Effect.map(ends.caughtUp, () => learned.push("caught up")))
    waits("wait b", "b")
    waits("recorded a", "a")
    ends.arrive(childEnded("c", 2))
    ends.arrive(ended("b", 3))
    await rest()
    assert.deepStrictEqual(learned, ["a", "caught up"])
    waits("child c", "one")
    for (const settle of [one, one]) settle()
    await rest()
    assert.deepStrictEqual(learned, ["a", "caught up"])
    waits("child c", "two")
    await rest()
    two()
    await rest()
    assert.deepStrictEqual(learned, ["a", "caught up", "one", "two", "b"])
  })

  it("do not wait for a write that began after they arrived", async () => {
    const { ends, learned, waits } = made()
    ends.begin([])
    ends.arrive(ended("a", 1))
    ends.writing()
    waits("wait a", "a")
    await rest()
    assert.deepStrictEqual(learned, ["a"])
  })

  it("wait until the body has let go of what it let go of before", async () => {
    const { ends, learned, waits } = made()
    ends.begin([{ _tag: "Dropped", key: "a", ...place(1, 1) }, recorded("b", 2, 2)])
    const loser = waits("recorded a", "a")
    waits("recorded b", "b")
    await rest()
    assert.deepStrictEqual(learned, [])
    await Effect.runPromise(Fiber.interrupt(loser))
    await rest()
    assert.deepStrictEqual(learned, ["b"])
  })

  it("reach everyone who waits for one child, and one who asks later", async () => {
    const { ends, learned, waits } = made()
    ends.begin([])
    waits("child c", "one")
    waits("child c", "two")
    await rest()
    ends.arrive(childEnded("c", 1))
    await rest()
    waits("child c", "later")
    await rest()
    waits("child c", "latest")
    await rest()
    assert.deepStrictEqual(learned, ["one", "two", "later", "latest"])
  })

  it("are kept for an operation that asks after their turn, once", async () => {
    const { ends, learned, waits } = made()
    ends.begin([recorded("a", 1, 1)])
    await rest()
    assert.isTrue(ends.has("recorded a"))
    waits("recorded a", "a")
    await rest()
    assert.deepStrictEqual(learned, ["a"])
    assert.isFalse(ends.has("recorded a"))
  })

  it("hold a request to stop in its place, and heed the first one alone", async () => {
    const { ends, learned, waits } = made()
    ends.begin([
      { _tag: "CancelRequested", ...place(2) },
      { _tag: "CancelRequested", ...place(3) },
      recorded("a", 1),
      recorded("b", 4)
    ])
    waits("recorded a", "a")
    waits("recorded b", "b")
    await rest()
    assert.deepStrictEqual(learned, ["a", "cancel"])
    ends.cancelled()
    await rest()
    assert.deepStrictEqual(learned, ["a", "cancel", "b"])
  })

  it("are caught up with once all that was recorded has been handed over", async () => {
    const { ends, learned, waits } = made()
    Effect.runFork(Effect.map(ends.caughtUp, () => learned.push("caught up")))
    await rest()
    assert.isFalse(ends.isCaughtUp())
    ends.begin([recorded("a", 1), recorded("b", 2)])
    waits("recorded a", "a")
    waits("recorded b", "b")
    await rest()
    assert.deepStrictEqual(learned, ["a", "b", "caught up"])
    assert.isTrue(ends.isCaughtUp())
  })

  it("leave the loop to others: a hundred in a turn, and no more", async () => {
    const { ends, learned, waits } = made()
    const keys = Array.from({ length: 350 }, (_, n) => `k${n}`)
    ends.begin([])
    for (const key of keys) waits(`wait ${key}`, key)
    await rest()
    for (const [n, key] of keys.entries()) ends.arrive(ended(key, n + 1))
    let before = 0
    const perTurn: Array<number> = []
    while (learned.length < keys.length && perTurn.length < 100) {
      await new Promise((done) => setImmediate(done))
      perTurn.push(learned.length - before)
      before = learned.length
    }
    assert.deepStrictEqual(learned, keys)
    assert.isAtMost(Math.max(...perTurn), 101)
    assert.isAtMost(perTurn.length, 8)
  })
})
