/**
 * The wake outbox in SQLite: its statements on the writer's connection, and what is asked on the reading one.
 */
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
import type { Reader } from "./Reader.ts"
import type { Statements } from "./statements.ts"
import { isHead, selectWakes, undelivered } from "./statements.ts"

/** The outbox of the writer's connection. */
export interface Outbox {
  /** Adds the wake of an event; a wake that merges into an open row is dropped. */
  readonly add: (pk: number, wake: WakeDelivery) => void
  readonly put: (row: WakeRow) => void
  readonly viewOf: (nowMs: number, pkOf: (id: ProcessId) => number | undefined) => OutboxView
}

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

/** Makes the outbox of the writer's connection. */
export const make = (sql: Statements, times: WakeTimes): Outbox => {
  const rows = (found: ReadonlyArray<unknown>) => (found as ReadonlyArray<Columns>).map(rowOf) // the columns of `selectWakes`
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

/** The reads of the store contract. */
export const readsOf = ({ sql, read, together }: Reader): OutboxReads => ({
  isDue: (nowMs) =>
    read(
      "look for due wakes",
      Effect.map(
        sql.unsafe(`${selectWakes} WHERE ${undelivered} AND next_attempt <= ? AND ${isHead} LIMIT 1`, [nowMs]),
        (found) => found.length > 0
      )
    ),
  rowsOf: (wakeId) =>
    read(
      "read wakes",
      Effect.map(sql.unsafe<Columns>(`${selectWakes} WHERE wake_id = ? ORDER BY number`, [wakeId]), (found) =>
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
    return read(
      "list wakes",
      Effect.map(
        sql<Columns>`${sql.literal(selectWakes)} WHERE ${sql.and(wanted)} ORDER BY ${order} DESC LIMIT ${limit}`,
        (found) => found.map(rowOf)
      )
    )
  },
  report: together(
    read(
      "report on wakes",
      Effect.all([
        sql<CountColumns>`SELECT state, discard_reason, count(*) AS count FROM wake_outbox GROUP BY state, discard_reason`,
        // The bare columns are those of the row with the least sequence.
        sql<GroupColumns>`
          SELECT min(outbox.sequence) AS sequence, target_scope, process_id, wake_id, state, attempts, next_attempt,
            count(*) AS undelivered
          FROM wake_outbox AS outbox JOIN process USING (pk)
          WHERE ${sql.literal(undelivered)}
          GROUP BY target_scope, pk HAVING count(*) > 1
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
