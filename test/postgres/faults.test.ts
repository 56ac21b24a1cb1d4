import { assert, beforeAll, describe, it, vi } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import { processId } from "../../src/model/ids.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import * as Leases from "../../src/operations/Leases.ts"
import * as OwnerEvidence from "../../src/operations/OwnerLiveness.ts"
import type { DueElsewhere } from "../../src/store/ProcessStore.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as PostgresStore from "../../src/store/postgres/PostgresStore.ts"
import { clockOf } from "../../src/testing/bodies/Time.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"
import { bounded, until } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"
import * as Postgres from "../support/postgres.ts"
import { open } from "./opened.ts"
import * as Proxies from "./proxy.ts"

// Transactions are left open here.
beforeAll(Postgres.apart, patienceMs)

const proxied = Effect.gen(function* () {
  const where = yield* Postgres.freshSchema
  const proxy = yield* Effect.acquireRelease(
    Effect.promise(() => Proxies.start(where.url)),
    ({ close }) => Effect.sync(close)
  )
  return { where, proxy, ...(yield* open({ ...where, url: proxy.url, connections: 1 })) }
})

describe.skipIf(!Postgres.hasPostgres)("a connection that is lost", () => {
  for (const moment of ["before the commit", "after the commit"] as const) {
    it.live(`${moment}: each write is written once, and its caller hears so`, () =>
      Effect.gen(function* () {
        const { proxy, register, append, notes } = yield* proxied
        yield* register("it")
        for (let round = 0; round < 5; round++) {
          proxy.cut(moment)
          assert.strictEqual((yield* append("it", round)).event.sequence, round + 1)
          assert.strictEqual(proxy.cuts(), round + 1)
        }
        assert.deepStrictEqual(yield* notes("it"), [0, 1, 2, 3, 4])
      }).pipe(Effect.scoped, bounded)
    )
  }

  it.live("with a server that stays away: the write fails in time, and says that nothing was written", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const proxy = yield* Effect.promise(() => Proxies.start(where.url))
      const { register, store } = yield* open({ ...where, url: proxy.url, sessionUrl: where.url, patienceMs: 300 })
      proxy.close()
      const failure = yield* Effect.flip(register("it"))
      assert.deepInclude(failure, { _tag: "StoreError", reason: "busy", written: "no" })
      assert.strictEqual(store.parts()[0]?.state, "running")
    }).pipe(Effect.scoped, bounded)
  )

  it.live("by a reader that lets go: it waits for nothing, also where all readers do, and the next ones read", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const { register, append, notes } = yield* open({ ...where, connections: 2 })
      yield* register("it")
      for (let round = 0; round < 3; round++) {
        yield* append("it", round)
        const locked = yield* Deferred.make<void>()
        const release = yield* Deferred.make<void>()
        const lock = `BEGIN; LOCK TABLE ${where.schema}.event IN ACCESS EXCLUSIVE MODE`
        const holder = yield* Effect.fork(
          Effect.scoped(
            Effect.gen(function* () {
              const holding = yield* Effect.acquireRelease(
                Effect.promise(() => Postgres.connected(where.url)),
                (client) => Effect.promise(() => client.end())
              )
              yield* Effect.promise(() => holding.query(lock))
              yield* Deferred.succeed(locked, undefined)
              yield* Deferred.await(release)
            })
          )
        )
        yield* Deferred.await(locked)
        const readers = yield* Effect.forEach([1, 2, 3, 4], () => Effect.fork(notes("it")))
        yield* Effect.sleep("50 millis")
        yield* Effect.timeout(Effect.disconnect(Fiber.interruptAll(readers)), "4 seconds")
        yield* Deferred.succeed(release, undefined)
        yield* Fiber.join(holder)
        assert.deepStrictEqual((yield* notes("it")).length, round + 1)
      }
    }).pipe(Effect.scoped, bounded)
  )

  it.live("and nothing says so: reads and writes end in time, and go on once the server is heard again", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const proxy = yield* Effect.acquireRelease(
        Effect.promise(() => Proxies.start(where.url)),
        ({ close }) => Effect.sync(close)
      )
      const { store, register, append, notes } = yield* open({ ...where, url: proxy.url, patienceMs: 300 })
      yield* register("it")
      for (let round = 0; round < 3; round++) {
        yield* append("it", round)
        proxy.part()
        const reads = Array.from({ length: 6 }, () => Effect.flip(notes("it")))
        const asked = yield* Effect.all([...reads, Effect.flip(register("other"))], {
          concurrency: "unbounded"
        }).pipe(Effect.timeout(patienceMs))
        for (const failure of asked) assert.deepInclude(failure, { _tag: "StoreError", reason: "busy" })
        assert.strictEqual(store.parts()[0]?.state, "running")
        proxy.heal()
        yield* until(Effect.map(Effect.either(append("it", 10 + round)), Either.isRight))
        assert.include(yield* Effect.retry(notes("it"), { times: 20 }), 10 + round)
      }
    }).pipe(Effect.scoped, bounded)
  )
})

describe.skipIf(!Postgres.hasPostgres)("the schema of a store", () => {
  it.live("may be named in the URL, as commands have it, and not by two names", () =>
    Effect.gen(function* () {
      const { url, schema } = yield* Postgres.freshSchema
      const named = new URL(url)
      named.searchParams.set("schema", schema)
      yield* Effect.flatMap(open({ url: named.href }), ({ register }) => register("it"))
      const { store } = yield* open({ url, schema })
      assert.strictEqual((yield* store.countByLifecycle).running, 1)
      const refused = yield* Effect.flip(PostgresStore.make({ url: named.href, schema: "another" }))
      assert.match(refused.message, /"another", and the URL says "t_.*": name one of them/)
    }).pipe(Effect.scoped, bounded)
  )
})

describe.skipIf(!Postgres.hasPostgres)("a store that was opened for reading", () => {
  it.live("answers reads, and the server refuses it every write", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      yield* Effect.flatMap(open(where), ({ register, append }) => Effect.zipRight(register("it"), append("it", 1)))
      const { notes, register } = yield* open({ ...where, readOnly: true, patienceMs: 300 })
      assert.deepStrictEqual(yield* notes("it"), [1])
      assert.deepInclude(yield* Effect.flip(register("other")), { _tag: "StoreError", written: "no" })
    }).pipe(Effect.scoped, bounded)
  )
})

describe.skipIf(!Postgres.hasPostgres)("hosts that write at the same time", () => {
  it.live("make the schema once, and register an id once", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const hosts = yield* Effect.all(
        Array.from({ length: 4 }, () => open(where)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set(hosts.map(({ store }) => store.storeId)).size, 1)
      for (let round = 0; round < 10; round++) {
        const records = yield* Effect.all(
          hosts.map(({ register }) => register(`it ${round}`)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(records.map((record) => JSON.stringify(record))).size, 1)
      }
      assert.strictEqual((yield* (hosts[0] as (typeof hosts)[number]).store.countByLifecycle).running, 10)
    }).pipe(Effect.scoped, bounded)
  )

  it.live("number the events of one process without a gap, and each host sees what the others wrote", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const hosts = yield* Effect.all([open(where), open(where), open(where)])
      const [one] = hosts
      yield* one.register("it")
      yield* Effect.forEach(hosts, ({ store }) => store.externalChanges)
      yield* Effect.all(
        hosts.flatMap(({ append }) => Array.from({ length: 20 }, (_, each) => append("it", each))),
        { concurrency: "unbounded" }
      )
      const log = yield* one.store.eventsAfter(processId("it"), 0)
      assert.deepStrictEqual(
        log.map(({ sequence }) => sequence),
        Array.from({ length: 60 }, (_, index) => index + 1)
      )
      for (const { store } of hosts) {
        const seen = new Set<string>()
        yield* until(
          Effect.map(store.externalChanges, (ids) => {
            for (const id of ids) seen.add(id)
            return seen.has("it")
          })
        )
      }
    }).pipe(Effect.scoped, bounded)
  )
})

describe.skipIf(!Postgres.hasPostgres)("the clock of a host", () => {
  it.live("an hour ahead or behind decides nothing: leases last by the database's", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const { registry, store } = yield* open(where)
      const liveness = OwnerEvidence.make(OwnerEvidence.unknowing)
      const leases = yield* Leases.make.pipe(
        Effect.provideService(ProcessStore, store),
        Effect.provideService(OwnerEvidence.OwnerLiveness, liveness)
      )
      const real = yield* Effect.clock
      for (const hours of [-1, 1]) {
        const id = processId(`it ${hours}`)
        yield* registry.registerProcess(registrationOf(id, "rerunnable"))
        const skewed = Effect.withClock(clockOf(() => Date.now() + hours * 3_600_000, real.sleep))
        const claim = (owner: string) => skewed(leases.claimProcessLease(id, opaqueOwner(owner, "life"), 60_000))
        const first = yield* claim("one")
        assert.closeTo(first._tag === "Acquired" ? first.lease.expiresAtMs : 0, Date.now() + 60_000, 10_000)
        assert.notStrictEqual((yield* claim("other"))._tag, "Acquired", "a live lease is not given to another")
      }
    }).pipe(Effect.scoped, bounded)
  )

  it.live("a little behind hides nothing from the other hosts that has just become due", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const { registry } = yield* open(where)
      const { store } = yield* open(where)
      const heard: Array<DueElsewhere> = []
      yield* store.onExternalCommit?.((due) => heard.push(due)) ?? Effect.void
      const makeDue = (id: string) => registry.registerProcess(registrationOf(processId(id), "rerunnable"))
      let before = 0
      // Messages come once both hosts listen.
      yield* until(
        Effect.suspend(() =>
          Effect.map(Effect.delay(makeDue(`before ${before++}`), "20 millis"), () =>
            heard.some((due) => due.length > 0)
          )
        )
      )
      const real = performance.now.bind(performance)
      yield* Effect.acquireRelease(
        Effect.sync(() => vi.spyOn(performance, "now").mockImplementation(() => real() - 15)),
        (spy) => Effect.sync(() => spy.mockRestore())
      )
      for (let index = 0; index < 20; index++) {
        yield* makeDue(`it ${index}`)
        yield* until(Effect.sync(() => heard.flat().some((due) => due === `it ${index}`)))
      }
    }).pipe(Effect.scoped, bounded)
  )
})

describe.skipIf(!Postgres.hasPostgres)("the change feed", () => {
  it.live("passes no number that may still appear, while a transaction is held open", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const { register, store } = yield* open(where)
      yield* register("slow")
      const changes = (after: number) =>
        Effect.map(store.feed.after(after, 10), (page) => ({
          ids: page.map((entry) => (entry._tag === "Row" ? entry.row.base.registration.id : "")),
          last: page.at(-1)?.change ?? after
        }))
      const before = yield* changes(0)
      const held = yield* Effect.promise(() => Postgres.connected(where.url))
      const change = `(SELECT change_base + pg_current_xact_id()::text::bigint * 4096 FROM ${where.schema}.store)`
      yield* Effect.promise(() => held.query("BEGIN"))
      yield* Effect.promise(() => held.query(`UPDATE ${where.schema}.state SET change = ${change}`))
      yield* register("quick")
      assert.deepStrictEqual(yield* changes(before.last), { ids: [], last: before.last })
      yield* Effect.promise(() => held.query("COMMIT"))
      assert.deepStrictEqual((yield* changes(before.last)).ids, ["slow", "quick"])
      yield* Effect.promise(() => held.end())
    }).pipe(Effect.scoped, bounded)
  )
})

describe.skipIf(!Postgres.hasPostgres)("behind a pool that changes connections between transactions", () => {
  it.live(
    "hosts say once that messages do not come, unless they have the server's own URL, and see all that changes",
    () =>
      Effect.gen(function* () {
        const where = yield* Postgres.freshSchema
        const pool = yield* Effect.acquireRelease(
          Effect.promise(() => Proxies.start(where.url)),
          ({ close }) => Effect.sync(close)
        )
        pool.deafen()
        const behind = (sessionUrl: string) => {
          const lines: Array<unknown> = []
          const logger = Logger.make(({ message }) => lines.push(message))
          const opened = open({ ...where, url: pool.url, sessionUrl })
          return Effect.map(Effect.provide(opened, Logger.replace(Logger.defaultLogger, logger)), (made) => ({
            ...made,
            lines
          }))
        }
        const [deaf, hearing] = yield* Effect.all([behind(pool.url), behind(where.url)])
        yield* until(Effect.sync(() => deaf.lines.length > 0))
        assert.deepStrictEqual(deaf.lines, [
          ["messages of other hosts do not come through this connection; give the server's own URL as sessionUrl"]
        ])
        assert.deepStrictEqual(hearing.lines, [])
        // More than one look finds: each goes on where the last one ended.
        yield* deaf.register("its own")
        const many = Array.from({ length: 1_200 }, (_, index) => `it ${index}`)
        yield* Effect.forEach(many, hearing.register, { concurrency: "unbounded" })
        const found = new Map<string, number>()
        const looks = Effect.map(deaf.store.externalChanges, (ids) => {
          for (const id of ids) found.set(id, (found.get(id) ?? 0) + 1)
          return found
        })
        yield* until(Effect.map(looks, ({ size }) => size >= many.length))
        yield* hearing.register("the last one")
        yield* until(Effect.map(looks, () => found.has("the last one")))
        assert.deepStrictEqual(found, new Map([...many, "the last one"].map((id) => [id, 1])))
      }).pipe(Effect.scoped, bounded)
  )
})

describe.skipIf(!Postgres.hasPostgres)("a database that will not do is refused with one line", () => {
  const refusals: Readonly<
    Record<string, { readonly prepare: (schema: string, role: string) => ReadonlyArray<string>; readonly says: RegExp }>
  > = {
    "a schema of a newer library": {
      prepare: (schema, role) => [
        `CREATE SCHEMA ${schema} AUTHORIZATION ${role}`,
        `CREATE TABLE ${schema}.holdfast_migrations (version integer)`,
        `INSERT INTO ${schema}.holdfast_migrations VALUES (99)`,
        `GRANT SELECT ON ${schema}.holdfast_migrations TO ${role}`
      ],
      says: /schema version 99, and this library knows versions up to \d+: use the newer library$/
    },
    "a missing privilege": { prepare: () => [], says: /lacks a privilege: .*; grant it, then try again$/ },
    "a role that may have too few connections": {
      prepare: (_schema, role) => [`ALTER ROLE ${role} CONNECTION LIMIT 2`],
      says: /may have 2 connections, and a host needs 5; raise the role's CONNECTION LIMIT, or lower `connections`$/
    },
    "a role that only reads": {
      prepare: (_schema, role) => [`ALTER ROLE ${role} SET default_transaction_read_only = on`],
      says: /default_transaction_read_only = on for this user, who can write nothing; turn it off$/
    },
    "a server that may lose commits": {
      prepare: (_schema, role) => [`ALTER ROLE ${role} SET synchronous_commit = off`],
      says: /synchronous_commit = off, .*; turn it on, or set mayLoseCommits$/
    }
  }
  for (const [what, { prepare, says }] of Object.entries(refusals)) {
    it.live(what, () =>
      Effect.gen(function* () {
        const { url, schema } = yield* Postgres.freshSchema
        const role = `r_${schema}`
        yield* Effect.promise(() =>
          Postgres.query(url, `CREATE ROLE ${role} LOGIN PASSWORD 'secret'`, ...prepare(schema, role))
        )
        const own = new URL(url)
        own.username = role
        own.password = "secret"
        const ended = yield* Effect.either(PostgresStore.make({ url: own.href, schema }))
        assert.match(Either.isLeft(ended) ? ended.left.message : "", says)
      }).pipe(Effect.scoped, bounded)
    )
  }
})
