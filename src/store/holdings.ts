/**
 * Who holds which leases, computed from rows: what stores that keep rows as values answer.
 */
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { ProcessRow } from "./Decision.ts"
import type { Holder, Holding } from "./ProcessStore.ts"

/** Groups the leases of processes that have not ended by keeper, or by holder where there is none; order is kept. */
export const holdersOf = (rows: Iterable<ProcessRow>): ReadonlyArray<Holder> => {
  const holders = new Map<string, Holder>()
  for (const row of rows) {
    const { held } = row.lease
    if (held === undefined || lifecycleOf(row.snapshot) !== "running") continue
    const { renewerId, owner } = held
    const key = groupOf({ owner, ...(renewerId === undefined ? {} : { renewerId }) })
    const known = holders.get(key)
    if (known === undefined) holders.set(key, { ...(renewerId === undefined ? {} : { renewerId }), owner, leases: 1 })
    else holders.set(key, { ...known, leases: known.leases + 1 })
  }
  return [...holders.values()]
}

/** The leases of one holder. */
export const heldBy = (
  rows: Iterable<ProcessRow>,
  holder: Pick<Holder, "renewerId" | "owner">
): ReadonlyArray<Holding> =>
  [...rows].flatMap((row) => {
    const { held } = row.lease
    return held !== undefined && lifecycleOf(row.snapshot) === "running" && groupOf(held) === groupOf(holder)
      ? [{ processId: row.base.registration.id, owner: held.owner }]
      : []
  })

const groupOf = ({ renewerId, owner }: Pick<Holder, "renewerId" | "owner">): string =>
  JSON.stringify([renewerId ?? [owner.ownerId, owner.incarnationId], owner.liveness])
