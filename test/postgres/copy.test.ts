import { join } from "node:path"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as ManyHosts from "../../src/host/ManyHosts.ts"
import { Processes } from "../../src/host/Processes.ts"
import { Engine, Signal } from "../../src/index.ts"
import * as PostgresStore from "../../src/store/postgres/PostgresStore.ts"
import { decoded } from "../../src/store/postgres/text.ts"
import { holdfast } from "../cli/running.ts"
import { open } from "../store/sqliteFixtures.ts"
import { start } from "../support/children.ts"
import { bounded, fast, quiet, sqlite, temporaryFolder, until } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"
import * as Postgres from "../support/postgres.ts"
import { isWhole } from "../support/samples.ts"

// Transactions are left open here.
beforeAll(Postgres.apart, patienceMs)

/** What of the two stores has to be the same: every table but what a store has of its own. */
const tablesOf = (db: Database.Database): ReadonlyArray<string> =>
  db
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .pluck()
    .all()
    .map(String)
    .filter((name) => name !== "holdfast_migrations")

const inFile = (filename: string) => {
  const db = new Database(filename, { readonly: true })
  const rows = tablesOf(db).map((name) => [name, inOrder(db.prepare(`SELECT * FROM ${name}`).all())] as const)
  db.close()
  return Object.fromEntries(rows)
}

const onServer = (url: string, schema: string, tables: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const rows: Record<string, unknown> = {}
    for (const name of tables) {
      const found = (await Postgres.query(url, `SELECT * FROM ${schema}.${name}`)) as ReadonlyArray<
        Record<string, unknown>
      >
      rows[name] = inOrder(found.map(({ change_base: _, ...row }) => numbered(row)))
    }
    return rows
  })

/** The driver answers with the texts of 64-bit integers. */
const numbered = (row: object): object =>
  Object.fromEntries(
    Object.entries(row).map(([column, value]) => [
      column,
      numbers.has(column) ? asNumber(value) : typeof value === "string" ? decoded(value) : value
    ])
  )
const asNumber = (value: unknown) => (value === null ? null : Number(value))
const numbers = new Set(
  (
    "pk sequence created_at fencing_token due_at change updated_at deadline occurred_at wakes claimed_at expires_at position at " +
    "number is_open attempts first_attempt next_attempt pruned_at last_sequence last_fence compacted owed_at"
  ).split(" ")
)

const inOrder = (rows: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  rows.map((row) => JSON.stringify(Object.entries(row as object).sort(([a], [b]) => (a < b ? -1 : 1)))).sort()

const named = ({ url, schema }: { readonly url: string; readonly schema: string }): string => {
  const db = new URL(url)
  db.searchParams.set("schema", schema)
  return db.href
}

const copy = (...args: ReadonlyArray<string>) => Effect.promise(() => holdfast(["copy", ...args]))

/** A closed file with processes that have events, and a row in each table, ids with strange characters too. */
const filled = (filename: string, processes: number, events: number) =>
  Effect.gen(function* () {
    yield* Effect.scoped(
      Effect.gen(function* () {
        const { register, note } = yield* open(filename)
        const ids = Array.from({ length: processes }, (_, index) => `p${index} \u0001ü'`)
        yield* Effect.forEach(ids, register, { concurrency: 100, discard: true })
        yield* Effect.forEach(
          ids,
          (id) =>
            Effect.forEach(Array.from({ length: events }), (_, at) => note(id, { at, text: "\u0000" }, `key ${at}`)),
          { concurrency: 100, discard: true }
        )
      })
    )
    const db = new Database(filename)
    for (const statement of [
      "INSERT INTO tombstone VALUES ('gone', 'completed', 5, 3, 2, 0, 1)",
      "INSERT INTO child VALUES (1, 'parent', 'cancel')",
      "INSERT INTO debt VALUES (1, 'parent', 'cancel', 'it ended', 7)",
      "INSERT INTO environment VALUES ('env', '{}')",
      "INSERT INTO promise VALUES ('key', '{}', 'token')",
      "INSERT INTO definition VALUES ('kind', '1', 'hash', '{}')",
      "INSERT INTO progress VALUES (1, 'key', 8, '{}')",
      "INSERT INTO wake_ack VALUES (1, 1)",
      "INSERT INTO handle_grant VALUES ('scope', 1, 'session', '{}')",
      "INSERT INTO journal VALUES (1, 'key', 1, 1, 'step', 9, '{}')",
      `INSERT INTO lease VALUES (1, 'token', 'owner', 'life', '{"_tag":"Opaque"}', 1, 2, 2, NULL)`,
      `INSERT INTO wake_outbox VALUES (41, 'w', 'scope', 1, 1, 'discarded', 0, NULL, 1, 5, 6, 7, 'expired', '{}')`
    ]) {
      db.exec(statement)
    }
    db.close()
  })

describe.skipIf(!Postgres.hasPostgres)("holdfast copy", () => {
  it.live.skipIf(!isWhole)(
    "a copy that is killed goes on where it was, opens to no host before, and has every row in the end",
    () =>
      Effect.gen(function* () {
        const where = yield* Postgres.freshSchema
        const { url, schema } = where
        const file = join(yield* temporaryFolder, "agent.db")
        yield* filled(file, 450, 5)
        const before = inFile(file)
        for (const [table, rows] of Object.entries(before)) assert.isNotEmpty(rows, table)
        const args = ["--from", file, "--to", named(where)]

        const planned = yield* copy(...args, "--dry-run")
        assert.match(planned.out, /agent\.db: 450 processes, \d+ rows, would be copied to postgres:/, planned.err)
        const made = yield* Effect.promise(() =>
          Postgres.query(url, `SELECT 1 FROM pg_namespace WHERE nspname = '${schema}'`)
        )
        assert.isEmpty(made)

        const guard = yield* Effect.acquireRelease(
          Effect.promise(() => Postgres.connected(url)),
          (client) => Effect.promise(() => client.end())
        )
        const child = start("src/cli/main.js", ["copy", ...args])
        // Its tables come in the order of their names: it waits for this one when it has written the events.
        yield* until(
          Effect.promise(() =>
            guard.query(`BEGIN; LOCK TABLE ${schema}.state`).then(
              () => true,
              () => guard.query("ROLLBACK").then(() => false)
            )
          )
        )
        yield* until(
          Effect.promise(() =>
            guard
              .query("SELECT 1 FROM pg_locks WHERE NOT granted AND relation = $1::regclass", [`${schema}.state`])
              .then(({ rows }) => rows.length > 0)
          )
        )
        child.process.kill("SIGKILL")
        yield* Effect.promise(() => child.ended())
        yield* Effect.promise(() => guard.query("ROLLBACK"))

        const early = yield* Effect.promise(() => holdfast(["ls", "--db", named(where)]))
        assert.match(early.err, /cannot be opened: a copy into it is not finished: run `holdfast copy` again\n$/)
        const started = yield* Effect.exit(
          Effect.scoped(Layer.build(ManyHosts.layerPostgres({ ...where, engines: [] })))
        )
        assert.include(String(started), "a copy into it is not finished")

        const went = yield* copy(...args)
        assert.strictEqual(went.code, 0, went.err)
        assert.match(went.err, /^goes on behind [1-9]\d{3} of \d+ rows\n$/)
        assert.match(went.out, /agent\.db: 450 processes, \d+ rows, copied to postgres:/)
        assert.deepStrictEqual(yield* onServer(url, schema, Object.keys(before)), before)
        assert.deepStrictEqual(inFile(file), before)
        const next = yield* Effect.promise(() =>
          Postgres.query(
            url,
            `SET search_path = ${schema}; SELECT 1`,
            `SELECT nextval('process_pk') AS process, nextval(pg_get_serial_sequence('wake_outbox', 'number')) AS wake`
          )
        )
        assert.deepStrictEqual(next, [{ process: "451", wake: "42" }])

        const again = yield* copy(...args)
        assert.deepStrictEqual([again.code, again.err], [0, ""])
        assert.match(again.out, /are in already/)
      }).pipe(Effect.scoped, bounded)
  )

  it.live("refuses what is no copy of this file, and a copy that differs from it", () =>
    Effect.gen(function* () {
      const [where, other] = [yield* Postgres.freshSchema, yield* Postgres.freshSchema]
      const folder = yield* temporaryFolder
      const [file, stranger] = [join(folder, "agent.db"), join(folder, "stranger.db")]
      for (const name of [file, stranger]) yield* filled(name, 1, 1)
      const refusedWith = (args: ReadonlyArray<string>, says: RegExp, code = 1) =>
        Effect.map(copy(...args), (ran) => {
          assert.match(ran.err, says)
          assert.deepStrictEqual([ran.code, ran.out], [code, ""])
          assert.notInclude(ran.err, "unexpected")
        })
      yield* Effect.scoped(PostgresStore.make(other))
      yield* refusedWith(["--from", file, "--to", named(other)], /a store of its own already, with 0 processes/)
      assert.strictEqual((yield* copy("--from", file, "--to", named(where))).code, 0)
      yield* refusedWith(["--from", stranger, "--to", named(where)], /has the processes of another file/)
      yield* Effect.scoped(Effect.flatMap(open(file), ({ note }) => note("p0 \u0001ü'", "later")))
      yield* refusedWith(["--from", file, "--to", named(where)], /has an earlier state of this file/)
      yield* refusedWith(["--from", file, "--to", stranger], /--to takes the URL of a server/, 2)
      yield* refusedWith(["--from", named(where), "--to", named(where)], /is no file/)

      const { url, schema } = yield* Postgres.freshSchema
      const to = named({ url, schema })
      assert.strictEqual((yield* copy("--from", stranger, "--to", to)).code, 0)
      yield* Effect.promise(() =>
        Postgres.query(
          url,
          `ALTER TABLE ${schema}.holdfast_copied RENAME TO holdfast_copying; UPDATE ${schema}.journal SET outcome = '{"x":1}'`
        )
      )
      yield* refusedWith(
        ["--from", stranger, "--to", to],
        /the row \[1,1\] of journal is not that of the file: drop the schema/
      )
      const early = yield* Effect.promise(() => holdfast(["ls", "--db", to]))
      assert.match(early.err, /not finished/)
    }).pipe(Effect.scoped, bounded)
  )

  it.live("a body that waits and one that is half done go on, on PostgreSQL, and a running host is refused", () =>
    Effect.gen(function* () {
      const where = yield* Postgres.freshSchema
      const file = join(yield* temporaryFolder, "agent.db")
      const done: Array<string> = []
      let isMoved = false
      const Go = Signal.make("go", { payload: Schema.Number })
      const Wait = Engine.make("wait", {
        version: "1",
        payload: Schema.Null,
        success: Schema.Number,
        signals: [Go],
        disposition: "rerunnable",
        run: (_, ctx) => ctx.awaitSignal(Go)
      })
      const Half = Engine.make("half", {
        version: "1",
        payload: Schema.Null,
        success: Schema.String,
        disposition: "rerunnable",
        run: (_, ctx) =>
          Effect.gen(function* () {
            const first = yield* ctx.step(
              "first",
              Effect.sync(() => String(done.push("first"))),
              { schema: Schema.String }
            )
            const second = Effect.suspend(() => (isMoved ? Effect.succeed("second") : Effect.never))
            return first + (yield* ctx.step("second", second, { schema: Schema.String }))
          })
      })
      const engines = [Wait, Half] as const
      yield* Effect.scoped(
        Effect.gen(function* () {
          const host = yield* Layer.build(sqlite(file, engines))
          const processes = yield* Effect.provide(Processes, host)
          yield* processes.start(Wait, { id: "waits", payload: null })
          yield* processes.start(Half, { id: "half", payload: null })
          yield* until(Effect.sync(() => done.length === 1))
          const busy = yield* copy("--from", file, "--to", named(where))
          assert.match(busy.err, /agent\.db has a host that holds \d of its processes until \S+Z: stop .* first\n$/)
          assert.strictEqual(busy.code, 1)
        })
      )
      const moved = yield* copy("--from", file, "--to", named(where), "--json")
      assert.strictEqual(moved.code, 0, moved.err)
      assert.include(moved.out, '"state":"copied","processes":2')
      isMoved = true
      const host = yield* Layer.build(Layer.provide(ManyHosts.layerPostgres({ ...fast, ...where, engines }), quiet))
      const processes = yield* Effect.provide(Processes, host)
      assert.strictEqual(yield* processes.handle(Half, "half").await, "1second")
      yield* processes.handle(Wait, "waits").signal(Go, 7)
      assert.strictEqual(yield* processes.handle(Wait, "waits").await, 7)
      assert.deepStrictEqual(done, ["first"])
      assert.strictEqual((yield* Effect.promise(() => holdfast(["verify", "--db", named(where)]))).code, 0)
    }).pipe(Effect.scoped, bounded)
  )
})
