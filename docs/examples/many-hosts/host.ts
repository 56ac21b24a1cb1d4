/**
 * One host. Both begin every order: an id is one process, whichever host registers it first, and a lease decides who runs it.
 *
 * usage: started by main.js, with the URL, the schema and the ids of the orders
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../../src/index.ts"
import { ManyHosts } from "../../../src/postgres.ts"
import type { Said } from "./orders.ts"
import { orderOn } from "./orders.ts"

const [url = "", schema = "", ids = "[]"] = process.argv.slice(2)

// It ends with the program that started it.
const orphaned = () => process.exit(1)
process.once("disconnect", orphaned)

const say = (said: Said) =>
  Effect.async<void>((resume) => {
    process.send?.(said, undefined, {}, () => resume(Effect.void))
  })

const Order = orderOn(say)

const program = Effect.gen(function* () {
  const processes = yield* Processes
  const orders = yield* Schema.decode(Schema.parseJson(Schema.Array(Schema.String)))(ids)
  const order = (id: string) =>
    Effect.gen(function* () {
      const handle = yield* processes.start(Order, { id, payload: id })
      yield* say({ type: "ended", id, steps: yield* handle.await })
    })
  yield* Effect.forEach(orders, order, { concurrency: "unbounded", discard: true })
})

const host = ManyHosts.layerPostgres({
  url,
  schema,
  engines: [Order],
  maxConcurrent: 4,
  leaseTtl: "3 seconds",
  leaseRenewal: "500 millis",
  sweepInterval: "200 millis"
})

await Effect.runPromise(Effect.provide(program, host))
process.off("disconnect", orphaned)
process.disconnect()
