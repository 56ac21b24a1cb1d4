/**
 * Writes beside a process's own rows, in the transaction of the decision that asked for them.
 */
import type { ProcessId } from "../../model/ids.ts"
import type { Write } from "../Decision.ts"
import type { Kin } from "./children.ts"
import type { Outbox } from "./outbox.ts"
import type { Statements } from "./statements.ts"

/** What these writes need of the rows they stand beside. */
export interface BesideSupport {
  readonly kin: Kin
  readonly pkOf: (id: ProcessId) => number
  /** Takes the next number of the change feed. */
  readonly takeChange: () => number
  /** The process is gone: nothing may be answered from memory any more. */
  readonly forget: (id: ProcessId) => void
}

/** Makes the writer of one connection. */
export const make =
  (sql: Statements, outbox: Outbox, { kin, pkOf, takeChange, forget }: BesideSupport): ((write: Write) => void) =>
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
      case "Bury": {
        const { processId, terminalState, prunedAtMs, lastSequence, lastFence } = write.tombstone
        const pk = pkOf(processId)
        for (const statement of sql.bury) statement.run(pk)
        sql.putTombstone.run(processId, terminalState, prunedAtMs, lastSequence, lastFence, takeChange())
        forget(processId)
        return
      }
      case "Owe":
        kin.write(pkOf(write.debt.childId), write)
        return
      case "PayDebt":
        kin.write(pkOf(write.childId), write)
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
