/**
 * The client of @effect/sql that reads: a pool of connections, with texts as PostgreSQL keeps them.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Client, Pool } from "pg"
import type { StoreError } from "../../model/errors.ts"
import * as GroupCommit from "../GroupCommit.ts"
import { storeError } from "./failure.ts"
import { valueTypes } from "./Session.ts"
import { parameter } from "./text.ts"

/**
 * Makes a client, for as long as the scope is open. Fails when the server cannot be reached.
 *
 * A read fails when its answer, or a connection, does not come within `timeoutMs`: what waits for a read keeps its process.
 */
export const make = (
  url: string,
  maxConnections: number,
  timeoutMs: number
): Effect.Effect<SqlClient.SqlClient, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const connections = Effect.acquireRelease(
      Effect.sync(() => {
        const made = new Pool({
          connectionString: url,
          max: maxConnections,
          types: valueTypes,
          keepAlive: true,
          connectionTimeoutMillis: timeoutMs,
          query_timeout: timeoutMs,
          Client: Impatient
        })
        // A connection that is lost while nothing uses it is made anew.
        made.on("error", () => {})
        return made
      }),
      (made) => Effect.ignore(Effect.timeout(GroupCommit.realTime(Effect.promise(() => made.end())), "1 second"))
    )
    const pool = yield* PgClient.fromPool({ acquire: connections })
    const acquirer = Effect.map(pool.reserve, encoding)
    return yield* SqlClient.make({ acquirer, compiler: PgClient.makeCompiler(), spanAttributes: [] })
  }).pipe(
    Effect.provide(Reactivity.layer),
    Effect.mapError((cause) => storeError("open the database", cause))
  )

/** A client that ends its connection when an answer does not come: what is asked next would wait behind it. */
class Impatient extends Client {
  override query = ((...args: Array<unknown>): unknown => {
    const answered = args.at(-1)
    if (typeof answered !== "function") return asked.apply(this, args)
    const answer = (cause: unknown, ...rest: ReadonlyArray<unknown>): void => {
      if (!(cause instanceof Error && cause.message === "Query read timeout")) return void answered(cause, ...rest)
      // The pool takes it for one that can be used until then.
      this.once("end", () => answered(cause, ...rest))
      ;(this as unknown as Connected).connection.stream.destroy()
    }
    return asked.apply(this, [...args.slice(0, -1), answer])
  }) as Client["query"] // each of its overloads
}

const asked = Client.prototype.query as (...args: Array<unknown>) => unknown

/** What of the driver's client is in no declaration. */
interface Connected {
  readonly connection: { readonly stream: { readonly destroy: () => void } }
}

const encoding = (connection: Connection): Connection => ({
  execute: (sql, values, transform) => connection.execute(sql, values.map(parameter), transform),
  executeRaw: (sql, values) => connection.executeRaw(sql, values.map(parameter)),
  executeStream: (sql, values, transform) => connection.executeStream(sql, values.map(parameter), transform),
  executeValues: (sql, values) => connection.executeValues(sql, values.map(parameter)),
  executeUnprepared: (sql, values, transform) => connection.executeUnprepared(sql, values.map(parameter), transform)
})
