/**
 * The wake outbox. A row is written with the event that calls for it, and belongs to the process of that event.
 *
 * The indexes on undelivered rows contain no others, so that delivered wakes do not slow a lookup.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"

const statements: ReadonlyArray<string> = [
  `CREATE TABLE wake_outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    wake_id TEXT NOT NULL,
    target_scope TEXT NOT NULL,
    pk INTEGER NOT NULL REFERENCES process (pk),
    sequence INTEGER NOT NULL,
    state TEXT NOT NULL,
    is_open INTEGER NOT NULL,
    claim_token TEXT,
    attempts INTEGER NOT NULL,
    first_attempt INTEGER,
    next_attempt INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    discard_reason TEXT,
    wake TEXT NOT NULL
  ) STRICT`,
  // One open row for each id: that is how wakes merge.
  `CREATE UNIQUE INDEX wake_outbox_open ON wake_outbox (wake_id) WHERE is_open = 1`,
  `CREATE INDEX wake_outbox_wake ON wake_outbox (wake_id)`,
  `CREATE INDEX wake_outbox_process ON wake_outbox (pk)`,
  `CREATE INDEX wake_outbox_group ON wake_outbox (target_scope, pk, sequence) WHERE state IN ('pending', 'enqueuing')`,
  `CREATE INDEX wake_outbox_due ON wake_outbox (next_attempt) WHERE state IN ('pending', 'enqueuing')`
]

/** Creates the outbox. */
export const migration: Effect.Effect<void, unknown, SqlClient.SqlClient> = Effect.flatMap(SqlClient.SqlClient, (sql) =>
  Effect.forEach(statements, (statement) => sql.unsafe(statement), { discard: true })
)
