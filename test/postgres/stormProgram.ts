/**
 * A host of `storm.test.ts`: it begins processes, signals and cancels them, and says what was acknowledged, until it gets SIGUSR2;
 * its processes it runs until it is killed.
 *
 * What bodies do to the world is written into a table beside the store, each in a transaction of its own, written once however often
 * the server goes away meanwhile. Each step records the fence of the activation that did it.
 *
 * usage: node stormProgram.js <url> <schema> <name>
 */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Engine, Processes, Signal } from "../../src/index.ts"
import { ManyHosts } from "../../src/postgres.ts"
import { query } from "../support/postgres.ts"

const [, , url = "", schema = "", name = ""] = process.argv

let isOver = false
process.on("SIGUSR2", () => {
  isOver = true
})

const soon = Schedule.spaced("50 millis")

/** Writes into the world what an activation does, under its fence, and answers the fence. */
const note = (id: string, what: string, fence: number) => {
  const nonce = crypto.randomUUID()
  return Effect.tryPromise(() =>
    query(url, `INSERT INTO ${schema}.world VALUES ('${nonce}', '${id}', '${what}', ${fence}) ON CONFLICT DO NOTHING`)
  ).pipe(Effect.retry(soon), Effect.orDie, Effect.as(fence))
}

const common = { version: "1", payload: Schema.String, success: Schema.Number, maxAttempts: 1_000 } as const

const Steps = Engine.make("steps", {
  ...common,
  disposition: "rerunnable",
  run: (id, ctx) =>
    Effect.gen(function* () {
      let sum = 0
      for (const step of [1, 2, 3]) {
        const done = Effect.delay(note(id, `step ${step}`, ctx.fencingToken), "60 millis")
        yield* ctx.step(`step ${step}`, done, { schema: Schema.Number })
        sum += step
      }
      return sum
    })
})

/** Work that must not begin twice. */
const Once = Engine.make("once", {
  ...common,
  disposition: "owner_bound",
  run: (id, { fencingToken }) =>
    Effect.as(Effect.zipRight(note(id, "begun", fencingToken), Effect.sleep("100 millis")), 1)
})

const Go = Signal.make("go", { payload: Schema.Number })

/** Waits for a number; cleans up when it is cancelled. */
const Ask = Engine.make("ask", {
  ...common,
  signals: [Go],
  disposition: "rerunnable",
  run: (id, ctx) =>
    Effect.onInterrupt(
      Effect.zipRight(ctx.step("begun", note(id, "begun", ctx.fencingToken)), ctx.awaitSignal(Go)),
      () => note(id, "cleaned up", ctx.fencingToken)
    )
})

/** Asks until it is answered, and says so: an answer that was lost is asked for again under the same id. */
const acknowledged = <A, E, R>(what: string, request: Effect.Effect<A, E, R>) =>
  Effect.zipLeft(
    Effect.retry(request, soon),
    Effect.sync(() => console.log(`ack ${what}`))
  )

const load = Effect.gen(function* () {
  const processes = yield* Processes
  for (let index = 0; !isOver; index++) {
    const id = `${name} ${index}`
    yield* acknowledged(`steps ${id}`, processes.start(Steps, { id: `steps ${id}`, payload: `steps ${id}` }))
    yield* acknowledged(`once ${id}`, processes.start(Once, { id: `once ${id}`, payload: `once ${id}` }))
    const ask = yield* acknowledged(`ask ${id}`, processes.start(Ask, { id: `ask ${id}`, payload: `ask ${id}` }))
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 150))
    yield* index % 3 === 0
      ? acknowledged(`cancel ask ${id}`, ask.cancel("enough"))
      : acknowledged(`go ask ${id} ${index}`, ask.signal(Go, index))
  }
})

const program = Effect.gen(function* () {
  console.log("ready")
  yield* load
  console.log("over")
  yield* Effect.never
})

const host = ManyHosts.layerPostgres({
  url,
  schema,
  engines: [Steps, Once, Ask],
  maxConcurrent: 64,
  leaseTtl: "1500 millis",
  leaseRenewal: "300 millis",
  sweepInterval: "100 millis"
})

await Effect.runPromise(Effect.provide(program, host))
