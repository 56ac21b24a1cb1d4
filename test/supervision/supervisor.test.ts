import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/TestClock"
import type { SupervisorStrategy } from "../../machines/supervisor/types.ts"
import type { Child, Supervisor } from "../../src/supervision/Supervisor.ts"
import { renderTree } from "../../src/supervision/Supervisor.ts"
import { quiet } from "../support/hosts.ts"
import { family, supervisor } from "./parents.ts"

/** Lets everything happen that is due by then. */
const pass = (ms: number) => TestClock.adjust(ms)

const started = ({ run }: Supervisor) => Effect.tap(Effect.fork(run), () => pass(0))

const states = ({ node }: Supervisor) => node().children.map(({ name, state }) => `${name} ${state}`)

describe("a running supervisor", () => {
  it.effect("starts its children in order; stops them in reverse, each once the one after it is down", () => {
    const { child, heard, up } = family()
    const top = supervisor([child("a", { stopMs: 100 }), child("b", { stopMs: 200 }), child("c", { stopMs: 300 })])
    return Effect.gen(function* () {
      assert.strictEqual(top.node().state, "idle")
      const fiber = yield* started(top)
      assert.deepStrictEqual(heard(), ["a up", "b up", "c up"])
      assert.deepStrictEqual([top.node().state, ...states(top)], ["running", "a running", "b running", "c running"])
      yield* Fiber.interruptFork(fiber)
      yield* pass(299)
      assert.deepStrictEqual([heard(), states(top)], [["c asked"], ["a running", "b running", "c stopping"]])
      yield* pass(1)
      assert.deepStrictEqual(heard(), ["c down", "b asked"])
      yield* pass(200)
      assert.deepStrictEqual(heard(), ["b down", "a asked"])
      yield* pass(100)
      assert.isTrue(Exit.isInterrupted(yield* Fiber.await(fiber)))
      assert.deepStrictEqual([heard(), [...up], top.node().state], [["a down"], [], "stopped"])
    }).pipe(Effect.provide(quiet))
  })

  const restarts: Record<SupervisorStrategy, ReadonlyArray<string>> = {
    one_for_one: ["b up"],
    one_for_all: ["a up", "b up", "c up"],
    rest_for_one: ["b up", "c up"]
  }
  const downs: Record<SupervisorStrategy, ReadonlyArray<string>> = {
    one_for_one: [],
    one_for_all: ["c asked", "c down", "a asked", "a down"],
    rest_for_one: ["c asked", "c down"]
  }
  for (const strategy of ["one_for_one", "one_for_all", "rest_for_one"] as const) {
    it.effect(`${strategy}: brings up ${restarts[strategy].join(", ")} after b failed, once the pause is over`, () => {
      const { child, end, heard } = family()
      const top = supervisor([child("a"), child("b"), child("c")], { strategy })
      return Effect.gen(function* () {
        const fiber = yield* started(top)
        heard()
        yield* end("b", Effect.die(new RangeError("broken")))
        yield* pass(99)
        assert.deepStrictEqual(heard(), ["b down", ...downs[strategy]])
        assert.include(states(top), "b backing off")
        yield* pass(1)
        assert.deepStrictEqual(heard(), restarts[strategy])
        assert.deepStrictEqual(states(top), ["a running", "b running", "c running"])
        const [a, b] = top.node().children
        assert.deepStrictEqual([a?.restarts, a?.lastFailure], [0, undefined])
        assert.deepStrictEqual([b?.restarts, b?.lastFailure], [1, { atMs: 0, problem: "RangeError: broken" }])
        yield* Fiber.interrupt(fiber)
      }).pipe(Effect.provide(quiet))
    })
  }

  it.effect("pauses twice as long before each restart in a row, up to the longest pause", () => {
    const atMs: Array<number> = []
    const dies: Child = {
      name: "dies",
      restart: "permanent",
      shutdownMs: 1_000,
      run: Effect.zipRight(
        Effect.map(Clock.currentTimeMillis, (nowMs) => atMs.push(nowMs)),
        Effect.die("at once")
      )
    }
    return Effect.gen(function* () {
      const fiber = yield* started(supervisor([dies], { intensity: { maxRestarts: 5, periodMs: 10_000 } }))
      yield* pass(10_000)
      assert.deepStrictEqual(atMs, [0, 100, 300, 700, 1_100, 1_500])
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
    }).pipe(Effect.provide(quiet))
  })

  it.effect(
    "gives up over a child that fails more often than it bears: the others are stopped, and it says which",
    () => {
      const { child, end, heard, up } = family()
      const top = supervisor([child("a"), child("b"), child("c", { stopMs: 50 })])
      return Effect.gen(function* () {
        const fiber = yield* started(top)
        for (const pauseMs of [100, 200, 400]) {
          yield* end("b", Effect.fail("no luck"))
          yield* pass(pauseMs)
        }
        assert.deepStrictEqual([...up].toSorted(), ["a", "b", "c"])
        heard()
        yield* end("b", Effect.fail("no luck"))
        yield* pass(49)
        assert.deepStrictEqual([heard(), fiber.unsafePoll()], [["b down", "c asked"], null])
        yield* pass(1)
        assert.deepStrictEqual(heard(), ["c down", "a asked", "a down"])
        assert.deepStrictEqual(yield* Fiber.await(fiber), Exit.fail({ child: "b", problem: "no luck" }))
        const { state, lastFailure } = top.node()
        assert.deepStrictEqual([state, lastFailure], ["escalated", { atMs: 700, problem: "no luck" }])
        assert.deepStrictEqual([...up], [])
      }).pipe(Effect.provide(quiet))
    }
  )

  it.effect(
    "a supervisor above restarts one that gave up, and its children begin anew, with nothing held against them",
    () => {
      const { child, end, heard } = family()
      const below = supervisor([child("a"), child("b")], {
        name: "below",
        intensity: { maxRestarts: 0, periodMs: 1_000 }
      })
      const top = supervisor([{ name: "below", restart: "permanent", shutdownMs: 9_000, run: below.run }, child("z")])
      return Effect.gen(function* () {
        const fiber = yield* started(top)
        yield* end("b", Effect.die("broken"))
        yield* pass(100)
        const ofBelow = heard().filter((text) => !text.startsWith("z"))
        assert.deepStrictEqual(ofBelow, ["a up", "b up", "b down", "a asked", "a down", "a up", "b up"])
        assert.deepStrictEqual(states(below), ["a running", "b running"])
        assert.deepStrictEqual(
          below.node().children.map(({ restarts }) => restarts),
          [0, 0]
        )
        assert.deepStrictEqual(top.node().children[0]?.lastFailure, { atMs: 0, problem: "broken" })
        yield* Fiber.interruptFork(fiber)
        yield* pass(0)
        assert.deepStrictEqual(heard(), ["z asked", "z down", "b asked", "b down", "a asked", "a down"])
      }).pipe(Effect.provide(quiet))
    }
  )

  it.effect(
    "a permanent child comes back after every end, a transient one after a failure, a temporary one never",
    () => {
      const { child, end, heard } = family()
      const top = supervisor(
        [
          child("permanent"),
          child("transient", { restart: "transient" }),
          child("temporary", { restart: "temporary" })
        ],
        { intensity: { maxRestarts: 9, periodMs: 1_000 } }
      )
      const ending = (name: string, how: Effect.Effect<void, unknown>) =>
        Effect.gen(function* () {
          heard()
          yield* end(name, how)
          yield* pass(1_000)
          return heard().slice(1)
        })
      return Effect.gen(function* () {
        const fiber = yield* started(top)
        assert.deepStrictEqual(yield* ending("permanent", Effect.void), ["permanent up"])
        assert.deepStrictEqual(yield* ending("permanent", Effect.fail("no")), ["permanent up"])
        assert.deepStrictEqual(yield* ending("transient", Effect.fail("no")), ["transient up"])
        assert.deepStrictEqual(yield* ending("transient", Effect.void), [])
        assert.deepStrictEqual(yield* ending("temporary", Effect.fail("no")), [])
        assert.deepStrictEqual(states(top), ["permanent running", "transient stopped", "temporary stopped"])
        yield* Fiber.interrupt(fiber)
      }).pipe(Effect.provide(quiet))
    }
  )

  for (const [what, how, problem] of [
    ["a typed failure", Effect.fail({ _tag: "Sad", problem: "of its own" }), /^of its own$/],
    ["a defect", Effect.die(new TypeError("not a function\nat all")), /^TypeError: not a function$/m],
    ["an interruption of its own", Effect.interrupt, /^InterruptedException: /],
    ["an end it ought not to have come to", Effect.void, /^it ended although it is permanent$/]
  ] as const) {
    it.effect(`${what} is a failure that is told in words`, () => {
      const { child, end } = family()
      const top = supervisor([child("a")])
      return Effect.gen(function* () {
        const fiber = yield* started(top)
        yield* pass(7)
        yield* end("a", how)
        yield* pass(0)
        const failure = top.node().children[0]?.lastFailure
        assert.strictEqual(failure?.atMs, 7)
        assert.match(failure?.problem ?? "", problem)
        yield* Fiber.interrupt(fiber)
      }).pipe(Effect.provide(quiet))
    })
  }

  it.effect("a child that does not stop in time holds up no other; the supervisor ends once it has", () => {
    const { child, heard, up } = family()
    const said: Array<string> = []
    const logger = Logger.make(({ message }) => said.push(String(message)))
    const top = supervisor([child("a"), child("b", { stopMs: 9_000, shutdownMs: 1_000 })])
    return Effect.gen(function* () {
      const fiber = yield* started(top)
      heard()
      yield* Fiber.interruptFork(fiber)
      yield* pass(999)
      assert.deepStrictEqual([heard(), said], [["b asked"], []])
      yield* pass(1)
      assert.deepStrictEqual([heard(), said], [["a asked", "a down"], ["top/b did not stop within 1000 ms"]])
      yield* pass(7_999)
      assert.deepStrictEqual([[...up], fiber.unsafePoll()], [["b"], null])
      yield* pass(1)
      assert.deepStrictEqual([[...up], fiber.unsafePoll() === null], [[], false])
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

  it.effect("nothing comes up any more once it is asked to stop, whatever was backing off", () => {
    const { child, end, heard, up } = family()
    const top = supervisor([child("a"), child("b")])
    return Effect.gen(function* () {
      const fiber = yield* started(top)
      yield* end("a", Effect.die("broken"))
      yield* pass(50)
      heard()
      yield* Fiber.interrupt(fiber)
      yield* pass(60_000)
      assert.deepStrictEqual([heard(), [...up]], [["b asked", "b down"], []])
    }).pipe(Effect.provide(quiet))
  })

  it.effect("an interruption in the very moment in which a child reports its stop loses neither", () => {
    const { child, end, up } = family()
    let fiber: Fiber.RuntimeFiber<void, unknown> | undefined
    // The report follows this message without a pause in between.
    const logger = Logger.make(() => fiber?.unsafeInterruptAsFork(FiberId.none))
    const top = supervisor([child("a"), child("b"), child("c", { stopMs: 200, shutdownMs: 100 })], {
      strategy: "one_for_all"
    })
    return Effect.gen(function* () {
      fiber = yield* started(top)
      yield* end("b", Effect.die("broken"))
      yield* pass(10_000)
      assert.deepStrictEqual([[...up], fiber.unsafePoll() === null, top.node().state], [[], false, "stopped"])
    }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
  })

  it.effect("is read as text while it runs", () => {
    const { child, end } = family()
    const top = supervisor([child("a"), { ...child("b"), below: () => ({ note: "3 of 4" }) }])
    return Effect.gen(function* () {
      const fiber = yield* started(top)
      yield* end("a", Effect.die(new Error("first line\nsecond line")))
      yield* pass(100)
      assert.strictEqual(
        renderTree(top.node()),
        "top: running\n├─ a: running, restarted once, last failure: Error: first line\n└─ b: running, 3 of 4"
      )
      yield* Fiber.interrupt(fiber)
    }).pipe(Effect.provide(quiet))
  })
})
