/**
 * A statechart as a drawing: drawn once for each machine; after that only its highlights change.
 */
import type { ChartEdge, ChartNode, ChartView } from "../View.ts"
import { button, h, svg } from "./dom.ts"

/** A drawn chart. */
export interface Drawing {
  readonly element: HTMLElement
  /** Highlights the active states and the transitions that were just taken. */
  readonly light: (active: ReadonlyArray<string>, taken: ReadonlyArray<string>) => void
}

/** The smallest scale at which states are readable: a chart that does not fit at it is scrolled. */
const smallest = 0.55

/** Draws a chart. */
export const draw = (name: string, chart: ChartView): Drawing => {
  const states = chart.nodes.toSorted((a, b) => a.depth - b.depth)
  const picture = svg(
    "svg",
    {
      class: "chart",
      viewBox: `0 0 ${chart.width} ${chart.height}`,
      width: chart.width,
      height: chart.height,
      role: "img",
      "aria-label": `Statechart of ${name}`
    },
    svg("defs", {}, arrow("arrow"), arrow("arrow-taken")),
    ...states.map(stateOf),
    ...chart.edges.map(edgeOf)
  )
  picture.style.minWidth = `${chart.width * smallest}px`
  picture.style.minHeight = `${chart.height * smallest}px`
  picture.style.maxWidth = `${chart.width * 1.25}px`
  const frame = h("div", { class: "chart-frame fit", tabindex: 0, role: "group", "aria-label": "Statechart" }, picture)
  const toggle = () => fit.setAttribute("aria-pressed", String(frame.classList.toggle("fit")))
  const fit: HTMLButtonElement = button("quiet small", "Fit", toggle, { "aria-pressed": "true" })
  const always = (states[0]?.notes ?? []).map(({ id, lines }) => h("span", { "data-transition": id }, lines.join(" ")))
  const element = h(
    "div",
    "chart-box",
    frame,
    fit,
    always.length > 0 && h("p", "always", "in every state: ", ...always)
  )
  let centred: string | undefined
  return {
    element,
    light: (active, taken) => {
      mark(element, "data-id", active, "active")
      mark(element, "data-transition", taken, "taken")
      const leaves = active.filter((id) => !active.some((other) => other.startsWith(`${id}.`)))
      const first = leaves.at(-1)
      if (first !== undefined && first !== centred) centre(frame, picture, first)
      centred = first
      picture.setAttribute("aria-label", `Statechart of ${name}, active: ${leaves.join(", ")}`)
    }
  }
}

/** Brings a state into the middle of a chart that does not fit. */
const centre = (frame: HTMLElement, picture: Element, id: string): void => {
  const state = [...picture.querySelectorAll("[data-id]")].find((node) => node.getAttribute("data-id") === id)
  if (state === undefined || (frame.scrollWidth <= frame.clientWidth && frame.scrollHeight <= frame.clientHeight))
    return
  const place = state.getBoundingClientRect()
  const view = frame.getBoundingClientRect()
  frame.scrollLeft += place.left + place.width / 2 - view.left - view.width / 2
  frame.scrollTop += place.top + place.height / 2 - view.top - view.height / 2
}

const mark = (root: Element, key: string, wanted: ReadonlyArray<string>, name: string): void => {
  for (const element of root.querySelectorAll(`[${key}]`)) {
    element.classList.toggle(name, wanted.includes(element.getAttribute(key) ?? ""))
  }
}

const stateOf = (node: ChartNode): SVGElement => {
  const { x, y, width, height } = node
  if (node.kind === "initial") {
    return svg("circle", { class: "initial", cx: x + width / 2, cy: y + height / 2, r: width / 2 })
  }
  if (node.depth === 0) return svg("g", { class: "node machine", "data-id": node.id })
  return svg(
    "g",
    { class: `node ${node.kind} depth-${Math.min(node.depth, 4)}`, "data-id": node.id },
    svg("title", {}, node.description === undefined ? node.id : `${node.id}\n${node.description}`),
    svg("rect", { x, y, width, height, rx: 7 }),
    node.kind === "final" &&
      svg("rect", { class: "inner", x: x + 3, y: y + 3, width: width - 6, height: height - 6, rx: 5 }),
    svg("text", { class: "title", x: x + 10, y: y + 20 }, node.label),
    node.kind === "parallel" &&
      svg("text", { class: "kind", x: x + width - 10, y: y + 20, "text-anchor": "end" }, "parallel"),
    ...node.notes
      .flatMap(({ id, lines }) => lines.map((line) => [id, line] as const))
      .map(([id, line], index) =>
        svg("text", { class: "note", "data-transition": id, x: x + 10, y: y + 35 + index * 13 }, line)
      )
  )
}

const edgeOf = (edge: ChartEdge): SVGElement => {
  const [first, ...rest] = edge.points
  const line = first === undefined ? "" : `M${first.join(",")}${rest.map((point) => `L${point.join(",")}`).join("")}`
  const { id, label, lines } = edge
  const textOf = ({ x, y, width }: NonNullable<ChartEdge["label"]>, text: string, index: number) => {
    const place = { x: x + width / 2, y: y + 10 + index * 13, "text-anchor": "middle" }
    return svg("text", { class: index === 0 ? "event" : "extra", ...place }, text)
  }
  const texts = label === undefined ? [] : lines.map((text, index) => textOf(label, text, index))
  return svg("g", { class: "edge", "data-transition": id }, svg("path", { d: line }), ...texts)
}

const arrow = (id: string): SVGElement =>
  svg(
    "marker",
    { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" },
    svg("path", { d: "M0,0.8L7.4,4L0,7.2z" })
  )
