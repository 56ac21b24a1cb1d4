/**
 * The client of @effect/sql that reads: a pool of connections, with texts as PostgreSQL keeps them.
 *
 * Invariant: a connection goes back to the pool with nothing under way, whatever becomes of who took it. So what is let go of while
 * it reads ends its connection, and a connection that comes too late is given back. The pool of @effect/sql-pg keeps neither: it asks
 * the server to cancel a read, on another connection of the same pool, and forgets a connection that comes too late.
 */
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import { SqlError } from "@effect/sql/SqlError"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { PoolClient, QueryConfig, QueryResult } from "pg"
import { Pool } from "pg"
import type { StoreError } from "../../model/errors.ts"
import * as GroupCommit from "../GroupCommit.ts"
import { storeError } from "./failure.ts"
import { isReplanned, valueTypes } from "./Session.ts"
import { parameter } from "./text.ts"

/** What a client needs. */
export interface ClientOptions {
  readonly url: string
  readonly maxConnections: number
  /** A read fails when its answer, or a connection, does not come within it: what waits for a read keeps its process. Units: milliseconds. */
  readonly timeoutMs: number
  /** Texts that each connection prepares, by name: what is read for each process, to plan which takes longer than to read it. */
  readonly prepared: Readonly<Record<string, string>>
}

/** Makes a client, for as long as the scope is open. Fails when the server cannot be reached. */
export const make = ({
  url,
  maxConnections,
  timeoutMs,
  prepared
}: ClientOptions): Effect.Effect<SqlClient.SqlClient, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    const pool = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const made = new Pool({
          connectionString: url,
          max: maxConnections,
          types: valueTypes,
          keepAlive: true,
          connectionTimeoutMillis: timeoutMs,
          query_timeout: timeoutMs
        })
        // A connection that is lost while nothing uses it is made anew. Of one that is in use, who reads hears: without a listener of
        // its own it would end the process.
        made.on("error", () => {})
        made.on("connect", (client) => client.on("error", () => {}))
        return made
      }),
      (made) =>
        Effect.promise(() => made.end()).pipe(
          Effect.interruptible,
          Effect.timeoutOption("1 second"),
          GroupCommit.realTime
        )
    )
    const acquirer = reserve(pool, new Map(Object.entries(prepared).map(([name, text]) => [text, name])))
    yield* Effect.scoped(Effect.flatMap(acquirer, (connection) => connection.executeRaw("SELECT 1", [])))
    return yield* SqlClient.make({ acquirer, compiler: PgClient.makeCompiler(), spanAttributes: [] })
  }).pipe(
    Effect.provide(Reactivity.layer),
    Effect.mapError((cause) => storeError("open the database", cause))
  )

/** Takes a connection out of the pool, for as long as the scope is open. */
const reserve = (pool: Pool, names: ReadonlyMap<string, string>): Effect.Effect<Connection, SqlError, Scope.Scope> =>
  Effect.suspend(() => {
    let given: PoolClient | undefined
    let isOver = false
    return Effect.acquireReleaseInterruptible(
      Effect.async<Connection, SqlError>((resume) => {
        pool.connect((cause, client) => {
          if (client === undefined) {
            resume(Effect.fail(new SqlError({ cause, message: "Failed to acquire connection" })))
          } else if (isOver) client.release()
          else {
            given = client
            resume(Effect.succeed(connectionOf(client, names)))
          }
        })
      }),
      () =>
        Effect.sync(() => {
          isOver = true
          given?.release()
        })
    )
  })

const connectionOf = (client: PoolClient, names: ReadonlyMap<string, string>): Connection => {
  /** What is asked next would wait behind an answer that nothing waits for, or that does not come. */
  const ended = Effect.async<void>((resume) => {
    const { stream } = client.connection
    if (stream.closed) return resume(Effect.void)
    stream.once("close", () => resume(Effect.void))
    stream.destroy()
  })
  const run = (query: QueryConfig & { readonly rowMode?: "array" }) =>
    Effect.async<QueryResult, SqlError>((resume) => {
      client.query(query, (cause: Error | null | undefined, result) =>
        resume(
          cause ? Effect.fail(new SqlError({ cause, message: "Failed to execute statement" })) : Effect.succeed(result)
        )
      )
      return ended
    }).pipe(Effect.tapError(({ cause }) => (isUseless(cause) ? Effect.uninterruptible(ended) : Effect.void)))
  const asking = (text: string, values: ReadonlyArray<unknown>): QueryConfig => {
    const name = names.get(text)
    return { text, values: values.map(parameter), ...(name === undefined ? {} : { name }) }
  }
  const execute: Connection["execute"] = (sql, values, transform) =>
    Effect.map(run(asking(sql, values)), ({ rows }) => (transform === undefined ? rows : transform(rows)))
  return {
    execute,
    executeUnprepared: execute,
    executeRaw: (sql, values) => run(asking(sql, values)),
    executeValues: (sql, values) => Effect.map(run({ ...asking(sql, values), rowMode: "array" }), ({ rows }) => rows),
    executeStream: (sql, values, transform) => Stream.fromIterableEffect(execute(sql, values, transform))
  }
}

/** Whether a connection is of no use any more: an answer did not come in time, or what it has prepared is not to be had again. */
const isUseless = (cause: unknown): boolean =>
  cause instanceof Error && (cause.message === "Query read timeout" || isReplanned(cause))
