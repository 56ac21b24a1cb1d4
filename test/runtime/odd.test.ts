import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import type { StepFailed } from "../../src/model/errors.ts"
import { limits } from "../../src/model/json.ts"
import { verify } from "../../src/operations/verify.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { oddities } from "../../src/testing/bodies/parts.ts"
import * as Worlds from "../../src/testing/bodies/World.ts"
import { Go, plays, Refused } from "./replays.ts"
import { databases } from "./schedules.ts"

const cyclic = (): object => {
  const value: { self?: unknown } = {}
  value.self = value
  return value
}

/** A failure with a schema, whose cause may be anything. */
class Broken extends Schema.TaggedError<Broken>()("Broken", { cause: Schema.Any }) {}

/** What no journal takes, and what is said of it. */
const unkept: Readonly<Record<string, readonly [value: () => unknown, said: RegExp]>> = {
  "holds itself": [cyclic, /contains itself/],
  "is a big integer": [() => ({ deep: [7n] }), /\/deep\/0 is a bigint/],
  "has a toJSON that throws": [
    () => ({
      toJSON: () => {
        throw new Error("no")
      }
    }),
    /toJSON/
  ],
  "is longer than a value may be": [() => "x".repeat(limits.maxLength + 1), /more than \d+ characters of JSON/],
  "is as long as a text can be": [() => "x".repeat(2 ** 29 - 25), /more than \d+ characters of JSON/]
}

for (const [what, [value, said]] of Object.entries(unkept)) {
  plays(
    `a step whose value ${what} has failed, once, and says so`,
    {
      effects: (ctx, note) => {
        const work = Effect.sync(() => note("work") >= 0 && value())
        return Effect.merge(Effect.mapError(ctx.step("work", work), ({ message }) => message)) as Effect.Effect<string> // it fails
      },
      promises: (ctx, note) =>
        ctx.step("work", () => note("work") >= 0 && value()).catch(({ message }: Error) => message) as Promise<string> // as above
    },
    ({ end, did }) =>
      Effect.gen(function* () {
        const how = yield* end
        assert.match(how, said)
        assert.match(how, /^Completed: value of step `work`/)
        assert.deepStrictEqual(did, ["work"])
      }),
    { interruptions: ["stop"] }
  )
}

plays(
  "a failure whose cause cannot be kept ends the body, once",
  {
    effects: (ctx, note) => {
      const work = Effect.suspend(() => Effect.fail(new Broken({ cause: [cyclic(), 7n][note("work")] })))
      return Effect.gen(function* () {
        const first = yield* Effect.flip(ctx.step("one", work, { error: Broken }))
        return yield* Effect.as(ctx.step("two", work, { error: Broken }), first._tag)
      })
    }
  },
  ({ end, did, activations }) =>
    Effect.gen(function* () {
      assert.match(yield* end, /^Failed: error of step `two`\/cause is a bigint, so it cannot be recorded/)
      assert.deepStrictEqual(did, ["work", "work"])
      assert.strictEqual(yield* activations, 1)
    }),
  { interruptions: ["stop"] }
)

for (const [index, odd] of oddities.entries()) {
  plays(
    `a body that throws an oddity (number ${index}) has ended, once, and can be asked about`,
    {
      effects: () => Effect.die(odd()),
      promises: () => Promise.reject(odd())
    },
    ({ end, activations }) =>
      Effect.gen(function* () {
        assert.match(yield* end, /^Failed: /)
        assert.strictEqual(yield* activations, 1)
      }),
    { interruptions: ["stop"] }
  )
}

const Optional = Schema.Struct({ by: Schema.optional(Schema.String) })

const Taker = Engine.make("taker", {
  version: "1",
  payload: Optional,
  success: Optional,
  disposition: "rerunnable",
  run: (payload) => Effect.succeed({ by: payload.by })
})

plays(
  "a field that may be absent may be undefined, wherever a body hands it over",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const stepped = yield* ctx.step("s", Effect.succeed({ by: undefined }), { schema: Optional })
        const raw = yield* ctx.step("raw", Effect.succeed({ by: undefined }))
        const child = yield* ctx.start(Taker, { name: "c", payload: { by: undefined } })
        return JSON.stringify([stepped, raw, yield* child.await, yield* ctx.awaitSignal(Go)])
      }),
    promises: async (ctx) => {
      const stepped = await ctx.step("s", () => ({ by: undefined }), { schema: Optional })
      const raw = await ctx.step("raw", () => ({ by: undefined }))
      const child = await ctx.start(Taker, { name: "c", payload: { by: undefined } })
      return JSON.stringify([stepped, raw, await child.result(), await ctx.awaitSignal(Go)])
    }
  },
  ({ journaled, again, send, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: [{},{},{},7]")
    }),
  { children: [Taker as Engine.Runnable<never>] }
)

plays(
  "a body that may leave memory, and waits while its host stops, is left alone until its wait ends",
  {
    effects: (ctx) => Effect.map(ctx.awaitSignal(Go), String),
    promises: async (ctx) => String(await ctx.awaitSignal(Go))
  },
  ({ journaled, again, advance, activations, row, send, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* again
      yield* again
      yield* advance(1_000)
      assert.deepStrictEqual([yield* activations, (yield* row).dueAtMs], [1, null])
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: 7")
      assert.strictEqual(yield* activations, 2)
    }),
  { interruptions: ["stop"], passivateAfter: "1 minute" }
)

/** Changes what it was given and what it handed over, and says after a while what it was given. */
const Any = Signal.make("any", { payload: Schema.Any })
const kept: Array<unknown> = []

const Careless = Engine.make("careless", {
  version: "1",
  payload: Schema.Any,
  success: Schema.Any,
  signals: [Any],
  disposition: "rerunnable",
  passivateAfter: "10 millis",
  run: (payload: { list: Array<number> }, ctx) =>
    Effect.gen(function* () {
      const before = JSON.stringify(payload)
      payload.list.push(2)
      const value = { list: [1] }
      const stepped: { list: Array<number> } = yield* ctx.step("s", Effect.succeed(value))
      const given = JSON.stringify(stepped)
      stepped.list.push(2)
      value.list.push(3)
      const signalled: { list: Array<number> } = yield* ctx.awaitSignal(Any)
      const came = JSON.stringify(signalled)
      signalled.list.push(2)
      kept.push(payload, value, stepped, signalled)
      let reads = 0
      return {
        seen: [before, given, came],
        get reads() {
          return ++reads
        }
      }
    })
})

describe("what a body does with its values afterwards", () => {
  for (const name of ["memory", "sqlite"] as const) {
    it(`changes nothing that its next activation sees, and nothing of the program's is frozen, on ${name}`, async () => {
      kept.length = 0
      await Effect.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const world = yield* Worlds.make(databases[name], name === "sqlite" ? 4 : 1)
            const host = yield* world.boot([Careless as Engine.Runnable<never>], { sweepInterval: "20 millis" })
            const [payload, signal] = [{ list: [1] }, { list: [1] }]
            const on = <A, E>(use: (processes: typeof Processes.Service) => Effect.Effect<A, E>) =>
              Effect.orDie(host.run(Effect.flatMap(Processes, use)))
            yield* on((processes) => processes.start(Careless, { id: "p", payload }))
            for (let time = 0; time < 2; time++) {
              yield* world.advance(15)
              yield* host.passivate
              yield* world.advance(150)
            }
            const handle = (processes: typeof Processes.Service) => processes.handle(Careless, "p")
            yield* on((processes) => handle(processes).signal(Any, signal))
            const end = yield* on((processes) => handle(processes).await)
            const one = '{"list":[1]}'
            assert.deepStrictEqual(end, { seen: [one, one, one], reads: 1 })
            for (const value of [payload, signal, ...kept]) assert.isFalse(Object.isFrozen(value))
            const log = yield* world.store.eventsAfter("p" as never, 0)
            assert.include(JSON.stringify(log.at(-1)?.payload), '"reads":1')
            assert.deepStrictEqual((yield* Effect.provideService(verify(), ProcessStore, world.store)).differences, [])
          })
        ).pipe(Effect.orDie)
      )
    })
  }
})

plays(
  "a failure with a schema is met as what it was, and one without keeps its step and all that was thrown",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const own = yield* Effect.flip(ctx.step("own", Effect.fail(new Refused({ by: 7 })), { error: Refused }))
        return `${own instanceof Refused && own.by}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const thrown = () =>
        Promise.reject(Object.assign(new TypeError("no", { cause: new Error("why") }), { code: "E7", row: 3 }))
      const failed = (await ctx.step("own", thrown).catch((error: unknown) => error)) as StepFailed // it fails
      const said = `${failed.name}: ${failed.message} (${failed.code}, ${failed.cause?.message})`
      // Where it was thrown is this file, on this replay too.
      const where = /^TypeError: no\n +at [^\n]*odd\.test/.test(failed.stack)
      return `${said} in ${failed.step} of ${JSON.stringify(failed.data)}, ${where}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ journaled, again, send, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* again
      yield* send(8)
      assert.match(yield* end, /^Completed: (7|TypeError: no \(E7, why\) in own of {"row":3}, true), 8$/)
    })
)
