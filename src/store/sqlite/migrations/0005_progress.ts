/**
 * How far the steps under way are: the last report of each, in place of the one before, until the step is recorded.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"

const statement = `CREATE TABLE progress (
    pk INTEGER NOT NULL REFERENCES process (pk),
    key TEXT NOT NULL,
    at INTEGER NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (pk, key)
  ) STRICT, WITHOUT ROWID`

/** Creates the table of progress. */
export const migration: Effect.Effect<void, unknown, SqlClient.SqlClient> = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  sql.unsafe(statement)
)
