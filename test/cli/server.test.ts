import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { serve } from "../../src/cli/commands/inspect.ts"
import { sourceOf } from "../../src/cli/database.ts"
import * as Screens from "../../src/cli/Screen.ts"
import * as ManyHosts from "../../src/host/ManyHosts.ts"
import { Processes } from "../../src/host/Processes.ts"
import { Engine, Signal } from "../../src/index.ts"
import { tokenIn } from "../inspector/fixtures.ts"
import { bounded, fast, quiet, until } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"
import { holdfast } from "./running.ts"

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

const on = (args: ReadonlyArray<string>, db: string) => Effect.promise(() => holdfast([...args, "--db", db]))

describe.skipIf(!Postgres.hasPostgres)("the command line on a PostgreSQL server", () => {
  it.live("looks at a host's processes, says why one waits, and sends what it waits for", () =>
    Effect.gen(function* () {
      const { db, handle } = yield* waiting
      assert.match((yield* on(["explain", "p"], db)).out, /^p: .*signal.* go/)
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

  it.live("serves the page of its processes, and shows no password", () =>
    Effect.gen(function* () {
      const { db, schema } = yield* waiting
      const source = yield* sourceOf(Option.some(db))
      assert.include(source.shown, schema)
      assert.notInclude(source.shown, ":postgres@")
      const listening = yield* Deferred.make<string>()
      const onListening = (url: string) => Effect.asVoid(Deferred.succeed(listening, url))
      const screen = Screens.make(process.stdout, process.stderr, {})
      const serving = yield* Effect.fork(Effect.provide(serve(source, screen, { port: 0, onListening }), quiet))
      const url = new URL(yield* Deferred.await(listening))
      const headers = { authorization: `Bearer ${tokenIn(url.href)}` }
      const counts = yield* Effect.promise(() =>
        fetch(new URL("/api/counts", url), { headers, signal: AbortSignal.timeout(30_000) }).then((answer) =>
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
        [wrong.href, ["ls"], 1, /cannot be opened: .*(nowhere|password)/],
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
