/**
 * What failed once, when the body runs again: what was not recorded is tried anew, and what the body did wrong it does again.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Go, plays, Refused } from "./replays.ts"

plays(
  "a step that is recorded only if it succeeds is tried anew after it failed, and not after it succeeded",
  {
    effects: (ctx, note) =>
      Effect.gen(function* () {
        const charge = Effect.suspend(() => {
          const before = note("charge")
          return before === 0 ? Effect.fail(new Refused({ by: before })) : Effect.succeed(`charged ${before}`)
        })
        const way = yield* Effect.merge(
          Effect.mapError(ctx.step("charge", charge, { record: "success" }), ({ _tag }) => _tag)
        )
        return `${way}, ${yield* ctx.awaitSignal(Go)}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx, note) => {
      const charge = () => {
        const before = note("charge")
        if (before === 0) throw new Error("refused")
        return `charged ${before}`
      }
      const way = await ctx.step("charge", charge, { record: "success" }).catch(({ name }: Error) => name)
      return `${way}, ${await ctx.awaitSignal(Go)}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ journaled, again, advance, send, journal, did, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      assert.deepStrictEqual(yield* journal, ["signal.go#1"])
      yield* again
      yield* send(7)
      // The order is kept for a second, for what the body may ask for yet.
      yield* advance(1_100)
      yield* journaled("signal.go#2")
      assert.sameMembers([...(yield* journal)], ["signal.go#1", "charge#1", "signal.go#2"])
      yield* again
      yield* send(8)
      assert.strictEqual(yield* end, "Completed: charged 1, 7, 8")
      assert.deepStrictEqual(did, ["charge", "charge"])
    }),
  { interruptions: ["crash"] }
)

plays(
  "of two steps of one name at once the second is refused, on a replay as the first time",
  {
    effects: (ctx, note) => {
      const step = ctx.step(
        "a",
        Effect.zipRight(
          Effect.sleep("5 millis"),
          Effect.sync(() => `a${note("a")}`)
        )
      )
      const tried = Effect.merge(Effect.mapError(step, ({ _tag }) => _tag))
      return Effect.gen(function* () {
        const both = yield* Effect.all([tried, tried], { concurrency: 2 })
        return `${both}, ${yield* tried}, ${yield* ctx.awaitSignal(Go)}`
      })
    },
    promises: async (ctx, note) => {
      const tried = () =>
        ctx
          .step("a", () => new Promise<string>((resolve) => setTimeout(() => resolve(`a${note("a")}`), 2)))
          .catch(({ _tag }: { readonly _tag: string }) => _tag)
      const both = await Promise.all([tried(), tried()])
      return `${both}, ${await tried()}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ journaled, again, send, journal, did, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: a0,StepNameAmbiguous, a1, 7")
      assert.deepStrictEqual(did, ["a", "a"])
      assert.deepStrictEqual(yield* journal, ["a#1", "a#2", "signal.go#1"])
    }),
  { interruptions: ["crash"] }
)
