/**
 * The wake outbox: wakes for sessions, written in the transaction of the events that call for them.
 *
 * ```
 * event with a wake ─► pending ─ claim ─► enqueuing ─ settle ─► enqueued
 *                         ▲                  │  └────────────► discarded ─ redrive ─┐
 *                         └── defer, or the claim is stale ────────────────────────┘ (pending again)
 * ```
 * Invariant: a wake that was committed is in the outbox until it was delivered, or discarded with a reason. Of the wakes of one
 * process for one target only the earliest that is undelivered can be claimed.
 * @see docs/adr/0017-the-store-writes-a-wake-with-its-event.md
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId, SessionScopeId } from "../model/ids.ts"
import type { WakeDelivery } from "../model/WakeDelivery.ts"

/** The state of a wake. `enqueuing`: a driver has claimed it and is delivering it. `enqueued`: the target has it. */
export type WakeState = "pending" | "enqueuing" | "enqueued" | "discarded"

/** Why a wake was given up. */
export type DiscardReason = "expired" | "target_gone" | "retargeted"

/** One wake and how far its delivery is. Units: epoch milliseconds, UTC. */
export interface WakeRow {
  /** The number of the row in its store. A wake id that was armed again has several rows. */
  readonly number: number
  readonly wake: WakeDelivery
  readonly state: WakeState
  /** Only while `enqueuing`. */
  readonly claimToken?: string
  /** How often it was claimed. */
  readonly attempts: number
  readonly firstAttemptMs?: number
  /** When it may be claimed: while `enqueuing`, when its claim is stale. */
  readonly nextAttemptAtMs: number
  readonly expiresAtMs: number
  readonly discardReason?: DiscardReason
  /** Whether no target can have seen it: then a later event with its wake id merges into it. */
  readonly isOpen: boolean
}

/** The right to deliver one wake, until it is settled or the claim is stale. */
export interface WakeClaim {
  readonly number: number
  readonly token: string
  readonly wake: WakeDelivery
  /** This attempt included: 1 is the first. */
  readonly attempts: number
}

/** What one claim found: wakes to deliver, in order of time, and the ids of those that it discarded as expired. */
export interface ClaimReport {
  readonly claims: ReadonlyArray<WakeClaim>
  readonly expired: ReadonlyArray<string>
}

/**
 * How a delivery went.
 *
 * `Defer`: it is due again after `delayMs`. `seen` says whether the target may have it nevertheless: later events merge
 * into a wake that no target has seen; one that may have been seen is followed by another.
 */
export type Settlement =
  | { readonly _tag: "Enqueued" }
  | { readonly _tag: "Defer"; readonly delayMs: number; readonly seen: "no" | "unknown" }
  | { readonly _tag: "Discard"; readonly reason: DiscardReason }

/** How settling ended. `ClaimLost`: the claim was stale and the row went on without it; nothing was written. */
export type SettleOutcome = { readonly _tag: "Settled"; readonly state: WakeState } | { readonly _tag: "ClaimLost" }

/** How a redrive ended. `NoneDiscarded`: no discarded wake has this id; nothing was written. */
export type RedriveOutcome = { readonly _tag: "Redriven"; readonly rows: number } | { readonly _tag: "NoneDiscarded" }

/** Wakes of one process for one target that wait for an earlier one. Units: epoch milliseconds, UTC. */
export interface BlockedGroup {
  readonly targetScopeId: SessionScopeId
  readonly processId: ProcessId
  /** Once this one is delivered or discarded, the next may go. */
  readonly unblockedBy: string
  /** The event of that one. */
  readonly sequence: number
  readonly state: WakeState
  readonly attempts: number
  readonly nextAttemptAtMs: number
  /** How many wait behind it. */
  readonly waiting: number
}

/** How many wakes are in which state. */
export interface WakeReport {
  readonly counts: Readonly<Record<Exclude<WakeState, "discarded">, number>> & {
    readonly discarded: Readonly<Record<DiscardReason, number>>
  }
  /** Ascending by target, then process. */
  readonly blocked: ReadonlyArray<BlockedGroup>
}

/** Which wakes to list, the newest first; what is left out narrows nothing. */
export interface WakeQuery {
  /** Only those in one of these states. */
  readonly states?: ReadonlyArray<WakeState>
  readonly processId?: ProcessId
  readonly targetScopeId?: SessionScopeId
  /** Only rows with a lower number: to go on after a page. */
  readonly before?: number
  /** At most so many, from 1 to {@link maxListed}. */
  readonly limit: number
}

/** A page of wakes. `next` is where the next one goes on (`before`); it is absent when nothing follows. */
export interface WakePage {
  readonly rows: ReadonlyArray<WakeRow>
  readonly next?: number
}

/** What a store answers about its outbox outside a write. */
export interface OutboxReads {
  /** Whether a claim would find something now. One look into an index, so that an idle driver costs next to nothing. */
  readonly isDue: (nowMs: number) => Effect.Effect<boolean, StoreError>
  /** The rows of a wake id, oldest first. */
  readonly rowsOf: (wakeId: string) => Effect.Effect<ReadonlyArray<WakeRow>, StoreError>
  /** The rows that a query asks for, by number, descending. */
  readonly list: (query: WakeQuery) => Effect.Effect<ReadonlyArray<WakeRow>, StoreError>
  readonly report: Effect.Effect<WakeReport, StoreError>
}

/** What a decision may know of the outbox. Undelivered is what is pending or enqueuing. */
export interface OutboxView {
  /** Claimed rows whose claim is stale, at most `limit`. */
  readonly stale: (limit: number) => ReadonlyArray<WakeRow>
  /** Undelivered rows that are due and have no earlier undelivered one in their group; stale ones first, then by time. */
  readonly dueHeads: (limit: number) => ReadonlyArray<WakeRow>
  readonly row: (number: number) => WakeRow | undefined
  /** The row of a wake id into which later events merge. */
  readonly openOf: (wakeId: string) => WakeRow | undefined
  readonly discardedOf: (wakeId: string) => ReadonlyArray<WakeRow>
  /** Whether a process has undelivered wakes. */
  readonly hasUndelivered: (id: ProcessId) => boolean
  /** Whether a later wake of the same process has reached the same target. */
  readonly isOvertaken: (row: WakeRow) => boolean
}

/** Replaces a row of the outbox; its number and its wake stay. */
export interface OutboxWrite {
  readonly _tag: "PutWake"
  readonly row: WakeRow
}

/** How long wakes and claims last. Units: milliseconds. */
export interface WakeTimes {
  /** How long a wake may stay undelivered before it is discarded as expired. */
  readonly expiryMs: number
  /** How long a claim lasts before another driver may take the wake. */
  readonly claimMs: number
}

/** How long wakes and claims last: seven days, thirty seconds. Provide another value to the layers of the store to change it. */
export class WakeTimings extends Context.Reference<WakeTimings>()("holdfast/store/WakeTimings", {
  defaultValue: (): WakeTimes => ({ expiryMs: 7 * 24 * 3_600_000, claimMs: 30_000 })
}) {}

/** How many wakes one listing holds at most. */
export const maxListed = 1_000

/** How many wakes one claim takes at most. */
export const maxClaims = 1_000
