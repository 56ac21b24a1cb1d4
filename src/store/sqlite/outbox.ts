/**
 * The wake outbox in SQLite: its statements on the writer's connection.
 */
import type { ProcessId } from "../../model/ids.ts"
import type { WakeDelivery } from "../../model/WakeDelivery.ts"
import type { OutboxView, WakeRow, WakeTimes } from "../Outbox.ts"
import type { WakeColumns } from "../sql/outbox.ts"
import { wakeRowOf } from "../sql/outbox.ts"
import type { Statements } from "./statements.ts"

/** The outbox of the writer's connection. */
export interface Outbox {
  /** Adds the wake of an event; a wake that merges into an open row is dropped. */
  readonly add: (pk: number, wake: WakeDelivery) => void
  readonly put: (row: WakeRow) => void
  readonly viewOf: (nowMs: number, pkOf: (id: ProcessId) => number | undefined) => OutboxView
}

/** Makes the outbox of the writer's connection. */
export const make = (sql: Statements, times: WakeTimes): Outbox => {
  const rows = (found: ReadonlyArray<unknown>) => (found as ReadonlyArray<WakeColumns>).map(wakeRowOf) // the columns of `selectWakes`
  return {
    add: (pk, wake) => {
      const { wakeId, targetScopeId, sequence, createdAtMs } = wake
      const expiresAtMs = createdAtMs + times.expiryMs
      sql.insertWake.run(wakeId, targetScopeId, pk, sequence, createdAtMs, expiresAtMs, JSON.stringify(wake))
    },
    put: ({
      number,
      state,
      isOpen,
      claimToken,
      attempts,
      firstAttemptMs,
      nextAttemptAtMs,
      expiresAtMs,
      discardReason
    }) =>
      sql.updateWake.run(
        state,
        isOpen ? 1 : 0,
        claimToken ?? null,
        attempts,
        firstAttemptMs ?? null,
        nextAttemptAtMs,
        expiresAtMs,
        discardReason ?? null,
        number
      ),
    viewOf: (nowMs, pkOf) => ({
      stale: (limit) => rows(sql.staleWakes.all(nowMs, limit)),
      dueHeads: (limit) => {
        const first = rows(sql.staleWakeHeads.all(nowMs, limit))
        return [...first, ...rows(sql.dueWakeHeads.all(nowMs, limit - first.length))]
      },
      row: (number) => rows(sql.wake.all(number))[0],
      openOf: (wakeId) => rows(sql.openWake.all(wakeId))[0],
      discardedOf: (wakeId) => rows(sql.discardedWakes.all(wakeId)),
      hasUndelivered: (id) => sql.hasUndelivered.get(pkOf(id) ?? null) !== undefined,
      isOvertaken: ({ number }) => sql.isOvertaken.get(number) !== undefined
    })
  }
}
