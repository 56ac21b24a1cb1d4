/**
 * Progress of a long step: shown while it runs, and handed to the next try after a crash.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { explain } from "../../src/explain/explain.ts"
import { render } from "../../src/explain/render.ts"
import { Host } from "../../src/host/Host.ts"
import { processId } from "../../src/model/ids.ts"
import { plays } from "./replays.ts"

const seen: Array<unknown> = []

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
      yield* advance(1_100)
      const kept = Effect.orDie(world.store.execution.progress(processId("p")))
      assert.deepStrictEqual(
        (yield* kept).map(({ key, detail }) => [key, detail]),
        [["copy#1", { done: 2 }]]
      )
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
