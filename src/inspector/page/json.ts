/**
 * JSON as a tree that opens and closes.
 */
import { h } from "./dom.ts"
import { brief } from "./text.ts"

/** A value as a tree; objects are open down to `open` levels. */
export const jsonTree = (value: unknown, open = 1): HTMLElement => h("div", { class: "json" }, treeOf(value, open))

const treeOf = (value: unknown, open: number): HTMLElement => {
  if (typeof value !== "object" || value === null) {
    return h("span", { class: `json-${value === null ? "null" : typeof value}` }, JSON.stringify(value) ?? "undefined")
  }
  const entries = Object.entries(value)
  if (entries.length === 0) return h("span", { class: "json-null" }, Array.isArray(value) ? "[]" : "{}")
  return h("ul", {}, ...entries.map(([name, inner]) => entryOf(name, inner, open - 1)))
}

const entryOf = (name: string, value: unknown, open: number): HTMLElement => {
  const isNested = typeof value === "object" && value !== null && Object.keys(value).length > 0
  if (!isNested) return h("li", {}, h("span", { class: "json-key" }, name), " ", treeOf(value, 0))
  return h(
    "li",
    {},
    h(
      "details",
      { open: open > 0 },
      h(
        "summary",
        {},
        h("span", { class: "json-key" }, name),
        " ",
        h("span", { class: "json-brief" }, brief(value, 60))
      ),
      treeOf(value, open)
    )
  )
}
