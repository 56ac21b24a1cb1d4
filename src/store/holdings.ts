/**
 * Grouping leased processes by their holder, so that each holder's liveness is asked for once.
 */
import type { ProcessId } from "../model/ids.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import type { Holding } from "./ProcessStore.ts"

/** Groups leased processes by holder; ids keep their order. */
export const groupByOwner = (
  leases: Iterable<{ readonly id: ProcessId; readonly owner: LeaseOwner }>
): ReadonlyArray<Holding> => {
  const byOwner = new Map<string, { readonly owner: LeaseOwner; readonly processIds: Array<ProcessId> }>()
  for (const { id, owner } of leases) {
    const key = JSON.stringify([owner.ownerId, owner.incarnationId, owner.liveness])
    const known = byOwner.get(key)
    if (known === undefined) byOwner.set(key, { owner, processIds: [id] })
    else known.processIds.push(id)
  }
  return [...byOwner.values()]
}
