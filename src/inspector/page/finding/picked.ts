/**
 * Which processes of a list are picked to be acted on together: by id, so that a list may change below a choice.
 */

/** What is picked, and the process from which a range goes on. */
export interface Picked {
  readonly ids: ReadonlySet<string>
  readonly from?: string
}

/** Nothing. */
export const nothing: Picked = { ids: new Set() }

/** One more, or one less. */
export const toggled = ({ ids }: Picked, id: string): Picked => {
  const next = new Set(ids)
  if (!next.delete(id)) next.add(id)
  return { ids: next, from: id }
}

/** All between the last one that was picked and this one, in the order of the list; where that one is gone, this one alone. */
export const upTo = ({ ids, from = "" }: Picked, list: ReadonlyArray<string>, id: string): Picked => {
  const ends = [list.includes(from) ? list.indexOf(from) : list.indexOf(id), list.indexOf(id)]
  return { ids: new Set([...ids, ...list.slice(Math.min(...ends), Math.max(...ends) + 1)]), from }
}

/** All of a list, or, where all of it is picked, none of it. */
export const allOf = ({ ids }: Picked, list: ReadonlyArray<string>): Picked => {
  const isAll = list.every((id) => ids.has(id))
  return { ids: new Set(isAll ? [...ids].filter((id) => !list.includes(id)) : [...ids, ...list]) }
}
