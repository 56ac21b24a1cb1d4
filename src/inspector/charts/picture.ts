/**
 * The picture of a statechart as data: the page makes elements of it, and the command line a file.
 */
import type { ChartEdge, ChartNode, ChartView } from "../View.ts"

/** An element of a picture. */
export interface Shape {
  readonly tag: "svg" | "style" | "defs" | "marker" | "g" | "rect" | "circle" | "path" | "text" | "title"
  readonly attributes: Readonly<Record<string, string | number>>
  readonly children: ReadonlyArray<Shape | string>
}

/** The picture of a chart, with nothing highlighted: `data-id` and `data-transition` say what each part shows. */
export const pictureOf = (name: string, chart: ChartView): Shape =>
  shape(
    "svg",
    {
      class: "chart",
      viewBox: `0 0 ${chart.width} ${chart.height}`,
      width: chart.width,
      height: chart.height,
      role: "img",
      "aria-label": `Statechart of ${name}`
    },
    shape("defs", {}, arrow("arrow"), arrow("arrow-taken")),
    ...chart.nodes.toSorted((a, b) => a.depth - b.depth).map(stateOf),
    ...chart.edges.map(edgeOf)
  )

const shape = (
  tag: Shape["tag"],
  attributes: Shape["attributes"],
  ...children: ReadonlyArray<Shape | string | false>
): Shape => ({ tag, attributes, children: children.filter((child) => child !== false) })

const stateOf = (node: ChartNode): Shape => {
  const { x, y, width, height } = node
  if (node.kind === "initial") {
    return shape("circle", { class: "initial", cx: x + width / 2, cy: y + height / 2, r: width / 2 })
  }
  if (node.depth === 0) return shape("g", { class: "node machine", "data-id": node.id })
  return shape(
    "g",
    { class: `node ${node.kind} depth-${Math.min(node.depth, 4)}`, "data-id": node.id },
    shape("title", {}, node.description === undefined ? node.id : `${node.id}\n${node.description}`),
    shape("rect", { x, y, width, height, rx: 7 }),
    node.kind === "final" &&
      shape("rect", { class: "inner", x: x + 3, y: y + 3, width: width - 6, height: height - 6, rx: 5 }),
    shape("text", { class: "title", x: x + 10, y: y + 20 }, node.label),
    node.kind === "parallel" &&
      shape("text", { class: "kind", x: x + width - 10, y: y + 20, "text-anchor": "end" }, "parallel"),
    ...node.notes
      .flatMap(({ id, lines, timer }) => lines.map((line) => [id, line, timer] as const))
      .map(([id, line, timer], index) => {
        const place = { x: x + 10, y: y + 35 + index * 13 }
        return timer === undefined
          ? shape("text", { class: "note", "data-transition": id, ...place }, line)
          : shape("text", { class: "note due", "data-timer": timer, ...place })
      })
  )
}

const edgeOf = (edge: ChartEdge): Shape => {
  const [first, ...rest] = edge.points
  const line = first === undefined ? "" : `M${first.join(",")}${rest.map((point) => `L${point.join(",")}`).join("")}`
  const { id, label, lines } = edge
  const textOf = ({ x, y, width }: NonNullable<ChartEdge["label"]>, text: string, index: number) => {
    const place = { x: x + width / 2, y: y + 10 + index * 13, "text-anchor": "middle" }
    return shape("text", { class: index === 0 ? "event" : "extra", ...place }, text)
  }
  const texts = label === undefined ? [] : lines.map((text, index) => textOf(label, text, index))
  return shape("g", { class: "edge", "data-transition": id }, shape("path", { d: line }), ...texts)
}

const arrow = (id: string): Shape =>
  shape(
    "marker",
    { id, viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto-start-reverse" },
    shape("path", { d: "M0,0.8L7.4,4L0,7.2z" })
  )
