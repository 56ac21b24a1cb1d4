/**
 * Progress of a long step: shown while it runs, and handed to the next try after a crash.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { explain } from "../../src/explain/explain.ts"
import { render } from "../../src/explain/render.ts"
import { Host } from "../../src/host/Host.ts"
import { processId } from "../../src/model/ids.ts"
import { apart } from "../../src/model/JournalEntry.ts"
import { plays } from "./replays.ts"
import type { World } from "./schedules.ts"

const seen: Array<unknown> = []

/** The progress that is kept of the body. */
const keptIn = ({ store }: World) =>
  Effect.map(Effect.orDie(store.execution.progress(processId("p"))), (kept) =>
    apart(kept, 0).progress.map(({ key, detail }) => [key, detail])
  )

plays(
  "a long step goes on where its last word was, also after a crash",
  {
    effects: (ctx, note) =>
      ctx.step("copy", ({ last, report }) =>
        Effect.gen(function* () {
          seen.push(last)
          const first = note("copy") === 0
          yield* report({ done: 1 })
          yield* report({ done: 2 })
          if (first) yield* Effect.sleep("1 hour")
          return `from ${JSON.stringify(last)}`
        })
      ),
    promises: (ctx, note) =>
      ctx.step("copy", async (signal, { last, report }) => {
        seen.push(last)
        const first = note("copy") === 0
        await report({ done: 1 })
        await report({ done: 2 })
        if (first) {
          await new Promise((_, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason))
          })
        }
        return `from ${JSON.stringify(last)}`
      })
  },
  ({ world, host, advance, again, end, did }) =>
    Effect.gen(function* () {
      seen.splice(0, seen.length - 1)
      const kept = keptIn(world)
      yield* advance(900)
      assert.deepStrictEqual(yield* kept, [["copy#1", { done: 1 }]], "within a second of the first word")
      yield* advance(200)
      assert.deepStrictEqual(yield* kept, [["copy#1", { done: 2 }]])
      const explained = yield* host().run(Effect.flatMap(Host, ({ facts }) => explain(processId("p"), facts)))
      assert.include(render(explained), 'step copy#1, progress {"done":2}')
      yield* again
      assert.strictEqual(yield* end, 'Completed: from {"done":2}')
      assert.deepStrictEqual(seen, [undefined, { done: 2 }])
      assert.deepStrictEqual(did, ["copy", "copy"])
      assert.deepStrictEqual(yield* kept, [])
    }),
  { interruptions: ["crash", "stop"] }
)

plays(
  "progress that is no JSON is refused by name, and the step may go on",
  {
    effects: (ctx) =>
      ctx.step("s", ({ report }) =>
        Effect.catchAll(Effect.as(report({ big: 1n }), "taken"), ({ message }) => Effect.succeed(message))
      ),
    promises: (ctx) =>
      ctx.step("s", async (_, { report }) => report({ big: 1n }).then(String, ({ message }: Error) => message))
  },
  ({ end }) => Effect.map(end, (text) => assert.match(text, /^Completed: progress of step `s`\/big /)),
  { interruptions: ["stop"] }
)

plays(
  "a step that the body lets go of is under way no longer",
  {
    effects: (ctx) =>
      ctx
        .step("long", ({ report }) => Effect.zipRight(report("begun"), Effect.never))
        .pipe(
          Effect.timeoutTo({ duration: "1 second", onTimeout: () => "gave up", onSuccess: () => "done" }),
          Effect.zipLeft(ctx.sleep("1 hour"))
        ),
    promises: async (ctx) => {
      const { winner } = await ctx.race({
        long: (branch) =>
          branch.step("long", async (signal, { report }) => {
            await report("begun")
            await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)))
          }),
        limit: (branch) => branch.sleep("1 second")
      })
      await ctx.sleep("1 hour")
      return winner
    }
  },
  ({ world, advance, again }) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* keptIn(world)).length, 1)
      yield* advance(1_100)
      assert.deepStrictEqual(yield* keptIn(world), [])
      yield* again
      assert.deepStrictEqual(yield* keptIn(world), [])
    }),
  { interruptions: ["crash"] }
)

plays(
  "a host that stops does not wait for the next time that progress would be written",
  {
    effects: (ctx) =>
      ctx
        .step("s", ({ report }) => Effect.as(Effect.zipRight(report(1), report(2)), "done"))
        .pipe(Effect.zipLeft(ctx.sleep("1 hour")))
  },
  ({ host, world }) =>
    Effect.gen(function* () {
      const before = world.nowMs()
      yield* host().stop
      assert.isBelow(world.nowMs() - before, 500)
    }),
  { interruptions: ["stop"] }
)
