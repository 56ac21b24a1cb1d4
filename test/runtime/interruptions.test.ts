import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Processes } from "../../src/host/Processes.ts"
import type * as Engine from "../../src/runtime/engine/Engine.ts"
import type { Body } from "./replays.ts"
import { enginesOf, plays } from "./replays.ts"
import { make } from "./schedules.ts"

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
      const timings = { leaseTtl: "90 millis", leaseRenewal: "30 millis", sweepInterval: "20 millis" } as const
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
