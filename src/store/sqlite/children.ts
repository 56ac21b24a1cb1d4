/**
 * Children and debts in SQLite, on the writer's own connection.
 */
import type { ProcessId } from "../../model/ids.ts"
import type { ChildView, ChildWrite, CloseRequest } from "../Children.ts"
import { closingOf } from "../closing.ts"
import type { Change } from "../Decision.ts"
import type { Statements } from "./statements.ts"

/** Follows what is written, and counts the debts that come of it. */
export interface Kin {
  /** A change is written: lists a new child, and writes what an end owes. */
  readonly follow: (pk: number, change: Change) => void
  readonly write: (pk: number, asked: ChildWrite) => void
  readonly closeRequestsWritten: () => number
}

/** Makes the writer of one connection. */
export const make = (sql: Statements): Kin => {
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
      written += sql.oweChildren.run({ parent: parentId, reason, at: atMs, ...policies }).changes
    },
    write: (pk, asked) => {
      if (asked._tag === "PayDebt") {
        sql.payDebt.run(pk)
        return
      }
      const { parentId, action, reason, requestedAtMs: owedAtMs } = asked.debt
      written += sql.owe.run(pk, parentId, action, reason, owedAtMs).changes
    },
    closeRequestsWritten: () => written
  }
}

/** What a decision sees of debts. */
export const viewOf = (sql: Statements, pkOf: (id: ProcessId) => number | undefined): ChildView => ({
  closeRequest: (childId) => {
    const pk = pkOf(childId)
    return pk === undefined ? undefined : (sql.debt.get(pk) as CloseRequest | undefined) // the statement names its columns so
  },
  owesCloseRequests: (parentId) => sql.owes.get(parentId) !== undefined
})
