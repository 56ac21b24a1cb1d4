import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as ManyHosts from "../../src/host/ManyHosts.ts"
import { Processes } from "../../src/host/Processes.ts"
import type * as SingleHost from "../../src/host/SingleHost.ts"
import { Engine, Signal } from "../../src/index.ts"
import * as Inspector from "../../src/inspector/Inspector.ts"
import type { HostView, ListView } from "../../src/inspector/View.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
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

/** The same, and leaves memory while it waits. */
const Rest = Engine.make("rest", {
  version: "1",
  payload: Schema.Null,
  success: Schema.String,
  signals: [Approve],
  disposition: "rerunnable",
  passivateAfter: "1 millis",
  run: (_, ctx) => ctx.awaitSignal(Approve)
})

interface Where {
  readonly url: string
  readonly schema: string
}

const host = (where: Where) =>
  Layer.provide(ManyHosts.layerPostgres({ ...fast, ...where, engines: [Ask], scope: "desk" }), quiet)

/** A host that hardly looks for work by itself: it takes up what it hears of. */
const hearing = <const E extends ReadonlyArray<Engine.Runnable<never>>>(where: Where, engines: E) =>
  Layer.provide(ManyHosts.layerPostgres({ ...fast, ...where, sweepInterval: "1 hour", engines }), quiet)

const on =
  (context: Context.Context<SingleHost.HostServices>) =>
  <A, E>(use: (processes: typeof Processes.Service) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.provide(Effect.flatMap(Processes, use), context)

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

  it.live("a process that left memory is gone on with as soon as a host without its engine signals it", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const [one, other] = yield* Effect.all([Layer.build(hearing(where, [Rest])), Layer.build(hearing(where, []))])
      const { leases } = Context.get(one, ProcessStore)
      for (const id of ["first", "second"]) {
        const handle = yield* on(one)((processes) => processes.start(Rest, { id, payload: null }))
        yield* until(Effect.map(leases.of(handle.id), (lease) => lease === undefined))
        const elsewhere = yield* on(other)((processes) => Effect.succeed(processes.handle(Rest, id)))
        yield* elsewhere.signal(Approve, id)
        assert.strictEqual(yield* elsewhere.await, id)
      }
    }).pipe(Effect.scoped, bounded)
  )

  it.live("more than one message can name is gone on with, too", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const [one, other] = yield* Effect.all([Layer.build(hearing(where, [Ask])), Layer.build(hearing(where, []))])
      const ids = Array.from({ length: 90 }, (_, index) => `ask ${index} ${"x".repeat(100)}`)
      yield* on(other)((processes) =>
        Effect.forEach(ids, (id) => processes.start(Ask, { id, payload: { name: id } }), { concurrency: "unbounded" })
      )
      const status = (id: string) => on(one)((processes) => processes.handle(Ask, id).status)
      yield* until(Effect.every(ids, (id) => Effect.map(status(id), ({ activations }) => activations === 1)))
    }).pipe(Effect.scoped, bounded)
  )

  it.live("what one hands back as it stops, the other takes up at once", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const stays = yield* Layer.build(hearing(where, [Ask]))
      const handle = yield* Effect.scoped(
        Effect.flatMap(Layer.build(host(where)), (goes) =>
          on(goes)((processes) => processes.start(Ask, { id: "it", payload: { name: "it" } }))
        )
      )
      const here = yield* on(stays)((processes) => Effect.succeed(processes.handle(Ask, handle.id)))
      yield* until(Effect.map(here.status, ({ activations }) => activations === 2))
      yield* here.signal(Approve, "ana")
      assert.strictEqual(yield* here.await, "it by ana")
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
