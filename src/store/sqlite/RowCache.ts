/**
 * The rows that this process works with, as the last commit left them, and as the present transaction has them.
 *
 * Invariant: what a transaction wrote is known outside of it only after its commit. A row that has ended is kept until the
 * next transaction begins: the callers that waited for its end have read it by then.
 */
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessRow } from "../Decision.ts"

/** A row with its number in this database. */
export interface Stored {
  readonly pk: number
  readonly row: ProcessRow
}

/** Rows in memory. */
export interface RowCache {
  /** A row as the present transaction has it. */
  readonly get: (id: ProcessId) => Stored | undefined
  /** A row as it was committed. */
  readonly committed: (id: ProcessId) => Stored | undefined
  /** Keeps a row that was read. */
  readonly keep: (id: ProcessId, stored: Stored) => void
  /** Takes over a row that the present transaction has written. */
  readonly touch: (id: ProcessId, stored: Stored) => void
  readonly forget: (id: ProcessId) => void
  /** A transaction begins. */
  readonly begin: () => void
  /** The present transaction was committed; answers the rows that it wrote. */
  readonly commit: () => ReadonlyArray<Stored>
  /** Nothing that is remembered is certain any more. */
  readonly clear: () => void
}

/** Makes an empty cache. `size`: how many rows that have not ended it keeps; those known for longest go first. */
export const make = (size: number): RowCache => {
  const rows = new Map<ProcessId, Stored>()
  let touched = new Map<ProcessId, Stored>()
  const ended: Array<ProcessId> = []

  const keep = (id: ProcessId, stored: Stored): void => {
    rows.set(id, stored)
    if (lifecycleOf(stored.row.snapshot) !== "running") ended.push(id)
  }

  return {
    get: (id) => touched.get(id) ?? rows.get(id),
    committed: (id) => rows.get(id),
    keep,
    touch: (id, stored) => {
      touched.set(id, stored)
    },
    forget: (id) => {
      rows.delete(id)
      touched.delete(id)
    },
    begin: () => {
      for (const id of ended) rows.delete(id)
      ended.length = 0
    },
    commit: () => {
      const written = [...touched.values()]
      for (const [id, stored] of touched) keep(id, stored)
      // A new one: V8 keeps the outgrown tables of a cleared map, and the rows in them, until a full collection.
      touched = new Map()
      if (rows.size > size) {
        // A map remembers the order of insertion: the first ids are the ones that are known for longest.
        for (const id of rows.keys()) {
          if (rows.size <= size) break
          rows.delete(id)
        }
      }
      return written
    },
    clear: () => {
      rows.clear()
      touched = new Map()
      ended.length = 0
    }
  }
}
