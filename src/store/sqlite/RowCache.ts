/**
 * The rows that this process works with, as the last commit left them, and as the present transaction has them.
 *
 * Invariant: what a transaction wrote is known outside of it only after its commit. A row that has ended is kept until the
 * next transaction begins: whoever waited for its end has read it by then, and nobody works with it any more.
 */
import { lifecycleOf } from "../../../machines/lifecycle.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Stored } from "./views.ts"

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

/**
 * A row, until it is dropped. V8 keeps the outgrown tables of a map until a full collection, with what they held: emptied
 * cells hold nothing.
 */
interface Cell {
  stored: Stored | undefined
}

/** Makes an empty cache. `size`: how many rows that have not ended it keeps; those known for longest go first. */
export const make = (size: number): RowCache => {
  const cells = new Map<ProcessId, Cell>()
  const ended: Array<ProcessId> = []
  let touched = new Map<ProcessId, Stored>()

  const keep = (id: ProcessId, stored: Stored): void => {
    const cell = cells.get(id)
    if (cell === undefined) cells.set(id, { stored })
    else cell.stored = stored
    if (lifecycleOf(stored.row.snapshot) !== "running") ended.push(id)
  }

  const drop = (id: ProcessId): void => {
    const cell = cells.get(id)
    if (cell === undefined) return
    cell.stored = undefined
    cells.delete(id)
  }

  return {
    get: (id) => touched.get(id) ?? cells.get(id)?.stored,
    committed: (id) => cells.get(id)?.stored,
    keep,
    touch: (id, stored) => {
      touched.set(id, stored)
    },
    forget: (id) => {
      drop(id)
      touched.delete(id)
    },
    begin: () => {
      for (const id of ended) drop(id)
      ended.length = 0
    },
    commit: () => {
      const written = [...touched.values()]
      for (const [id, stored] of touched) keep(id, stored)
      touched = new Map()
      // A map remembers the order of insertion: the first ids are the ones that are known for longest.
      if (cells.size > size) {
        for (const id of cells.keys()) {
          if (cells.size <= size) break
          drop(id)
        }
      }
      return written
    },
    clear: () => {
      cells.clear()
      ended.length = 0
      touched = new Map()
    }
  }
}
