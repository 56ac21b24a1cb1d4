/**
 * Children and close requests in SQLite: written on the writer's connection, read on the reading one.
 */
import type { ProcessId } from "../../model/ids.ts"
import type { ChildReads, ChildSummary } from "../Children.ts"
import { closingOf } from "../Children.ts"
import type { Change, ChildView, ChildWrite, CloseRequest } from "../Decision.ts"
import type { Reader } from "./Reader.ts"
import type { Statements } from "./statements.ts"
import { selectCloseRequests } from "./statements.ts"

/** Writes children and close requests, and counts the requests. */
export interface Children {
  /** Follows a change that is written: lists a new child, and puts the requests of a closing parent. */
  readonly follow: (pk: number, change: Change) => void
  readonly write: (pk: number, asked: ChildWrite) => void
  readonly closeRequestsWritten: () => number
}

/** Makes the writer of one connection. */
export const make = (sql: Statements): Children => {
  let written = 0
  return {
    follow: (pk, change) => {
      const { parent } = change.row.base.registration
      if (change.before === undefined && parent !== undefined) {
        sql.insertChild.run(pk, parent.processId, parent.closePolicy)
      }
      const closing = closingOf(change)
      if (closing === undefined) return
      const { parentId, reason, hasEnded, atMs } = closing
      const policies = { first: "cancel", second: hasEnded ? "abandon" : "cancel" }
      written += sql.putCloseRequests.run({ parent: parentId, reason, at: atMs, ...policies }).changes
    },
    write: (pk, asked) => {
      if (asked._tag === "RemoveCloseRequest") {
        sql.removeCloseRequest.run(pk)
        return
      }
      const { parentId, action, reason, requestedAtMs } = asked.request
      written += sql.putCloseRequest.run(pk, parentId, action, reason, requestedAtMs).changes
    },
    closeRequestsWritten: () => written
  }
}

/** What a decision sees of close requests. */
export const viewOf = (sql: Statements, pkOf: (id: ProcessId) => number | undefined): ChildView => ({
  closeRequest: (childId) => {
    const pk = pkOf(childId)
    return pk === undefined ? undefined : (sql.closeRequest.get(pk) as CloseRequest | undefined) // the statement names its columns so
  },
  hasCloseRequests: (parentId) => sql.hasCloseRequests.get(parentId) !== undefined
})

/** The reads of the store contract, each by its index; `closeRequestsWritten` is the writer's to count. */
export const readsOf = ({ sql, read }: Reader, closeRequestsWritten: () => number): ChildReads => ({
  of: (parent) =>
    read(
      "list children",
      sql<ChildSummary>`
        SELECT state.process_id AS "processId", close_policy AS "closePolicy", lifecycle
        FROM child CROSS JOIN state ON state.pk = child.pk
        WHERE parent_id = ${parent} ORDER BY state.process_id
      `
    ),
  closeRequests: (limit) =>
    read("list close requests", sql.unsafe<CloseRequest>(`${selectCloseRequests} ORDER BY debt.pk LIMIT ?`, [limit])),
  closeRequestsOf: (parent) =>
    read(
      "list close requests",
      sql.unsafe<CloseRequest>(`${selectCloseRequests} WHERE debt.parent_id = ? ORDER BY debt.pk`, [parent])
    ),
  closeRequestsWritten
})
