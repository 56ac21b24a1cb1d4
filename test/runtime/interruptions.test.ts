import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { StoreError } from "../../src/model/errors.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import type { Acts, Body } from "./replays.ts"
import { enginesOf, Go, plays } from "./replays.ts"
import type { Changed } from "./schedules.ts"
import { beforeReacquired, losing, make, makeWith } from "./schedules.ts"

plays(
  "a step that throws a revoked proxy has failed, and the program goes on",
  {
    promises: (ctx) => {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      return ctx.step("odd", () => Promise.reject(proxy)).catch(({ _tag }: { readonly _tag: string }) => _tag)
    }
  },
  ({ end }) => Effect.map(end, (how) => assert.strictEqual(how, "Completed: StepFailed"))
)

/** A body that does something else when a step fails, whatever it failed with; `charging` is how long the step takes. */
const falling = (charging: Promise<void>): Body => ({
  effects: (ctx, note) => {
    const charge = Effect.zipRight(
      Effect.sync(() => note("charge")),
      Effect.promise(() => charging)
    )
    const refund = Effect.sync(() => note("refund"))
    return Effect.catchAll(Effect.as(ctx.step("charge", Effect.asVoid(charge)), "charged"), () =>
      Effect.as(ctx.step("refund", refund), "refunded")
    )
  },
  promises: async (ctx, note) => {
    try {
      await ctx.step("charge", async () => {
        note("charge")
        await charging
        return null
      })
      return "charged"
    } catch {
      await ctx.step("refund", () => note("refund"))
      return "refunded"
    }
  }
})

const timings = { leaseTtl: "90 millis", leaseRenewal: "30 millis", sweepInterval: "20 millis" } as const

describe("a body whose lease became another host's during a step", () => {
  for (const form of ["effects", "promises"] as const) {
    it(`does nothing more, whatever it catches, with ${form}`, async () => {
      const did: Array<string> = []
      let charged = (): void => undefined
      const charging = new Promise<void>((resolve) => {
        charged = resolve
      })
      const { [form]: body } = falling(charging)
      const engine = enginesOf("falling", { [form]: body }, (effect) => did.push(effect))[0]?.[1]
      await Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const world = yield* make
            const engines = [engine as Engine.Runnable<never>]
            const startable = engine as Engine.Engine<null, string, never, never>
            const first = yield* world.boot(engines, timings)
            yield* Effect.orDie(
              first.run(
                Effect.flatMap(Processes, (processes) => processes.start(startable, { id: "p", payload: null }))
              )
            )
            yield* world.turns(10)
            yield* first.freeze
            const second = yield* world.boot(engines, timings)
            yield* world.advance(150)
            charged()
            const end = second.run(Effect.flatMap(Processes, (processes) => processes.handle(startable, "p").await))
            assert.strictEqual(yield* Effect.orDie(end), "charged")
            yield* first.thaw
            yield* world.advance(150)
            assert.deepStrictEqual(did, ["charge", "charge"])
          })
        )
      )
    })
  }
})

/** A store that reads what is kept of the progress of steps only after a while. */
const readingProgressAfter =
  (a: Effect.Effect<void>): Changed =>
  (store) => ({
    ...store,
    execution: { ...store.execution, progress: (id) => Effect.zipRight(a, store.execution.progress(id)) }
  })

describe("a step that a body has asked for as its lease turns out to be another host's", () => {
  for (const [form, isTold] of [
    ["an effect", false],
    ["a function of its progress, which is read first", true]
  ] as const) {
    it(`does not begin, as ${form}`, async () => {
      const did: Array<string> = []
      const outside: Array<() => void> = []
      const read: Array<() => void> = []
      const charged: Array<() => void> = []
      const until = (those: Array<() => void>) =>
        Effect.async<void>((resume) => void those.push(() => resume(Effect.void)))
      const body: Body = {
        effects: (ctx, note) =>
          Effect.as(
            Effect.all(
              [
                // What is kept of the progress is read as soon as the body knows.
                Effect.zipRight(
                  Effect.exit(ctx.step("charge", until(charged))),
                  Effect.sync(() => {
                    for (const go of read.splice(0)) go()
                  })
                ),
                // A later fiber asks for it, and is heard before the earlier one learns of the loss.
                Effect.zipRight(
                  until(outside),
                  isTold
                    ? ctx.step("ship", () => Effect.sync(() => void note("ship")))
                    : ctx.step(
                        "ship",
                        Effect.sync(() => void note("ship"))
                      )
                )
              ],
              { concurrency: "unbounded" }
            ),
            "shipped"
          )
      }
      const engine = enginesOf("shipping", body, (effect) => did.push(effect))[0]?.[1]
      const startable = engine as Engine.Engine<null, string, never, never>
      await Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const world = yield* makeWith(readingProgressAfter(until(read)))
            // Progress is read by what did not begin the process.
            const begun = yield* world.boot([engine as Engine.Runnable<never>], timings)
            yield* Effect.orDie(
              begun.run(
                Effect.flatMap(Processes, (processes) => processes.start(startable, { id: "p", payload: null }))
              )
            )
            yield* world.turns(10)
            yield* begun.crash
            const first = yield* world.boot([engine as Engine.Runnable<never>], timings)
            yield* world.advance(150)
            const ask = outside.at(-1)
            if (isTold) ask?.()
            yield* world.turns(10)
            yield* first.freeze
            charged.at(-1)?.()
            yield* world.turns(10)
            const second = yield* world.boot([engine as Engine.Runnable<never>], timings)
            yield* world.advance(150)
            yield* Effect.zipRight(
              Effect.sync(() => ask?.()),
              first.thaw
            )
            yield* world.turns(10)
            assert.deepStrictEqual(did, [])
            for (const go of [...read.splice(0), charged.at(-1), outside.at(-1)]) go?.()
            yield* world.turns(10)
            for (const go of read) go()
            const end = second.run(Effect.flatMap(Processes, (processes) => processes.handle(startable, "p").await))
            assert.strictEqual(yield* Effect.orDie(end), "shipped")
            assert.deepStrictEqual(did, ["ship"])
          })
        )
      )
    })
  }
})

/** A child that ends by itself, after a while. */
const Sleeper = Engine.make("sleeper", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Literal("woke"),
  disposition: "rerunnable",
  run: (_, ctx) => Effect.as(ctx.sleep("400 millis"), "woke" as const)
})

const sleeper = { children: [Sleeper as Engine.Runnable<never>] }

/** Lets the second activations go on: each does something outside first, before it asks for its step. */
const gates: Array<() => void> = []

plays(
  "a child and a signal that come while the body has yet to ask for a step keep their order",
  {
    effects: (ctx, note) =>
      Effect.gen(function* () {
        const run = note("begins")
        const learned: Array<string> = []
        const learn = (what: string) => {
          learned.push(what)
          note(`${what} in ${run}`)
        }
        const outside = Effect.async<void>((resume) => void gates.push(() => resume(Effect.void)))
        const branches = [
          ctx.scope(
            "child",
            Effect.flatMap(ctx.start(Sleeper, { name: "c", payload: null }), (child) => Effect.map(child.await, learn))
          ),
          ctx.scope("signal", Effect.map(Effect.as(ctx.awaitSignal(Go), "signalled"), learn)),
          Effect.zipRight(run === 1 ? outside : Effect.void, ctx.step("s", Effect.void))
        ]
        yield* Effect.all(branches, { concurrency: "unbounded" })
        return `${learned}, ${yield* ctx.awaitSignal(Go, { name: "last" })}`
      }),
    promises: async (ctx, note) => {
      const run = note("begins")
      const learned: Array<string> = []
      const learn = (what: string) => {
        learned.push(what)
        note(`${what} in ${run}`)
      }
      await ctx.all({
        child: async (inner) => learn(await (await inner.start(Sleeper, { name: "c", payload: null })).result()),
        signal: async (inner) => {
          await inner.awaitSignal(Go)
          learn("signalled")
        },
        step: async (inner) => {
          if (run === 1) await new Promise<void>((resolve) => void gates.push(resolve))
          await inner.step("s", () => null)
        }
      })
      return `${learned}, ${await ctx.awaitSignal(Go, { name: "last" })}`
    }
  },
  ({ again, advance, send, did, end }) =>
    Effect.gen(function* () {
      yield* again
      yield* advance(400)
      yield* send(1)
      assert.deepStrictEqual(did, ["begins", "begins"])
      for (const open of gates.splice(0)) open()
      yield* advance(1)
      yield* again
      yield* send(2)
      const learned = ["woke in 1", "signalled in 1", "begins", "woke in 2", "signalled in 2"]
      assert.deepStrictEqual(did, ["begins", "begins", ...learned])
      assert.strictEqual(yield* end, "Completed: woke,signalled, 2")
    }),
  { ...sleeper, interruptions: ["crash", "stop"] }
)

plays(
  "a child that has ended while the body was held up can still be let go of",
  {
    effects: (ctx, note) =>
      Effect.gen(function* () {
        const run = note("begins")
        const child = yield* ctx.start(Sleeper, { name: "c", payload: null })
        const outside = Effect.async<void>((resume) => void gates.push(() => resume(Effect.void)))
        const step = ctx.step("s", Effect.void)
        const stepped =
          run === 0 ? Effect.zipRight(step, outside) : Effect.zipRight(run === 1 ? outside : Effect.void, step)
        const unheard = Effect.map(ctx.awaitSignal(Go, { name: "unheard" }), String)
        const first = yield* Effect.raceAll([child.await, unheard, Effect.as(stepped, "stepped")])
        note(`${first} in ${run}`)
        return `${first}, ${yield* ctx.awaitSignal(Go)}`
      })
  },
  ({ again, advance, send, did, end }) =>
    Effect.gen(function* () {
      yield* advance(1)
      gates.pop()
      yield* again
      yield* advance(400)
      for (const open of gates.splice(0)) open()
      yield* advance(1)
      yield* again
      yield* send(2)
      assert.deepStrictEqual(did, ["begins", "begins", "stepped in 1", "begins", "stepped in 2"])
      assert.strictEqual(yield* end, "Completed: stepped, 2")
    }),
  { ...sleeper, interruptions: ["crash", "stop"] }
)

plays(
  "a wait for a process of another parent holds up nothing else",
  {
    effects: (ctx) =>
      Effect.zipRight(
        ctx.awaitSignal(Go),
        Effect.race(Effect.orDie(ctx.attach(Sleeper, "other").await), Effect.as(ctx.sleep("20 millis"), "late"))
      )
  },
  ({ again, host, send, advance, world, end, log }) =>
    Effect.gen(function* () {
      yield* again
      yield* host().run(
        Effect.flatMap(Processes, (processes) => processes.start(Sleeper, { id: "other", payload: null }))
      )
      yield* world.turns(10)
      yield* send(1)
      yield* advance(30)
      const types = (yield* log()).map(({ eventType }) => eventType)
      assert.include(types, "process.completed")
      assert.strictEqual(yield* end, "Completed: late")
    }),
  { ...sleeper, interruptions: ["stop"] }
)

/** How many writes are refused from here on. */
const refused = { writes: 0 }

plays(
  "what a body lets go of since its lease was called lost is not let go of by its next activation",
  {
    effects: (ctx, note) =>
      Effect.map(
        Effect.all(
          [
            ctx.awaitSignal(Go),
            // The record of its end is refused, and then that the lease is taken again.
            ctx.step(
              "work",
              Effect.sync(() => Object.assign(refused, { writes: note("work") === 0 ? 2 : 0 }).writes)
            )
          ],
          { concurrency: "unbounded" }
        ),
        ([signal]) => `signal ${signal}`
      ),
    promises: async (ctx, note) => {
      const [signal] = await Promise.all([
        ctx.awaitSignal(Go),
        ctx.step("work", () => Object.assign(refused, { writes: note("work") === 0 ? 2 : 0 }).writes)
      ])
      return `signal ${signal}`
    }
  },
  ({ did, advance, send, end }) =>
    Effect.gen(function* () {
      yield* advance(200)
      assert.deepStrictEqual(did, ["work", "work"])
      yield* send(1)
      assert.strictEqual(yield* end, "Completed: signal 1")
    }),
  { store: losing(refused), interruptions: ["stop"] }
)

/** Two steps that end together, after their host has slept beyond its lease. */
const oversleeping: Body = {
  effects: (ctx, note) =>
    Effect.as(
      Effect.forEach(
        ["one", "other"],
        (name) =>
          ctx.step(
            name,
            Effect.zipRight(
              Effect.sleep("50 millis"),
              Effect.sync(() => note(name))
            )
          ),
        { concurrency: "unbounded" }
      ),
      "awake"
    )
}

const oversleeps: Acts = ({ did, host, world, end, activations }) =>
  Effect.gen(function* () {
    yield* host().freeze
    yield* world.advance(100)
    yield* host().thaw
    yield* world.advance(1_000)
    assert.deepStrictEqual(did, ["one", "other"])
    assert.strictEqual(yield* end, "Completed: awake")
    assert.strictEqual(yield* activations, 1)
  })

plays("branches that find the lease expired together take it again as one", oversleeping, oversleeps, {
  store: beforeReacquired(Effect.sleep("50 millis")),
  interruptions: ["stop"]
})

let isLost = false

plays("a lease that was taken again is held, also where the answer to that commit was lost", oversleeping, oversleeps, {
  store: beforeReacquired(
    Effect.suspend(() => {
      if (isLost) return Effect.void
      isLost = true
      return Effect.fail(
        new StoreError({ operation: "commit", reason: "busy", written: "unknown", detail: "no answer" })
      )
    })
  ),
  interruptions: ["stop"]
})

let late = 2

plays("a lease that has expired again once it was taken again is taken once more", oversleeping, oversleeps, {
  store: beforeReacquired(Effect.suspend(() => (late-- > 0 ? Effect.sleep("200 millis") : Effect.void))),
  interruptions: ["stop"]
})
