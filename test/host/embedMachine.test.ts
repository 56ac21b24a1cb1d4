import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assign, emit, setup } from "xstate"
import type { EmbeddedHost } from "../../src/host/embed/createHost.ts"
import { createHost, engine, fromDurable, fromMachine } from "../../src/host/embed/createHost.ts"
import * as Errors from "../../src/model/errors.ts"
import { remove } from "../support/folders.ts"
import { fast } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"

const hosts: Array<EmbeddedHost> = []
const folders: Array<string> = []

afterEach(async () => {
  for (const host of hosts.splice(0)) await host.stop()
  for (const folder of folders.splice(0)) await Effect.runPromise(remove(folder))
})

/** An order: it is packed by an engine and shipped by a function, and says so. */
const machine = setup({
  types: {
    context: {} as { readonly item: string; readonly parcel?: string },
    events: {} as { readonly type: "pay"; readonly euro: number } | { readonly type: "refund" },
    input: {} as { readonly item: string },
    output: {} as { readonly parcel: string },
    emitted: {} as { readonly type: "paid"; readonly euro: number }
  },
  actors: {
    pack: fromDurable<{ readonly item: string }, { readonly parcel: string }>(),
    ship: fromDurable<{ readonly parcel: string }, string>()
  },
  actions: { thank: (_, _params: { readonly euro: number }) => {} }
}).createMachine({
  id: "order",
  context: ({ input }) => ({ item: input.item }),
  initial: "open",
  states: {
    open: {
      on: {
        pay: {
          target: "packing",
          actions: [
            { type: "thank", params: ({ event }) => ({ euro: event.euro }) },
            emit(({ event }) => ({ type: "paid", euro: event.euro }))
          ]
        }
      }
    },
    packing: {
      invoke: {
        src: "pack",
        input: ({ context }) => ({ item: context.item }),
        onDone: { target: "shipping", actions: assign({ parcel: ({ event }) => event.output.parcel }) }
      }
    },
    shipping: {
      invoke: {
        src: "ship",
        input: ({ context }) => ({ parcel: context.parcel ?? "" }),
        onDone: "shipped"
      }
    },
    shipped: { type: "final" }
  },
  output: ({ context }) => ({ parcel: context.parcel ?? "" })
})

const Pack = engine("pack", {
  version: "1",
  payload: Schema.Struct({ item: Schema.String }),
  success: Schema.Struct({ parcel: Schema.String }),
  disposition: "rerunnable",
  run: async ({ item }) => ({ parcel: `a ${item} in paper` })
})

const orderOf = (done: Array<string>, failures = 0) => {
  let left = failures
  return fromMachine(machine, {
    version: "1",
    input: Schema.Struct({ item: Schema.String }),
    events: { pay: Schema.Struct({ euro: Schema.Int }), refund: Schema.Struct({}) },
    actions: {
      thank: {
        run: async ({ context, event }, { euro }, { idempotencyKey }) => {
          if (left-- > 0) throw new Error("the mail is down")
          done.push(`thanks for ${euro} for a ${context.item} at ${event.type} (${idempotencyKey})`)
        },
        retry: { times: 1, delay: "1 millis" }
      }
    },
    actors: {
      pack: Pack,
      ship: async ({ parcel }, ctx) => ctx.step("ship", () => `${parcel} is shipped`)
    }
  })
}

const onEach = (
  title: string,
  test: (open: (engines: ReadonlyArray<ReturnType<typeof orderOf>>) => Promise<EmbeddedHost>) => Promise<void>
): void => {
  const opened = async (host: Promise<EmbeddedHost>) => {
    hosts.push(await host)
    return host
  }
  it(`${title}, in memory`, () => test((engines) => opened(createHost({ ...fast, engines, log: false, memory: true }))))
  it(`${title}, on a file`, () =>
    test((engines) => {
      const folder = mkdtempSync(join(tmpdir(), "holdfast-embed-"))
      folders.push(folder)
      return opened(createHost({ ...fast, engines, log: false, filename: join(folder, "orders.db") }))
    }))
}

describe("a machine in a host of Promises", () => {
  onEach("takes events, performs async actions and actors, and answers what it came to", async (open) => {
    const done: Array<string> = []
    const Order = orderOf(done, 1)
    const host = await open([Order])
    const order = await host.start(Order, { id: "o", payload: { item: "lamp" } })
    const before = await order.snapshot()
    assert.deepStrictEqual([before.value, before.context], ["open", { item: "lamp" }])
    assert.deepStrictEqual(
      (await order.accepts()).map(({ type }) => type),
      ["pay"]
    )
    assert.isFalse(await order.can({ type: "refund" }))
    const refused = await order.send({ type: "refund" }, { expect: "accepted" }).catch((error: unknown) => error)
    assert.instanceOf(refused, Errors.EventNotAccepted)
    const wrong = await order.send({ type: "pay", euro: "7" } as never).catch((error: unknown) => error)
    assert.match((wrong as Error).message, /^payload\/euro/)

    const values: Array<unknown> = []
    const watching = (async () => {
      for await (const { value } of order.snapshots()) values.push(value)
    })()
    const paid = await order.ask({ type: "pay", euro: 7 }, { id: "pay-1" })
    assert.strictEqual(paid.value, "packing")
    const end = await order.waitFor({ state: "shipped" }, { timeout: patienceMs })
    assert.deepStrictEqual(end.output, { parcel: "a lamp in paper" })
    assert.deepStrictEqual(await order.result(), { parcel: "a lamp in paper" })
    assert.deepStrictEqual(done, ["thanks for 7 for a lamp at pay (o:1:0)"])
    await watching
    assert.strictEqual(values.at(-1), "shipped")
    const emitted: Array<unknown> = []
    for await (const event of host.handle(Order, "o").emitted()) emitted.push(event)
    assert.deepStrictEqual(emitted, [{ type: "paid", euro: 7 }])
  })

  onEach("fails when an action rejects for good, and gives up waiting with its signal", async (open) => {
    const Order = orderOf([], 2)
    const host = await open([Order])
    const order = await host.start(Order, { id: "o", payload: { item: "lamp" } })
    const reason = new Error("enough")
    const given = await order
      .waitFor(({ context }) => context.item === "chair", { signal: AbortSignal.abort(reason) })
      .catch((error: unknown) => error)
    assert.strictEqual(given, reason)
    await order.send({ type: "pay", euro: 7 })
    const failed = await order.result().catch((error: unknown) => error)
    assert.instanceOf(failed, Errors.ProcessFailed)
    assert.match((failed as Error).message, /the mail is down/)
    assert.strictEqual((await order.snapshot()).status, "error")
  })
})
