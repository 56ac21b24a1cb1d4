import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { BodyContext } from "../../src/host/embed/createHost.ts"
import { Processes } from "../../src/host/Processes.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { Go, Noted, plays } from "./replays.ts"

/** A child that answers with a number. */
const Answer = Engine.make("answer", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "rerunnable",
  run: (payload) => Effect.succeed(payload)
})

const answer = { children: [Answer as Engine.Runnable<never>] }

const noNumber = "no number" as unknown as number

/** Operations that a body goes on after although they did nothing. */
const refused: Readonly<
  Record<
    string,
    {
      readonly effects: (ctx: ExecutionContext) => Effect.Effect<unknown, unknown>
      readonly promises: (ctx: BodyContext) => Promise<unknown>
    }
  >
> = {
  "a sleep of no length": {
    effects: (ctx) => ctx.sleep(Number.NaN),
    promises: (ctx) => ctx.sleep(Number.NaN)
  },
  "a wait with a limit of no length": {
    effects: (ctx) => ctx.awaitSignal(Go, { name: "never", timeout: Number.NaN }),
    promises: (ctx) => ctx.awaitSignal(Go, { name: "never", timeout: Number.NaN })
  },
  "an event that does not fit": {
    effects: (ctx) => ctx.appendEvent(Noted, noNumber),
    promises: (ctx) => ctx.appendEvent(Noted, noNumber)
  },
  "a child whose payload does not fit": {
    effects: (ctx) => ctx.start(Answer, { name: "c", payload: noNumber }),
    promises: (ctx) => ctx.start(Answer, { name: "c", payload: noNumber })
  },
  "the end of a process that is not there": {
    effects: (ctx) => ctx.attach(Answer, "absent").await,
    promises: (ctx) => ctx.attach(Answer, "absent").result()
  },
  "a step that is recorded only if it succeeds": {
    effects: (ctx) => ctx.step("x", Effect.fail("no"), { record: "success" }),
    promises: (ctx) => ctx.step("x", () => Promise.reject(new Error("no")), { record: "success" })
  }
}

for (const [what, { effects, promises }] of Object.entries(refused)) {
  plays(
    `after ${what}, ends that no host has handed over keep their order`,
    {
      effects: (ctx) =>
        Effect.gen(function* () {
          yield* Effect.ignore(effects(ctx))
          const contestants = [Effect.as(ctx.sleep("200 millis"), "time"), Effect.as(ctx.awaitSignal(Go), "signal")]
          return `${yield* Effect.raceAll(contestants)}, ${yield* ctx.awaitSignal(Go, { name: "end" })}`
        }),
      promises: async (ctx) => {
        await promises(ctx).catch(() => undefined)
        const { winner } = await ctx.race({
          time: (branch) => branch.sleep("200 millis"),
          signal: (branch) => branch.awaitSignal(Go)
        })
        return `${winner}, ${await ctx.awaitSignal(Go, { name: "end" })}`
      }
    },
    ({ crash, boot, send, advance, end, log }) =>
      Effect.gen(function* () {
        yield* advance(1)
        yield* crash
        yield* boot({ without: "engine" })
        yield* send(7)
        yield* advance(1_000)
        const ends = (yield* log()).filter(({ eventType }) => eventType === "process.resumed")
        assert.strictEqual(ends.length, 2)
        yield* crash
        yield* boot()
        yield* advance(300)
        yield* send(8)
        assert.strictEqual(yield* end, "Completed: signal, 8")
      }),
    { ...answer, interruptions: ["crash"] }
  )
}

plays(
  "what was refused is refused again, although it would not be by now",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const found = yield* Effect.match(ctx.attach(Answer, "other").await, {
          onFailure: ({ _tag }) => _tag,
          onSuccess: String
        })
        return `${found}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx) => {
      const found = await ctx
        .attach(Answer, "other")
        .result()
        .catch(({ _tag }: { readonly _tag: string }) => _tag)
      return `${found}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ again, host, send, journaled, world, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      yield* host().run(Effect.flatMap(Processes, (processes) => processes.start(Answer, { id: "other", payload: 7 })))
      yield* world.turns(10)
      yield* again
      yield* send(8)
      assert.strictEqual(yield* end, "Completed: ProcessUnknown, 8")
    }),
  answer
)

plays(
  "a step whose effect interrupts itself has failed, and has failed again",
  {
    effects: (ctx) =>
      Effect.gen(function* () {
        const how = yield* Effect.match(ctx.step("x", Effect.interrupt), {
          onFailure: ({ _tag, message }) => `${_tag}: ${message}`,
          onSuccess: () => "done"
        })
        return `${how}, ${yield* ctx.awaitSignal(Go)}`
      })
  },
  ({ again, send, journaled, journal, end }) =>
    Effect.gen(function* () {
      yield* journaled("signal.go#1")
      assert.deepStrictEqual(yield* journal, ["x#1", "signal.go#1"])
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: StepFailed: its effect interrupted itself, 7")
    })
)

/** Lets an activation go on that does something outside of its context. */
const gates: Array<() => void> = []

plays(
  "what was recorded keeps its place for a while, also if all that the body asks for has no record",
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
        const old = Effect.zipRight(run === 1 ? outside : Effect.void, ctx.step("old", Effect.void))
        const last = ctx.step("last", run === 0 ? Effect.never : Effect.void)
        yield* Effect.all([Effect.map(old, () => learn("old")), Effect.map(last, () => learn("last"))], {
          concurrency: "unbounded"
        })
        return `${learned}, ${yield* ctx.awaitSignal(Go)}`
      }),
    promises: async (ctx, note) => {
      const run = note("begins")
      const learned: Array<string> = []
      const learn = (what: string) => {
        learned.push(what)
        note(`${what} in ${run}`)
      }
      const old = async () => {
        if (run === 1) await new Promise<void>((resolve) => void gates.push(resolve))
        await ctx.step("old", () => null)
        learn("old")
      }
      const last = async () => {
        await ctx.step("last", () => (run === 0 ? new Promise<null>(() => undefined) : null))
        learn("last")
      }
      await Promise.all([old(), last()])
      return `${learned}, ${await ctx.awaitSignal(Go)}`
    }
  },
  ({ again, crash, boot, advance, journaled, send, did, end }) =>
    Effect.gen(function* () {
      yield* journaled("old#1")
      yield* crash
      yield* boot()
      yield* advance(400)
      assert.deepStrictEqual(did, ["begins", "old in 0", "begins"])
      for (const open of gates.splice(0)) open()
      yield* journaled("signal.go#1")
      yield* again
      yield* send(7)
      assert.strictEqual(yield* end, "Completed: old,last, 7")
      assert.deepStrictEqual(did.slice(3), ["old in 1", "last in 1", "begins", "old in 2", "last in 2"])
    }),
  { interruptions: ["crash"] }
)
