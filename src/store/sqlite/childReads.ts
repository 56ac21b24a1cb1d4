/**
 * Reads of children and debts in SQLite: each by its index.
 */
import * as SqlClient from "@effect/sql/SqlClient"
import * as Effect from "effect/Effect"
import type { ChildReads, ChildSummary, CloseRequest } from "../Children.ts"
import { asStoreError } from "./failure.ts"
import { selectDebts } from "./statements.ts"

/** Makes the reads; `closeRequestsWritten` is the writer's to count. */
export const make = (closeRequestsWritten: () => number): Effect.Effect<ChildReads, never, SqlClient.SqlClient> =>
  Effect.map(SqlClient.SqlClient, (sql) => ({
    of: (parent) =>
      asStoreError(
        "list children",
        sql<ChildSummary>`
          SELECT state.process_id AS "processId", close_policy AS "closePolicy", lifecycle
          FROM child CROSS JOIN state ON state.pk = child.pk
          WHERE parent_id = ${parent} ORDER BY state.process_id
        `
      ),
    closeRequests: (limit) =>
      asStoreError("list debts", sql.unsafe<CloseRequest>(`${selectDebts} ORDER BY debt.pk LIMIT ?`, [limit])),
    closeRequestsOf: (parent) =>
      asStoreError(
        "list debts",
        sql.unsafe<CloseRequest>(`${selectDebts} WHERE debt.parent_id = ? ORDER BY debt.pk`, [parent])
      ),
    closeRequestsWritten
  }))
