/**
 * The rows the list has loaded, in the order of their ids, kept up to date from the stream.
 */
import type { RowView } from "../View.ts"

/** What the list is narrowed by; an empty text narrows nothing. */
export interface Narrowing {
  readonly state: string
  readonly text: string
  readonly kind: string
  readonly owner: string
  readonly session: string
}

/** A list that is narrowed by nothing. */
export const everything: Narrowing = { state: "", text: "", kind: "", owner: "", session: "" }

/** Whether a row belongs into the list, by the server's own rules. */
export const isWanted = (row: RowView, by: Narrowing): boolean => {
  const words = by.text.trim().toLowerCase()
  const { originator } = row
  return (
    (by.state === "" || row.state === by.state) &&
    (by.kind === "" || row.kind === by.kind) &&
    (by.owner === "" || row.owner_id === by.owner) &&
    (by.session === "" ||
      originator === by.session ||
      originator === `session:${by.session}` ||
      originator.startsWith(`session:${by.session}/`)) &&
    [row.process_id, row.label ?? "", row.kind].some((text) => text.toLowerCase().includes(words))
  )
}

/**
 * Takes changed rows into loaded ones. A row that was not loaded comes in only where the list is loaded: beyond its last
 * row it will come with its page.
 */
export const merge = (
  loaded: ReadonlyArray<RowView>,
  changed: ReadonlyArray<RowView>,
  gone: ReadonlyArray<string>,
  by: { readonly narrowing: Narrowing; readonly isComplete: boolean }
): ReadonlyArray<RowView> => {
  const news = new Map(changed.map((row) => [row.process_id, row]))
  const removed = new Set(gone)
  const last = loaded.at(-1)?.process_id
  const kept = loaded.flatMap((row) => {
    const next = news.get(row.process_id) ?? row
    news.delete(row.process_id)
    return removed.has(row.process_id) || !isWanted(next, by.narrowing) ? [] : [next]
  })
  const added = [...news.values()].filter(
    (row) => isWanted(row, by.narrowing) && (by.isComplete || (last !== undefined && inOrder(row.process_id, last) < 0))
  )
  return added.length === 0 ? kept : [...kept, ...added].sort((a, b) => inOrder(a.process_id, b.process_id))
}

/** The store's order of ids, which is that of their bytes; for text without surrogates JavaScript's is the same. */
const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
