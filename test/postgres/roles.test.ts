/** The roles of docs/guide/many-machines.md, with the statements that stand there. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as ManyHosts from "../../src/host/ManyHosts.ts"
import { Processes } from "../../src/host/Processes.ts"
import { Engine } from "../../src/index.ts"
import * as PostgresStore from "../../src/store/postgres/PostgresStore.ts"
import { holdfast } from "../cli/running.ts"
import { root } from "../support/children.ts"
import { bounded, fast, quiet } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"

const guide = readFileSync(`${root}docs/guide/many-machines.md`, "utf8")

/** A block of SQL of the guide, on a schema and roles of the test's own. */
const block = (title: string, names: Readonly<Record<string, string>>): string => {
  const text = new RegExp(`-- ${title}\n([^\`]+)`).exec(guide)?.[1]
  assert.isDefined(text, title)
  return Object.entries(names).reduce((sql, [name, own]) => sql.replaceAll(new RegExp(`\\b${name}\\b`, "g"), own), text)
}

const Job = Engine.make("job", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "rerunnable",
  run: (payload, ctx) => ctx.step("double", Effect.succeed(payload * 2), { schema: Schema.Number })
})

const as = (url: string, username: string) => Object.assign(new URL(url), { username, password: "secret" })

const named = (url: URL, schema: string): string => {
  url.searchParams.set("schema", schema)
  return url.href
}

describe.skipIf(!Postgres.hasPostgres)("the roles of the guide", () => {
  it.live("an owner, a host that may not change the schema, and a reader each do what they are for, and no more", () =>
    Effect.gen(function* () {
      const { url, schema } = yield* Postgres.freshSchema
      const roles = { agents_owner: `${schema}_o`, agents_host: `${schema}_h`, agents_reader: `${schema}_r` }
      const names = { ...roles, agents: schema, "…": "secret" }
      const all = Object.values(roles)
      const run = (sql: string) => Effect.promise(() => Postgres.query(url, sql.replaceAll("…", "secret")))
      yield* Effect.addFinalizer(() =>
        // One after the other: at once, the server misses what they have in common.
        Effect.promise(() =>
          Postgres.query(url, ...all.flatMap((role) => [`DROP OWNED BY ${role} CASCADE`, `DROP ROLE ${role}`]))
        )
      )
      yield* run(block("the owner", names))
      yield* run(block("a host", names))
      yield* run(block("a reader", names))
      const host = (role: string, options: { readonly migrates?: boolean } = {}) =>
        Layer.build(
          Layer.provide(
            ManyHosts.layerPostgres({ ...fast, ...options, url: as(url, role).href, schema, engines: [Job] }),
            quiet
          )
        )
      const early = yield* Effect.exit(Effect.scoped(host(roles.agents_host)))
      assert.match(String(early), /lacks a privilege: permission denied/)
      yield* Effect.scoped(PostgresStore.make({ url: as(url, roles.agents_owner).href, schema }))

      const work = Effect.gen(function* () {
        const processes = yield* Effect.provide(Processes, yield* host(roles.agents_host, { migrates: false }))
        const handle = yield* processes.start(Job, { id: "j", payload: 4 })
        assert.strictEqual(yield* handle.await, 8)
      })
      yield* Effect.scoped(work)
      const db = named(as(url, roles.agents_reader), schema)
      for (const args of [["ls", "--status", "any"], ["show", "j"], ["verify"]]) {
        const ran = yield* Effect.promise(() => holdfast([...args, "--db", db]))
        assert.deepStrictEqual([args[0], ran.code], [args[0], 0], ran.err)
      }
      const refused = yield* Effect.promise(() => holdfast(["cancel", "j", "--db", db]))
      assert.strictEqual(refused.code, 1)
      assert.match(refused.err, /lacks a privilege: permission denied/)
      const elsewhere = yield* Effect.promise(() =>
        holdfast(["cancel", "j", "--db", named(as(url, roles.agents_host), schema)])
      )
      assert.notInclude(elsewhere.err, "privilege")
      for (const role of [roles.agents_host, roles.agents_reader]) {
        const { error } = yield* Effect.flip(
          Effect.tryPromise(() => Postgres.query(as(url, role).href, `ALTER TABLE ${schema}.state ADD COLUMN x int`))
        )
        assert.include(String(error), "must be owner of table state")
      }
    }).pipe(Effect.scoped, bounded)
  )
})
