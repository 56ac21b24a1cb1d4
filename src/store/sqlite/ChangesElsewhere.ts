/**
 * The rows that other OS processes have changed in the file.
 *
 * Invariant: a row keeps only its latest change, so each transaction looks before it writes. Afterwards this process's own
 * change would hide another one's, and a wake-up would be lost.
 */
import type { ProcessId } from "../../model/ids.ts"
import type { Statements } from "./statements.ts"

/** How many changed rows one look finds at most. */
const pageSize = 1_000

/** Finds the rows that other processes have changed. */
export interface ChangesElsewhere {
  /** Looks if another process has committed since the last look; `version` is the present one of the file. */
  readonly look: (version: number) => void
  /** Looks the next time in any case: what was changed, and by whom, is uncertain. */
  readonly lookAgain: () => void
  /** This process has committed its own changes, up to this one. */
  readonly skipTo: (change: number) => void
  /** The ids found since this was last asked. */
  readonly take: () => ReadonlyArray<ProcessId>
}

/** Makes a look-out that has seen everything up to a change, at a version of the file. */
export const make = (sql: Statements, version: number, change: number): ChangesElsewhere => {
  let lookedAt = version
  let seen = change
  // A long absence is caught up in pages, one a look. Own changes are reported, too, until it is.
  let isCaughtUp = true
  let found = new Set<ProcessId>()

  return {
    look: (present) => {
      if (present === lookedAt && isCaughtUp) return
      const page = sql.changedSince.all(seen, seen, pageSize) as ReadonlyArray<{
        readonly id: ProcessId
        readonly change: number
      }>
      for (const { id } of page) found.add(id)
      seen = page.at(-1)?.change ?? seen
      lookedAt = present
      isCaughtUp = page.length < pageSize
    },
    lookAgain: () => {
      isCaughtUp = false
    },
    skipTo: (own) => {
      if (isCaughtUp) seen = own
    },
    take: () => {
      if (found.size === 0) return []
      const ids = [...found]
      found = new Set()
      return ids
    }
  }
}
