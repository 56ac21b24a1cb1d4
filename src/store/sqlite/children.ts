/**
 * Children and close requests in SQLite, on the writer's connection.
 */
import type { ProcessId } from "../../model/ids.ts"
import { closingOf } from "../Children.ts"
import type { Change, ChildView, ChildWrite, CloseRequest } from "../Decision.ts"
import type { Statements } from "./statements.ts"

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
