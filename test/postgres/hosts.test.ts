import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as ManyHosts from "../../src/host/ManyHosts.ts"
import { Processes } from "../../src/host/Processes.ts"
import { Engine, Signal } from "../../src/index.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import type { HostView, ListView } from "../../src/inspector/View.ts"
import { bounded, fast, quiet, until } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"

const Approve = Signal.make("approve", { payload: Schema.String })

const Ask = Engine.make("ask", {
  version: "1",
  payload: Schema.Struct({ name: Schema.String }),
  success: Schema.String,
  signals: [Approve],
  disposition: "rerunnable",
  run: ({ name }, ctx) => Effect.map(ctx.awaitSignal(Approve), (by) => `${name} by ${by}`)
})

const host = (where: { readonly url: string; readonly schema: string }) =>
  Layer.provide(ManyHosts.layerPostgres({ ...fast, ...where, engines: [Ask], scope: "desk" }), quiet)

describe.skipIf(!Postgres.hasPostgres)("two hosts on one schema", () => {
  it.live("stop at once when they have only begun", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const brief = Effect.scoped(Layer.build(host(where)))
      yield* Effect.timeout(Effect.disconnect(Effect.all([brief, brief, brief])), "10 seconds")
    }).pipe(Effect.scoped, bounded)
  )

  it.live("a process of one takes the signal that the other sends, and both have its output", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const [one, other] = yield* Effect.all([Layer.build(host(where)), Layer.build(host(where))])
      for (let round = 0; round < 20; round++) {
        const id = `ask ${round}`
        const handle = yield* Effect.provide(
          Effect.flatMap(Processes, (processes) => processes.start(Ask, { id, payload: { name: "it" } })),
          one
        )
        const elsewhere = yield* Effect.provide(
          Effect.map(Processes, (processes) => processes.handle(Ask, id)),
          other
        )
        yield* elsewhere.signal(Approve, "ana")
        const output = yield* elsewhere.await
        assert.strictEqual(output, "it by ana")
        assert.strictEqual(yield* handle.await, output)
        assert.deepStrictEqual((yield* elsewhere.status).provenance, { originator: { _tag: "Host", scope: "desk" } })
      }
    }).pipe(Effect.scoped, bounded)
  )

  it.live("each serves an inspector of its own, which shows what either of them runs", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const inspected = Layer.provideMerge(Layer.provide(Inspector.layerHost({ token: "secret" }), quiet), host(where))
      const hosts = yield* Effect.all([Layer.build(inspected), Layer.build(inspected)])
      const [one] = hosts
      const handle = yield* Effect.provide(
        Effect.flatMap(Processes, (processes) => processes.start(Ask, { id: "it", payload: { name: "it" } })),
        one
      )
      for (const { port } of hosts.map((context) => Context.get(context, Inspector.Inspector))) {
        const look = <A>(path: string) =>
          Effect.promise(async () => {
            const headers = { authorization: "Bearer secret" }
            return (await (await fetch(`http://127.0.0.1:${port}/api${path}`, { headers })).json()) as A // as the path answers
          })
        const { mode } = yield* look<HostView>("/host")
        assert.strictEqual(mode, "live")
        const states = Effect.map(look<ListView>("/processes"), ({ rows }) =>
          rows.map(({ process_id: id, state }) => `${id} ${state}`)
        )
        yield* until(Effect.map(states, (seen) => seen.join() === "it running"))
      }
      yield* handle.signal(Approve, "ana")
      assert.strictEqual(yield* handle.await, "it by ana")
    }).pipe(Effect.scoped, bounded)
  )
})
