/**
 * Children by their parent, and the close requests for them. A process without parent and children has no row in here.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"

const statements: ReadonlyArray<string> = [
  // A parent is named by its id: a child may be registered before it, and outlives it.
  `CREATE TABLE child (
    pk INTEGER PRIMARY KEY REFERENCES process (pk),
    parent_id TEXT NOT NULL,
    close_policy TEXT NOT NULL
  ) STRICT`,
  `CREATE INDEX child_parent ON child (parent_id)`,
  `INSERT INTO child (pk, parent_id, close_policy)
    SELECT pk, registration ->> '$.parent.processId', registration ->> '$.parent.closePolicy'
    FROM process WHERE registration ->> '$.parent.processId' IS NOT NULL`,

  `CREATE TABLE debt (
    pk INTEGER PRIMARY KEY REFERENCES process (pk),
    parent_id TEXT NOT NULL,
    action TEXT NOT NULL,
    reason TEXT NOT NULL,
    owed_at INTEGER NOT NULL
  ) STRICT`,
  `CREATE INDEX debt_parent ON debt (parent_id)`
]

/** Creates the tables and indexes, and lists the children that are there already. */
export const migration: Effect.Effect<void, unknown, SqlClient.SqlClient> = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
)
