/**
 * On whose authority a write happens. There is no default: whoever writes says which right it has.
 */
import { sameIncarnation } from "../../../machines/recovery.ts"
import { LeaseLost } from "../../model/errors.ts"
import type { Lease } from "../../model/Lease.ts"
import type { ProcessRow, View } from "../../store/Decision.ts"

/**
 * The right on which a write rests.
 *
 * `Body` and `Sweep` present a lease, which is checked in the transaction against the row it names. `External` is an outside
 * system or a sender, `Host` the program that embeds the library.
 */
export type Authority =
  | { readonly _tag: "Body"; readonly lease: Lease }
  | { readonly _tag: "Sweep"; readonly lease: Lease }
  | { readonly _tag: "External" }
  | { readonly _tag: "Host" }

/** The authority of the program that embeds the library. */
export const host: Authority = { _tag: "Host" }

/** The authority of an outside system. */
export const external: Authority = { _tag: "External" }

/** The refusal an authority calls for, or `undefined` when it holds. */
export const refusalOf = (view: View, authority: Authority): LeaseLost | undefined =>
  authority._tag === "Body" || authority._tag === "Sweep"
    ? leaseRefusal(view.row(authority.lease.processId), authority.lease, view.nowMs)
    : undefined

/** The refusal a presented lease calls for: it must be the present one, of the same life, and unexpired. */
export const leaseRefusal = (row: ProcessRow | undefined, lease: Lease, nowMs: number): LeaseLost | undefined =>
  row !== undefined && holds(row, lease) && (row.lease.held?.expiresAtMs ?? 0) > nowMs
    ? undefined
    : new LeaseLost({
        processId: lease.processId,
        fencingToken: lease.fencingToken,
        currentFence: row?.lease.fencingToken ?? 0
      })

/** Whether a lease is the one stored, expired or not. */
export const holds = (row: ProcessRow, lease: Lease): boolean => {
  const { held, fencingToken } = row.lease
  return (
    held !== undefined &&
    row.base.registration.id === lease.processId &&
    held.leaseToken === lease.leaseToken &&
    fencingToken === lease.fencingToken &&
    sameIncarnation(held.owner, lease.owner)
  )
}
