/**
 * Where the page is: `#/{view}/{id}@{sequence}?{filters}`. A place can be kept, shared and gone back to.
 */
import { useEffect, useState } from "preact/hooks"
import { filterKeys } from "../filters.ts"
import { nowMs } from "./text.ts"

/** A place of the page. */
export interface Place {
  readonly view: string
  readonly id?: string
  readonly sequence?: number
  /** What lists are narrowed by, and which part of a process is shown. */
  readonly query: Readonly<Record<string, string>>
}

/** Reads a place out of the fragment of an address. */
export const placeOf = (hash: string): Place => {
  const [path = "", search = ""] = hash.split("?")
  const match = /^#\/([a-z]+)(?:\/([^@]*)(?:@(\d+))?)?$/.exec(path)
  const [, view = "overview", id, sequence] = match ?? []
  return {
    view,
    ...(id === undefined || id === "" ? {} : { id: decoded(id) }),
    ...(sequence === undefined ? {} : { sequence: Number(sequence) }),
    query: Object.fromEntries(new URLSearchParams(search))
  }
}

/** The fragment of a place. */
export const hashOf = ({ view, id, sequence, query }: Place): string => {
  const path = id === undefined ? "" : `/${encodeURIComponent(id)}${sequence === undefined ? "" : `@${sequence}`}`
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ""))
  return `#/${view}${path}${search.size === 0 ? "" : `?${search}`}`
}

/** The place at present. */
export const here = (): Place => placeOf(location.hash)

const listeners = new Set<() => void>()

/** Goes to a place; a small move, as along a list, replaces the last one in the history. */
export const go = (place: Place, isSmall = false): void => {
  const hash = hashOf(place)
  if (hash === location.hash) return
  history[isSmall ? "replaceState" : "pushState"](null, "", hash)
  for (const listener of listeners) listener()
}

/** The place at present, in a component. */
export const usePlace = (): Place => {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const read = (): void => setHash(location.hash)
    listeners.add(read)
    addEventListener("hashchange", read)
    addEventListener("popstate", read)
    return () => {
      listeners.delete(read)
      removeEventListener("hashchange", read)
      removeEventListener("popstate", read)
    }
  }, [])
  return placeOf(hash)
}

/** The filters of a place, as the server takes them. */
export const filtersOf = ({ within = "", ...query }: Place["query"]): Readonly<Record<string, string>> => ({
  // An address may have more, as the part of a process that is shown: the server refuses what it does not know.
  ...Object.fromEntries(Object.entries(query).filter(([key]) => isFilter(key))),
  // To the minute, so that the same filter is the same request for a while.
  ...(within === "" ? {} : { since: String(Math.floor((nowMs() - Number(within)) / 60_000) * 60_000) })
})

/** Where a process is shown; the filters of the list beside it stay. */
export const processPlace = (id: string, sequence?: number): Place => {
  const { view, query } = here()
  const { tab: _tab, ...filters } = view === "processes" ? query : {}
  return { view: "processes", id, ...(sequence === undefined ? {} : { sequence }), query: filters }
}

const isFilter = (key: string): boolean => (filterKeys as ReadonlyArray<string>).includes(key) // any text may be asked for

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
