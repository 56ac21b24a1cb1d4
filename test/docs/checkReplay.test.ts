import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Embed from "../../src/host/embed/createHost.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { checkReplay } from "../../src/testing/Certify.ts"

const Approve = Signal.make("approve", { payload: Schema.String })

class Declined extends Schema.TaggedError<Declined>()("Declined", { amount: Schema.Number }) {}

/** Charges a card once it is approved; gives up after three days. */
const order = (charge: (amount: number) => Effect.Effect<string, Declined>) =>
  Engine.make("order", {
    version: "1",
    payload: Schema.Number,
    success: Schema.String,
    error: Declined,
    signals: [Approve],
    disposition: "rerunnable",
    run: (amount, ctx) =>
      Effect.gen(function* () {
        const answer = yield* Effect.either(ctx.awaitSignal(Approve, { timeout: "3 days" }))
        if (answer._tag === "Left") return "not approved"
        const receipt = yield* ctx.step("charge", charge(amount), { error: Declined })
        yield* ctx.sleep("1 day")
        return `${receipt}, approved by ${answer.right}`
      })
  })

it("an order is charged once, wherever its host dies", async () => {
  const charge = (amount: number) => Effect.succeed(`charged ${amount}`)
  const checked = await Effect.runPromise(
    checkReplay(order(charge), {
      payload: 12,
      inputs: [{ after: "2 hours", signal: Approve, payload: "Ada" }]
    })
  )
  assert.strictEqual(checked.end, 'Completed: "charged 12, approved by Ada"')
  assert.deepStrictEqual(checked.learned, ['signal.approve: "Ada"', 'charge#1: "charged 12"', "sleep: done"])
})

const shape = {
  version: "1",
  payload: Schema.Null,
  success: Schema.Unknown,
  signals: [Approve],
  disposition: "rerunnable"
} as const

describe("a check of the law of replay", () => {
  it("interrupts a body of Promises at every commit, and knows when it was declined", async () => {
    const body = Embed.engine("promised", {
      ...shape,
      run: async (_, ctx) => {
        try {
          await ctx.step("charge", () => Promise.reject(new Error("declined")))
        } catch {
          await ctx.step("tell", () => "told")
        }
        return ctx.race({ late: (late) => late.sleep("1 hour"), signal: (signal) => signal.awaitSignal(Approve) })
      }
    })
    const checked = await Effect.runPromise(checkReplay(body, { payload: null }))
    assert.strictEqual(checked.end, 'Completed: {"winner":"late"}')
    assert.isAtLeast(checked.runs, 9)
  })

  it("ends a process that is cancelled where it was, with its clean-up", async () => {
    const cleanedUp = Engine.make("cleaned", {
      ...shape,
      run: (_, ctx) =>
        Effect.onInterrupt(ctx.awaitSignal(Approve), () => Effect.orDie(ctx.step("clean", Effect.succeed("up"))))
    })
    const checked = await Effect.runPromise(
      checkReplay(cleanedUp, { payload: null, inputs: [{ after: "1 minute", cancel: "enough" }] })
    )
    assert.strictEqual(checked.end, "Cancelled")
    assert.deepStrictEqual(checked.learned, ['clean#1: "up"'])
  })

  it("finds a way that depends on something outside of the context", async () => {
    let began = 0
    const forgetful = Engine.make("forgetful", {
      ...shape,
      run: (_, ctx) =>
        Effect.suspend(() =>
          ++began % 2 === 1
            ? Effect.zipRight(ctx.step("odd", Effect.succeed(1)), ctx.step("last", Effect.succeed(2)))
            : ctx.step("even", Effect.succeed(3))
        )
    })
    const broken = await Effect.runPromise(Effect.flip(checkReplay(forgetful, { payload: null })))
    assert.strictEqual(broken._tag, "ReplayBroken")
    assert.match(broken.message, /when its host crashes right after commit/)
  })
})
