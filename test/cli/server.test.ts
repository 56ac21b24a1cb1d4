import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { serve } from "../../src/cli/commands/inspect.ts"
import { loaded, sourceOf } from "../../src/cli/database.ts"
import * as Screens from "../../src/cli/Screen.ts"
import * as ManyHosts from "../../src/host/ManyHosts.ts"
import { Processes } from "../../src/host/Processes.ts"
import { Engine, Signal } from "../../src/index.ts"
import { processId } from "../../src/model/ids.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as PostgresStore from "../../src/store/postgres/PostgresStore.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"
import { tokenIn } from "../inspector/fixtures.ts"
import { bounded, fast, quiet, until } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"
import * as Postgres from "../support/postgres.ts"
import { holdfast, spawned } from "./running.ts"

const Go = Signal.make("go", { payload: Schema.Number })

const Ask = Engine.make("ask", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Number,
  signals: [Go],
  disposition: "rerunnable",
  run: (_, ctx) => ctx.awaitSignal(Go)
})

/** A host on a schema of its own, with a process that waits, and the name of its database for the command line. */
const waiting = Effect.gen(function* () {
  const where = yield* Postgres.freshSchema
  const host = yield* Layer.build(Layer.provide(ManyHosts.layerPostgres({ ...fast, ...where, engines: [Ask] }), quiet))
  const handle = yield* Effect.provide(
    Effect.flatMap(Processes, (processes) => processes.start(Ask, { id: "p", payload: null })),
    host
  )
  const db = new URL(where.url)
  db.searchParams.set("schema", where.schema)
  yield* until(Effect.map(on(["ls", "--waiting", "--json"], db.href), ({ out }) => out.includes('"id":"p"')))
  return { ...where, db: db.href, handle }
})

/** A schema with a process that has ended, and no host. */
const ended = Effect.gen(function* () {
  const where = yield* Postgres.freshSchema
  const store = PostgresStore.layer(where)
  yield* Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    yield* registry.registerProcess(registrationOf(processId("p"), "externally_owned"))
    yield* registry.completeProcess(processId("p"), { _tag: "Success", value: 1 }, { _tag: "ExternalOwner" })
  }).pipe(Effect.provide(Layer.provide(Registry.layer, store)))
  const db = new URL(where.url)
  db.searchParams.set("schema", where.schema)
  return { ...where, db: db.href }
})

/** The name of a database for a role that is made for it, which has the name of the schema. */
const roleOn = ({ url, schema, db }: { url: string; schema: string; db: string }, rights: string) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => Postgres.query(url, `CREATE ROLE ${schema} LOGIN PASSWORD 's3cret'; ${rights}`)),
      () => Effect.promise(() => Postgres.query(url, `DROP OWNED BY ${schema}; DROP ROLE ${schema}`))
    ),
    () => Object.assign(new URL(db), { username: schema, password: "s3cret" }).href
  )

const looking: ReadonlyArray<ReadonlyArray<string>> = [
  ["ls", "--status", "any"],
  ["count", "--by", "kind,reason"],
  ["top", "--status", "any"],
  ["wait", "p"],
  ["show", "p"],
  ["state", "p"],
  ["tail", "p", "--until-end"],
  ["tree", "--all"],
  ["explain", "p"],
  ["wakes", "--json"],
  ["verify", "--json"]
]

const on = (args: ReadonlyArray<string>, db: string) => Effect.promise(() => holdfast([...args, "--db", db]))

describe.skipIf(!Postgres.hasPostgres)("the command line on a PostgreSQL server", () => {
  it.live("looks at a host's processes, says why one waits, and sends what it waits for", () =>
    Effect.gen(function* () {
      const { db, handle } = yield* waiting
      assert.match((yield* on(["explain", "p"], db)).out, /^p: .*signal.* go/)
      assert.notInclude((yield* on(["explain", "p"], db)).out, ":postgres@")
      assert.include((yield* on(["show", "p"], db)).out, "process.waiting")
      assert.include((yield* on(["count"], db)).out, "1 in all")
      assert.strictEqual((yield* on(["verify"], db)).code, 0)
      const sent = yield* on(["signal", "p", "go", "--payload", "7"], db)
      assert.deepStrictEqual([sent.code, sent.err], [0, ""])
      assert.strictEqual(yield* handle.await, 7)
      assert.strictEqual((yield* on(["wait", "p"], db)).out, '{"type":"success","value":7}\n')
      const late = yield* on(["signal", "p", "go", "--payload", "8"], db)
      assert.notStrictEqual(late.code, 0)
    }).pipe(Effect.scoped, bounded)
  )

  it.live("names the server without the password where it is named again", () =>
    Effect.gen(function* () {
      const { db } = yield* waiting
      const explained = yield* on(["explain", "p"], db)
      assert.match(explained.out, /holdfast signal p go .*--db .*postgres:\/\/postgres@/)
      const drawn = yield* Effect.promise(() => holdfast(["machines", "draw", db]))
      assert.match(drawn.err, /no machine/)
      const shouted = yield* Effect.promise(() => holdfast(["ls", "--db", db.replace("postgres:", "POSTGRES:")]))
      assert.strictEqual(shouted.code, 0)
      for (const { out, err } of [explained, drawn, shouted]) assert.notInclude(out + err, ":postgres@")
    }).pipe(Effect.scoped, bounded)
  )

  it.live("serves the page of its processes, and shows no password", () =>
    Effect.gen(function* () {
      const { db, schema } = yield* waiting
      const source = yield* sourceOf(Option.some(db))
      assert.include(source.shown, schema)
      assert.notInclude(source.shown, ":postgres@")
      const listening = yield* Deferred.make<string>()
      const onListening = (url: string) => Effect.asVoid(Deferred.succeed(listening, url))
      const screen = Screens.make(process.stdout, process.stderr, {})
      const serving = yield* Effect.fork(
        Effect.provide(serve(source, screen, { port: 0, actions: false, onListening }), quiet)
      )
      const url = new URL(yield* Deferred.await(listening))
      const headers = { authorization: `Bearer ${tokenIn(url.href)}` }
      const counts = yield* Effect.promise(() =>
        fetch(new URL("/api/counts", url), { headers, signal: AbortSignal.timeout(patienceMs) }).then((answer) =>
          answer.json()
        )
      )
      assert.deepStrictEqual(counts, {
        counts: { running: 1, completed: 0, failed: 0, cancelled: 0, abandoned: 0 },
        total: 1
      })
      yield* Fiber.interrupt(serving)
    }).pipe(Effect.scoped, bounded)
  )

  it.live("looks with every command that only looks, and leaves each row as it is", () =>
    Effect.gen(function* () {
      const { url, schema, db } = yield* ended
      const content = Effect.promise(() =>
        Postgres.query(url, `SELECT schema_to_xml('${schema}', true, false, '')::text AS content`)
      )
      const before = yield* content
      const onlooker = yield* roleOn(
        { url, schema, db },
        `GRANT USAGE ON SCHEMA ${schema} TO ${schema}; GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${schema}`
      )
      for (const args of looking) {
        const { code, out, err } = yield* on(args, onlooker)
        assert.strictEqual(code, 0, `${args[0]}: ${err}`)
        assert.match(out, /\S/, args[0])
        assert.notInclude(out + err, "s3cret", args[0])
      }
      assert.deepStrictEqual(yield* content, before)
    }).pipe(Effect.scoped, bounded)
  )

  it.live("works where the hosts accept that the server may lose commits", () =>
    Effect.gen(function* () {
      const where = yield* ended
      const hasty = yield* roleOn(
        where,
        `ALTER ROLE ${where.schema} SUPERUSER; ALTER ROLE ${where.schema} SET synchronous_commit = off`
      )
      const ran = yield* on(["cancel", "p"], hasty)
      assert.notInclude(ran.err, "cannot be opened")
    }).pipe(Effect.scoped, bounded)
  )

  it.live("refuses a schema of a newer version", () =>
    Effect.gen(function* () {
      const { url, schema, db } = yield* ended
      yield* Effect.promise(() =>
        Postgres.query(url, `INSERT INTO ${schema}.holdfast_migrations (version) VALUES (99)`)
      )
      for (const args of [["ls"], ["cancel", "p"]]) {
        const { code, err } = yield* on(args, db)
        assert.strictEqual(code, 1)
        assert.match(err, /cannot be opened: it has schema version 99, .*: use the newer library\n$/)
      }
    }).pipe(Effect.scoped, bounded)
  )

  it.live("is packed, and finds its driver when a URL asks for it", () =>
    Effect.gen(function* () {
      const { db } = yield* ended
      const { code, out, err } = yield* Effect.promise(() => spawned(["ls", "--status", "any", "--db", db]))
      assert.deepStrictEqual([code, err], [0, ""])
      assert.match(out, /^p /m)
    }).pipe(Effect.scoped, bounded)
  )

  it.live("makes nothing where there is nothing, and says what is missing", () =>
    Effect.gen(function* () {
      const { url, schema } = yield* Postgres.freshSchema
      const db = new URL(url)
      db.searchParams.set("schema", schema)
      for (const args of [["ls"], ["cancel", "p"], ["verify"]]) {
        const ran = yield* on(args, db.href)
        assert.strictEqual(ran.code, 1)
        assert.match(
          ran.err,
          /cannot be opened: it has no tables of holdfast: the first host that opens it makes them\n$/
        )
      }
      const made = yield* Effect.promise(() =>
        Postgres.query(url, `SELECT 1 FROM pg_namespace WHERE nspname = '${schema}'`)
      )
      assert.deepStrictEqual(made, [])
    }).pipe(Effect.scoped, bounded)
  )

  it.effect("says what to install where the packages of a server are missing", () =>
    Effect.gen(function* () {
      const missing = "@effect/sql-nowhere"
      const { message } = yield* Effect.flip(loaded(() => import(missing)))
      assert.match(message, /it needs packages that are not installed: npm install pg @effect\/sql-pg$/)
    })
  )

  it.live("says in one line why it cannot, and never what the password is", () =>
    Effect.gen(function* () {
      const url = yield* Postgres.serverUrl
      const wrong = new URL(url)
      wrong.password = "s3cret"
      wrong.pathname = "/nowhere"
      const cases: ReadonlyArray<readonly [string, ReadonlyArray<string>, number, RegExp]> = [
        [
          "postgres://me:s3cret@127.0.0.1:1/db",
          ["ls"],
          1,
          /^holdfast: postgres:\/\/me@127\.0\.0\.1:1\/db cannot be opened: .*away/
        ],
        [
          wrong.href,
          ["ls"],
          1,
          /cannot be opened: .*(nowhere|password).*; check the user, password, host and database/
        ],
        ["postgres://me:s3cret@ [", ["ls"], 2, /^holdfast: the URL cannot be read; it is postgres:\/\/user:password@/],
        ["postgres://me:s3cret@127.0.0.1:1/db?schema=A-b", ["ls"], 1, /schema.* lower-case letters/]
      ]
      for (const [db, args, code, says] of cases) {
        const ran = yield* on(args, db)
        assert.strictEqual(ran.code, code, ran.err)
        assert.match(ran.err, says)
        assert.strictEqual(ran.err.trim().split("\n").length, 1)
        assert.notInclude(ran.err + ran.out, "s3cret")
      }
      const backup = yield* Effect.promise(() => holdfast(["backup", "postgres://me:s3cret@127.0.0.1:1/db", "copy.db"]))
      assert.strictEqual(
        backup.err,
        "holdfast: postgres://me@127.0.0.1:1/db is no file: pg_dump copies a schema of PostgreSQL, also while hosts write to it\n"
      )
    }).pipe(Effect.scoped, bounded)
  )
})
