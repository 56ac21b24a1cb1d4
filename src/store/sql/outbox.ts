/**
 * The wake outbox in SQL: what is asked about it outside a write.
 */
import * as Effect from "effect/Effect"
import type { ProcessId } from "../../model/ids.ts"
import type { WakeDelivery } from "../../model/WakeDelivery.ts"
import type { BlockedGroup, DiscardReason, OutboxReads, WakeReport, WakeRow, WakeState } from "../Outbox.ts"
import type { Reader } from "./Reader.ts"

/** A wake, as columns. */
export interface WakeColumns {
  readonly number: number
  readonly state: WakeState
  readonly is_open: number
  readonly claim_token: string | null
  readonly attempts: number
  readonly first_attempt: number | null
  readonly next_attempt: number
  readonly expires_at: number
  readonly discard_reason: DiscardReason | null
  readonly wake: string
}

/** Whether a wake is undelivered, in the words of the partial indexes. */
export const undelivered = "state IN ('pending', 'enqueuing')"

/** Reads wakes, on any connection. */
export const selectWakes = `SELECT number, state, is_open, claim_token, attempts, first_attempt, next_attempt, expires_at,
  discard_reason, wake FROM wake_outbox AS outbox`

/** Whether no earlier wake of the same group is undelivered. */
export const isHead = `NOT EXISTS (
  SELECT 1 FROM wake_outbox AS earlier
  WHERE earlier.target_scope = outbox.target_scope AND earlier.pk = outbox.pk AND earlier.sequence < outbox.sequence
    AND earlier.${undelivered})`

/** Rebuilds a wake. */
export const wakeRowOf = (columns: WakeColumns): WakeRow => ({
  number: columns.number,
  wake: JSON.parse(columns.wake) as WakeDelivery, // only `add` writes it
  state: columns.state,
  ...(columns.claim_token === null ? {} : { claimToken: columns.claim_token }),
  attempts: columns.attempts,
  ...(columns.first_attempt === null ? {} : { firstAttemptMs: columns.first_attempt }),
  nextAttemptAtMs: columns.next_attempt,
  expiresAtMs: columns.expires_at,
  ...(columns.discard_reason === null ? {} : { discardReason: columns.discard_reason }),
  isOpen: columns.is_open === 1
})

/** The reads of the store contract. */
export const readsOf = ({ sql, read, together }: Reader): OutboxReads => ({
  isDue: (nowMs) =>
    read(
      "look for due wakes",
      Effect.map(
        sql`
          ${sql.literal(selectWakes)} WHERE ${sql.literal(undelivered)} AND next_attempt <= ${nowMs}
            AND ${sql.literal(isHead)} LIMIT 1
        `,
        (found) => found.length > 0
      )
    ),
  rowsOf: (wakeId) =>
    read(
      "read wakes",
      Effect.map(sql<WakeColumns>`${sql.literal(selectWakes)} WHERE wake_id = ${wakeId} ORDER BY number`, (found) =>
        found.map(wakeRowOf)
      )
    ),
  list: ({ states, processId, targetScopeId, before, limit }) => {
    const isUndelivered = states?.every((state) => state === "pending" || state === "enqueuing") === true
    const wanted = [
      ...(states === undefined ? [] : [sql.in("state", states)]),
      ...(processId === undefined ? [] : [sql`pk = (SELECT pk FROM process WHERE process_id = ${processId})`]),
      ...(targetScopeId === undefined ? [] : [sql`target_scope = ${targetScopeId}`]),
      ...(before === undefined ? [] : [sql`number < ${before}`]),
      // Undelivered rows have partial indexes: the planner takes them for this condition, if it does not see the order.
      ...(isUndelivered ? [sql.literal(undelivered)] : [])
    ]
    const order = sql.literal(isUndelivered && processId === undefined ? "+number" : "number")
    return read(
      "list wakes",
      Effect.map(
        sql<WakeColumns>`${sql.literal(selectWakes)} WHERE ${sql.and(wanted)} ORDER BY ${order} DESC LIMIT ${limit}`,
        (found) => found.map(wakeRowOf)
      )
    )
  },
  report: together(
    read(
      "report on wakes",
      Effect.all([
        sql<CountColumns>`SELECT state, discard_reason, count(*) AS count FROM wake_outbox GROUP BY state, discard_reason`,
        sql<GroupColumns>`
          SELECT outbox.sequence, target_scope, process_id, wake_id, outbox.state, attempts, next_attempt, undelivered
          FROM (
            SELECT target_scope, pk, min(sequence) AS sequence, count(*) AS undelivered FROM wake_outbox
            WHERE ${sql.literal(undelivered)} GROUP BY target_scope, pk HAVING count(*) > 1
          ) AS blocked
          JOIN wake_outbox AS outbox USING (target_scope, pk, sequence) JOIN process USING (pk)
          WHERE outbox.${sql.literal(undelivered)}
          ORDER BY target_scope, process_id
        `
      ]).pipe(Effect.map(([counts, groups]) => ({ counts: countsOf(counts), blocked: groups.map(groupOf) })))
    )
  )
})

interface CountColumns {
  readonly state: WakeState
  readonly discard_reason: DiscardReason | null
  readonly count: number
}

interface GroupColumns {
  readonly target_scope: BlockedGroup["targetScopeId"]
  readonly process_id: ProcessId
  readonly wake_id: string
  readonly sequence: number
  readonly state: WakeState
  readonly attempts: number
  readonly next_attempt: number
  readonly undelivered: number
}

const countsOf = (rows: ReadonlyArray<CountColumns>): WakeReport["counts"] => {
  const counts = { pending: 0, enqueuing: 0, enqueued: 0, discarded: { expired: 0, target_gone: 0, retargeted: 0 } }
  for (const { state, discard_reason, count } of rows) {
    if (state !== "discarded") counts[state] = count
    else if (discard_reason !== null) counts.discarded[discard_reason] = count
  }
  return counts
}

const groupOf = (columns: GroupColumns): BlockedGroup => ({
  targetScopeId: columns.target_scope,
  processId: columns.process_id,
  unblockedBy: columns.wake_id,
  sequence: columns.sequence,
  state: columns.state,
  attempts: columns.attempts,
  nextAttemptAtMs: columns.next_attempt,
  waiting: columns.undelivered - 1
})
