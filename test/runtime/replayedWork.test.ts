import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { BodyContext } from "../../src/host/embed/createHost.ts"
import { Processes } from "../../src/host/Processes.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import type * as Engine from "../../src/runtime/engine/Engine.ts"
import type { Note } from "./replays.ts"
import { Echo, Go, Listener, plays } from "./replays.ts"

const echo = { children: [Echo as Engine.Runnable<never>] }
const listener = { children: [Listener as Engine.Runnable<never>] }
const three = [1, 2, 3]

plays(
  "one name in a loop starts another child each time",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const answers = yield* Effect.forEach(three, (payload) =>
          Effect.flatMap(ctx.start(Echo, { name: "c", payload }), (child) =>
            Effect.map(child.await, (answer) => `${child.id}=${answer}`)
          )
        )
        return `${answers}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const answers: Array<string> = []
      for (const payload of three) {
        const child = await ctx.start(Echo, { name: "c", payload })
        answers.push(`${child.id}=${await child.result()}`)
      }
      return `${answers}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ again, send, journaled, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: p/c=1,p/c:2=2,p/c:3=3, 7")
    }),
  echo
)

const alike = ["c", "c", "c:2", "c@1", "c:2", "s/c", "s%2Fc"]

plays(
  "names that look like numbered ones, like those of a resumed body, or like a scope's, name other children",
  {
    effects: (ctx) => {
      const started = (name: string) => Effect.map(ctx.start(Echo, { name, payload: 1 }), ({ id }) => id)
      return Effect.map(Effect.all([...alike.map(started), ctx.scope("s", started("c"))]), String)
    },
    promises: async (ctx) => {
      const ids: Array<string> = []
      for (const name of alike) ids.push((await ctx.start(Echo, { name, payload: 1 })).id)
      ids.push(await ctx.scope("s", async (inner) => (await inner.start(Echo, { name: "c", payload: 1 })).id))
      return String(ids)
    }
  },
  ({ end }) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* end, "Completed: p/c,p/c:2,p/c:2:1,p/c@1:1,p/c:2:2,p/s%2Fc,p/s%252Fc,p/s/c")
    }),
  { ...echo, interruptions: ["crash"] }
)

plays(
  "one name in two scopes names two children",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const branch = (name: string, payload: number) =>
          ctx.scope(
            name,
            Effect.flatMap(ctx.start(Echo, { name: "c", payload }), (child) =>
              Effect.map(child.await, (answer) => `${child.id}=${answer}`)
            )
          )
        const answers = yield* Effect.all([branch("left", 1), branch("right", 2)], { concurrency: 2 })
        return `${answers}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const branch = (payload: number) => async (inner: typeof ctx) => {
        const child = await inner.start(Echo, { name: "c", payload })
        return `${child.id}=${await child.result()}`
      }
      const { left, right } = await ctx.all({ left: branch(1), right: branch(2) })
      return `${left},${right}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ again, send, journaled, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: p/left/c=1,p/right/c=2, 7")
    }),
  echo
)

plays(
  "sleeps and times may be in flight together, and are numbered by call",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        yield* Effect.all([ctx.sleep("20 millis"), ctx.sleep("10 millis")], { concurrency: 2 })
        const [one, two] = yield* Effect.all([ctx.now, ctx.now], { concurrency: 2 })
        const payload = yield* ctx.awaitSignal(Go)
        return `${two - one}, ${(yield* ctx.now) - one > 100}, ${payload}`
      }),
    promises: async (ctx) => {
      await Promise.all([ctx.sleep("20 millis"), ctx.sleep("10 millis")])
      const [one, two] = await Promise.all([ctx.now(), ctx.now()])
      const payload = await ctx.awaitSignal(Go)
      return `${two - one}, ${(await ctx.now()) - one > 100}, ${payload}`
    }
  },
  ({ again, send, journaled, end, journal }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: 0, true, 7")
      assert.deepStrictEqual((yield* journal).slice(0, 5), ["sleep#1", "sleep#2", "now#1", "now#2", "signal.go#1"])
    })
)

plays(
  "a child is signalled once, however often its parent runs",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const child = yield* ctx.start(Listener, { name: "c", payload: null })
        yield* child.signal(Go, 5)
        return `${yield* child.await}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const child = await ctx.start(Listener, { name: "c", payload: null })
      await child.signal(Go, 5)
      return `${await child.result()}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ again, send, journaled, end, log }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: 5, 7")
      const sent = (yield* log("p/c")).filter(({ eventType }) => eventType === "signal.go")
      assert.strictEqual(sent.length, 1)
    }),
  listener
)

plays(
  "a step that a body left behind keeps neither its end nor its host",
  {
    effects: (ctx) => Effect.as(Effect.forkDaemon(ctx.step("left", Effect.never)), "done"),
    promises: async (ctx) => {
      ctx.step("left", () => new Promise(() => undefined)).catch(() => undefined)
      return "done"
    }
  },
  ({ end, host }) =>
    Effect.gen(function* () {
      assert.strictEqual(yield* end, "Completed: done")
      yield* host().stop
    }),
  { interruptions: ["stop"] }
)

plays(
  "a body that left memory while it waits is left alone by a restart",
  {
    effects: (ctx) => Effect.map(ctx.awaitSignal(Go), String),
    promises: async (ctx) => String(await ctx.awaitSignal(Go))
  },
  ({ again, crash, boot, send, advance, activations, journaled, row, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* again
      yield* crash
      yield* boot()
      yield* advance(1_000)
      assert.strictEqual(yield* activations, 1)
      assert.strictEqual((yield* row).dueAtMs, null)
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: 7")
      assert.strictEqual(yield* activations, 2)
    }),
  { interruptions: ["passivation"] }
)

const naps = 100

plays(
  "a row does not grow by the waits that there were",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        for (let nap = 0; nap < naps; nap++) yield* ctx.sleep("1 milli")
        yield* ctx.awaitSignal(Go)
        for (let nap = 0; nap < naps; nap++) yield* ctx.sleep("1 milli")
        return `${yield* ctx.awaitSignal(Go)}`
      })
  },
  ({ journaled, send, row, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      const before = JSON.stringify((yield* row).snapshot).length
      yield* send(6)
      yield* journaled("signal.go#2")
      const after = JSON.stringify((yield* row).snapshot).length
      assert.isAtMost(after, before + 20)
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: 7")
    }),
  { interruptions: ["stop"] }
)

plays(
  "a sleep of no length is refused by name",
  {
    effects: (ctx) =>
      Effect.match(ctx.sleep(Number.NaN), {
        onSuccess: () => "it slept",
        onFailure: ({ _tag, message }) => `${_tag}: ${message}`
      }),
    promises: (ctx) =>
      ctx.sleep(Number.NaN).then(
        () => "it slept",
        ({ _tag, message }) => `${_tag}: ${message}`
      )
  },
  ({ end }) => Effect.map(end, (said) => assert.match(said, /^Completed: InputInvalid: .*duration of `sleep`.*/)),
  { interruptions: ["stop"] }
)

plays(
  "many waits at once are no leak to Node",
  {
    promises: async (ctx) => {
      const warnings: Array<string> = []
      const hear = ({ name }: Error) => warnings.push(name)
      process.on("warning", hear)
      await Promise.all(
        Array.from({ length: 30 }, (_, n) =>
          ctx.awaitSignal(Go, { timeout: "20 millis", name: `w${n}` }).catch(() => 0)
        )
      )
      await new Promise((done) => setImmediate(done))
      process.off("warning", hear)
      return `warned: ${warnings}`
    }
  },
  ({ end }) => Effect.map(end, (said) => assert.strictEqual(said, "Completed: warned: ")),
  { interruptions: ["stop"] }
)

/** Waits, and cleans up when it is asked to stop. */
const cleaning = {
  effects: (ctx: ExecutionContext, note: Note) =>
    Effect.map(ctx.awaitSignal(Go), String).pipe(
      Effect.onInterrupt(() =>
        Effect.ignore(
          ctx.step(
            "undo",
            Effect.sync(() => note("undo"))
          )
        )
      )
    ),
  promises: async (ctx: BodyContext, note: Note) => {
    try {
      return String(await ctx.awaitSignal(Go))
    } catch (error) {
      await ctx.step("undo", () => note("undo"))
      throw error
    }
  }
}

plays(
  "a body that is asked to stop journals how it cleans up",
  cleaning,
  ({ journaled, cancel, end, did, journal }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* cancel
      assert.strictEqual(yield* end, "Cancelled")
      assert.deepStrictEqual(did, ["undo"])
      assert.deepStrictEqual(yield* journal, ["signal.go#1", "undo#1"])
    }),
  { interruptions: ["stop"] }
)

plays(
  "a body that is asked to stop while it has no host cleans up when it has one",
  cleaning,
  ({ journaled, crash, boot, cancel, advance, end, did }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* crash
      yield* boot({ without: "engine" })
      yield* cancel
      yield* crash
      yield* boot()
      yield* advance(200)
      assert.strictEqual(yield* end, "Cancelled")
      assert.deepStrictEqual(did, ["undo"])
    }),
  { interruptions: ["crash"] }
)

plays(
  "a body whose host is killed by the request to stop cleans up in the next one",
  cleaning,
  ({ journaled, crash, boot, host, world, cancel, advance, end, did }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* Effect.fork(cancel)
      for (let turn = 0; turn < 200 && host().isAlive(); turn++) {
        yield* world.turns(1)
        const asked = (yield* world.store.eventsAfter("p" as never, 0)).some(
          ({ eventType }) => eventType === "process.cancel_requested"
        )
        if (asked) break
      }
      yield* crash
      yield* boot()
      yield* advance(200)
      assert.strictEqual(yield* end, "Cancelled")
      assert.include(did, "undo")
    }),
  { interruptions: ["crash"] }
)

plays(
  "a parent that only waits for its children leaves memory, and their end brings it back",
  {
    effects: (ctx) =>
      Effect.flatMap(ctx.start(Listener, { name: "c", payload: null }), (child) => Effect.map(child.await, String)),
    promises: async (ctx) => String(await (await ctx.start(Listener, { name: "c", payload: null })).result())
  },
  ({ journaled, advance, host, world, log, row, end }) =>
    Effect.gen(function* () {
      yield* journaled("c#1")
      yield* advance(15)
      yield* host().passivate
      yield* advance(200)
      const types = (yield* log()).map(({ eventType }) => eventType)
      assert.strictEqual(types.at(-1), "process.suspended")
      assert.strictEqual((yield* row).dueAtMs, null)
      yield* host().run(Effect.flatMap(Processes, (processes) => processes.handle(Listener, "p/c").signal(Go, 5)))
      yield* world.turns(20)
      assert.strictEqual(yield* end, "Completed: 5")
      const then = (yield* log()).map(({ eventType }) => eventType)
      assert.deepStrictEqual(then.slice(types.length), ["process.child_ended", "process.started", "process.completed"])
    }),
  { ...listener, interruptions: ["passivation"] }
)

let isNew = false

plays(
  "a process that waits at its first operation was past the place before it",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const way = isNew && (yield* ctx.patched("new")) ? "new" : "old"
        return `${way}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const way = isNew && (await ctx.patched("new")) ? "new" : "old"
      return `${way}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ again, journaled, send, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      isNew = true
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: old, 7")
    }).pipe(Effect.ensuring(Effect.sync(() => (isNew = false))))
)

const slept = (ctx: ExecutionContext, ms: number) => Effect.orDie(ctx.sleep(ms))

const limited = <E>(ms: number, part: Effect.Effect<unknown, E>) =>
  Effect.timeoutTo(part, { duration: ms, onTimeout: () => "late", onSuccess: () => "in time" })

plays(
  "of two time limits around what nothing interrupts, the one that was over is exceeded again, and the other one kept",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const ways: Array<string> = []
        const work = Effect.gen(function* () {
          yield* slept(ctx, 30)
          // The outer limit is over meanwhile. In a replay, which is faster, the inner one would be over before.
          ways.push(yield* limited(20, slept(ctx, 15)))
          yield* slept(ctx, 10)
        })
        ways.push(yield* limited(40, Effect.uninterruptible(work)))
        return `${ways.join(", ")}, ${yield* ctx.awaitSignal(Go)}`
      })
  },
  ({ again, send, journaled, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: in time, late, 7")
    })
)

plays(
  "a time limit that was exceeded while a body cleaned up after a request to stop is exceeded again",
  {
    effects: (ctx, note) => {
      const cleanUp = Effect.zipRight(
        Effect.map(limited(10, slept(ctx, 40)), note),
        Effect.orDie(ctx.sleep("1 second"))
      )
      return Effect.as(Effect.ensuring(ctx.awaitSignal(Go), cleanUp), "done")
    }
  },
  ({ again, cancel, journaled, end, did }) =>
    Effect.gen(function* () {
      yield* cancel
      yield* journaled("sleep#2")
      yield* again
      assert.strictEqual(yield* end, "Cancelled")
      assert.deepStrictEqual(did, ["late", "late"])
    }),
  { interruptions: ["crash"] }
)
