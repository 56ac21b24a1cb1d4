/** The bodies that the guide to replay shows, to the letter. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"

const Go = Signal.make("go", { payload: Schema.Number })

class Declined extends Schema.TaggedError<Declined>()("Declined", {}) {}

/** The effects that ran. */
export const did: Array<string> = []

const does = (name: string) =>
  Effect.as(
    Effect.sync(() => did.push(name)),
    name
  )

/** Declined the first `times`. */
const declined = (name: string, times: number) =>
  Effect.flatMap(does(name), () =>
    did.filter((each) => each === name).length <= times ? new Declined() : Effect.succeed(name)
  )

/** A child that doubles a number. */
export const Double = Engine.make("double", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "rerunnable",
  run: (n) => Effect.succeed(2 * n)
})

/** Which code of the last body is deployed. */
export const deployed = { isNew: false }

const chargeCard = declined("card", 1)
const callApi = declined("call", 2)
const sendInvoice = does("invoice")
const search = Effect.zipRight(does("search"), Effect.sleep("1 hour"))
const transfer = Effect.delay(does("transfer"), "50 millis")

/** The bodies, in the order of the guide. */
export const bodies: Readonly<Record<string, (ctx: ExecutionContext) => Effect.Effect<unknown, unknown>>> = {
  "A step that fails": (ctx) =>
    Effect.gen(function* () {
      const paid = yield* ctx
        .step("card", chargeCard, { error: Declined })
        .pipe(Effect.catchTag("Declined", () => ctx.step("invoice", sendInvoice)))
      return [paid, yield* ctx.awaitSignal(Go, { name: "end" })]
    }),

  "A loop that tries again": (ctx) =>
    Effect.gen(function* () {
      const called = yield* Effect.retry(ctx.step("call", callApi, { error: Declined }), { times: 5 })
      return [called, yield* ctx.awaitSignal(Go, { name: "end" })]
    }),

  "A race of a signal and a time": (ctx) =>
    Effect.gen(function* () {
      const first = yield* Effect.race(ctx.awaitSignal(Go), Effect.as(ctx.sleep("10 millis"), "late"))
      return [first, yield* ctx.awaitSignal(Go, { name: "end" })]
    }),

  "A time limit around an operation": (ctx) =>
    Effect.gen(function* () {
      const found = yield* ctx
        .step("search", search)
        .pipe(Effect.timeoutTo({ duration: "10 millis", onSuccess: () => "found", onTimeout: () => "nothing" }))
      return [found, yield* ctx.awaitSignal(Go, { name: "end" })]
    }),

  "Children under one name": (ctx) =>
    Effect.gen(function* () {
      const answers: Array<number> = []
      for (const payload of [1, 2]) {
        const child = yield* ctx.start(Double, { name: "c", payload })
        answers.push(yield* child.await)
      }
      return [answers, yield* ctx.awaitSignal(Go, { name: "end" })]
    }),

  "A fan-out": (ctx) =>
    Effect.gen(function* () {
      const branch = (name: string) => ctx.scope(name, ctx.step("load", does(name)))
      const all = yield* Effect.forEach(["left", "right"], branch, { concurrency: "unbounded" })
      return [all, yield* ctx.awaitSignal(Go, { name: "end" })]
    }),

  "A request to stop": (ctx) =>
    ctx.awaitSignal(Go, { name: "end" }).pipe(Effect.onInterrupt(() => Effect.ignore(ctx.step("undo", does("undo"))))),

  "A step that ends while its host stops": (ctx) =>
    Effect.gen(function* () {
      const moved = yield* ctx.step("transfer", Effect.uninterruptible(transfer))
      return [moved, yield* ctx.awaitSignal(Go, { name: "end" })]
    }),

  "Time and chance": (ctx) =>
    Effect.gen(function* () {
      const before = [yield* ctx.now, yield* ctx.random]
      yield* ctx.step("note", does(before.join(" ")))
      return [yield* ctx.awaitSignal(Go, { name: "end" }), did[0] === before.join(" ")]
    }),

  "Code that has changed": (ctx) =>
    Effect.gen(function* () {
      yield* ctx.step("price", does("price"))
      if (deployed.isNew && (yield* ctx.patched("tax"))) yield* ctx.step("tax", does("tax"))
      return [yield* ctx.awaitSignal(Go, { name: "end" })]
    })
}
