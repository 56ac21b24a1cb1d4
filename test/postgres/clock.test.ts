/**
 * The database's time, while the clock of the host's machine is set.
 */
import { assert, beforeAll, describe, it, vi } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as ManyHosts from "../../src/host/ManyHosts.ts"
import { Processes } from "../../src/host/Processes.ts"
import { Engine } from "../../src/index.ts"
import * as DatabaseClock from "../../src/store/postgres/DatabaseClock.ts"
import { bounded, fast, quiet, until } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"
import * as Postgres from "../support/postgres.ts"

// Transactions are left open here.
beforeAll(Postgres.apart, patienceMs)

const hourMs = 3_600_000

/** Sets the clock of the machine, until the scope closes. */
const step = (byMs: number) => {
  const real = Date.now
  return Effect.acquireRelease(
    Effect.sync(() => vi.spyOn(Date, "now").mockImplementation(() => real() + byMs)),
    (spy) => Effect.sync(() => spy.mockRestore())
  )
}

const Sleeper = Engine.make("sleeper", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: (_, ctx) => Effect.as(ctx.sleep("1 second"), null)
})

const Worker = Engine.make("worker", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Null,
  disposition: "rerunnable",
  run: () => Effect.never
})

const host = (where: { readonly url: string; readonly schema: string }, engines: typeof engineList) =>
  Effect.map(Layer.build(Layer.provide(ManyHosts.layerPostgres({ ...fast, ...where, engines }), quiet)), (services) =>
    Context.get(services, Processes)
  )

const engineList = [Sleeper, Worker] as const

describe.skipIf(!Postgres.hasPostgres)("a clock of the machine that is set while a host runs", () => {
  for (const hours of [-1, 1]) {
    it.live(`by ${hours} h: delays no timer and lets none fire early`, () =>
      Effect.gen(function* () {
        const processes = yield* host(yield* Postgres.freshSchema, engineList)
        const handle = yield* processes.start(Sleeper, { id: "it", payload: null })
        yield* step(hours * hourMs)
        const begunMs = performance.now()
        yield* handle.await
        assert.isAbove(performance.now() - begunMs, 500)
      }).pipe(Effect.scoped, bounded)
    )
  }

  it.live("hides no lease that has expired: the host takes over", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const processes = yield* host(where, engineList)
      yield* step(-hourMs)
      yield* processes.start(Worker, { id: "it", payload: null })
      const state = Effect.promise(() =>
        Postgres.query(where.url, `SELECT owner_id, lease_token FROM ${where.schema}.lease`)
      )
      yield* until(Effect.map(state, (rows) => rows.length === 1))
      const before = yield* state
      // Another host, which is gone: its lease is over, and nothing renews it.
      yield* Effect.promise(() =>
        Postgres.query(
          where.url,
          `UPDATE ${where.schema}.lease SET keeper = 'gone', lease_token = 'gone', owner_id = 'gone', liveness = '{"_tag":"opaque"}', expires_at = 1`
        )
      )
      yield* until(Effect.map(state, (now) => now.length === 1 && JSON.stringify(now).includes("gone") === false))
      assert.strictEqual(before.length, 1)
    }).pipe(Effect.scoped, bounded)
  )
})

describe("the database's clock, as a host knows it", () => {
  const askedLately = () => performance.now() - 5

  it("is not set back by an answer that was long on its way", () => {
    const { clock, answered } = DatabaseClock.make(1_000_000)
    answered(1_000_000 - 20_000, performance.now() - 30_000)
    assert.closeTo(clock.unsafeCurrentTimeMillis(), 1_000_000, 500)
  })

  it("follows an answer that it cannot be right with, in both directions", () => {
    const { clock, answered } = DatabaseClock.make(1_000_000)
    answered(5_000_000, askedLately())
    assert.closeTo(clock.unsafeCurrentTimeMillis(), 5_000_000, 500)
    answered(3_000_000, askedLately())
    assert.closeTo(clock.unsafeCurrentTimeMillis(), 3_000_000, 500)
  })
})

describe.skipIf(!Postgres.hasPostgres)("a lease that another transaction holds", () => {
  it.live("keeps no other lease of its host from being renewed, and is renewed once it is free", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const processes = yield* host(where, engineList)
      for (const id of ["a", "b", "c"]) yield* processes.start(Worker, { id, payload: null })
      const lease = `SELECT lease.pk, expires_at AS at FROM ${where.schema}.lease ORDER BY pk`
      const leases = Effect.map(
        Effect.promise(() => Postgres.query(where.url, lease)),
        (rows) => rows.map((row) => (row as { readonly at: string }).at).map(Number) // as selected
      )
      yield* until(Effect.map(leases, (all) => all.length === 3))
      const holder = yield* Effect.acquireRelease(
        Effect.promise(() => Postgres.connected(where.url)),
        (client) => Effect.promise(() => client.end())
      )
      yield* Effect.promise(() => holder.query(`BEGIN; ${lease} LIMIT 1 FOR UPDATE`))
      const [held = 0, ...others] = yield* leases
      const ttlMs = 3_000
      // Longer than the leases last without a renewal.
      yield* until(Effect.map(leases, (now) => now.slice(1).every((at, index) => at - (others[index] ?? 0) > ttlMs)))
      assert.strictEqual((yield* leases)[0], held)
      yield* Effect.promise(() => holder.query("COMMIT"))
      yield* until(Effect.map(leases, (now) => (now[0] ?? 0) > held))
    }).pipe(Effect.scoped, bounded)
  )
})
