/**
 * The wake outbox: claiming what is due, and saying how a delivery went. Rows get in with the events that call for them.
 *
 * Invariant: only the holder of a row's present token settles it.
 */

import type { Decision, View } from "../../store/Decision.ts"
import { accept, acceptWith } from "../../store/Decision.ts"
import type {
  ClaimReport,
  RedriveOutcome,
  Settlement,
  SettleOutcome,
  WakeClaim,
  WakeRow,
  WakeTimes
} from "../../store/Outbox.ts"
import { maxClaims } from "../../store/Outbox.ts"

/** What a claim asks for. `token` is new; each row gets one of its own from it. */
export interface ClaimRequest {
  readonly limit: number
  readonly token: string
}

/** Claims due heads. Stale claims return to pending; what is expired is discarded, and the next of its group is for the next claim. */
export const claim =
  ({ limit, token }: ClaimRequest, { claimMs }: WakeTimes) =>
  (view: View): Decision<ClaimReport, never> => {
    const { nowMs, outbox } = view
    const rows = new Map<number, WakeRow>()
    const claims: Array<WakeClaim> = []
    const expired: Array<string> = []
    for (const row of outbox.stale(maxClaims)) rows.set(row.number, pending(row, nowMs))
    for (const row of outbox.dueHeads(limit)) {
      if (row.expiresAtMs <= nowMs) {
        expired.push(row.wake.wakeId)
        rows.set(row.number, { ...settled(row), state: "discarded", discardReason: "expired" })
        continue
      }
      const claimed: WakeRow = {
        ...row,
        state: "enqueuing",
        claimToken: `${token}:${row.number}`,
        attempts: row.attempts + 1,
        firstAttemptMs: row.firstAttemptMs ?? nowMs,
        nextAttemptAtMs: nowMs + claimMs,
        isOpen: false
      }
      rows.set(row.number, claimed)
      claims.push({
        number: row.number,
        token: `${token}:${row.number}`,
        wake: row.wake,
        attempts: claimed.attempts
      })
    }
    return acceptWith({ claims, expired }, put([...rows.values()]))
  }

/** Settles a claimed row. A token that is not the row's writes nothing. */
export const settle =
  ({ number, token }: Pick<WakeClaim, "number" | "token">, settlement: Settlement) =>
  (view: View): Decision<SettleOutcome, never> => {
    const row = view.outbox.row(number)
    if (row === undefined || row.claimToken !== token) return accept({ _tag: "ClaimLost" })
    const after = settledAs(row, settlement, view)
    return acceptWith({ _tag: "Settled", state: after.state }, put([after]))
  }

/** Makes what was discarded under an id due again. The target may know it already, so nothing merges into it. */
export const redrive =
  (wakeId: string, { expiryMs }: WakeTimes) =>
  (view: View): Decision<RedriveOutcome, never> => {
    const { nowMs } = view
    const rows = view.outbox.discardedOf(wakeId).map((row): WakeRow => {
      const { discardReason: _reason, firstAttemptMs: _first, ...rest } = row
      return { ...rest, state: "pending", attempts: 0, nextAttemptAtMs: nowMs, expiresAtMs: nowMs + expiryMs }
    })
    return rows.length === 0
      ? accept({ _tag: "NoneDiscarded" })
      : acceptWith({ _tag: "Redriven", rows: rows.length }, put(rows))
  }

const settledAs = (row: WakeRow, settlement: Settlement, { nowMs, outbox }: View): WakeRow => {
  switch (settlement._tag) {
    case "Enqueued":
      return { ...settled(row), state: "enqueued" }
    case "Discard":
      return { ...settled(row), state: "discarded", discardReason: settlement.reason }
    case "Defer":
      return {
        ...pending(row, nowMs + settlement.delayMs),
        // One row at a time is open for an id: another one may have come while this one was out.
        isOpen: settlement.seen === "no" && outbox.openOf(row.wake.wakeId) === undefined
      }
  }
}

const settled = (row: WakeRow): WakeRow => {
  const { claimToken: _over, ...rest } = row
  return { ...rest, isOpen: false }
}

const pending = (row: WakeRow, nextAttemptAtMs: number): WakeRow => ({
  ...settled(row),
  state: "pending",
  nextAttemptAtMs
})

const put = (rows: ReadonlyArray<WakeRow>) => rows.map((row) => ({ _tag: "PutWake", row }) as const)
