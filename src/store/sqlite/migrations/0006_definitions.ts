/**
 * The definitions of charts, each once by its hash: a file whose program is gone still shows its machines.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"

const statement = `CREATE TABLE definition (
    kind TEXT NOT NULL,
    version TEXT NOT NULL,
    hash TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, version, hash)
  ) STRICT, WITHOUT ROWID`

/** Creates the table of definitions. */
export const migration: Effect.Effect<void, unknown, SqlClient.SqlClient> = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  sql.unsafe(statement)
)
