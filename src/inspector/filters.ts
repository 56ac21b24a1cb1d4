/**
 * The keys of a query of the list: the page sends these, and the server refuses every other.
 */

/** What the list may be narrowed and sorted by: the filters in the address of the page. */
export const filterKeys = [
  "text",
  "state",
  "kind",
  "owner",
  "session",
  "problem",
  "waits",
  "asks",
  "work",
  "roots",
  "since",
  "longer",
  "sort",
  "order"
] as const

/** A key that narrows or sorts. */
export type FilterKey = (typeof filterKeys)[number]

/** Which lines of it are answered, and how: ids alone, the place of one process, or one part of the answer. */
export const pageKeys = ["offset", "limit", "find", "ids", "part"] as const

/** A key of a page. */
export type PageKey = (typeof pageKeys)[number]
