/**
 * The client of @effect/sql that reads: a pool of connections, with texts as PostgreSQL keeps them.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { StoreError } from "../../model/errors.ts"
import { storeError } from "./failure.ts"
import { valueTypes } from "./Session.ts"
import { parameter } from "./text.ts"

/** Makes a client, for as long as the scope is open. Fails when the server cannot be reached. */
export const make = (
  url: string,
  maxConnections: number
): Effect.Effect<SqlClient.SqlClient, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const pool = yield* PgClient.make({ url: Redacted.make(url), maxConnections, types: valueTypes })
    const acquirer = Effect.map(pool.reserve, encoding)
    return yield* SqlClient.make({ acquirer, compiler: PgClient.makeCompiler(), spanAttributes: [] })
  }).pipe(
    Effect.provide(Reactivity.layer),
    Effect.mapError((cause) => storeError("open the database", cause))
  )

const encoding = (connection: Connection): Connection => ({
  execute: (sql, values, transform) => connection.execute(sql, values.map(parameter), transform),
  executeRaw: (sql, values) => connection.executeRaw(sql, values.map(parameter)),
  executeStream: (sql, values, transform) => connection.executeStream(sql, values.map(parameter), transform),
  executeValues: (sql, values) => connection.executeValues(sql, values.map(parameter)),
  executeUnprepared: (sql, values, transform) => connection.executeUnprepared(sql, values.map(parameter), transform)
})
