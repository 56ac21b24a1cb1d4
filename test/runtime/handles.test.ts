import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Processes } from "../../src/host/Processes.ts"
import type { ProcessRecord } from "../../src/model/ProcessRecord.ts"
import * as Retention from "../../src/operations/Retention.ts"
import type * as Engine from "../../src/runtime/engine/Engine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { Acts, Play } from "./replays.ts"
import { Echo, Go, Listener, plays } from "./replays.ts"

const setting = { children: [Echo, Listener] as unknown as ReadonlyArray<Engine.Runnable<never>> }
const everywhere = { ...setting, databases: ["memory", "sqlite", "postgres"], interruptions: ["crash"] } as const
const c = { name: "c", payload: null }

/** The body goes another way by what it learned of another process. */
const wayOf = ({ status }: ProcessRecord): string => `${status._tag}`

const on = <A, E>({ host }: Play, use: (processes: typeof Processes.Service) => Effect.Effect<A, E>) =>
  Effect.suspend(() => host().run(Effect.flatMap(Processes, use)))

/** Removes whatever has ended, and every trace of it if asked to. */
const prune = ({ world }: Play, options: { readonly compacted?: boolean } = {}) =>
  Effect.gen(function* () {
    const retention = yield* Effect.provideService(Retention.make, ProcessStore, world.store)
    const watermark = { _tag: "NoProjector" } as const
    yield* world.advance(5)
    const report = yield* world.time.drive(retention.pruneTerminalProcesses({ cutoffMs: world.nowMs() + 1, watermark }))
    assert.strictEqual(report.prunedProcesses, 1)
    if (options.compacted === true) {
      yield* world.time.drive(retention.compactTombstones(world.nowMs() + 1, watermark))
    }
  })

/** The child ends while its parent waits; then the parent runs again. */
const whileChildEnds =
  (expected: string, options: { readonly isPruned?: boolean } = {}): Acts =>
  (play) =>
    Effect.gen(function* () {
      yield* play.journaled("signal.go#1")
      yield* on(play, (processes) => Effect.ignore(processes.handle(Listener, "p/c").signal(Go, 1)))
      yield* on(play, (processes) => Effect.exit(processes.handle(Listener, "p/c").await))
      if (options.isPruned === true) yield* prune(play)
      yield* play.again
      yield* play.send(7)
      assert.strictEqual(yield* play.end, `Completed: ${expected}, 7`)
    })

plays(
  "the status of a child is read once, and the body goes the same way by it",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const child = yield* ctx.start(Listener, c)
        const way = wayOf(yield* child.status)
        const done = yield* ctx.step(way, Effect.succeed(way))
        return `${done}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const child = await ctx.start(Listener, c)
      const way = wayOf(await child.status())
      const done = await ctx.step(way, () => way)
      return `${done}, ${await ctx.awaitSignal(Go)}`
    }
  },
  whileChildEnds("Running"),
  setting
)

plays(
  "what a cancel is answered is answered again",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const child = yield* ctx.start(Listener, c)
        const way = wayOf(yield* child.cancel("enough"))
        const done = yield* ctx.step(way, Effect.succeed(way))
        return `${done}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const child = await ctx.start(Listener, c)
      const way = wayOf(await child.cancel("enough"))
      const done = await ctx.step(way, () => way)
      return `${done}, ${await ctx.awaitSignal(Go)}`
    }
  },
  whileChildEnds("Running"),
  setting
)

plays(
  "what a request to give a child up is answered is answered again",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const child = yield* ctx.start(Listener, c)
        const way = wayOf(yield* child.abandon("enough"))
        const done = yield* ctx.step(way, Effect.succeed(way))
        return `${done}, ${yield* ctx.awaitSignal(Go)}`
      })
  },
  whileChildEnds("Running"),
  setting
)

plays(
  "the events of a child are read once, in the same pieces",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const child = yield* ctx.start(Listener, c)
        const first = yield* Stream.runHead(Stream.chunks(child.events))
        const types = Option.match(first, { onNone: () => [], onSome: (events) => [...events] }).map(
          (of) => of.eventType
        )
        const done = yield* ctx.step(`${types}`, Effect.succeed(types.length > 0))
        return `${done}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const child = await ctx.start(Listener, c)
      for await (const { eventType } of child.events()) {
        const done = await ctx.step(eventType, () => true)
        return `${done}, ${await ctx.awaitSignal(Go)}`
      }
      return "none"
    }
  },
  whileChildEnds("true", { isPruned: true }),
  setting
)

plays(
  "the changes of a child are read once",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const child = yield* ctx.start(Listener, c)
        const first = yield* Effect.flatMap(Stream.runHead(child.changes), (found) => found)
        const done = yield* ctx.step(wayOf(first), Effect.succeed(wayOf(first)))
        return `${done}, ${yield* ctx.awaitSignal(Go)}`
      })
  },
  whileChildEnds("Running"),
  setting
)

plays(
  "how a child ended that was pruned meanwhile is answered again",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const child = yield* ctx.start(Echo, { name: "c", payload: 1 })
        return `${yield* child.await}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const child = await ctx.start(Echo, { name: "c", payload: 1 })
      return `${await child.result()}, ${await ctx.awaitSignal(Go)}`
    }
  },
  (play) =>
    Effect.gen(function* () {
      yield* play.journaled("signal.go#1")
      yield* prune(play)
      yield* play.again
      yield* play.send(7)
      assert.strictEqual(yield* play.end, "Completed: 1, 7")
    }),
  everywhere
)

plays(
  "a child that was pruned before its parent asks for its end is answered from what is kept of it",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const child = yield* ctx.start(Echo, { name: "c", payload: 1 })
        const first = yield* ctx.awaitSignal(Go)
        return `${first}, ${yield* child.await}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const child = await ctx.start(Echo, { name: "c", payload: 1 })
      const first = await ctx.awaitSignal(Go)
      return `${first}, ${await child.result()}, ${await ctx.awaitSignal(Go)}`
    }
  },
  (play) =>
    Effect.gen(function* () {
      yield* play.journaled("signal.go#1")
      yield* on(play, (processes) => Effect.exit(processes.handle(Echo, "p/c").await))
      yield* prune(play, { compacted: true })
      yield* play.send(6)
      yield* play.journaled("signal.go#2")
      yield* play.again
      yield* play.send(7)
      assert.strictEqual(yield* play.end, "Completed: 6, 1, 7")
    }),
  everywhere
)

plays(
  "how another process ended is answered again, also when that was pruned meanwhile",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const first = yield* ctx.awaitSignal(Go)
        return `${first}, ${yield* ctx.attach(Echo, "other").await}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const first = await ctx.awaitSignal(Go)
      return `${first}, ${await ctx.attach(Echo, "other").result()}, ${await ctx.awaitSignal(Go)}`
    }
  },
  (play) =>
    Effect.gen(function* () {
      yield* on(play, (processes) => processes.start(Echo, { id: "other", payload: 2 }))
      yield* play.send(6)
      yield* play.journaled("signal.go#2")
      yield* prune(play)
      yield* play.again
      yield* play.send(7)
      assert.strictEqual(yield* play.end, "Completed: 6, 2, 7")
    }),
  everywhere
)

plays(
  "the end of a process that was pruned before is refused with how it ended, and refused the same again",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const first = yield* ctx.awaitSignal(Go)
        const end = yield* Effect.catchTag(ctx.attach(Echo, "other").await, "ProcessPruned", ({ terminalState }) =>
          Effect.succeed(`pruned: ${terminalState}`)
        )
        return `${first}, ${end}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const first = await ctx.awaitSignal(Go)
      const end = await ctx
        .attach(Echo, "other")
        .result()
        .catch(({ _tag, terminalState }) => `${_tag === "ProcessPruned" ? "pruned" : _tag}: ${terminalState}`)
      return `${first}, ${end}, ${await ctx.awaitSignal(Go)}`
    }
  },
  (play) =>
    Effect.gen(function* () {
      yield* on(play, (processes) => processes.start(Echo, { id: "other", payload: 2 }))
      yield* on(play, (processes) => Effect.exit(processes.handle(Echo, "other").await))
      yield* prune(play)
      yield* play.send(6)
      yield* play.journaled("signal.go#2")
      yield* play.world.time.drive(
        Effect.flatMap(Effect.provideService(Retention.make, ProcessStore, play.world.store), (retention) =>
          retention.compactTombstones(play.world.nowMs() + 1, { _tag: "NoProjector" })
        )
      )
      yield* play.again
      yield* play.send(7)
      assert.strictEqual(yield* play.end, "Completed: 6, pruned: completed, 7")
    }),
  everywhere
)
