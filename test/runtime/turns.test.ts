import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { ProcessId } from "../../src/model/ids.ts"
import { insideFinaliser } from "../../src/runtime/body/waiters.ts"
import { childEnded, during, ended, made, next, recorded, rest } from "./ended.ts"

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

  it("come after what is recorded and not asked for yet, while an end or another pause could come first", async () => {
    const { ends, learned, alarms, waits, pausing } = made()
    ends.begin([recorded("a", 1), recorded("b", 2)])
    waits("recorded b", "b")
    Effect.runFork(pausing("pause"))
    await rest()
    assert.deepStrictEqual(learned, [])
    waits("recorded a", "a")
    await rest()
    assert.deepStrictEqual(learned, ["a", "b", "pause"])
    // What would have given the turn has nothing more to do.
    for (const ring of alarms) ring()
    assert.deepStrictEqual(learned, ["a", "b", "pause"])
  })

  it("are written before the body learns anything after them", async () => {
    const { ends, learned, written, waits, pausing } = made()
    ends.begin([])
    waits("wait a", "a")
    Effect.runFork(pausing("pause"))
    await rest()
    assert.deepStrictEqual([learned, written], [["pause"], []])
    ends.arrive(ended("a", 1))
    await rest()
    assert.deepStrictEqual([learned, written], [["pause", "a"], ["1-1"]])
  })

  it("come in no order once the host has let go of the body", async () => {
    const { ends, host, learned, waits, pausing } = made()
    ends.begin([recorded("a", 1), recorded("b", 2)])
    waits("recorded b", "b")
    host.isDeciding = false
    Effect.runFork(pausing("pause"))
    await rest()
    assert.deepStrictEqual(learned, ["pause"])
  })

  it("come first where nothing else could, since the body may ask for what is recorded because of it", async () => {
    const { ends, learned, waits, pausing } = made()
    ends.begin([recorded("a", 1)])
    const body = Effect.zipRight(
      pausing("pause"),
      Effect.sync(() => waits("recorded a", "a"))
    )
    Effect.runFork(body)
    await rest()
    assert.deepStrictEqual(learned, ["pause", "a"])
  })

  it("come at last where a body that gets no end waits for one, and not while it gets some", async () => {
    const { ends, learned, alarms, waits, pausing } = made()
    ends.begin([recorded("a", 1), recorded("b", 2), recorded("c", 3)])
    waits("recorded c", "c")
    Effect.runFork(pausing("pause"))
    await rest()
    const ring = () => {
      for (const run of alarms.splice(0)) run()
    }
    waits("recorded a", "a")
    await rest()
    ring()
    await rest()
    assert.deepStrictEqual(learned, ["a"])
    ring()
    await rest()
    assert.deepStrictEqual(learned, ["a", "pause", "c"])
  })

  it("let no pause go on while what was handed over is being taken up", async () => {
    const { ends, learned, pausing } = made()
    ends.begin([recorded("a", 1)])
    Effect.runFork(pausing("pause"))
    const soon = Effect.zipRight(
      Effect.yieldNow(),
      Effect.sync(() => learned.push("a"))
    )
    Effect.runFork(
      during(
        ends,
        "a",
        next(ends, "recorded a", () => soon)
      )
    )
    await rest()
    assert.deepStrictEqual(learned, ["a", "pause"])
  })

  it("let no pause go on while a body does that has waited for something else than an operation", async () => {
    const { ends, scheduler, learned, pausing } = made()
    ends.begin([])
    let resolve = (): void => {}
    const outside = new Promise<void>((done) => {
      resolve = done
    })
    const working = Effect.zipRight(
      Effect.repeatN(Effect.yieldNow(), 20),
      Effect.sync(() => learned.push("asked"))
    )
    const body = Effect.all([working, pausing("pause")], { concurrency: "unbounded" })
    Effect.runFork(
      Effect.withScheduler(
        Effect.zipRight(
          Effect.promise(() => outside),
          body
        ),
        scheduler
      )
    )
    await rest()
    resolve()
    await rest()
    assert.deepStrictEqual(learned, ["asked", "pause"])
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
