/**
 * Children and close requests in SQL, each found by an index.
 */
import type { ChildReads, ChildSummary } from "../Children.ts"
import type { CloseRequest } from "../Decision.ts"
import type { Reader } from "./Reader.ts"

/** Reads close requests, on any connection. */
export const selectCloseRequests = `SELECT state.process_id AS "childId", debt.parent_id AS "parentId", action, reason,
  owed_at AS "requestedAtMs" FROM debt JOIN state USING (pk)`

/** The reads of the store contract, each by its index; `closeRequestsWritten` is the writer's to count. */
export const readsOf = ({ sql, read }: Reader, closeRequestsWritten: () => number): ChildReads => ({
  of: (parent) =>
    read(
      "list children",
      sql<ChildSummary>`
        SELECT state.process_id AS "processId", close_policy AS "closePolicy", lifecycle
        FROM child CROSS JOIN state
        WHERE state.pk = child.pk AND parent_id = ${parent} ORDER BY state.process_id
      `
    ),
  closeRequests: (limit) =>
    read("list close requests", sql<CloseRequest>`${sql.literal(selectCloseRequests)} ORDER BY debt.pk LIMIT ${limit}`),
  closeRequestsOf: (parent) =>
    read(
      "list close requests",
      sql<CloseRequest>`${sql.literal(selectCloseRequests)} WHERE debt.parent_id = ${parent} ORDER BY debt.pk`
    ),
  closeRequestsWritten
})
