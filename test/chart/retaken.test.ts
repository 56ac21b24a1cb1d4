/**
 * `verify` with machines: what is in a log is what the machine makes of its events.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assign, setup } from "xstate"
import { Processes } from "../../src/host/Processes.ts"
import { InputInvalid } from "../../src/model/errors.ts"
import { processId } from "../../src/model/ids.ts"
import { migrateAll } from "../../src/operations/migration.ts"
import * as Retention from "../../src/operations/Retention.ts"
import { verify } from "../../src/operations/verify.ts"
import { fromDurable } from "../../src/runtime/engine/durable.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { fromMachine } from "../../src/runtime/engine/fromMachine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as TestHost from "../../src/testing/TestHost.ts"

const Charge = Engine.make("charge", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "rerunnable",
  run: (n) => Effect.succeed(n + 1)
})

/** An order that is cheap up to a limit: no hash of a structure sees the limit, which is in a function. */
const orderOf = (limit: number, version = "1") =>
  fromMachine(
    setup({
      types: {
        context: {} as { readonly total: number; readonly receipt?: number },
        events: {} as { readonly type: "add"; readonly n: number }
      },
      actors: { charge: fromDurable<number, number>() },
      actions: { note: (_, _params: { readonly total: number }) => {} },
      guards: { isDear: ({ context, event }) => context.total + event.n > limit }
    }).createMachine({
      id: "order",
      context: { total: 0 },
      initial: "open",
      states: {
        open: {
          on: {
            add: [
              {
                guard: "isDear",
                target: "charging",
                actions: assign({ total: ({ context, event }) => context.total + event.n })
              },
              {
                actions: [
                  assign({ total: ({ context, event }) => context.total + event.n }),
                  { type: "note", params: ({ context }) => ({ total: context.total }) }
                ]
              }
            ]
          }
        },
        charging: {
          invoke: {
            src: "charge",
            input: ({ context }) => context.total,
            onDone: { target: "paid", actions: assign({ receipt: ({ event }) => event.output }) }
          }
        },
        paid: { after: { "1 minute": "open" } }
      }
    }),
    {
      version,
      input: Schema.Null,
      events: { add: Schema.Struct({ n: Schema.Number }) },
      actors: { charge: Charge },
      actions: { note: () => Effect.void },
      ...(version === "1"
        ? {}
        : { migrate: { "1": ({ value, context }) => ({ value: value as never, context: context as never }) } })
    }
  )

const o = processId("o")

/** An order to which 4 and 5 were added, that was charged, and is open again. */
const ordered = Effect.gen(function* () {
  const Order = orderOf(8)
  const host = yield* TestHost.make([Order, Charge])
  yield* host.run(Effect.flatMap(Processes, (processes) => processes.start(Order, { id: "o", payload: null })))
  for (const n of [4, 5]) {
    const handle = Effect.map(Processes, (processes) => processes.handle(Order, "o"))
    yield* host.run(Effect.flatMap(handle, (order) => order.send({ type: "add", n })))
    yield* host.settle
  }
  yield* host.advance("2 minutes")
  const verified = (options: Parameters<typeof verify>[0]) =>
    Effect.provideService(verify(options), ProcessStore, host.store)
  return { host, verified }
})

describe("the transitions of a log, taken anew by their machine,", () => {
  it.scopedLive("come to what is stored: of actions, actors and timers, too", () =>
    Effect.gen(function* () {
      const { host, verified } = yield* ordered
      const transitions = (yield* host.log(o)).filter(({ eventType }) => eventType === "machine.transitioned")
      assert.deepStrictEqual(
        transitions.map(({ payload }) => (payload as { readonly to: unknown }).to),
        ["open", "open", "charging", "paid", "open"]
      )
      assert.deepStrictEqual(yield* verified({ machines: [orderOf(8)] }), { checked: 2, retaken: 5, differences: [] })
      assert.deepStrictEqual(yield* verified({ ids: [o] }), { checked: 1, retaken: 0, differences: [] })
    })
  )

  it.scopedLive("are named where a function of the machine has changed, which no hash sees", () =>
    Effect.gen(function* () {
      const { verified } = yield* ordered
      const { differences } = yield* verified({ machines: [orderOf(3)] })
      // The first 4 is dear now.
      assert.deepStrictEqual(
        differences.filter(({ field }) => field.endsWith("/payload/to")),
        [{ processId: o, field: "log/3/payload/to", stored: "open", folded: "charging" }]
      )
    })
  )

  it.scopedLive("are left out for a version that is not here, and taken with the one that took over", () =>
    Effect.gen(function* () {
      const { host, verified } = yield* ordered
      const next = orderOf(8, "2")
      assert.deepStrictEqual(yield* verified({ machines: [next] }), { checked: 2, retaken: 0, differences: [] })
      const { moved } = yield* Effect.provideService(migrateAll(next.view.chart), ProcessStore, host.store)
      assert.deepStrictEqual(moved, [o])
      assert.deepStrictEqual(yield* verified({ machines: [next] }), { checked: 2, retaken: 1, differences: [] })
      const both = [next, orderOf(8)]
      assert.deepStrictEqual(yield* verified({ machines: both }), { checked: 2, retaken: 6, differences: [] })
    })
  )

  it.scopedLive("do without a child that was pruned", () =>
    Effect.gen(function* () {
      const { host, verified } = yield* ordered
      const options = { cutoffMs: Number.MAX_SAFE_INTEGER, watermark: { _tag: "NoProjector" } } as const
      const prune = Effect.flatMap(Retention.make, (retention) => retention.pruneTerminalProcesses(options))
      yield* Effect.provideService(prune, ProcessStore, host.store)
      assert.deepStrictEqual(yield* verified({ machines: [orderOf(8)] }), { checked: 1, retaken: 4, differences: [] })
    })
  )

  it.effect(
    "need engines of machines",
    () =>
      Effect.gen(function* () {
        for (const [machines, field] of [
          [{}, "machines"],
          [[orderOf(8), Charge], "machines/1"],
          [[null], "machines/0"]
        ] as const) {
          const refusal = yield* Effect.flip(verify({ machines: machines as never }))
          assert.isTrue(refusal instanceof InputInvalid && refusal.field === field)
        }
      }).pipe(Effect.provideService(ProcessStore, undefined as never)) // it is not asked
  )
})
