/**
 * Processes whose code has changed: they rest, say what to do, and go on from where a person says.
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import type { ResumeOptions } from "../../src/operations/resume.ts"
import { verify } from "../../src/operations/verify.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { Play } from "./replays.ts"
import { Go, Noted, plays } from "./replays.ts"

/** Which code is deployed. */
let version = 1
const deploy = (next: number) => Effect.sync(() => (version = next))
const first = Effect.ensuring(deploy(1))

const resume = ({ host }: Play, options: ResumeOptions) =>
  Effect.suspend(() => host().run(Effect.flatMap(Processes, (processes) => processes.resume("p", options))))

const problemOf = ({ row }: Play) => Effect.map(row, ({ backOff }) => backOff?.problem ?? "")

const verified = ({ world }: Play) =>
  Effect.map(
    Effect.provideService(verify({ ids: [processId("p")] }), ProcessStore, world.store),
    ({ differences }) => differences
  )

plays(
  "a body whose code has changed rests, says where and what to do, and goes on from there",
  {
    effects: (ctx, note) =>
      Effect.gen(function* () {
        const step = (name: string) =>
          ctx.step(
            name,
            Effect.sync(() => `${name}${note(name)}`)
          )
        const before = yield* step("a")
        const way = version === 1 ? yield* step("b") : yield* ctx.scope("new", step("c"))
        return `${before} ${way} ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx, note) => {
      const before = await ctx.step("a", () => `a${note("a")}`)
      const way =
        version === 1
          ? await ctx.step("b", () => `b${note("b")}`)
          : await ctx.scope("new", (inner) => inner.step("c", () => `c${note("c")}`))
      return `${before} ${way} ${await ctx.awaitSignal(Go)}`
    }
  },
  (play) =>
    Effect.gen(function* () {
      const { journaled, again, send, end, did, advance } = play
      yield* journaled("signal.go#1")
      yield* deploy(2)
      yield* again
      yield* send(7)
      // The order is kept for a second, for what the body may ask for yet.
      yield* advance(1_100)
      const problem = yield* problemOf(play)
      assert.include(problem, "entry 2 of the journal of `p` is step under `b#1`")
      assert.include(problem, "ends without asking for it")
      for (const way of ["version", "ctx.patched", "`accepts`"]) assert.include(problem, way)
      assert.include(problem, "holdfast resume p --from 2")
      assert.include(problem, "holdfast cancel p")
      const refusal = yield* Effect.flip(resume(play, { from: 2 }))
      assert.strictEqual(
        refusal.message,
        "process `p` is not resumed from entry 2 of its journal: what it did would be done again: 2 b#1, 4 new#1/c#1; allow that (repeat), or resume later in the journal"
      )
      yield* resume(play, { from: 2, repeat: true })
      assert.strictEqual(yield* end, "Completed: a0 c1 7")
      // The code that diverged had done it already.
      assert.deepStrictEqual(did, ["a", "b", "c", "c"])
      assert.deepStrictEqual(yield* verified(play), [])
    }).pipe(first)
)

const Child = Engine.make("child", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "rerunnable",
  signals: [Go],
  run: (payload, ctx) => Effect.map(ctx.awaitSignal(Go), (given) => payload + given)
})

plays(
  "what a body enters again after it was resumed is another wait, another event and another child",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        yield* ctx.sleep(5)
        const child = yield* ctx.start(Child, { name: "c", payload: version })
        yield* ctx.sleep(version === 1 ? 1e9 : 20)
        return `${child.id} ${yield* child.await}`
      }),
    promises: async (ctx) => {
      await ctx.sleep(5)
      const child = await ctx.start(Child, { name: "c", payload: version })
      await ctx.sleep(version === 1 ? 1e9 : 20)
      return `${child.id} ${await child.result()}`
    }
  },
  (play) =>
    Effect.gen(function* () {
      const { journaled, crash, boot, end, advance, host, world } = play
      yield* journaled("sleep#2")
      yield* crash
      yield* boot({ without: "engine" })
      yield* advance(200)
      yield* deploy(2)
      assert.deepInclude(yield* Effect.flip(resume(play, { from: 2 })), { reason: "children" })
      const resumed = yield* resume(play, { from: 2, children: "cancel" })
      assert.deepStrictEqual(resumed, { from: 2, to: 3, effects: [], children: ["p/c"] })
      yield* crash
      yield* boot()
      yield* journaled("sleep#2")
      yield* advance(200)
      const on = (id: string) =>
        host().run(Effect.flatMap(Processes, (processes) => processes.handle(Child, id).status))
      assert.strictEqual((yield* on("p/c")).status._tag, "Cancelled")
      yield* host().run(Effect.flatMap(Processes, (processes) => processes.handle(Child, "p/c@1").signal(Go, 5)))
      yield* world.turns(20)
      assert.strictEqual(yield* end, "Completed: p/c@1 7")
      assert.deepStrictEqual(yield* verified(play), [])
    }).pipe(first),
  { children: [Child], interruptions: ["crash"] }
)

plays(
  "a signal that was taken behind the entry is taken again, and an event is appended again as another one",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const first = yield* ctx.awaitSignal(Go)
        yield* ctx.appendEvent(Noted, version)
        const second = yield* ctx.awaitSignal(Go)
        return `${first} ${second} ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const first = await ctx.awaitSignal(Go)
      await ctx.appendEvent(Noted, version)
      const second = await ctx.awaitSignal(Go)
      return `${first} ${second} ${await ctx.awaitSignal(Go)}`
    }
  },
  (play) =>
    Effect.gen(function* () {
      const { journaled, crash, boot, end, advance, log, send } = play
      yield* send(1)
      yield* send(2)
      yield* journaled("signal.go#3")
      yield* crash
      yield* boot({ without: "engine" })
      yield* advance(200)
      yield* deploy(2)
      yield* resume(play, { from: 2, repeat: true })
      yield* crash
      yield* boot()
      yield* advance(200)
      yield* send(3)
      assert.strictEqual(yield* end, "Completed: 1 2 3")
      const noted = (yield* log()).filter(({ eventType }) => eventType === "noted")
      assert.deepStrictEqual(
        noted.map(({ payload }) => payload),
        [1, 2]
      )
      assert.deepStrictEqual(yield* verified(play), [])
    }).pipe(first),
  { interruptions: ["crash"] }
)

plays(
  "a body that rests because its code has changed is ended by a request to stop, and its wait with it",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        yield* ctx.step(version === 1 ? "a" : "b", Effect.void)
        return `${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      await ctx.step(version === 1 ? "a" : "b", () => null)
      return `${await ctx.awaitSignal(Go)}`
    }
  },
  (play) =>
    Effect.gen(function* () {
      const { journaled, again, send, cancel, end, advance } = play
      yield* journaled("signal.go#1")
      yield* deploy(2)
      yield* again
      yield* send(7)
      yield* advance(1_100)
      assert.include(yield* problemOf(play), "entry 1 of the journal of `p` is step under `a#1`")
      yield* cancel
      assert.strictEqual(yield* end, "Cancelled")
      assert.deepStrictEqual(yield* verified(play), [])
    }).pipe(first),
  { interruptions: ["crash"] }
)

plays(
  "a body whose code has changed is tried again less and less often",
  {
    effects: (ctx) =>
      Effect.zipRight(
        ctx.step(version === 1 ? "a" : "b", Effect.void),
        Effect.map(ctx.awaitSignal(Go), (n) => `${n}`)
      )
  },
  ({ journaled, again, send, row, activations, advance }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* deploy(2)
      yield* again
      const before = yield* activations
      yield* send(7)
      // It failed once by now; then after 1, 3, 7, 15 and 31 seconds.
      yield* advance(40_000)
      assert.strictEqual((yield* activations) - before, 5)
      assert.strictEqual((yield* row).backOff?.failures, 6)
    }).pipe(first),
  { interruptions: ["crash"] }
)
