/**
 * The lines of the list: only those in view have an element, and a process keeps its element while it is in view.
 *
 * Otherwise a click could be lost: the button is pressed on one repaint and released on a later one.
 */
import type { RowView } from "../View.ts"
import { fill, h } from "./dom.ts"
import { ageOf } from "./text.ts"

/** How high one line is. Units: pixels. The style sheet has the same height. */
export const lineHeight = 50

/** How many lines beyond either edge of the view exist as well. */
const beyond = 4

/** The lines in view. */
export interface Lines {
  /** Holds the lines; as high as all of them would be. */
  readonly element: HTMLElement
  /** Shows the rows that are in view of the box; returns the index of the selected one if it is among them. */
  readonly show: (rows: ReadonlyArray<RowView>, box: HTMLElement, selected: string | undefined) => number | undefined
}

interface Line {
  readonly element: HTMLElement
  row: RowView
  age: string
}

/** Makes the lines; a click on one calls `open`. */
export const makeLines = (open: (id: string) => void): Lines => {
  const element = h("div", { class: "lines", role: "presentation" })
  const shown = new Map<string, Line>()

  const lineOf = (row: RowView): Line => {
    const age = ageOf(row.updated_at_ms)
    const known = shown.get(row.process_id)
    if (known?.row === row && known.age === age) return known
    const line = known ?? { element: emptyLine(row.process_id, open), row, age }
    line.row = row
    line.age = age
    line.element.className = `line ${row.state}`
    fill(line.element, ...contentOf(row, age))
    shown.set(row.process_id, line)
    return line
  }

  return {
    element,
    show: (rows, box, selected) => {
      const first = Math.max(0, Math.floor(box.scrollTop / lineHeight) - beyond)
      const last = Math.min(rows.length, Math.ceil((box.scrollTop + box.clientHeight) / lineHeight) + beyond)
      element.style.height = `${rows.length * lineHeight}px`
      const inView = rows.slice(first, last)
      const wanted = new Set(inView.map(({ process_id: id }) => id))
      for (const id of shown.keys()) if (!wanted.has(id)) shown.delete(id)
      const lines = inView.map((row, index) => {
        const line = lineOf(row).element
        line.style.top = `${(first + index) * lineHeight}px`
        line.id = `line-${first + index}`
        line.setAttribute("aria-selected", String(row.process_id === selected))
        return line
      })
      arrange(element, lines)
      const at = inView.findIndex((row) => row.process_id === selected)
      return at < 0 ? undefined : first + at
    }
  }
}

const emptyLine = (id: string, open: (id: string) => void): HTMLElement =>
  h("div", { role: "option", "data-process": id, onclick: () => open(id) })

const contentOf = (row: RowView, age: string): ReadonlyArray<HTMLElement> => [
  h("span", { class: `dot ${row.state}${row.active ? " active" : ""}`, title: row.state }),
  h("span", { class: "line-id", title: row.process_id }, ...nameOf(row.process_id)),
  h("span", "line-age", age),
  h("span", "line-what", `${row.state} · ${row.label ?? row.kind}`),
  h(
    "span",
    "line-marks",
    row.waits.length > 0 && h("span", "mark wait", `waits: ${row.waits.join(", ")}`),
    row.cancel_requested && row.state === "running" && h("span", "mark", "cancel requested"),
    row.abandon_requested && row.state === "running" && h("span", "mark", "abandon requested"),
    row.problem !== undefined && h("span", { class: "mark bad", title: row.problem }, row.problem)
  )
]

/** The id of a child begins with that of its parent: in a narrow list only that part is cut. */
const nameOf = (id: string): ReadonlyArray<HTMLElement> => {
  const cut = id.lastIndexOf("/")
  if (cut < 1) return [h("span", {}, id)]
  const parent = h("span", "line-parent", h("bdi", { dir: "ltr" }, id.slice(0, cut)))
  return [parent, h("span", "line-own", id.slice(cut))]
}

/** Makes an element hold exactly these children, in this order, without removing one that stays. */
const arrange = (parent: Element, children: ReadonlyArray<Element>): void => {
  const wanted = new Set(children)
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove()
  let at = parent.firstElementChild
  for (const child of children) {
    if (child === at) at = at.nextElementSibling
    else parent.insertBefore(child, at)
  }
}
