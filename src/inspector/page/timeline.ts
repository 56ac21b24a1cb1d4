/**
 * The log of a process as a timeline: a slider over all of it, and its events as a list. A chosen event shows the past.
 */

import { brief, countOf, spanOf } from "../text.ts"
import type { EventView } from "../View.ts"
import { button, fill, h, notice } from "./dom.ts"
import { timeOf } from "./text.ts"

/** A timeline. */
export interface Timeline {
  readonly element: HTMLElement
  /** Shows events of a log that ends at `last`; `at` is the chosen event, `undefined` the present. */
  readonly update: (events: ReadonlyArray<EventView>, last: number, at: number | undefined, textOf: TextOf) => void
  /** Moves by events; used by keys. */
  readonly step: (by: number) => void
}

/** What an event says; `undefined` shows its payload. Another function shows all events anew. */
export type TextOf = (event: EventView) => string | undefined

/** What a person asks of a timeline. */
export interface TimelineHandlers {
  /** An event was chosen; `undefined` is the present. */
  readonly choose: (sequence: number | undefined) => void
  readonly loadEarlier: () => void
}

/** Makes a timeline. */
export const makeTimeline = ({ choose, loadEarlier }: TimelineHandlers): Timeline => {
  let last = 0
  let chosen: number | undefined
  const lines = new Map<number, HTMLButtonElement>()
  let said: TextOf | undefined

  const go = (sequence: number): void => choose(Math.min(Math.max(sequence, 0), last))
  const step = (by: number): void => go((chosen ?? last) + by)

  const slider = h("input", {
    type: "range",
    min: 0,
    max: 0,
    step: 1,
    disabled: true,
    "aria-label": "Event of the log"
  })
  slider.addEventListener("input", () => go(Number(slider.value)))
  const where = h("output", "where")
  const live = button("small", "Present", () => choose(undefined), { id: "live", disabled: true })
  const earlier = button("quiet small", "Load earlier events", loadEarlier, { hidden: true })
  const stepper = (label: string, name: string, key: string, by: number) =>
    button("quiet small", label, () => step(by), { "aria-label": name, title: `${name}  ${key}` })
  const instead = h("div", {}, notice("loading", "Reading the log…"))
  const empty = notice("empty", "No event yet", "The process is registered and has not run.")
  const list = h("ol", { class: "events", "aria-label": "Events" })

  const lineOf = (event: EventView, before: EventView | undefined, text: string | undefined): HTMLButtonElement => {
    const { sequence, event_type: type, occurred_at_ms: atMs, payload } = event
    const line = button(`event ${familyOf(type)}`, "", () => go(sequence), { "data-sequence": sequence })
    line.append(
      h("span", "event-sequence", `#${sequence}`),
      h("span", "event-time", timeOf(atMs)),
      h("span", "event-gap", before === undefined ? "" : `+${spanOf(atMs - before.occurred_at_ms)}`),
      h("span", "event-type", type),
      h("span", "event-payload", text ?? brief(payload))
    )
    return line
  }

  const mark = (at: number | undefined): void => {
    for (const [sequence, line] of lines) {
      const isChosen = sequence === (at ?? last)
      if (isChosen) line.setAttribute("aria-current", "true")
      else line.removeAttribute("aria-current")
      line.classList.toggle("future", at !== undefined && sequence > at)
    }
  }

  return {
    element: h(
      "section",
      "panel timeline",
      h(
        "div",
        "panel-head",
        h("h2", {}, "Log"),
        where,
        stepper("‹", "Previous event", "[", -1),
        slider,
        stepper("›", "Next event", "]", 1),
        live
      ),
      list,
      instead,
      earlier
    ),
    step,
    update: (events, end, at, textOf) => {
      const wasAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 40
      const first = events[0]?.sequence ?? 0
      // Earlier events were loaded, or they say something else: the list is built again.
      if (lines.size > 0 && (!lines.has(first) || textOf !== said)) {
        lines.clear()
        list.replaceChildren()
      }
      said = textOf
      for (const [sequence, line] of lines) {
        if (sequence >= first) break
        line.parentElement?.remove()
        lines.delete(sequence)
      }
      fill(instead, events.length === 0 && empty)
      for (const [index, event] of events.entries()) {
        if (lines.has(event.sequence)) continue
        const line = lineOf(event, events[index - 1], textOf(event))
        lines.set(event.sequence, line)
        list.append(h("li", {}, line))
      }
      last = end
      chosen = at
      slider.max = String(end)
      slider.value = String(at ?? end)
      slider.disabled = end === 0
      slider.setAttribute("aria-valuetext", at === undefined ? `present, event ${end}` : `event ${at} of ${end}`)
      where.textContent = at === undefined ? `${countOf(end)} events` : `event ${countOf(at)} of ${countOf(end)}`
      live.disabled = at === undefined
      earlier.hidden = first <= 1
      mark(at)
      if (at === undefined && wasAtEnd) list.scrollTop = list.scrollHeight
      else if (at !== undefined) lines.get(at)?.scrollIntoView({ block: "nearest" })
    }
  }
}

/** What an event is about, for its colour. */
const familyOf = (type: string): string => {
  if (type.startsWith("signal.")) return "signal"
  if (/^process\.(completed|failed|cancelled|abandoned)$/.test(type)) return "end"
  return type.startsWith("process.") ? "lifecycle" : "noted"
}
