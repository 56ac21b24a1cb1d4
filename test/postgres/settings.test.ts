/**
 * A server, a role or a schema with settings and names of its own: the store says what it counts on.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { processId } from "../../src/model/ids.ts"
import * as First from "../../src/store/postgres/migrations/0001_store.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"
import { bounded } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"
import { open } from "./opened.ts"

/** A role with a setting, and a schema that is not there yet. */
const roleWith = (setting: string) =>
  Effect.gen(function* () {
    const { url, schema } = yield* Postgres.freshSchema
    const role = `r_${schema}`
    const made = [`CREATE ROLE ${role} SUPERUSER LOGIN PASSWORD 'secret'`, `ALTER ROLE ${role} SET ${setting}`]
    yield* Effect.acquireRelease(
      Effect.promise(() => Postgres.query(url, ...made)),
      () => Effect.promise(() => Postgres.query(url, `DROP OWNED BY ${role} CASCADE`, `DROP ROLE ${role}`))
    )
    const own = new URL(url)
    own.username = role
    own.password = "secret"
    return { url: own.href, schema }
  })

describe.skipIf(!Postgres.hasPostgres)("hosts of a role", () => {
  for (const setting of [
    "default_transaction_isolation = 'repeatable read'",
    "default_transaction_isolation = 'serializable'",
    "standard_conforming_strings = off"
  ]) {
    it.live(`with ${setting} start at once, and write and read as others do`, () =>
      Effect.gen(function* () {
        const where = { ...(yield* roleWith(setting)), connections: 2 }
        const hosts = yield* Effect.all(
          Array.from({ length: 4 }, () => open(where)),
          { concurrency: "unbounded" }
        )
        const [first] = hosts
        const id = String.raw`it\' "quoted"`
        yield* first?.register(id) ?? Effect.void
        yield* Effect.forEach(hosts, ({ append }, index) => append(id, index), { concurrency: "unbounded" })
        const filter = { status: "any", identityKind: String.raw`it\'` } as const
        assert.deepStrictEqual(yield* first?.store.list({ filter, limit: 10 }) ?? Effect.succeed([]), [])
        const notes = yield* first?.notes(id) ?? Effect.succeed([])
        assert.deepStrictEqual([...notes].sort(), [0, 1, 2, 3])
      }).pipe(Effect.scoped, bounded)
    )
  }
})

describe.skipIf(!Postgres.hasPostgres)("a schema", () => {
  for (const schema of ["user", "order", "table", "select"]) {
    it.live(`named ${schema} is one like others`, () =>
      Effect.gen(function* () {
        const url = yield* Postgres.serverUrl
        yield* Effect.addFinalizer(() => Effect.promise(() => Postgres.query(url, `DROP SCHEMA "${schema}" CASCADE`)))
        for (const note of [1, 2]) {
          const { register, append, notes } = yield* open({ url, schema })
          yield* register("it")
          yield* append("it", note)
          assert.strictEqual((yield* notes("it")).length, note)
        }
      }).pipe(Effect.scoped, bounded)
    )
  }

  for (const schema of ["pg_mine", "information_schema"]) {
    it.live(`named ${schema} is refused with one sentence`, () =>
      Effect.gen(function* () {
        const refused = yield* Effect.flip(open({ url: yield* Postgres.serverUrl, schema }))
        assert.strictEqual(
          refused.message,
          `schema is "${schema}", which is a schema of PostgreSQL's own; choose another name`
        )
      }).pipe(Effect.scoped, bounded)
    )
  }
})

describe.skipIf(!Postgres.hasPostgres)("a schema of the first version", () => {
  it.live("is brought to the present one by the first host, with what it holds", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const first = [
        `CREATE SCHEMA ${where.schema}`,
        `SET search_path = ${where.schema}`,
        ...First.statements,
        "CREATE TABLE holdfast_migrations (version integer PRIMARY KEY, migrated_at timestamptz NOT NULL DEFAULT now())",
        "INSERT INTO holdfast_migrations (version) VALUES (1)",
        "INSERT INTO progress (pk, key, at, detail) VALUES (1, 'kept', 2, '3')"
      ]
      yield* Effect.promise(() => Postgres.query(where.url, ...first))
      const hosts = yield* Effect.all([open(where), open(where)], { concurrency: "unbounded" })
      yield* hosts[0].register("it")
      yield* Effect.forEach(hosts, ({ append }, index) => append("it", index))
      assert.deepStrictEqual(yield* hosts[1].notes("it"), [0, 1])
      const found = yield* Effect.promise(() =>
        Postgres.query(
          where.url,
          `SELECT key, (SELECT max(version) FROM ${where.schema}.holdfast_migrations) AS version
          FROM ${where.schema}.progress`
        )
      )
      assert.deepStrictEqual(found, [{ key: "kept", version: 2 }])
    }).pipe(Effect.scoped, bounded)
  )
})

describe.skipIf(!Postgres.hasPostgres)("a host whose schema changes while it runs", () => {
  it.live("goes on where a table has a column more", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const { register, append, notes, store } = yield* open({ ...where, connections: 1 })
      yield* register("it")
      for (const note of [1, 2]) yield* append("it", note)
      const tables = [
        "process",
        "state",
        "event",
        "lease",
        "tombstone",
        "journal",
        "handle_grant",
        "wake_outbox",
        "debt"
      ]
      const added = tables.map((table) => `ALTER TABLE ${where.schema}.${table} ADD COLUMN more integer`)
      yield* Effect.promise(() => Postgres.query(where.url, ...added))
      yield* append("it", 3)
      // A statement that answers otherwise from now on is prepared anew.
      const changed = `ALTER TABLE ${where.schema}.tombstone ALTER COLUMN last_fence TYPE numeric`
      yield* Effect.promise(() => Postgres.query(where.url, changed))
      yield* append("it", 4)
      yield* store.find(processId("it"))
      yield* Effect.promise(() =>
        Postgres.query(where.url, `ALTER TABLE ${where.schema}.state ALTER COLUMN machine_version TYPE varchar`)
      )
      assert.strictEqual((yield* store.find(processId("it")))._tag, "Present")
      assert.deepStrictEqual(yield* notes("it"), [1, 2, 3, 4])
    }).pipe(Effect.scoped, bounded)
  )

  it.live("says in one line that a newer library has migrated it, and writes nothing more", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const { register, append, notes, store } = yield* open(where)
      yield* register("it")
      yield* append("it", 1)
      const moved = `INSERT INTO ${where.schema}.holdfast_migrations (version) VALUES (99)`
      yield* Effect.promise(() => Postgres.query(where.url, moved))
      const all = Effect.all(
        [2, 3, 4].map((note) => Effect.flip(append("it", note))),
        { concurrency: "unbounded" }
      )
      for (const refused of yield* all) {
        assert.strictEqual(refused._tag === "StoreError" ? refused.reason : refused._tag, "newer_schema")
        assert.match(
          refused.message,
          /it has schema version 99, and this library knows versions up to \d+: use the newer library/
        )
      }
      assert.deepStrictEqual(yield* notes("it"), [1])
      // A host that keeps its leases would keep what waits from the hosts that can go on with it.
      const renewed = yield* Effect.flip(store.leases.renew({ renewerId: "r", ttlMs: 1_000 }))
      assert.strictEqual(renewed.reason, "newer_schema")
    }).pipe(Effect.scoped, bounded)
  )
})

const named = (label: string) => {
  const registration = registrationOf(processId("it"), "externally_owned")
  return { ...registration, identity: { ...registration.identity, label } }
}

describe.skipIf(!Postgres.hasPostgres)("a host whose server lost what was committed last", () => {
  it.live("takes a process for the one that is there now, and not for the one of the same number", () =>
    Effect.gen(function* () {
      const { url, schema } = yield* Postgres.freshSchema
      const registered = (label: string) =>
        Effect.map(open({ url, schema, connections: 1 }), ({ registry }) => ({ registry, registration: named(label) }))
      const one = yield* registered("first")
      yield* one.registry.registerProcess(one.registration)
      // What a standby lacks, which then gives the same numbers again.
      const tables = ["process", "state", "event_types"].map((table) => `DELETE FROM ${schema}.${table}`)
      yield* Effect.promise(() => Postgres.query(url, ...tables, `SELECT setval('${schema}.process_pk', 1, false)`))
      const two = yield* registered("second")
      yield* two.registry.registerProcess(two.registration)
      // The same registration again is no conflict: the host of the first one sees the second.
      const again = yield* one.registry.registerProcess(two.registration)
      assert.strictEqual(again.identity.label, "second")
      const refused = yield* Effect.flip(one.registry.registerProcess(one.registration))
      assert.strictEqual(refused._tag, "RegistrationConflict")
    }).pipe(Effect.scoped, bounded)
  )
})
