/**
 * Journals and timers in SQLite.
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import type { ProcessId } from "../../model/ids.ts"
import type { JournalEntry, JournalOperation } from "../../model/JournalEntry.ts"
import type { ExecutionReads } from "../ProcessStore.ts"
import type { EventColumns } from "./columns.ts"
import * as Columns from "./columns.ts"
import { asStoreError } from "./failure.ts"

interface JournalColumns {
  readonly key: string
  readonly position: number
  readonly sequence: number
  readonly operation: JournalOperation
  readonly at: number
  readonly outcome: string
}

/** Makes the reads on the reading connection. */
export const make = (sql: SqlClient.SqlClient): ExecutionReads => ({
  journal: (id) =>
    asStoreError(
      "read a journal",
      Effect.map(
        sql<JournalColumns>`
          SELECT key, position, sequence, operation, at, outcome FROM journal
          WHERE pk = (SELECT pk FROM process WHERE process_id = ${id}) ORDER BY position
        `,
        (rows) => rows.map(entryOf)
      )
    ),
  eventByKey: (id, replayKey) =>
    asStoreError(
      "read an event",
      Effect.map(
        sql<EventColumns>`
          ${sql.literal(Columns.selectEvents)}
          WHERE pk = (SELECT pk FROM process WHERE process_id = ${id}) AND replay_key = ${replayKey}
        `,
        ([columns]) => (columns === undefined ? undefined : Columns.eventOf(id, columns))
      )
    ),
  timersDue: ({ nowMs, limit }) =>
    asStoreError(
      "list timers",
      Effect.map(
        sql<{ readonly id: ProcessId }>`
          SELECT process_id AS id FROM state WHERE deadline <= ${nowMs} ORDER BY deadline LIMIT ${limit}
        `,
        (rows) => rows.map(({ id }) => id)
      )
    ),
  nextTimer: asStoreError(
    "read the next timer",
    Effect.map(
      sql<{ readonly next: number }>`
        SELECT deadline AS next FROM state WHERE deadline IS NOT NULL ORDER BY deadline LIMIT 1
      `,
      ([row]) => row?.next
    )
  )
})

const entryOf = ({ at, outcome, ...rest }: JournalColumns): JournalEntry => ({
  ...rest,
  atMs: at,
  outcome: JSON.parse(outcome) as unknown
})
