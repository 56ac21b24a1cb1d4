/**
 * A host that is parted from the database while it runs bodies. What it sends meanwhile arrives late: after another host took over.
 */
import { assert, describe, it } from "@effect/vitest"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as ManyHosts from "../../src/host/ManyHosts.ts"
import { Processes } from "../../src/host/Processes.ts"
import { Engine } from "../../src/index.ts"
import { verify } from "../../src/operations/verify.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as PostgresStore from "../../src/store/postgres/PostgresStore.ts"
import { bounded, quiet, until } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"
import { samples } from "../support/samples.ts"
import * as Proxies from "./proxy.ts"

/** What bodies do outside the database. */
interface Deed {
  readonly id: string
  readonly what: string
  readonly fence: number
  readonly host: string
}

const steps = [1, 2, 3, 4, 5, 6]
const perKind = samples(4, 20)
const numbers = Array.from({ length: perKind }, (_, index) => index)

const common = { version: "1", payload: Schema.Null, success: Schema.Number } as const

const enginesOf = (host: string, deeds: Array<Deed>) => {
  const does = (id: string, what: string, fence: number) =>
    Effect.sync(() => {
      deeds.push({ id, what, fence, host })
      return fence
    })
  /** Each step records the fence of the activation that did it. */
  const Steps = Engine.make("steps", {
    ...common,
    disposition: "rerunnable",
    run: (_, { processId: id, fencingToken: fence, step }) =>
      Effect.reduce(steps, 0, (sum, number) =>
        Effect.as(
          step(`step ${number}`, Effect.delay(does(id, `step ${number}`, fence), "60 millis"), {
            schema: Schema.Number
          }),
          sum + number
        )
      )
  })
  /** Work that must not begin twice. It outlasts a lease. */
  const Once = Engine.make("once", {
    ...common,
    disposition: "owner_bound",
    run: (_, { processId: id, fencingToken: fence }) =>
      Effect.zipLeft(does(id, "begun", fence), Effect.sleep("1200 millis"))
  })
  return { Steps, Once }
}

/** A host behind a proxy that runs bodies, another one that nothing parts from the database, and a store that looks on. */
const hosts = Effect.fn(function* (leaseTtl: Duration.DurationInput) {
  const where = yield* Postgres.freshSchema
  const proxy = yield* Effect.acquireRelease(
    Effect.promise(() => Proxies.start(where.url)),
    ({ close }) => Effect.sync(close)
  )
  const store = yield* PostgresStore.make(where)
  const deeds: Array<Deed> = []
  const host = (name: string, url: string) => {
    const engines = enginesOf(name, deeds)
    const options = {
      ...where,
      url,
      leaseTtl,
      leaseRenewal: "200 millis",
      sweepInterval: "50 millis"
    } as const
    const layer = ManyHosts.layerPostgres({ ...options, patienceMs: 500, engines: Object.values(engines) })
    return Effect.map(Layer.build(Layer.provide(layer, quiet)), (context) => ({ context, engines }))
  }
  const one = yield* host("one", proxy.url)
  yield* Effect.provide(
    Effect.gen(function* () {
      const processes = yield* Processes
      for (const number of numbers) {
        yield* processes.start(one.engines.Steps, { id: `steps ${number}`, payload: null })
        yield* processes.start(one.engines.Once, { id: `once ${number}`, payload: null })
      }
    }),
    one.context
  )
  const ask = <Row>(text: string) =>
    Effect.map(
      Effect.promise(() => Postgres.query(where.url, text.replaceAll("~", where.schema))),
      (rows) => rows as ReadonlyArray<Row> // as the text selects them
    )
  const open = (kind: string) =>
    Effect.map(
      ask<{ readonly open: number }>(
        `SELECT count(*)::integer AS open FROM ~.state WHERE process_id LIKE '${kind} %' AND lifecycle = 'running'`
      ),
      ([row]) => row?.open
    )
  const other = Effect.asVoid(host("other", where.url))
  return { proxy, store, deeds, ask, open, other }
})

/** What must hold in the end, however long the host was parted. */
const holds = ({ store, deeds, ask }: Effect.Effect.Success<ReturnType<typeof hosts>>) =>
  Effect.gen(function* () {
    yield* until(Effect.map(store.countByLifecycle, ({ running }) => running === 0))
    const outputs = yield* ask<{ readonly kind: string; readonly output: string; readonly count: number }>(
      `SELECT split_part(process_id, ' ', 1) AS kind, count(*)::integer AS count,
         lifecycle || ' ' || (snapshot::jsonb #>> '{context,output,value}') AS output
       FROM ~.state GROUP BY 1, 3 ORDER BY 1`
    )
    assert.deepStrictEqual(outputs, [
      { kind: "once", output: "completed 1", count: perKind },
      { kind: "steps", output: "completed 21", count: perKind }
    ])
    const begun = deeds.filter(({ what }) => what === "begun").map(({ id }) => id)
    assert.deepStrictEqual([...begun].sort(), numbers.map((number) => `once ${number}`).sort())
    const ends = yield* ask(
      "SELECT pk FROM ~.event WHERE event_type = 'process.completed' GROUP BY pk HAVING count(*) > 1"
    )
    assert.deepStrictEqual(ends, [], "processes that ended twice")
    const recorded = yield* ask<{
      readonly id: string
      readonly what: string
      readonly fence: number
      readonly holder: number
    }>(
      `SELECT process_id AS id, substring(key from 'step [0-9]') AS what, (outcome::jsonb ->> 'ok')::integer AS fence,
         (SELECT (payload::jsonb #>> '{started,fencing_token}')::integer FROM ~.event
          WHERE event.pk = journal.pk AND event.sequence <= journal.sequence AND event_type = 'process.started'
          ORDER BY event.sequence DESC LIMIT 1) AS holder
       FROM ~.journal JOIN ~.process USING (pk) WHERE operation = 'step'`
    )
    assert.strictEqual(recorded.length, perKind * steps.length, "every step is recorded once")
    for (const { id, what, fence, holder } of recorded) {
      assert.strictEqual(fence, holder, `${what} of ${id} was recorded by another activation than the one that held it`)
      const later = deeds.filter((deed) => deed.id === id && deed.what === what && deed.fence > fence)
      assert.deepStrictEqual(later, [], "what is recorded is not done again")
    }
    const { differences } = yield* Effect.provideService(verify(), ProcessStore, store)
    assert.deepStrictEqual(differences, [])
  })

describe.skipIf(!Postgres.hasPostgres)("a host that is parted from the database while it runs bodies", () => {
  const during = (deeds: ReadonlyArray<Deed>) =>
    until(Effect.sync(() => deeds.filter(({ what }) => what === "step 2").length >= perKind / 2))

  it.live("for longer than its leases: the other takes over, and what arrives late changes nothing", () =>
    Effect.gen(function* () {
      const made = yield* hosts("900 millis")
      const { proxy, deeds, ask, open, other } = made
      yield* during(deeds)
      proxy.part()
      yield* other
      yield* until(Effect.map(open("steps"), (count) => count === 0))
      assert.isAbove(deeds.filter(({ host }) => host === "other").length, 0, "the other went on")
      const written = ask(
        `SELECT process_id, state.sequence, state.change, snapshot, event.event_type, event.occurred_at, event.payload,
           (SELECT string_agg(key || outcome, ',' ORDER BY position) FROM ~.journal WHERE journal.pk = state.pk) AS journal
         FROM ~.state JOIN ~.event USING (pk) WHERE process_id LIKE 'steps %' ORDER BY pk, event.sequence`
      )
      const before = yield* written
      proxy.heal()
      // Only the host that was parted runs these, so it is heard again.
      yield* until(Effect.map(open("once"), (count) => count === 0))
      assert.deepStrictEqual(yield* written, before)
      yield* holds(made)
    }).pipe(Effect.scoped, bounded)
  )

  it.live("for less than its leases: it goes on, and what was under way is settled", () =>
    Effect.gen(function* () {
      const made = yield* hosts("20 seconds")
      const { proxy, deeds, other } = made
      yield* other
      yield* during(deeds)
      proxy.part()
      yield* Effect.sleep("300 millis")
      proxy.heal()
      yield* holds(made)
      const repeated = deeds.filter(({ fence }) => fence > 1)
      assert.deepStrictEqual(repeated, [], "nothing was taken over")
    }).pipe(Effect.scoped, bounded)
  )
})
