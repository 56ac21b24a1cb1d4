import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import type { ProcessStore } from "../../src/store/ProcessStore.ts"
import { hostOn, until } from "../support/hosts.ts"
import { isLong, isWhole } from "../support/samples.ts"
import { inVirtualTime } from "../support/time.ts"
import type { Body } from "./replays.ts"
import { enginesOf, Go } from "./replays.ts"

type Startable = Engine.Engine<null, string, never, never, typeof Go>

/** Bodies that let go of a wait and then work; `seen` is how many work at once. */
const working = (seen: { now: number; most: number }): Body => {
  const begin = () => {
    seen.most = Math.max(seen.most, ++seen.now)
  }
  return {
    effects: (ctx) =>
      Effect.gen(function* () {
        yield* Effect.ignore(Effect.timeout(ctx.awaitSignal(Go), "10 millis"))
        const work = Effect.zipRight(Effect.sync(begin), Effect.sleep("50 millis"))
        yield* ctx.step(
          "work",
          Effect.ensuring(
            work,
            Effect.sync(() => seen.now--)
          )
        )
        return "done"
      }),
    promises: async (ctx) => {
      await ctx.race({ go: (branch) => branch.awaitSignal(Go), late: (branch) => branch.sleep("10 millis") })
      await ctx.step("work", async () => {
        begin()
        for (let turn = 0; turn < 50; turn++) await new Promise((done) => setImmediate(done))
        seen.now--
      })
      return "done"
    }
  }
}

describe("a slot that was lent for a wait which was dropped", () => {
  for (const form of ["effects", "promises"] as const) {
    it(`is taken back before a body of ${form} works on`, async () => {
      const seen = { now: 0, most: 0 }
      const { [form]: body } = working(seen)
      const engine = enginesOf("worker", { [form]: body }, () => 0)[0]?.[1] as Startable
      await Effect.runPromise(
        inVirtualTime(
          Effect.gen(function* () {
            const store = yield* MemoryStore.make
            yield* Effect.gen(function* () {
              const processes = yield* Processes
              const handles = yield* Effect.forEach(["a", "b", "c"], (id) =>
                processes.start(engine, { id, payload: null })
              )
              for (const handle of handles) assert.strictEqual(yield* handle.await, "done")
            }).pipe(Effect.provide(hostOn(store, [engine], { maxConcurrent: 1 })))
            assert.strictEqual(seen.most, 1)
          })
        )
      )
    })
  }
})

/** A store that counts what is asked of it. */
const counting = (store: typeof ProcessStore.Service) => {
  const counts = { journal: 0, commits: 0 }
  const counted: typeof ProcessStore.Service = {
    ...store,
    transact: (plan, decide) => {
      counts.commits++
      return store.transact(plan, decide)
    },
    execution: {
      ...store.execution,
      journal: (...args) => {
        counts.journal++
        return store.execution.journal(...args)
      }
    }
  }
  return { counts, counted }
}

describe("a commit while a body's history is read", () => {
  it("is not lost", async () => {
    const body: Body = { effects: (ctx) => Effect.map(ctx.awaitSignal(Go), String) }
    const engine = enginesOf("waiter", body, () => 0)[0]?.[1] as Startable
    const started = (processes: typeof Processes.Service) => processes.start(engine, { id: "p", payload: null })
    const waiting = (store: typeof ProcessStore.Service) =>
      until(Effect.map(store.execution.journal(processId("p")), ({ length }) => length === 1))
    await Effect.runPromise(
      inVirtualTime(
        Effect.gen(function* () {
          const store = yield* MemoryStore.make
          yield* Effect.zipRight(Effect.flatMap(Processes, started), waiting(store)).pipe(
            Effect.provide(hostOn(store, [engine]))
          )
          let signalled = false
          const send = Effect.flatMap(Processes, (processes) => processes.handle(engine, "p").signal(Go, 7))
          const end = yield* Effect.gen(function* () {
            const context = yield* Effect.context<Processes>()
            sendNow = Effect.orDie(Effect.provide(send, context))
            return yield* (yield* Processes).handle(engine, "p").await
          }).pipe(
            Effect.provide(
              hostOn(
                {
                  ...store,
                  execution: {
                    ...store.execution,
                    news: (...page) =>
                      Effect.tap(store.execution.news(...page), () => {
                        if (signalled) return Effect.void
                        signalled = true
                        return Effect.suspend(() => sendNow)
                      })
                  }
                },
                [engine]
              )
            )
          )
          assert.strictEqual(end, "7")
        })
      )
    )
  })

  /** Signals the body; known once its host is there. */
  let sendNow: Effect.Effect<void> = Effect.void
})

describe("a request to stop that is committed after the record of a step", () => {
  it("comes to the body after that step", async () => {
    const did: Array<string> = []
    const body: Body = {
      effects: (ctx, note) =>
        Effect.gen(function* () {
          yield* ctx.step("a", Effect.void)
          note("learned of a")
          return String(yield* ctx.awaitSignal(Go))
        })
    }
    const engine = enginesOf("stopped", body, (effect) => did.push(effect))[0]?.[1] as Startable
    await Effect.runPromise(
      inVirtualTime(
        Effect.gen(function* () {
          const store = yield* MemoryStore.make
          let stopNow: Effect.Effect<void> | undefined
          const stopping: typeof ProcessStore.Service = {
            ...store,
            transact: (plan, decide) =>
              Effect.tap(store.transact(plan, decide), () =>
                Effect.flatMap(Effect.orDie(store.execution.journal(processId("p"))), ({ length }) => {
                  const stop = stopNow
                  if (length === 0 || stop === undefined) return Effect.void
                  stopNow = undefined
                  return stop
                })
              )
          }
          yield* Effect.gen(function* () {
            const processes = yield* Processes
            stopNow = Effect.orDie(Effect.asVoid(processes.handle(engine, "p").cancel("enough")))
            const handle = yield* processes.start(engine, { id: "p", payload: null })
            yield* Effect.exit(handle.await)
          }).pipe(Effect.provide(hostOn(stopping, [engine])))
          assert.deepStrictEqual(did, ["learned of a"])
        })
      )
    )
  })
})

const many = Array.from({ length: 1_500 }, (_, n) => n)

/** A child that is there once it is begun. */
const Leaf = Engine.make("leaf", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "rerunnable",
  run: (payload) => Effect.succeed(payload)
})

/** Bodies of as many operations at once; `note` hears of what is done. */
const wide: Readonly<Record<"steps" | "children", Body>> = {
  steps: {
    effects: (ctx, note) =>
      Effect.gen(function* () {
        const one = (n: number) =>
          ctx.step(
            `s${n}`,
            Effect.sync(() => note("step"))
          )
        const all = yield* Effect.forEach(many, one, { concurrency: "unbounded" })
        return `${all.length}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx, note) => {
      const all = await Promise.all(many.map((n) => ctx.step(`s${n}`, () => note("step"))))
      return `${all.length}, ${await ctx.awaitSignal(Go)}`
    }
  },
  children: {
    effects: (ctx) =>
      Effect.gen(function* () {
        const one = (n: number) =>
          Effect.flatMap(ctx.start(Leaf, { name: `c${n}`, payload: n }), (child) => Effect.orDie(child.await))
        const all = yield* Effect.forEach(many, one, { concurrency: "unbounded" })
        return `${all.length}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const one = async (n: number) => (await ctx.start(Leaf, { name: `c${n}`, payload: n })).result()
      const all = await Promise.all(many.map(one))
      return `${all.length}, ${await ctx.awaitSignal(Go)}`
    }
  }
}

describe("a restart of a fan-out of 1,500", () => {
  for (const [what, form] of [
    ["steps", "effects"],
    ["steps", "promises"],
    ["children", "effects"],
    // Starting so many takes seconds.
    ...(isLong ? ([["children", "promises"]] as const) : [])
  ] as const) {
    it.skipIf(!isWhole && what !== "steps")(
      `reads the journal once, and does and writes nothing again, with ${what} and ${form}`,
      async () => {
        const did = { step: 0 }
        const note = () => did.step++
        const { [form]: body } = wide[what]
        const engine = enginesOf("wide", { [form]: body }, note)[0]?.[1] as Startable
        await Effect.runPromise(
          inVirtualTime(
            Effect.gen(function* () {
              const { counts, counted } = counting(yield* MemoryStore.make)
              const host = () => hostOn(counted, [engine, Leaf])
              yield* Effect.gen(function* () {
                yield* (yield* Processes).start(engine, { id: "p", payload: null })
                const entries = counted.execution.journal(processId("p"))
                yield* until(Effect.map(entries, ({ length }) => length === 1_501))
              }).pipe(Effect.provide(host()))
              counts.journal = 0
              counts.commits = 0
              const end = yield* Effect.gen(function* () {
                const handle = (yield* Processes).handle(engine, "p")
                yield* handle.signal(Go, 7)
                return yield* handle.await
              }).pipe(Effect.provide(host()))
              assert.strictEqual(end, "1500, 7")
              assert.strictEqual(did.step, what === "steps" ? 1_500 : 0)
              assert.strictEqual(counts.journal, 2, "two pages of a thousand")
              assert.isAtMost(counts.commits, 10)
            })
          )
        )
      }
    )
  }
})
