/**
 * A statechart as a drawing: drawn once for each machine; after that only its highlights change.
 */
import type { ChartView } from "../View.ts"
import { button, h, svg } from "./dom.ts"
import type { Shape } from "./picture.ts"
import { pictureOf } from "./picture.ts"
import { ageOf } from "./text.ts"

/** A drawn chart. */
export interface Drawing {
  readonly element: HTMLElement
  /** Highlights the active states and the transitions that were just taken, and shows when the timers of states are due. */
  readonly light: (
    active: ReadonlyArray<string>,
    taken: ReadonlyArray<string>,
    timers?: ReadonlyArray<{ readonly event: string; readonly at_ms: number }>
  ) => void
}

/** The smallest scale at which states are readable: a chart that does not fit at it is scrolled. */
const smallest = 0.55

/** Draws a chart. */
export const draw = (name: string, chart: ChartView): Drawing => {
  const picture = elementOf(pictureOf(name, chart))
  picture.style.minWidth = `${chart.width * smallest}px`
  picture.style.minHeight = `${chart.height * smallest}px`
  picture.style.maxWidth = `${chart.width * 1.25}px`
  const frame = h("div", { class: "chart-frame fit", tabindex: 0, role: "group", "aria-label": "Statechart" }, picture)
  const toggle = () => fit.setAttribute("aria-pressed", String(frame.classList.toggle("fit")))
  const fit: HTMLButtonElement = button("quiet small", "Fit", toggle, { "aria-pressed": "true" })
  const always = (chart.nodes.find(({ depth }) => depth === 0)?.notes ?? []).map(({ id, lines }) =>
    h("span", { "data-transition": id }, lines.join(" "))
  )
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
    light: (active, taken, timers = []) => {
      for (const text of picture.querySelectorAll("[data-timer]")) {
        const timer = timers.find(({ event }) => event === text.getAttribute("data-timer"))
        text.textContent = timer === undefined ? "" : `due ${ageOf(timer.at_ms)}`
      }
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

const elementOf = ({ tag, attributes, children }: Shape): SVGElement =>
  svg(tag, attributes, ...children.map((child) => (typeof child === "string" ? child : elementOf(child))))
