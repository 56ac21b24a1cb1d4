import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { ProcessId } from "../../src/model/ids.ts"
import type { End, Source } from "../../src/runtime/body/End.ts"
import * as Ends from "../../src/runtime/body/Ends.ts"
import * as Fair from "../../src/runtime/body/fairScheduler.ts"
import { insideFinaliser } from "../../src/runtime/body/waiters.ts"

const place = (sequence: number, position = 0) => ({ sequence, position })
const recorded = (key: string, ...at: Parameters<typeof place>): End => ({
  _tag: "Recorded",
  key,
  outcome: null,
  ...place(...at)
})
const ended = (waitKey: string, ...at: Parameters<typeof place>): End => ({
  _tag: "WaitEnded",
  waitKey,
  ended: { outcome: { _tag: "Timeout" } },
  ...place(...at)
})
const childEnded = (childId: string, ...at: Parameters<typeof place>): End => ({
  _tag: "ChildEnded",
  childId: childId as ProcessId, // any text may be an id
  ...place(...at)
})

/** Ends, a slot, and what the operations of a body learn. */
const made = () => {
  const learned: Array<string> = []
  const slot = { isHeld: true }
  const alarms: Array<() => void> = []
  const ends = Ends.make({
    nowMs: () => 5,
    slot: {
      held: () => slot.isHeld,
      letGo: () => {
        slot.isHeld = false
      },
      takeBack: Effect.sync(() => {
        slot.isHeld = true
      }),
      release: () => undefined
    },
    scheduler: Fair.make(),
    onCancel: () => learned.push("cancel"),
    later: (run) => alarms.push(run),
    isDeciding: () => true,
    interrupts: () => false
  })
  /** An operation that waits for an end; then it does `afterwards`. */
  const waits = (source: Source, name: string = source, afterwards: Effect.Effect<unknown> = Effect.void) =>
    Effect.runFork(
      Effect.zipRight(
        during(
          ends,
          name,
          next(ends, source, () => Effect.sync(() => learned.push(name)))
        ),
        afterwards
      )
    )
  /** Pauses on the clock of the body, and learns of it. */
  const pausing = (name: string) =>
    Effect.zipRight(
      ends.sleep(Effect.void),
      Effect.sync(() => learned.push(name))
    )
  return { ends, slot, alarms, learned, waits, pausing }
}

/** Waits for an end where it can be interrupted. */
const next = <A>(ends: Ends.Ends, source: Source, takeUp: () => Effect.Effect<A>): Effect.Effect<A> =>
  Effect.uninterruptibleMask((restore) => ends.next(source, takeUp, { isInterruptible: true, restore }))

/** Counts an operation as under way for as long as it runs. */
const during = <A>(ends: Ends.Ends, key: string, operation: Effect.Effect<A>): Effect.Effect<A> =>
  Effect.acquireUseRelease(
    Effect.sync(() => ends.enter(key)),
    () => operation,
    () => Effect.sync(() => ends.leave(key))
  )

/** Lets everybody do what there is to do. */
const rest = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((done) => setImmediate(done))
}

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

describe("a body that only waits", () => {
  it("is idle since then, without its slot, and names what it waits for", async () => {
    const { ends, slot, waits } = made()
    ends.begin([])
    waits("wait a", "a")
    waits("child c", "c")
    await rest()
    assert.deepStrictEqual([ends.idleSinceMs(), slot.isHeld], [5, false])
    assert.deepStrictEqual(ends.awaited(), { waits: ["a"], children: ["c" as ProcessId] })
  })

  it("is not idle while anything else is under way", async () => {
    const { ends, slot, waits } = made()
    ends.begin([])
    waits("wait a", "a")
    const step = Effect.runFork(during(ends, "step", Effect.never))
    await rest()
    assert.deepStrictEqual([ends.idleSinceMs(), slot.isHeld, ends.pause()], [undefined, true, false])
    await Effect.runPromise(Fiber.interrupt(step))
    await rest()
    assert.deepStrictEqual([ends.idleSinceMs(), slot.isHeld], [5, false])
  })

  it("is not idle where an interruption would not end its wait", async () => {
    const { ends, waits } = made()
    ends.begin([])
    waits("wait a", "a")
    Effect.runFork(
      Effect.uninterruptible(
        during(
          ends,
          "b",
          ends.next("wait b", () => Effect.void, insideFinaliser)
        )
      )
    )
    await rest()
    assert.isUndefined(ends.idleSinceMs())
  })

  it("has its slot again before it takes an end up", async () => {
    const { ends, slot, learned, waits } = made()
    ends.begin([])
    waits(
      "wait a",
      "a",
      Effect.sync(() => learned.push(slot.isHeld ? "with its slot" : "without"))
    )
    await rest()
    ends.arrive(ended("a", 1))
    await rest()
    assert.deepStrictEqual(learned, ["a", "with its slot"])
  })

  it("gets nothing while it is paused, and goes on after that", async () => {
    const { ends, learned, waits } = made()
    ends.begin([])
    waits("wait a", "a")
    await rest()
    assert.isTrue(ends.pause())
    ends.arrive(ended("a", 1))
    await rest()
    assert.deepStrictEqual(learned, [])
    ends.resume()
    await rest()
    assert.deepStrictEqual(learned, ["a"])
  })

  it("come before what has no place: a pause that is over goes on once nothing can be handed over", async () => {
    const { ends, learned, waits, pausing } = made()
    ends.begin([recorded("a", 1), recorded("b", 2)])
    for (const name of ["first", "second"]) Effect.runFork(pausing(name))
    for (const key of ["b", "a"]) waits(`recorded ${key}`, key)
    await rest()
    assert.deepStrictEqual(learned, ["a", "b", "first", "second"])
  })

  it("let a pause go on that what is handed over waits for", async () => {
    const { ends, learned, waits, pausing } = made()
    ends.begin([recorded("a", 1), recorded("b", 2)])
    Effect.runFork(
      during(
        ends,
        "a",
        next(ends, "recorded a", () => ends.standing(Effect.asVoid(pausing("pause")), []))
      )
    )
    waits("recorded b", "b")
    await rest()
    assert.deepStrictEqual(learned, ["pause", "b"])
  })

  it("let no pause go on while what is handed over waits for nothing", async () => {
    const { ends, learned, pausing } = made()
    ends.begin([recorded("a", 1)])
    Effect.runFork(pausing("pause"))
    const soon = Effect.zipRight(
      Effect.yieldNow(),
      Effect.sync(() => learned.push("a"))
    )
    const takeUp = () => Effect.zipRight(ends.standing(Effect.void, []), soon)
    Effect.runFork(during(ends, "a", next(ends, "recorded a", takeUp)))
    await rest()
    assert.deepStrictEqual(learned, ["a", "pause"])
  })

  it("keep no pause waiting in a body that does not rest, and hand none over in one that is to leave memory", async () => {
    const { ends, alarms, learned, pausing } = made()
    ends.begin([])
    Effect.runFork(
      during(
        ends,
        "c",
        next(ends, "child c", () => Effect.never)
      )
    )
    await rest()
    ends.arrive(childEnded("c", 1))
    Effect.runFork(pausing("pause"))
    await rest()
    assert.deepStrictEqual(learned, [], "what was handed over is still taken up")
    for (const ring of alarms.splice(0)) ring()
    await rest()
    assert.deepStrictEqual(learned, ["pause"])

    const other = made()
    other.ends.begin([])
    other.waits("wait a", "a")
    await rest()
    assert.isTrue(other.ends.pause())
    Effect.runFork(other.pausing("pause"))
    for (const ring of other.alarms.splice(0)) ring()
    await rest()
    assert.deepStrictEqual(other.learned, [])
    other.ends.resume()
    await rest()
    assert.deepStrictEqual(other.learned, ["pause"])
  })
})
