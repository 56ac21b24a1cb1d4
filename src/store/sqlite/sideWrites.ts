/**
 * Side writes, in the transaction of the decision that asked for them.
 */
import type { ProcessId } from "../../model/ids.ts"
import type { Write } from "../Decision.ts"
import type { Children } from "./children.ts"
import type { Outbox } from "./outbox.ts"
import type { Statements } from "./statements.ts"

/** What side writes need of the rows. */
export interface RowAccess {
  readonly children: Children
  readonly pkOf: (id: ProcessId) => number
  /** Takes the next number of the change feed. */
  readonly takeChange: () => number
  /** The process is gone: the cache must not answer it any more. */
  readonly forget: (id: ProcessId) => void
}

/** Makes the writer of one connection. */
export const make =
  (sql: Statements, outbox: Outbox, { children, pkOf, takeChange, forget }: RowAccess): ((write: Write) => void) =>
  (write) => {
    switch (write._tag) {
      case "PutGrant": {
        const { scopeId, processId, sessionId, descriptor } = write.grant
        sql.putGrant.run(scopeId, pkOf(processId), sessionId, JSON.stringify(descriptor))
        return
      }
      case "RemoveGrant":
        sql.removeGrant.run(write.scopeId, pkOf(write.processId))
        return
      case "AckWake":
        sql.ackWake.run(pkOf(write.processId), write.sequence)
        return
      case "PutJournal": {
        const { processId, entry } = write
        const { key, position, sequence, operation, atMs, outcome } = entry
        sql.putJournal.run(pkOf(processId), key, position, sequence, operation, atMs, JSON.stringify(outcome))
        return
      }
      case "Prune": {
        const { processId, terminalState, prunedAtMs, lastSequence, lastFence } = write.tombstone
        const pk = pkOf(processId)
        for (const statement of sql.prune) statement.run(pk)
        sql.putTombstone.run(processId, terminalState, prunedAtMs, lastSequence, lastFence, takeChange())
        forget(processId)
        return
      }
      case "PutCloseRequest":
        children.write(pkOf(write.request.childId), write)
        return
      case "RemoveCloseRequest":
        children.write(pkOf(write.childId), write)
        return
      case "PutWake":
        outbox.put(write.row)
        return
      case "Compact":
        sql.compact.run(write.processId)
        return
      case "PutEnvironment":
        sql.putEnvironment.run(write.ref, write.body)
        return
      case "EndPromise":
        sql.endPromise.run(write.keyId, write.body, write.token)
    }
  }
