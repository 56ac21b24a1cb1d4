import { assert } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { BodyContext } from "../../src/host/embed/createHost.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import type { Note } from "./replays.ts"
import { Go, plays, Refused } from "./replays.ts"

const failsOnce = (before: number) => (before === 0 ? Effect.fail(new Refused({ by: before })) : Effect.succeed("done"))

const fails = (before: number, times: number): string => {
  if (before < times) throw new Error(`refused ${before}`)
  return "done"
}

plays(
  "a step that failed has failed, and the way that the body took then is its way",
  {
    effects: (ctx, note) =>
      Effect.gen(function* () {
        const way = yield* ctx
          .step(
            "a",
            Effect.suspend(() => failsOnce(note("a"))),
            { error: Refused }
          )
          .pipe(
            Effect.catchTag("Refused", ({ by }) =>
              ctx.step(
                "b",
                Effect.sync(() => `b${by}${note("b")}`)
              )
            )
          )
        return `${way}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx, note) => {
      let way: string
      try {
        way = await ctx.step("a", () => fails(note("a"), 1))
      } catch {
        way = await ctx.step("b", () => `b0${note("b")}`)
      }
      return `${way}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ again, send, end, did, journal }) =>
    Effect.gen(function* () {
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: b00, 7")
      assert.deepStrictEqual(did, ["a", "b"])
      assert.deepStrictEqual(yield* journal, ["a#1", "b#1", "signal.go#1"])
    })
)

plays(
  "a loop that tries again by hand tries as often as it did",
  {
    effects: (ctx, note) =>
      Effect.gen(function* () {
        const step = ctx.step(
          "try",
          Effect.suspend(() => {
            const before = note("try")
            return before < 2 ? Effect.fail(new Refused({ by: before })) : Effect.succeed(`after ${before}`)
          }),
          { error: Refused }
        )
        const way = yield* Effect.retry(step, { times: 5 })
        return `${way}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx, note) => {
      for (;;) {
        try {
          const way = await ctx.step("try", () => {
            const before = note("try")
            fails(before, 2)
            return `after ${before}`
          })
          return `${way}, ${await ctx.awaitSignal(Go)}`
        } catch (error) {
          if (!(error instanceof Error) || !error.message.startsWith("refused")) throw error
        }
      }
    }
  },
  ({ again, send, end, did, journal }) =>
    Effect.gen(function* () {
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: after 2, 7")
      assert.deepStrictEqual(did, ["try", "try", "try"])
      assert.deepStrictEqual(yield* journal, ["try#1", "try#2", "try#3", "signal.go#1"])
    })
)

plays(
  "a step that a time limit cut off is cut off again, undone",
  {
    effects: (ctx, note) =>
      Effect.gen(function* () {
        const slow = ctx.step(
          "slow",
          Effect.zipRight(
            Effect.sync(() => note("slow")),
            Effect.sleep("1 minute")
          )
        )
        const way = yield* slow.pipe(
          Effect.as("in time"),
          Effect.timeoutTo({ duration: "10 millis", onTimeout: () => "late", onSuccess: (value) => value })
        )
        return `${way}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx, note) => {
      const { winner } = await ctx.race({
        slow: (branch) =>
          branch.step("slow", (signal) => {
            note("slow")
            return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
          }),
        late: (branch) => branch.sleep("10 millis")
      })
      return `${winner}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ again, send, advance, journaled, end, did, journal }) =>
    Effect.gen(function* () {
      yield* advance(20)
      yield* journaled("signal.go#1")
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: late, 7")
      assert.deepStrictEqual(did, ["slow"])
      assert.sameMembers(
        (yield* journal).map((key) => key.replace(/^.*\//, "")).filter((key) => key !== "sleep#1"),
        ["slow#1!", "signal.go#1"]
      )
    })
)

plays(
  "a wait that lost its race takes no signal",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const first = yield* Effect.race(ctx.awaitSignal(Go), Effect.as(ctx.sleep("10 millis"), "nothing"))
        const second = yield* ctx.awaitSignal(Go, { name: "second" })
        return `${first}, ${second}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const { winner } = await ctx.race({
        something: (branch) => branch.awaitSignal(Go),
        nothing: (branch) => branch.sleep("10 millis")
      })
      const second = await ctx.awaitSignal(Go, { name: "second" })
      return `${winner}, ${second}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ again, send, journaled, end }) =>
    Effect.gen(function* () {
      yield* journaled("second#1")
      yield* again
      yield* send(7)
      yield* again
      yield* send(8)
      assert.strictEqual(yield* end, "Completed: nothing, 7, 8")
    })
)

plays(
  "a time limit around a wait, in a loop, loses no signal",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const limited = Effect.timeoutTo(ctx.awaitSignal(Go), {
          duration: "10 millis",
          onTimeout: () => 0,
          onSuccess: (payload) => payload
        })
        yield* limited
        yield* limited
        return `${yield* ctx.awaitSignal(Go)}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      for (let round = 0; round < 2; round++) {
        const late = new AbortController()
        const wait = ctx.awaitSignal(Go, { signal: late.signal }).catch(() => 0)
        await ctx.sleep("10 millis")
        late.abort(new Error("late"))
        await wait
      }
      return `${await ctx.awaitSignal(Go)}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ again, send, journaled, end, journal }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#3")
      yield* again
      yield* send(7)
      yield* again
      yield* send(8)
      assert.strictEqual(yield* end, "Completed: 7, 8")
      assert.deepStrictEqual(
        (yield* journal).filter((key) => key.startsWith("signal")),
        ["signal.go#1", "signal.go#1!", "signal.go#2", "signal.go#2!", "signal.go#3", "signal.go#4"]
      )
    })
)

plays(
  "a time limit that a finaliser outlasts is exceeded again, be it around the finaliser or within",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const slow = Effect.orDie(ctx.sleep("40 millis"))
        const limited = <E>(part: Effect.Effect<unknown, E>) =>
          Effect.timeoutTo(part, { duration: "10 millis", onTimeout: () => "late", onSuccess: () => "in time" })
        const ways: Array<string> = []
        const way = (found: string) => Effect.sync(() => ways.push(found))
        yield* Effect.flatMap(limited(Effect.ensuring(Effect.void, Effect.zipRight(slow, slow))), way)
        yield* Effect.ensuring(Effect.void, Effect.flatMap(limited(slow), way))
        const both = Effect.all([slow, slow], { concurrency: "unbounded" })
        yield* Effect.flatMap(limited(Effect.ensuring(Effect.void, both)), way)
        yield* Effect.flatMap(limited(Effect.ensuring(Effect.void, Effect.orDie(ctx.random))), way)
        return `${ways.join(", ")}, ${yield* ctx.awaitSignal(Go)}`
      })
  },
  ({ again, send, journaled, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: late, late, late, in time, 7")
    })
)

plays(
  "a time limit that is over before the body has asked for what it limits is exceeded again",
  {
    effects: (ctx, note) =>
      Effect.gen(function* () {
        const began = yield* Clock.currentTimeMillis
        const isLate = Effect.map(Clock.currentTimeMillis, (nowMs) => nowMs > began + 20)
        const late = Effect.repeat(Effect.zipRight(Effect.yieldNow(), isLate), { until: Boolean })
        // Only the first time: a body that runs again is quicker.
        const slow = Effect.suspend(() => (note("slow") === 0 ? late : Effect.void))
        const limited = Effect.timeoutTo(Effect.zipRight(slow, ctx.sleep("1 hour")), {
          duration: "10 millis",
          onTimeout: () => "late",
          onSuccess: () => "in time"
        })
        return `${yield* limited}, ${yield* ctx.awaitSignal(Go)}`
      })
  },
  ({ again, send, journaled, end, journal }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      assert.deepStrictEqual(yield* journal, ["sleep#1", "sleep#1!", "signal.go#1"], "it was asked for, and let go of")
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: late, 7")
    })
)

plays(
  "a newer wait comes before one whose Promise lost a plain race",
  {
    promises: async (ctx) => {
      const first = await Promise.race([ctx.awaitSignal(Go), ctx.sleep("10 millis").then(() => "nothing")])
      return `${first}, ${await ctx.awaitSignal(Go, { name: "second" })}`
    }
  },
  ({ again, send, journaled, end }) =>
    Effect.gen(function* () {
      yield* journaled("second#1")
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: nothing, 7")
    })
)

/** Whichever of a time and a signal is first, and a signal after that. */
const contest = {
  effects: (ctx: ExecutionContext) =>
    Effect.gen(function* () {
      const winner = yield* Effect.race(
        Effect.map(ctx.awaitSignal(Go), (payload) => `signal ${payload}`),
        Effect.as(ctx.sleep("200 millis"), "time")
      )
      return `${winner}, ${yield* ctx.awaitSignal(Go, { name: "after" })}`
    }),
  promises: async (ctx: BodyContext) => {
    const { winner } = await ctx.race({
      "signal 7": (branch) => branch.awaitSignal(Go),
      time: (branch) => branch.sleep("200 millis")
    })
    return `${winner}, ${await ctx.awaitSignal(Go, { name: "after" })}`
  }
}

plays("a race has the same winner again, a time", contest, ({ again, send, journaled, end }) =>
  Effect.gen(function* () {
    yield* journaled("after#1")
    yield* again
    yield* send(7)
    assert.strictEqual(yield* end, "Completed: time, 7")
  })
)

plays(
  "of a signal and a time that both ended while no host had the engine, the earlier one wins",
  contest,
  ({ crash, boot, send, advance, end, log }) =>
    Effect.gen(function* () {
      yield* crash
      yield* boot({ without: "engine" })
      yield* send(7)
      yield* advance(1_000)
      const ends = (yield* log()).filter(({ eventType }) => eventType === "process.resumed")
      assert.strictEqual(ends.length, 2)
      yield* crash
      yield* boot()
      yield* advance(300)
      yield* send(8)
      assert.strictEqual(yield* end, "Completed: signal 7, 8")
    }),
  { interruptions: ["crash"] }
)

plays(
  "of a time and a signal that both ended while no host had the engine, the earlier one wins, and the signal is kept",
  contest,
  ({ crash, boot, send, advance, end }) =>
    Effect.gen(function* () {
      yield* crash
      yield* boot({ without: "engine" })
      yield* advance(1_000)
      yield* send(7)
      yield* crash
      yield* boot()
      yield* advance(300)
      assert.strictEqual(yield* end, "Completed: time, 7")
    }),
  { interruptions: ["crash"] }
)

/** A child that takes as long as it is asked to. Units: milliseconds. */
const Sleeper = Engine.make("sleeper", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "rerunnable",
  run: (ms, ctx) => Effect.as(ctx.sleep(ms), ms)
})

plays(
  "a race of two children has the same winner again",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const slow = yield* ctx.start(Sleeper, { name: "slow", payload: 40 })
        const fast = yield* ctx.start(Sleeper, { name: "fast", payload: 20 })
        const winner = yield* Effect.race(slow.await, fast.await)
        return `${winner}, ${yield* ctx.awaitSignal(Go)}, ${yield* slow.await}`
      }),
    promises: async (ctx) => {
      const slow = await ctx.start(Sleeper, { name: "slow", payload: 40 })
      const fast = await ctx.start(Sleeper, { name: "fast", payload: 20 })
      const winner = await Promise.race([slow.result(), fast.result()])
      return `${winner}, ${await ctx.awaitSignal(Go)}, ${await slow.result()}`
    }
  },
  ({ again, send, advance, journaled, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* advance(100)
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: 20, 7, 40")
    }),
  { children: [Sleeper as Engine.Runnable<never>] }
)

plays(
  "the context is refused inside a step, the first time and again",
  {
    effects: (ctx, note) =>
      Effect.gen(function* () {
        const inner = Effect.zipRight(
          Effect.sync(() => note("outer")),
          ctx.sleep("1 milli")
        )
        const refusal = yield* Effect.flip(ctx.step("outer", inner))
        return `${refusal._tag}: ${refusal.message}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx, note) => {
      const refusal = await ctx
        .step("outer", () => {
          note("outer")
          return ctx.sleep("1 milli")
        })
        .then(
          () => assert.fail("it slept inside a step"),
          (error: { readonly _tag: string; readonly message: string }) => error
        )
      return `${refusal._tag}: ${refusal.message}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ again, send, end, did, journal }) =>
    Effect.gen(function* () {
      yield* again
      yield* send(7)
      assert.strictEqual(
        yield* end,
        "Completed: InsideStep: `ctx.sleep` was called inside step `outer` of `p`: call it before or after the step, or split the step, 7"
      )
      assert.deepStrictEqual(did, ["outer"])
      assert.deepStrictEqual(yield* journal, ["outer#1", "signal.go#1"])
    })
)

/** A step that goes on after its host has begun to stop, and then comes to a value. */
const stubborn = {
  effects: (ctx: ExecutionContext, note: Note) =>
    ctx.step(
      "charge",
      Effect.uninterruptible(
        Effect.async<string>((resume) => {
          const { abortSignal } = ctx
          const done = () => setImmediate(() => resume(Effect.succeed(`charged ${note("charge")}`)))
          abortSignal.addEventListener("abort", done)
        })
      )
    ),
  promises: (ctx: BodyContext, note: Note) =>
    ctx.step(
      "charge",
      (signal) =>
        new Promise<string>((resolve) => {
          signal.addEventListener("abort", () => setImmediate(() => resolve(`charged ${note("charge")}`)))
        })
    )
}

plays(
  "a step that finishes while its host stops is recorded, and not done again",
  {
    effects: (ctx, note) =>
      Effect.flatMap(stubborn.effects(ctx, note), (charged) =>
        Effect.map(ctx.awaitSignal(Go), (payload) => `${charged}, ${payload}`)
      ),
    promises: async (ctx, note) => `${await stubborn.promises(ctx, note)}, ${await ctx.awaitSignal(Go)}`
  },
  ({ again, send, end, did }) =>
    Effect.gen(function* () {
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: charged 0, 7")
      assert.deepStrictEqual(did, ["charge"])
    }),
  { interruptions: ["stop"] }
)

plays(
  "a step that finishes after a request to stop is recorded",
  stubborn,
  ({ cancel, end, did, journal }) =>
    Effect.gen(function* () {
      yield* cancel
      yield* end
      assert.deepStrictEqual(did, ["charge"])
      assert.deepStrictEqual(yield* journal, ["charge#1"])
    }),
  { interruptions: ["stop"] }
)

plays(
  "a Promise body that comes to a value after a request to stop ends with it",
  {
    promises: async (ctx) => {
      try {
        return `${await ctx.awaitSignal(Go)}`
      } catch {
        return "given back"
      }
    }
  },
  ({ cancel, end }) =>
    Effect.gen(function* () {
      yield* cancel
      assert.strictEqual(yield* end, "Completed: given back")
    }),
  { interruptions: ["stop"] }
)
