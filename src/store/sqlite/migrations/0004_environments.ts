/**
 * Execution environments, kept under the address of their content, of which many processes share one; and how durable
 * promises ended.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"

const statements: ReadonlyArray<string> = [
  `CREATE TABLE environment (
    env_ref TEXT PRIMARY KEY,
    body TEXT NOT NULL
  ) STRICT, WITHOUT ROWID`,

  `CREATE TABLE promise (
    key_id TEXT PRIMARY KEY,
    body TEXT NOT NULL,
    token TEXT NOT NULL
  ) STRICT, WITHOUT ROWID`
]

/** Creates the tables of environments and promises. */
export const migration: Effect.Effect<void, unknown, SqlClient.SqlClient> = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
)
