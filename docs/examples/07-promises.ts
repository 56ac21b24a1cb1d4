/**
 * The library without Effect: bodies are async functions, the program starts and stops a host, and failures are thrown.
 *
 * usage: node dist/docs/examples/07-promises.js [database file]
 */
import * as Schema from "effect/Schema"
import { createHost, engine } from "../../src/host/embed/createHost.ts"
import { Errors, Signal } from "../../src/index.ts"

class OutOfStock extends Schema.TaggedError<OutOfStock>()("OutOfStock", { item: Schema.String }) {}

const Confirm = Signal.make("confirm", { payload: Schema.Struct({ by: Schema.String }) })
const Progress = Signal.event("progress", { payload: Schema.Struct({ text: Schema.String }) })

const order = engine("order", {
  version: "1",
  payload: Schema.Struct({ item: Schema.String }),
  success: Schema.Struct({ receipt: Schema.String }),
  error: OutOfStock,
  signals: [Confirm],
  events: [Progress],
  disposition: "rerunnable",
  run: async ({ item }, ctx) => {
    // Pass the signal on: `fetch(url, { signal })`.
    const reserve = async (signal: AbortSignal) => {
      signal.throwIfAborted()
      if (item === "unicorn") throw new OutOfStock({ item })
      return `${item} is reserved`
    }
    // What a step came to is recorded, its failure too: the schema says how.
    const reserved = await ctx.step("reserve", reserve, { error: OutOfStock })
    await ctx.appendEvent(Progress, { text: reserved })
    const { by } = await ctx.awaitSignal(Confirm, { timeout: "3 days" })
    return { receipt: `${item} for ${by}` }
  }
})

const host = await createHost({ filename: process.argv[2] ?? ".holdfast/promises.db", engines: [order] })
try {
  const lamp = await host.start(order, { id: "order-1", payload: { item: "lamp" } })
  await lamp.signal(Confirm, { by: "ana" }, { id: "ana-1" })
  const { receipt } = await lamp.result({ signal: AbortSignal.timeout(30_000) })
  console.log(receipt)
  for await (const { eventType, payload } of lamp.events()) {
    if (eventType === Progress.name) console.log(payload)
  }

  const unicorn = await host.start(order, { id: "order-2", payload: { item: "unicorn" } })
  await unicorn.result().catch((error: unknown) => {
    if (error instanceof OutOfStock) console.log(`out of stock: ${error.item}`)
    else throw error
  })

  const chair = await host.start(order, { id: "order-3", payload: { item: "chair" } })
  await chair.cancel("changed my mind")
  await chair.result().catch((error: unknown) => {
    if (error instanceof Errors.ProcessCancelled) console.log(`cancelled: ${error.reason}`)
    else throw error
  })
} finally {
  await host.stop()
}
