/**
 * What the processes of one tree said to each other and to others, as a sequence diagram.
 */
import type { MessagesView, MessageView } from "../View.ts"
import { get, sentenceOf } from "./connection.ts"
import { button, fill, h, notice, svg } from "./dom.ts"
import { timeOf } from "./text.ts"

/** Distances of the diagram. Units: pixels. */
const size = { column: 190, row: 30, top: 46, character: 6.3 }

/** Opens the diagram of the tree that a process belongs to. */
export const openMessages = (id: string): void => {
  const holder = h("div", "messages-body", notice("loading", "Reading the tree…"))
  const close = button("", "Close", () => dialog.close())
  const dialog: HTMLDialogElement = h(
    "dialog",
    { class: "messages", "aria-labelledby": "messages-title" },
    h("div", "panel-head", h("h2", { id: "messages-title" }, "Messages"), close),
    holder
  )
  dialog.addEventListener("close", () => dialog.remove())
  document.body.append(dialog)
  dialog.showModal()
  get<MessagesView>("messages", { id }).then(
    (view) =>
      fill(
        holder,
        !view.complete && h("p", "muted", "The tree is larger: its first processes and events are shown."),
        h("div", { class: "messages-picture", tabindex: 0, role: "group", "aria-label": "Diagram" }, diagram(view)),
        h("details", {}, h("summary", {}, "As Mermaid"), h("pre", { tabindex: 0 }, view.mermaid))
      ),
    (error: unknown) => fill(holder, notice("error", "The messages cannot be shown", sentenceOf(error)))
  )
}

const diagram = ({ participants, messages }: MessagesView): SVGElement => {
  const isAsked = messages.some(({ from, to }) => from === null || to === null)
  const ids = [...(isAsked ? [null] : []), ...participants.map(({ process_id: id }) => id)]
  const xOf = (id: string | null): number => (ids.indexOf(id) + 0.5) * size.column
  const width = ids.length * size.column
  const height = size.top + (messages.length + 1) * size.row
  return svg(
    "svg",
    {
      class: "sequence",
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": `Messages between ${participants.length} processes`
    },
    svg("defs", {}, head("said")),
    ...ids.flatMap((id) => lifeline(id, xOf(id), height, participants[0]?.process_id ?? "")),
    ...messages.map((message, index) => arrow(message, xOf, size.top + (index + 1) * size.row))
  )
}

const lifeline = (id: string | null, x: number, height: number, top: string): ReadonlyArray<SVGElement> => {
  // A child's id begins with its parent's.
  const name = id === null ? "outside" : id !== top && id.startsWith(`${top}/`) ? id.slice(top.length) : id
  const most = Math.floor((size.column - 26) / size.character)
  const shown = name.length > most ? `…${name.slice(1 - most)}` : name
  return [
    svg("line", { class: "lifeline", x1: x, x2: x, y1: 32, y2: height }),
    svg(
      "g",
      { class: id === null ? "participant outside" : "participant" },
      svg("title", {}, id ?? "What no process of this tree sent"),
      svg("rect", { x: x - size.column / 2 + 6, y: 6, width: size.column - 12, height: 26, rx: 7 }),
      svg("text", { x, y: 23, "text-anchor": "middle" }, shown)
    )
  ]
}

const arrow = (message: MessageView, xOf: (id: string | null) => number, y: number): SVGElement => {
  const { kind, from, to, text, at_ms: at, problem, sequence } = message
  const [start, end] = [xOf(from), xOf(to)]
  const middle = start === end ? start + 34 : (start + end) / 2
  const line = start === end ? `M${start},${y - 6}h24v8h-21` : `M${start},${y}H${end > start ? end - 3 : end + 3}`
  const title = [
    `${timeOf(at)}${sequence === undefined ? "" : `, event #${sequence}`}`,
    ...(problem === undefined ? [] : [problem])
  ]
  return svg(
    "g",
    { class: `said said-${problem === undefined ? kind : "refused"}` },
    svg("title", {}, title.join("\n")),
    svg("path", { d: line }),
    svg(
      "text",
      { x: middle, y: start === end ? y + 2 : y - 5, "text-anchor": start === end ? "start" : "middle" },
      text
    )
  )
}

const head = (id: string): SVGElement =>
  svg(
    "marker",
    { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
    svg("path", { d: "M0,0.8L7.4,4L0,7.2z" })
  )
