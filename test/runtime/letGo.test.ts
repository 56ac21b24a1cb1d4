/**
 * What a body lets go of by itself: a wait whose signal it aborts, and a branch whose scope it closes.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { BodyContext } from "../../src/host/embed/createHost.ts"
import type * as Engine from "../../src/runtime/engine/Engine.ts"
import type { Note } from "./replays.ts"
import { Go, Listener, plays } from "./replays.ts"

/** What a Promise body waits for, and gives up. */
const waits: Readonly<Record<string, (ctx: BodyContext, signal: AbortSignal) => Promise<unknown>>> = {
  "a sleep": (ctx, signal) => ctx.sleep("1 day", { name: "wait", signal }),
  "a signal": (ctx, signal) => ctx.awaitSignal(Go, { name: "wait", signal }),
  "the end of a child": async (ctx, signal) => {
    const child = await ctx.start(Listener, { name: "c", payload: null })
    return child.result({ signal })
  }
}

for (const [what, wait] of Object.entries(waits)) {
  plays(
    `a wait for ${what} is given up once its signal is aborted, with the signal's reason, and given up again`,
    {
      promises: async (ctx, note) => {
        const late = new AbortController()
        const given = wait(ctx, late.signal).catch((reason: unknown) => {
          note(String(reason))
          return String(reason)
        })
        await ctx.sleep("10 millis")
        late.abort("late")
        return `${await given}, ${await ctx.awaitSignal(Go)}`
      }
    },
    ({ again, journaled, send, did, end }) =>
      Effect.gen(function* () {
        yield* journaled("signal.go#1")
        yield* again
        yield* send(7)
        assert.strictEqual(yield* end, "Completed: late, 7")
        assert.deepStrictEqual(did, ["late", "late"])
      }),
    { interruptions: ["crash"], children: [Listener as Engine.Runnable<never>] }
  )
}

const slow = (note: Note) =>
  Effect.onInterrupt(
    Effect.zipRight(
      Effect.sync(() => note("begun")),
      Effect.never
    ),
    () => Effect.sync(() => note("let go of"))
  )

plays(
  "what runs in a scope is let go of when the scope is closed, with the step that it does, and let go of again",
  {
    effects: (ctx, note) =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            yield* Effect.forkScoped(ctx.awaitSignal(Go, { name: "loser" }))
            yield* Effect.forkScoped(ctx.step("slow", slow(note)))
            yield* ctx.sleep("10 millis")
          })
        )
        return `after, ${yield* ctx.awaitSignal(Go)}`
      })
  },
  ({ again, journaled, send, did, journal, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      assert.deepStrictEqual(did, ["begun", "let go of"])
      const before = yield* journal
      assert.includeMembers([...before], ["loser#1!", "slow#1!"])
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: after, 7")
      assert.deepStrictEqual(did, ["begun", "let go of"])
      assert.deepStrictEqual(yield* journal, before)
    }),
  { interruptions: ["crash"] }
)
