/**
 * The authority on which a write rests, and the frame of a decision about one row. There is no default authority: every
 * caller names the right that it has.
 */
import { sameIncarnation } from "../../../machines/recovery.ts"
import { CompletionRefused, LeaseLost, ProcessUnknown } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Lease } from "../../model/Lease.ts"
import type { Decision, Plan, ProcessRow, View } from "../../store/Decision.ts"
import { refuse } from "../../store/Decision.ts"

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

/** What a write about a process locks: that process, and the one whose lease the authority presents. */
export const lockOf = (id: ProcessId, authority: Authority): Plan["lock"] =>
  "lease" in authority ? [id, authority.lease.processId] : [id]

/** Decides about the row of a process. Refused with `ProcessUnknown` when there is none. */
export const onRow =
  <A, E>(id: ProcessId, decide: (row: ProcessRow, view: View) => Decision<A, E>) =>
  (view: View): Decision<A, E | ProcessUnknown> => {
    const row = view.row(id)
    return row === undefined ? refuse(new ProcessUnknown({ processId: id })) : decide(row, view)
  }

/** Decides about the row of a process under an authority, which is checked before anything else. */
export const onRowUnder = <A, E>(
  id: ProcessId,
  authority: Authority,
  decide: (row: ProcessRow, view: View) => Decision<A, E>
): ((view: View) => Decision<A, E | ProcessUnknown | LeaseLost>) =>
  onRow<A, E | LeaseLost>(id, (row, view) => {
    const refusal = refusalOf(view, authority)
    return refusal === undefined ? decide(row, view) : refuse(refusal)
  })

/** Decides about the row that a lease names. Refused with `LeaseLost`, also when there is no row. */
export const onLease =
  <A, E>(lease: Lease, decide: (row: ProcessRow, view: View) => Decision<A, E>) =>
  (view: View): Decision<A, E | LeaseLost> => {
    const row = view.row(lease.processId)
    const refusal = leaseRefusal(row, lease, view.nowMs)
    return row === undefined || refusal !== undefined ? refuse(refusal ?? lost(lease, row)) : decide(row, view)
  }

/** The refusal an authority calls for, or `undefined` when it holds. */
export const refusalOf = (view: View, authority: Authority): LeaseLost | undefined =>
  "lease" in authority ? leaseRefusal(view.row(authority.lease.processId), authority.lease, view.nowMs) : undefined

/**
 * The refusal of an end that an authority appends: a process ends under its own lease, or by its external owner while no owner
 * holds it. A lease of the process itself was checked before.
 */
export const endRefusalOf = (row: ProcessRow, authority: Authority, nowMs: number): CompletionRefused | undefined => {
  const { id, disposition } = row.base.registration
  if ("lease" in authority && authority.lease.processId === id) return undefined
  const refused = (detail: string) =>
    new CompletionRefused({ processId: id, authority: authority._tag, disposition, detail })
  if ((row.lease.held?.expiresAtMs ?? 0) > nowMs) return refused("another owner holds its lease")
  return disposition === "externally_owned" ? undefined : refused(leasedOnly)
}

/** Why an authority without a lease does not end such work. */
export const leasedOnly = "not externally-owned work is completed under its lease"

/** The refusal a presented lease calls for: it must be the present one, of the same life, and unexpired. */
export const leaseRefusal = (row: ProcessRow | undefined, lease: Lease, nowMs: number): LeaseLost | undefined =>
  row !== undefined && holds(row, lease) && (row.lease.held?.expiresAtMs ?? 0) > nowMs ? undefined : lost(lease, row)

/** The refusal of a lease that is not the present one. */
export const lost = ({ processId, fencingToken }: Lease, row: ProcessRow | undefined): LeaseLost =>
  new LeaseLost({ processId, fencingToken, currentFence: row?.lease.fencingToken ?? 0 })

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
