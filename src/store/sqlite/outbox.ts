/**
 * The wake outbox in SQLite: its statements on the writer's connection, and what is asked on the reading one.
 */
import type * as SqlClient from "@effect/sql/SqlClient"
import type { Database } from "better-sqlite3"
import * as Effect from "effect/Effect"
import type { ProcessId } from "../../model/ids.ts"
import type { WakeDelivery } from "../../model/WakeDelivery.ts"
import type {
  BlockedGroup,
  DiscardReason,
  OutboxReads,
  OutboxView,
  WakeReport,
  WakeRow,
  WakeState,
  WakeTimes
} from "../Outbox.ts"
import { asStoreError } from "./failure.ts"

/** The outbox of the writer's connection. */
export interface Outbox {
  /** Adds the wake of an event; a wake that merges into an open row is dropped. */
  readonly add: (pk: number, wake: WakeDelivery) => void
  readonly put: (row: WakeRow) => void
  readonly viewOf: (nowMs: number, pkOf: (id: ProcessId) => number | undefined) => OutboxView
}

const undelivered = "state IN ('pending', 'enqueuing')"

const select = `SELECT number, state, is_open, claim_token, attempts, first_attempt, next_attempt, expires_at,
  discard_reason, wake FROM wake_outbox AS outbox`

/** No earlier row of its group is undelivered. */
const isHead = `NOT EXISTS (
  SELECT 1 FROM wake_outbox AS earlier
  WHERE earlier.target_scope = outbox.target_scope AND earlier.pk = outbox.pk AND earlier.sequence < outbox.sequence
    AND earlier.${undelivered})`

interface Columns {
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

/** Prepares the statements. The schema must exist. */
export const make = (db: Database, times: WakeTimes): Outbox => {
  const insert = db.prepare(
    `INSERT INTO wake_outbox
       (wake_id, target_scope, pk, sequence, state, is_open, attempts, next_attempt, expires_at, wake)
     VALUES (?, ?, ?, ?, 'pending', 1, 0, ?, ?, ?) ON CONFLICT DO NOTHING`
  )
  const update = db.prepare(
    `UPDATE wake_outbox SET state = ?, is_open = ?, claim_token = ?, attempts = ?, first_attempt = ?, next_attempt = ?,
       expires_at = ?, discard_reason = ? WHERE number = ?`
  )
  const stale = db.prepare(`${select} WHERE ${undelivered} AND state = 'enqueuing' AND next_attempt <= ? LIMIT ?`)
  const staleHeads = db.prepare(
    `${select} WHERE ${undelivered} AND state = 'enqueuing' AND next_attempt <= ? AND ${isHead}
     ORDER BY next_attempt, number LIMIT ?`
  )
  const dueHeads = db.prepare(
    `${select} WHERE ${undelivered} AND state = 'pending' AND next_attempt <= ? AND ${isHead}
     ORDER BY next_attempt, number LIMIT ?`
  )
  const row = db.prepare(`${select} WHERE number = ?`)
  const open = db.prepare(`${select} WHERE wake_id = ? AND is_open = 1`)
  const discarded = db.prepare(`${select} WHERE wake_id = ? AND state = 'discarded' ORDER BY number`)
  const anyUndelivered = db.prepare(`SELECT 1 FROM wake_outbox WHERE pk = ? AND ${undelivered} LIMIT 1`)
  const rows = (found: ReadonlyArray<unknown>) => (found as ReadonlyArray<Columns>).map(rowOf) // the columns of `select`
  return {
    add: (pk, wake) => {
      const { wakeId, targetScopeId, sequence, createdAtMs } = wake
      const expiresAtMs = createdAtMs + times.expiryMs
      insert.run(wakeId, targetScopeId, pk, sequence, createdAtMs, expiresAtMs, JSON.stringify(wake))
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
      update.run(
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
      stale: (limit) => rows(stale.all(nowMs, limit)),
      dueHeads: (limit) => {
        const first = rows(staleHeads.all(nowMs, limit))
        return [...first, ...rows(dueHeads.all(nowMs, limit - first.length))]
      },
      row: (number) => rows(row.all(number))[0],
      openOf: (wakeId) => rows(open.all(wakeId))[0],
      discardedOf: (wakeId) => rows(discarded.all(wakeId)),
      hasUndelivered: (id) => anyUndelivered.get(pkOf(id) ?? null) !== undefined
    })
  }
}

/** The reads of the store contract. */
export const readsOf = (sql: SqlClient.SqlClient): OutboxReads => ({
  isDue: (nowMs) =>
    asStoreError(
      "look for due wakes",
      Effect.map(
        sql.unsafe(`${select} WHERE ${undelivered} AND next_attempt <= ? AND ${isHead} LIMIT 1`, [nowMs]),
        (found) => found.length > 0
      )
    ),
  rowsOf: (wakeId) =>
    asStoreError(
      "read wakes",
      Effect.map(sql.unsafe<Columns>(`${select} WHERE wake_id = ? ORDER BY number`, [wakeId]), (found) =>
        found.map(rowOf)
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
      ...(isUndelivered ? [undelivered] : [])
    ]
    const order = sql.literal(isUndelivered && processId === undefined ? "+number" : "number")
    return asStoreError(
      "list wakes",
      Effect.map(
        sql<Columns>`${sql.literal(select)} WHERE ${sql.and(wanted)} ORDER BY ${order} DESC LIMIT ${limit}`,
        (found) => found.map(rowOf)
      )
    )
  },
  report: asStoreError(
    "report on wakes",
    Effect.all([
      sql<CountColumns>`SELECT state, discard_reason, count(*) AS count FROM wake_outbox GROUP BY state, discard_reason`,
      // The bare columns are those of the row with the least sequence.
      sql<GroupColumns>`
        SELECT min(outbox.sequence) AS sequence, target_scope, process_id, wake_id, state, attempts, next_attempt,
          count(*) AS undelivered
        FROM wake_outbox AS outbox JOIN process USING (pk)
        WHERE state IN ('pending', 'enqueuing')
        GROUP BY target_scope, pk HAVING count(*) > 1
        ORDER BY target_scope, process_id
      `
    ]).pipe(Effect.map(([counts, groups]) => ({ counts: countsOf(counts), blocked: groups.map(groupOf) })))
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

const rowOf = (columns: Columns): WakeRow => ({
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
