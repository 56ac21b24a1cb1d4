/**
 * The lease protocol: claim, reclaim, renew, release, as pure decisions over one row.
 *
 * A lease whose expiry is now is expired. The fence rises with every acquisition and survives a release.
 */
import { sameIncarnation } from "../../../machines/recovery.ts"
import type { LeaseLost, ProcessUnknown } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import { jsonEquals } from "../../model/json.ts"
import type { ClaimOutcome, Lease, LeaseOwner } from "../../model/Lease.ts"
import { leaseIn } from "../../model/Lease.ts"
import type { Change, Decision, ProcessRow, View } from "../../store/Decision.ts"
import { accept, refuse } from "../../store/Decision.ts"
import { holds, lost, onLease, onRow } from "./authority.ts"
import * as Changes from "./change.ts"

/** Who wants a lease, for how long, and under which new token. Units: milliseconds. */
export interface Claimant {
  readonly owner: LeaseOwner
  readonly ttlMs: number
  /** Unguessable and unique; made by the caller, since a decision is pure. */
  readonly token: string
  /** Who renews it; absent when the holder does so itself. */
  readonly renewerId?: string
  /** The span of the activation that begins with it, as a `traceparent`; written with the fact that it began. */
  readonly trace?: string
}

/** Takes a lease that is free or expired; the same life of the same owner re-enters its own. */
export const claim = (id: ProcessId, claimant: Claimant): ((view: View) => Decision<ClaimOutcome, ProcessUnknown>) =>
  onRow(id, (row, view): Decision<ClaimOutcome, never> => {
    const held = liveLease(row, view.nowMs)
    if (held === undefined) return acquired(acquire(Changes.of(row), claimant, view.nowMs))
    return sameIncarnation(held.owner, claimant.owner)
      ? acquired(extend(Changes.of(row), claimant.ttlMs, view.nowMs))
      : accept({ _tag: "Busy", holder: held } as const)
  })

/**
 * Takes a lease from a holder that is proven dead: only if the lease is still exactly the one that was observed.
 *
 * `dead` is the stored holder whose death was proven before the transaction, if it was; what the caller observed is no proof.
 */
export const reclaim = (
  id: ProcessId,
  claimant: Claimant,
  observed: Lease,
  dead: LeaseOwner | undefined
): ((view: View) => Decision<ClaimOutcome, ProcessUnknown>) =>
  onRow(id, (row, view): Decision<ClaimOutcome, never> => {
    const held = liveLease(row, view.nowMs)
    const proven = held !== undefined && dead !== undefined && jsonEquals(held.owner, dead)
    return held === undefined || (proven && observed.processId === id && holds(row, observed))
      ? acquired(acquire(Changes.of(row), claimant, view.nowMs))
      : accept({ _tag: "Busy", holder: held } as const)
  })

/** Extends a lease that is still held and unexpired. */
export const renew = (lease: Lease, ttlMs: number): ((view: View) => Decision<Lease, LeaseLost>) =>
  onLease(lease, (row, { nowMs }) =>
    accept({ ...lease, expiresAtMs: saturate(nowMs + ttlMs) }, extend(Changes.of(row), ttlMs, nowMs))
  )

/** Gives a lease back: by its token only, silently when it is not held any more. */
export const release =
  (id: ProcessId, leaseToken: string) =>
  (view: View): Decision<void, never> => {
    const row = view.row(id)
    return row?.lease.held?.leaseToken === leaseToken
      ? accept(undefined, Changes.released(Changes.of(row)))
      : accept(undefined)
  }

/** Acquires with the next fence, whatever the slot holds: the caller has checked that it may. */
export const acquire = (change: Change, { owner, ttlMs, token, renewerId }: Claimant, nowMs: number): Change =>
  Changes.withLease(change, {
    fencingToken: change.row.lease.fencingToken + 1,
    held: {
      owner,
      leaseToken: token,
      claimedAtMs: nowMs,
      expiresAtMs: saturate(nowMs + ttlMs),
      ...(renewerId === undefined ? {} : { renewerId })
    }
  })

/**
 * Acquires a lease again that expired while its holder slept, unless another holder had the process in between: the fence says.
 *
 * A lease that has not expired after all is extended. Refused with `LeaseLost`: the holder is a zombie, and stops.
 */
export const reacquire =
  (lease: Lease, claimant: Claimant) =>
  (view: View): Decision<Lease, LeaseLost> => {
    const row = view.row(lease.processId)
    if (row === undefined || !holds(row, lease)) return refuse(lost(lease, row))
    const change =
      liveLease(row, view.nowMs) !== undefined
        ? extend(Changes.of(row), claimant.ttlMs, view.nowMs)
        : acquire(Changes.of(row), claimant, view.nowMs)
    return accept(leaseOf(change), change)
  }

/** The lease of a change's row, which the caller has just acquired. */
export const leaseOf = (change: Change): Lease => leaseIn(change.row.base.registration.id, change.row.lease) as Lease // acquired above, so it is held

/** The lease in a row, if it has not expired. */
export const liveLease = (row: ProcessRow, nowMs: number): Lease | undefined =>
  row.lease.held !== undefined && row.lease.held.expiresAtMs > nowMs
    ? leaseIn(row.base.registration.id, row.lease)
    : undefined

const extend = (change: Change, ttlMs: number, nowMs: number): Change => {
  const { held, fencingToken } = change.row.lease
  return held === undefined
    ? change
    : Changes.withLease(change, { fencingToken, held: { ...held, expiresAtMs: saturate(nowMs + ttlMs) } })
}

const acquired = (change: Change): Decision<ClaimOutcome, never> =>
  accept({ _tag: "Acquired", lease: leaseOf(change) } as const, change)

const saturate = (ms: number): number => Math.min(ms, Number.MAX_SAFE_INTEGER)
