/**
 * What a server and other programs on it do to the transactions of a store, each provoked on a real server.
 */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { problemOf } from "../../src/store/postgres/schema.ts"
import { bounded, until } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"
import * as Postgres from "../support/postgres.ts"
import { open } from "./opened.ts"

// Transactions are left open here.
beforeAll(Postgres.apart, patienceMs)

/** A connection of another program, which ends with the scope. */
const stranger = (url: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => Postgres.connected(url)),
      (client) => Effect.promise(() => client.end().catch(() => {}))
    ),
    (client) => (text: string) => Effect.promise(() => client.query(text))
  )

const rounds = 5

/** A role of a test's own, with the settings that it has. */
const asRole = (where: { readonly url: string; readonly schema: string }, ...settings: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const role = `r_${where.schema}`
    const make = [
      `CREATE ROLE ${role} LOGIN PASSWORD 'secret'`,
      `CREATE SCHEMA ${where.schema} AUTHORIZATION ${role}`,
      ...settings.map((setting) => `ALTER ROLE ${role} ${setting}`)
    ]
    yield* Effect.promise(() => Postgres.query(where.url, ...make))
    const own = new URL(where.url)
    own.username = role
    own.password = "secret"
    return { role, url: own.href, schema: where.schema }
  })

describe.skipIf(!Postgres.hasPostgres)("another program on the server", () => {
  it.live("that ends the connection of a transaction which waits costs no write and repeats none", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const { register, append, notes } = yield* open({ ...where, connections: 1 })
      yield* register("it")
      const other = yield* stranger(where.url)
      const watcher = yield* stranger(where.url)
      const { rows } = yield* other("SELECT pg_backend_pid() AS pid")
      for (let round = 0; round < rounds; round++) {
        yield* other("BEGIN")
        yield* other(`SELECT 1 FROM ${where.schema}.state FOR UPDATE`)
        const writing = yield* Effect.fork(append("it", round))
        // As the server itself does when a transaction idles for longer than it may.
        const ended = watcher(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE wait_event_type = 'Lock' AND ${rows[0]?.pid} = ANY(pg_blocking_pids(pid))`)
        yield* until(Effect.map(ended, ({ rowCount }) => (rowCount ?? 0) > 0))
        yield* other("COMMIT")
        yield* writing
      }
      assert.deepStrictEqual(yield* notes("it"), [0, 1, 2, 3, 4])
    }).pipe(Effect.scoped, bounded)
  )

  it.live("that takes its locks in the other order deadlocks with a write, which is then written once", () =>
    Effect.gen(function* () {
      const where = yield* asRole(yield* Postgres.freshSchema)
      const { register, append, notes } = yield* open({ ...where, connections: 1 })
      yield* register("a")
      yield* register("b")
      // The server's own user, whose transaction looks for the deadlock late: the store's is the one that is ended.
      const admin = yield* Postgres.serverUrl
      const other = yield* stranger(admin)
      const watcher = yield* stranger(admin)
      yield* other("SET deadlock_timeout = '1min'")
      const before = yield* watcher("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
      yield* other("BEGIN")
      yield* other(`SELECT 1 FROM ${where.schema}.state WHERE process_id = 'b' FOR UPDATE`)
      const writing = yield* Effect.fork(Effect.all([append("a", 1), append("b", 2)], { concurrency: "unbounded" }))
      const blocked = watcher(
        `SELECT 1 FROM pg_stat_activity WHERE usename = '${where.role}' AND wait_event_type = 'Lock'`
      )
      yield* until(Effect.map(blocked, ({ rowCount }) => (rowCount ?? 0) > 0))
      yield* other(`SELECT 1 FROM ${where.schema}.state WHERE process_id = 'a' FOR UPDATE`)
      yield* other("COMMIT")
      yield* writing
      assert.deepStrictEqual([yield* notes("a"), yield* notes("b")], [[1], [2]])
      const deadlocks = watcher(
        `SELECT 1 FROM pg_stat_database WHERE datname = current_database() AND deadlocks > ${before.rows[0]?.deadlocks}`
      )
      yield* until(Effect.map(deadlocks, ({ rowCount }) => rowCount === 1))
    }).pipe(Effect.scoped, bounded)
  )

  it.live("and transactions that cannot be serialized make hosts write again, until each write is there once", () =>
    Effect.gen(function* () {
      const where = yield* asRole(yield* Postgres.freshSchema, "SET default_transaction_isolation = 'repeatable read'")
      const hosts = yield* Effect.all([open(where), open(where), open(where)])
      const [one] = hosts
      yield* one.register("it")
      yield* Effect.all(
        hosts.flatMap(({ append }, host) => Array.from({ length: 10 }, (_, each) => append("it", host * 10 + each))),
        { concurrency: "unbounded" }
      )
      const seen = (yield* one.notes("it")) as ReadonlyArray<number>
      assert.deepStrictEqual(
        [...seen].sort((a, b) => a - b),
        Array.from({ length: 30 }, (_, index) => index)
      )
    }).pipe(Effect.scoped, bounded)
  )

  it.live("that reads one snapshot for the whole time holds the feed back by nothing", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const { register, append, store } = yield* open(where)
      yield* register("it")
      const other = yield* stranger(where.url)
      yield* other("BEGIN ISOLATION LEVEL REPEATABLE READ")
      yield* other(`SELECT count(*) FROM ${where.schema}.state`)
      let after = 0
      for (let round = 0; round < 50; round++) {
        yield* append("it", round)
        const page = yield* store.feed.after(after, 10)
        assert.strictEqual(page.length, 1, "what was committed is in the feed at once")
        after = page.at(-1)?.change ?? after
      }
      yield* other("COMMIT")
    }).pipe(Effect.scoped, bounded)
  )
})

describe.skipIf(!Postgres.hasPostgres)("a server that has no room", () => {
  it.live("on its disk: a write fails as full, nothing of it is written, and others of its batch are", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const { register, append, notes } = yield* open({ ...where, connections: 1 })
      yield* register("full")
      yield* register("it")
      const other = yield* stranger(where.url)
      // The server's own code for it, at the write of a row: no disk of this machine has to be filled.
      yield* other(`CREATE FUNCTION ${where.schema}.full() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$`)
      yield* other(`CREATE TRIGGER full_disk BEFORE INSERT ON ${where.schema}.event FOR EACH ROW
        WHEN (NEW.payload = '13') EXECUTE FUNCTION ${where.schema}.full()`)
      const [failure] = yield* Effect.all([Effect.flip(append("full", 13)), append("it", 1)], {
        concurrency: "unbounded"
      })
      assert.deepInclude(failure, { _tag: "StoreError", reason: "full", written: "no" })
      assert.deepStrictEqual([yield* notes("full"), yield* notes("it")], [[], [1]])
      yield* other(`DROP TRIGGER full_disk ON ${where.schema}.event`)
      yield* append("full", 13)
      assert.deepStrictEqual(yield* notes("full"), [13])
    }).pipe(Effect.scoped, bounded)
  )

  it.live("for more connections: the host says so in one line, and starts once there is room", () =>
    Effect.gen(function* () {
      const where = yield* asRole(yield* Postgres.freshSchema, "CONNECTION LIMIT 1")
      const options = { ...where, connections: 1, patienceMs: 500 }
      const blocker = yield* Effect.promise(() => Postgres.connected(where.url))
      const failure = yield* Effect.flip(open(options))
      assert.strictEqual(failure._tag, "StoreError")
      assert.match(failure.message, /no connection left|too many connections/)
      yield* Effect.promise(() => blocker.end())
      const admin = yield* Postgres.serverUrl
      yield* Effect.promise(() => Postgres.query(admin, `ALTER ROLE ${where.role} CONNECTION LIMIT 10`))
      const { register, append, notes } = yield* open(options)
      yield* register("it")
      yield* append("it", 1)
      assert.deepStrictEqual(yield* notes("it"), [1])
    }).pipe(Effect.scoped, bounded)
  )
})

describe("what a server says of itself", () => {
  const good = { version: 140_000, standby: false, commit: "on", encoding: "UTF8", onlyReads: "off", limit: -1 }
  it("decides in one line whether it will do", () => {
    const strict = { readOnly: false, mayLoseCommits: false }
    const problem = (
      server: Partial<typeof good>,
      more: Partial<typeof strict> & { readonly connections?: number } = {}
    ) => problemOf({ ...good, ...server }, { ...strict, ...more })
    assert.isUndefined(problem({}))
    assert.strictEqual(problem({ version: 139_999 }), "the server is PostgreSQL 13, and 14 is the oldest that will do")
    assert.match(problem({ standby: true }) ?? "", /standby.*name the primary/)
    assert.isUndefined(problem({ standby: true }, { readOnly: true }))
    assert.match(problem({ commit: "off" }) ?? "", /synchronous_commit = off/)
    assert.isUndefined(problem({ commit: "off" }, { mayLoseCommits: true }))
    assert.isUndefined(problem({ commit: "remote_apply" }))
    assert.match(problem({ encoding: "LATIN1" }) ?? "", /^the database has the encoding LATIN1, .* ENCODING 'UTF8'$/)
    assert.isUndefined(problem({ encoding: "LATIN1", onlyReads: "on", limit: 1 }, { readOnly: true }))
    assert.match(problem({ onlyReads: "on" }) ?? "", /default_transaction_read_only = on .*; turn it off$/)
    assert.match(problem({ limit: 4 }, { connections: 2 }) ?? "", /may have 4 connections, and a host needs 5; raise/)
    assert.isUndefined(problem({ limit: 5 }, { connections: 2 }))
  })
})
