/**
 * Large values are cut before they are sent: a page shows the size, and loads the rest when a person asks for it.
 *
 * A cut value is `{ "$cut": characters, "$from": address, "$begins": text }`; asking for the address answers with the value alone.
 * Any read takes `part`, a JSON pointer into its answer.
 */
import type { CutView } from "./View.ts"

/** A value above this is cut. Units: characters of JSON. */
export const mostOfValue = 32 * 1_024

/** The same where a list has many values, each of which is shown in one line. */
export const mostInList = 2 * 1_024

/** What shows how a cut value begins. Units: characters. */
const preview = 400

/** Cuts every value of an answer that is too large; `address` is where the answer came from. */
export const cut = (value: unknown, address: string, most: number = mostOfValue): unknown => {
  const joint = address.includes("?") ? "&" : "?"
  const shorten = (
    inner: unknown,
    pointer: string,
    allowed: number
  ): { readonly value: unknown; readonly size: number } => {
    if (typeof inner !== "object" || inner === null) {
      const size = typeof inner === "string" ? inner.length + 2 : 8
      return size > allowed ? stump(inner, pointer) : { value: inner, size }
    }
    const isKept = isFrame(pointer)
    const each = lists.has(pointer) ? mostInList : allowed
    let size = 2
    const entries: Array<readonly [string, unknown]> = []
    for (const [key, item] of Object.entries(inner)) {
      const short = shorten(item, `${pointer}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`, each)
      size += short.size + key.length + 4
      // What follows would only make it larger: of a long list only what fits is looked at.
      if (size > allowed && !isKept) return stump(inner, pointer)
      entries.push([key, short.value])
    }
    return { value: Array.isArray(inner) ? entries.map(([, item]) => item) : Object.fromEntries(entries), size }
  }
  const stump = (inner: unknown, pointer: string) => {
    const text = JSON.stringify(inner) ?? ""
    const $begins = (typeof inner === "string" ? inner : text).slice(0, preview)
    const $from = `${address}${joint}part=${encodeURIComponent(pointer)}`
    return { value: { $cut: text.length, $from, $begins }, size: preview }
  }
  return shorten(value, "", most).value
}

/** The lists of an answer that a page shows as lines. */
const lists: ReadonlySet<string> = new Set(["/events", "/log/events", "/journal", "/process/journal"])

/** What an answer consists of is never cut as a whole, since its parts are: its upper two levels, and the items of its lists. */
const isFrame = (pointer: string): boolean =>
  pointer.split("/").length <= 3 || lists.has(pointer.slice(0, pointer.lastIndexOf("/")))

/** Whether the server has cut a value. */
export const isCut = (value: unknown): value is CutView =>
  typeof value === "object" && value !== null && "$cut" in value && "$from" in value

/** The value at a JSON pointer; `undefined` where there is none. */
export const partOf = (value: unknown, pointer: string): unknown =>
  pointer
    .split("/")
    .slice(1)
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>(
      (inner, key) =>
        typeof inner === "object" && inner !== null && Object.hasOwn(inner, key)
          ? (inner as Readonly<Record<string, unknown>>)[key] // it has this key
          : undefined,
      value
    )
