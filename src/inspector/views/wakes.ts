/**
 * The wake outbox as it is shown: its rows, its counts and its blocked groups, the same on the page and on the terminal.
 *
 * Invariant: no text of a producer is in it, so there is nothing to redact.
 */
import * as Effect from "effect/Effect"
import { blockerOf } from "../../explain/wakes.ts"
import type { BlockedGroup, DiscardReason, WakeQuery, WakeReport, WakeRow, WakeState } from "../../store/Outbox.ts"
import type { Part, PartFailed } from "../InspectorSource.ts"

/** A wake as JSON. Units: epoch milliseconds, UTC. */
export interface WakeView {
  readonly number: number
  readonly wake_id: string
  readonly process_id: string
  readonly sequence: number
  readonly event_type: string
  readonly target_scope_id: string
  readonly target_session_id: string
  readonly state: WakeState
  readonly attempts: number
  readonly created_at_ms: number
  readonly next_attempt_at_ms: number
  readonly expires_at_ms: number
  readonly discard_reason?: DiscardReason
  /** The delivery that must go first. */
  readonly blocked_by?: string
}

/** Wakes that wait for an earlier one, as JSON. Units: epoch milliseconds, UTC. */
export interface BlockedView {
  readonly process_id: string
  readonly target_scope_id: string
  /** Once this delivery is over, the next one may go. */
  readonly unblocked_by: string
  readonly sequence: number
  readonly state: WakeState
  readonly attempts: number
  readonly next_attempt_at_ms: number
  readonly waiting: number
}

/** A row of the outbox; `blocked` are the groups of its report. */
export const wakeView = (row: WakeRow, blocked: ReadonlyArray<BlockedGroup>): WakeView => {
  const { number, wake, state, attempts, nextAttemptAtMs, expiresAtMs, discardReason } = row
  const blockedBy = blockerOf(row, blocked)
  return {
    number,
    wake_id: wake.wakeId,
    process_id: wake.processId,
    sequence: wake.sequence,
    event_type: wake.eventType,
    target_scope_id: wake.targetScopeId,
    target_session_id: wake.targetSessionId,
    state,
    attempts,
    created_at_ms: wake.createdAtMs,
    next_attempt_at_ms: nextAttemptAtMs,
    expires_at_ms: expiresAtMs,
    ...(discardReason === undefined ? {} : { discard_reason: discardReason }),
    ...(blockedBy === undefined ? {} : { blocked_by: blockedBy })
  }
}

/** A group of the report. */
export const blockedView = (group: BlockedGroup): BlockedView => ({
  process_id: group.processId,
  target_scope_id: group.targetScopeId,
  unblocked_by: group.unblockedBy,
  sequence: group.sequence,
  state: group.state,
  attempts: group.attempts,
  next_attempt_at_ms: group.nextAttemptAtMs,
  waiting: group.waiting
})

/** What was not delivered: what a listing shows unless it is asked for more. */
export const undelivered = { pending: ["pending", "enqueuing"], discarded: ["discarded"] } as const

/** How many rows of each kind, and how many groups, the page shows. */
export const maxShown = 100

/** What is read of an outbox. */
export interface OutboxReads {
  readonly report: Effect.Effect<WakeReport, PartFailed>
  readonly list: (query: WakeQuery) => Effect.Effect<ReadonlyArray<WakeRow>, PartFailed>
}

/** The outbox as the page shows it: the discarded, the undelivered and the blocked groups; the newest of each. */
export const wakesPart = ({ report, list }: OutboxReads): Part =>
  Effect.gen(function* () {
    const discarded = yield* list({ states: undelivered.discarded, limit: maxShown })
    const pending = yield* list({ states: undelivered.pending, limit: maxShown })
    const { counts, blocked } = yield* report
    const rows = [...discarded, ...pending].map((row) => wakeView(row, blocked))
    const all = counts.pending + counts.enqueuing + Object.values(counts.discarded).reduce((sum, count) => sum + count)
    return {
      counts,
      rows,
      rows_left_off: Math.max(0, all - rows.length),
      blocked: blocked.slice(0, maxShown).map(blockedView),
      blocked_left_off: Math.max(0, blocked.length - maxShown)
    }
  })
