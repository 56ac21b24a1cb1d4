/**
 * The wake outbox: claiming due wakes, and recording how a delivery went. The events that call for wakes put them in.
 *
 * Invariant: only the holder of a row's present token settles it.
 */

import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { StoreError } from "../model/errors.ts"
import { InputInvalid } from "../model/errors.ts"
import { ProcessId, SessionScopeId } from "../model/ids.ts"
import { optional } from "../model/json.ts"
import type { Decision, View } from "../store/Decision.ts"
import { accept, acceptWith } from "../store/Decision.ts"
import type {
  ClaimReport,
  RedriveOutcome,
  Settlement,
  SettleOutcome,
  WakeClaim,
  WakePage,
  WakeQuery,
  WakeReport,
  WakeRow,
  WakeTimes
} from "../store/Outbox.ts"
import { maxClaims, maxListed, WakeTimings } from "../store/Outbox.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"

/** The wake outbox. */
export class WakeOutbox extends Context.Tag("holdfast/store/WakeOutbox")<
  WakeOutbox,
  {
    /**
     * Claims at most `limit` wakes that are due, in one transaction. Stale claims return to pending first.
     *
     * Fails with `InputInvalid` for a limit that is not from 1 to {@link maxClaims}, with `StoreError`: claim again; a claim
     * that was committed nevertheless becomes stale in a while.
     */
    readonly claim: (limit: number) => Effect.Effect<ClaimReport, InputInvalid | StoreError>
    /** Says how a delivery went. Fails with `InputInvalid`, or with `StoreError`: settle again, which is safe. */
    readonly settle: (
      claim: Pick<WakeClaim, "number" | "token">,
      settlement: Settlement
    ) => Effect.Effect<SettleOutcome, InputInvalid | StoreError>
    /** Makes the discarded wakes of an id due again, as if they were fresh. */
    readonly redrive: (wakeId: string) => Effect.Effect<RedriveOutcome, InputInvalid | StoreError>
    /** Whether a claim would find something now. */
    readonly isDue: Effect.Effect<boolean, StoreError>
    /** Every wake under an id that has not been pruned, oldest first. */
    readonly rowsOf: (wakeId: string) => Effect.Effect<ReadonlyArray<WakeRow>, InputInvalid | StoreError>
    /**
     * A page of wakes, the newest first. Fails with `InputInvalid` for a limit that is not from 1 to {@link maxListed}.
     *
     * @default limit 100
     */
    readonly list: (query: ListedWakes) => Effect.Effect<WakePage, InputInvalid | StoreError>
    readonly report: Effect.Effect<WakeReport, StoreError>
  }
>() {}

/** Which wakes to list; without a limit, a hundred. */
export interface ListedWakes extends Omit<WakeQuery, "limit"> {
  readonly limit?: number
}

/** What a claim asks for. `token` is new; each row gets one of its own from it. */
interface ClaimRequest {
  readonly limit: number
  readonly token: string
}

/** Claims due heads. Stale claims return to pending. An expired wake is discarded; the next of its group waits for the next claim. */
const claim =
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
        // A row that is fresh and open cannot have been redriven.
        wake: !row.isOpen && outbox.isOvertaken(row) ? { ...row.wake, late: true } : row.wake,
        attempts: claimed.attempts
      })
    }
    return acceptWith({ claims, expired }, put([...rows.values()]))
  }

/** Settles a claimed row. A token that is not the row's writes nothing. */
const settle =
  ({ number, token }: Pick<WakeClaim, "number" | "token">, settlement: Settlement) =>
  (view: View): Decision<SettleOutcome, never> => {
    const row = view.outbox.row(number)
    if (row === undefined || row.claimToken !== token) return accept({ _tag: "ClaimLost" })
    const after = settledAs(row, settlement, view)
    return acceptWith({ _tag: "Settled", state: after.state }, put([after]))
  }

/** Makes the discarded wakes of an id due again. The target may know them already, so nothing merges into them. */
const redrive =
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

/** Builds the outbox on a store. */
export const make: Effect.Effect<typeof WakeOutbox.Service, never, ProcessStore> = Effect.map(
  Effect.all([ProcessStore, Checks.make, WakeTimings]),
  ([store, checks, times]) =>
    Checks.answering(
      WakeOutbox.of({
        claim: (limit) =>
          Effect.flatMap(upTo(maxClaims, limit), () =>
            store.transact({ lock: [] }, claim({ limit, token: randomUUID() }, times))
          ),
        settle: Effect.fnUntraced(function* (claim, settlement) {
          const fields = yield* Checks.fieldsOf("claim", claim)
          const number = yield* Checks.count("number", fields.number)
          const token = yield* Checks.text("token", fields.token)
          const checked = yield* checks.shape("settlement", SettlementShape, settlement)
          return yield* store.transact({ lock: [] }, settle({ number, token }, checked))
        }),
        redrive: (wakeId) =>
          Effect.flatMap(Checks.text("wake_id", wakeId), (id) => store.transact({ lock: [] }, redrive(id, times))),
        isDue: Effect.flatMap(Clock.currentTimeMillis, store.outbox.isDue),
        rowsOf: (wakeId) => Effect.flatMap(Checks.text("wake_id", wakeId), store.outbox.rowsOf),
        list: (query) =>
          Effect.flatMap(Checks.exactly("query", QueryShape, query), ({ limit = 100, ...checked }) =>
            Effect.zipRight(
              upTo(maxListed, limit),
              // One more than asked for says whether there are more.
              Effect.map(store.outbox.list({ ...checked, limit: limit + 1 }), (found): WakePage => {
                const rows = found.slice(0, limit)
                const last = rows.at(-1)
                return { rows, ...(found.length > limit && last !== undefined ? { next: last.number } : {}) }
              })
            )
          ),
        report: store.outbox.report
      })
    )
)

/** The outbox of the store in context. */
export const layer: Layer.Layer<WakeOutbox, never, ProcessStore> = Layer.effect(WakeOutbox, make)

const upTo = (most: number, limit: number): Effect.Effect<void, InputInvalid> =>
  Number.isSafeInteger(limit) && limit >= 1 && limit <= most
    ? Effect.void
    : Effect.fail(
        new InputInvalid({ field: "limit", problem: `is ${limit}; it must be a whole number from 1 to ${most}` })
      )

const QueryShape: Schema.Schema<ListedWakes> = Schema.typeSchema(
  Schema.Struct({
    states: optional(Schema.Array(Schema.Literal("pending", "enqueuing", "enqueued", "discarded"))),
    processId: optional(ProcessId),
    targetScopeId: optional(SessionScopeId),
    before: optional(Schema.Int),
    limit: optional(Schema.Number)
  })
)

const SettlementShape = Schema.Union(
  Schema.Struct({ _tag: Schema.Literal("Enqueued") }),
  Schema.Struct({
    _tag: Schema.Literal("Defer"),
    delayMs: Schema.NonNegativeInt,
    seen: Schema.Literal("no", "unknown")
  }),
  Schema.Struct({ _tag: Schema.Literal("Discard"), reason: Schema.Literal("expired", "target_gone", "retargeted") })
)
