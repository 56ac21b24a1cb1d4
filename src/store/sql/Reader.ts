/**
 * Reads through a client of @effect/sql: each on a connection of it, and several reads on one state of the database.
 *
 * Invariant: a read goes to this client, also inside a transaction of another client of @effect/sql: the tag of the
 * connection that is in a transaction is one for all clients.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import type { Connection } from "@effect/sql/SqlConnection"
import type { SqlError } from "@effect/sql/SqlError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as Option from "effect/Option"
import type { StoreError } from "../../model/errors.ts"
import type { Dialect } from "./Dialect.ts"

/** Reads of one database. */
export interface Reader {
  readonly sql: SqlClient.SqlClient
  readonly dialect: Dialect
  /** Runs a read; its failure says which operation failed. */
  readonly read: <A>(operation: string, effect: Effect.Effect<A, SqlError>) => Effect.Effect<A, StoreError>
  /** Runs reads on one state of the database: none of them sees what is committed after the first. They must not wait. */
  readonly together: <A, E, R>(reads: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StoreError, R>
  /** Runs the first effect inside `together`, the second outside. */
  readonly whether: <A, E, R>(
    inside: () => Effect.Effect<A, E, R>,
    outside: () => Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E, R>
}

/** Reads through a client that only reads; `again` is put around each of them, and around those on one state as a whole. */
export const make = (
  sql: SqlClient.SqlClient,
  dialect: Dialect,
  again: <A, E, R>(read: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R> = (read) => read
): Reader => {
  const reserved = FiberRef.unsafeMake<Connection | undefined>(undefined)

  const onOwnConnection = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.withFiberRuntime((fiber) => {
      const own = fiber.getFiberRef(reserved)
      const present = Context.getOption(fiber.currentContext, SqlClient.TransactionConnection)
      if (own === undefined) {
        return Option.isNone(present)
          ? effect
          : Effect.mapInputContext(effect, Context.omit(SqlClient.TransactionConnection))
      }
      return Effect.provideService(effect, SqlClient.TransactionConnection, [own, 0])
    })

  const read: Reader["read"] = (operation, effect) => {
    const once = Effect.mapError(onOwnConnection(effect), (cause) => dialect.storeError(operation, cause))
    return Effect.withFiberRuntime((fiber) => (fiber.getFiberRef(reserved) === undefined ? again(once) : once))
  }

  const statement = (connection: Connection, text: string) =>
    Effect.mapError(connection.executeUnprepared(text, [], undefined), (cause) =>
      dialect.storeError("read one state of the database", cause)
    )

  return {
    sql,
    dialect,
    read,
    together: (reads) =>
      Effect.withFiberRuntime((fiber) =>
        fiber.getFiberRef(reserved) === undefined
          ? again(
              Effect.scoped(
                Effect.flatMap(
                  Effect.mapError(sql.reserve, (cause) => dialect.storeError("read one state of the database", cause)),
                  (connection) =>
                    Effect.acquireUseRelease(
                      statement(connection, dialect.begin),
                      () => Effect.locally(reads, reserved, connection),
                      // Nothing was written, so either end of the transaction is as good.
                      () => Effect.ignore(statement(connection, "ROLLBACK"))
                    )
                )
              )
            )
          : reads
      ),
    whether: (inside, outside) =>
      Effect.withFiberRuntime((fiber) => (fiber.getFiberRef(reserved) === undefined ? outside() : inside()))
  }
}
