/**
 * A host of `machines.test.ts`: it says `ready`, begins the processes that it is asked for, and runs until it is killed.
 *
 * What its bodies do to the world is written into a table beside the store, each in a transaction of its own.
 *
 * usage: node hostProgram.js <url> <schema> <name> [<first> <count>]
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Engine, Processes } from "../../src/index.ts"
import { ManyHosts } from "../../src/postgres.ts"
import { connected } from "../support/postgres.ts"

const [, , url = "", schema = "", name = "", first = "0", count = "0"] = process.argv

const world = await connected(url)

const note = (id: string, what: string) =>
  Effect.promise(() => world.query(`INSERT INTO ${schema}.world VALUES ($1, $2, $3)`, [id, what, name]))

const common = { version: "1", payload: Schema.String, success: Schema.Number } as const

/** Ten steps: what is recorded is not done again. */
const Steps = Engine.make("steps", {
  ...common,
  disposition: "rerunnable",
  run: (id, ctx) =>
    Effect.gen(function* () {
      let sum = 0
      for (let step = 1; step <= 10; step++) {
        const done = Effect.as(Effect.delay(note(id, `step ${step}`), "100 millis"), step)
        sum += yield* ctx.step(`step ${step}`, done, { schema: Schema.Number })
      }
      return sum
    })
})

/** Work that must not begin twice. */
const Once = Engine.make("once", {
  ...common,
  disposition: "owner_bound",
  run: (id) => Effect.as(Effect.delay(note(id, "begun"), "0 millis"), 1).pipe(Effect.delay("500 millis"))
})

const program = Effect.gen(function* () {
  const processes = yield* Processes
  console.log("ready")
  for (let index = 0; index < Number(count); index++) {
    const number = Number(first) + index
    yield* processes.start(Steps, { id: `steps ${number}`, payload: `steps ${number}` })
    yield* processes.start(Once, { id: `once ${number}`, payload: `once ${number}` })
    console.log(`began ${number}`)
  }
  yield* Effect.never
})

const host = ManyHosts.layerPostgres({
  url,
  schema,
  engines: [Steps, Once],
  leaseTtl: "1500 millis",
  leaseRenewal: "300 millis",
  sweepInterval: "100 millis"
})

await Effect.runPromise(Effect.provide(program, host))
