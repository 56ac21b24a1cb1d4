/**
 * The chart of a machine as an SVG file: the picture of the page, with its colours in it, for light and dark.
 */
import * as Effect from "effect/Effect"
import type { AnyStateMachine } from "xstate"
import { harmlessBlock } from "../text.ts"
import { chartOf } from "./layout.ts"
import type { Shape } from "./picture.ts"
import { pictureOf } from "./picture.ts"

/** Draws a machine with its active states highlighted. */
export const svgOf = (machine: AnyStateMachine, active: ReadonlyArray<string> = []): Effect.Effect<string> =>
  Effect.map(chartOf(machine), (chart) => {
    const { attributes, children, ...picture } = pictureOf(machine.id, chart)
    const style: Shape = { tag: "style", attributes: {}, children: [colours] }
    const file = { ...attributes, xmlns: "http://www.w3.org/2000/svg" }
    return textOf({ ...picture, attributes: file, children: [style, ...children] }, new Set(active))
  })

const textOf = ({ tag, attributes, children }: Shape, active: ReadonlySet<string>): string => {
  const isActive = active.has(String(attributes["data-id"]))
  const written = Object.entries(attributes).map(
    ([name, value]) => ` ${name}="${escaped(isActive && name === "class" ? `${value} active` : String(value))}"`
  )
  const inner = children.map((child) => {
    if (typeof child !== "string") return textOf(child, active)
    return tag === "style" ? child : escaped(child)
  })
  return `<${tag}${written.join("")}>${inner.join("")}</${tag}>`
}

const escaped = (text: string): string => harmlessBlock(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`)

/** As in the style sheet of the page. */
const colours = `
.chart { --back: #ffffff; --raised: #f8f9fb; --chosen: #e2ebfd; --line: #b9c3d2; --text: #1a2230; --muted: #54607a; --accent: #1f52c4; background: var(--back) }
@media (prefers-color-scheme: dark) {
  .chart { --back: #161c25; --raised: #1c2430; --chosen: #22345a; --line: #435066; --text: #e3e8f0; --muted: #9ba7ba; --accent: #86adff }
}
.chart text { fill: var(--text); font: 10.5px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace }
.chart .title { font: 600 13px system-ui, "DejaVu Sans", sans-serif }
.chart :is(.kind, .note, .extra) { fill: var(--muted) }
.chart rect { fill: var(--back); stroke: var(--line) }
.chart :is(.compound, .parallel) rect { fill: var(--raised) }
.chart :is(.parallel, .depth-2.compound) rect { stroke-dasharray: 5 4 }
.chart .active rect { stroke: var(--accent); stroke-dasharray: none; stroke-width: 1.6 }
.chart .active:is(.atomic, .final) rect { fill: var(--chosen); stroke-width: 2.4 }
.chart rect.inner { fill: none }
.chart .active .title { fill: var(--accent) }
.chart :is(.initial, marker path) { fill: var(--line) }
.chart .edge path { fill: none; stroke: var(--line); stroke-width: 1.2; marker-end: url("#arrow") }
`
