/**
 * One process: its chart, its log, its facts; at present or at any of its events.
 */
import type { EventsView, EventView, HostView, MachineView, MomentView, PartView, ProcessView } from "../View.ts"
import { openAbandon, openCancel, openSignal } from "./actions.ts"
import { get, Refused, sentenceOf } from "./api.ts"
import type { Drawing } from "./chart.ts"
import { draw } from "./chart.ts"
import { fill, h, notice, pill, say } from "./dom.ts"
import { factPanels } from "./facts.ts"
import { setClock } from "./text.ts"
import { makeTimeline } from "./timeline.ts"

/** How many events are loaded at once. */
const pageSize = 200

/** How many events are kept while new ones come in; those that are loaded by hand are kept beside them. */
const keptEvents = 1_000

/** The shortest time between two readings of what changes all the time. Units: milliseconds. */
const restMs = 100

/** Logs longer than this are not folded for the last transition alone: that is asked for only by hand. */
const cheapFold = 2_000

/** And those longer than this not while event follows on event, no further apart than that. Units: events, milliseconds. */
const cheapestFold = 200
const restlessMs = 500

/** A process on the page. */
export interface ProcessPanel {
  readonly element: HTMLElement
  /** Reads it again, soon; calls that come in the meantime are one. */
  readonly refresh: () => void
  /** Says that it has changed: it is read again, though not again and again. */
  readonly changed: () => void
  /** Goes to an event, or with nothing to the present. */
  readonly goTo: (sequence: number | undefined) => void
  readonly step: (by: number) => void
}

/** Shows a process; `onMoment` hears of the event that is chosen. */
export const makeProcess = (
  id: string,
  host: () => HostView | undefined,
  onMoment: (sequence: number | undefined) => void
): ProcessPanel => {
  let view: ProcessView | undefined
  let events: ReadonlyArray<EventView> = []
  let at: number | undefined
  let moment: MomentView | undefined
  let drawing: Drawing | undefined
  let machine: string | undefined
  let isBusy = false
  let isAskedAgain = false
  let kept = keptEvents
  let readAtMs = 0
  let changedAtMs = Number.NEGATIVE_INFINITY
  let changedBeforeMs = Number.NEGATIVE_INFINITY
  let isReadSoon = false

  const title = h("div", { class: "title" }, h("h2", { class: "mono" }, id))
  const why = makeWhy(id)
  const past = h("p", { class: "past", role: "status", hidden: true })
  const chart = h("div", { class: "panel chart-panel" }, notice("loading", "Drawing the statechart…"))
  const facts = h("div", { class: "facts" }, notice("loading", "Reading the process…"))
  const timeline = makeTimeline({
    choose: (sequence) => onMoment(sequence),
    loadEarlier: () => {
      const first = events[0]?.sequence ?? 1
      const after = Math.max(0, first - 1 - pageSize)
      get<EventsView>("events", { id, after, limit: first - 1 - after }).then(
        (page) => {
          events = [...page.events, ...events]
          kept += page.events.length
          paint()
        },
        (error: unknown) => fail(error)
      )
    }
  })
  const action = (label: string, open: (known: ProcessView) => void) =>
    h(
      "button",
      { type: "button", class: "small", disabled: true, onclick: () => view !== undefined && open(view) },
      label
    )
  const signal = action("Signal…", (known) => openSignal(known, () => refresh()))
  const cancel = action("Cancel…", () => openCancel(id, () => refresh()))
  const abandon = action("Abandon…", () => openAbandon(id, () => refresh()))

  const middle = h("div", { class: "middle" }, past, chart, timeline.element)
  const body = h("div", { class: "process-body" }, middle, facts)
  const element = h(
    "article",
    { class: "process", "aria-label": `Process ${id}` },
    h("div", { class: "head" }, title, h("div", { class: "actions" }, signal, cancel, abandon), why.element),
    body
  )

  const readLog = async (known: ProcessView): Promise<void> => {
    const last = events.at(-1)?.sequence
    const page = await get<EventsView>(
      "events",
      last === undefined ? { id, limit: pageSize } : { id, after: last, limit: 1_000 }
    )
    events = last === undefined ? page.events : [...events, ...page.events].slice(-kept)
    // More than a page behind: begin with the newest ones again.
    if ((events.at(-1)?.sequence ?? 0) < known.row.sequence) {
      events = (await get<EventsView>("events", { id, limit: pageSize })).events
    }
  }

  const readMoment = async (known: ProcessView): Promise<void> => {
    const sequence = at ?? known.row.sequence
    const isRestless = changedAtMs - changedBeforeMs < restlessMs && performance.now() - changedAtMs < restlessMs
    if (at === undefined && sequence > (isRestless ? cheapestFold : cheapFold)) moment = undefined
    else if (moment?.sequence !== sequence) moment = await get<MomentView>("state", { id, sequence })
  }

  const read = async (): Promise<void> => {
    const known = await get<ProcessView>("process", { id })
    setClock(known.now_ms)
    await Promise.all([readLog(known), readMoment(known)])
    view = known
    // The first chart of a host takes a moment: everything else is shown meanwhile.
    paint()
    if (machine !== known.machine) {
      const drawn = await get<MachineView>("machine", { id: known.machine })
      machine = known.machine
      drawing = draw(drawn.id, drawn.chart)
      fill(chart, drawing.element)
      paint()
    }
    why.show(await get<PartView>("explain", { id }).catch((): PartView => ({ available: false })))
  }

  const paint = (): void => {
    if (view === undefined) return
    // After a failure the parts were taken out.
    if (!body.contains(facts)) fill(body, middle, facts)
    const { row, signals } = view
    const isPast = at !== undefined
    fill(
      title,
      h("h2", { class: "mono", title: id }, id),
      pill(row.state),
      h("span", { class: "muted" }, row.label === undefined ? row.kind : `${row.label} · ${row.kind}`)
    )
    const hasActions = host()?.actions === true
    const hint = hasActions ? "" : "This inspector changes nothing"
    for (const button of [signal, cancel, abandon]) button.title = hint
    signal.disabled = !hasActions || signals.length === 0
    cancel.disabled = !hasActions || row.state !== "running"
    abandon.disabled = !hasActions || row.state !== "running" || row.abandon_requested
    past.hidden = !isPast
    past.textContent = isPast ? `As it was after event ${at} of ${row.sequence}. Press Esc for the present.` : ""
    element.classList.toggle("in-past", isPast)
    drawing?.light(isPast ? (moment?.active ?? []) : view.active, moment?.taken ?? [])
    const open = openDetails(facts)
    fill(facts, ...factPanels(view, moment, isPast))
    restoreDetails(facts, open)
    timeline.update(events, row.sequence, at)
  }

  const fail = (error: unknown): void => {
    // What is shown stays while the host is away: the top of the page says that it is.
    if (error instanceof Refused && error.tag === "Unreachable" && view !== undefined) return
    const sentence = sentenceOf(error)
    fill(body, notice("error", "This process cannot be shown", sentence))
  }

  const refresh = (): void => {
    if (isBusy) {
      isAskedAgain = true
      return
    }
    isBusy = true
    readAtMs = performance.now()
    read()
      .catch(fail)
      .finally(() => {
        isBusy = false
        if (!isAskedAgain) return
        isAskedAgain = false
        refresh()
      })
  }

  return {
    element,
    refresh,
    changed: () => {
      changedBeforeMs = changedAtMs
      changedAtMs = performance.now()
      if (isReadSoon) return
      isReadSoon = true
      setTimeout(
        () => {
          isReadSoon = false
          refresh()
        },
        readAtMs + restMs - changedAtMs
      )
    },
    goTo: (sequence) => {
      at = sequence
      refresh()
    },
    step: timeline.step
  }
}

/** Which foldable parts are open, so that a repaint does not close what somebody reads. */
const openDetails = (root: HTMLElement): ReadonlySet<string> =>
  new Set([...root.querySelectorAll("details[open]")].map(pathOf))

const restoreDetails = (root: HTMLElement, open: ReadonlySet<string>): void => {
  for (const details of root.querySelectorAll("details")) if (open.has(pathOf(details))) details.open = true
}

const pathOf = (details: Element): string => {
  const parts: Array<string> = []
  for (let element: Element | null = details; element !== null; element = element.parentElement) {
    if (element.tagName === "DETAILS")
      parts.unshift(element.querySelector("summary > .json-key, summary")?.textContent ?? "")
    if (element.tagName === "SECTION") parts.unshift(element.querySelector("h2")?.textContent ?? "")
  }
  return parts.join("/").replace(/ at event \d+/, "")
}

/** The explanation of one process. */
export interface WhyPanel {
  readonly element: HTMLElement
  readonly show: (explained: PartView) => void
}

/** Makes a place for explanations of a process. It stays open for whoever reads, whatever comes next. */
export const makeWhy = (id: string): WhyPanel => {
  const sentence = h("span", { class: "why-sentence" })
  const more = h("span", { class: "why-more" }, "all of it")
  const rest = h("pre", { tabindex: 0, "aria-label": "The whole explanation" })
  const element = h("details", { class: "why" }, h("summary", {}, sentence, " ", more), rest)
  element.hidden = true
  return {
    element,
    show: (explained) => {
      const [first = "", ...others] = explained.available ? textOf(explained.value).split("\n") : []
      // The heading above it has the id.
      say(sentence, first.startsWith(`${id}: `) ? first.slice(id.length + 2) : first)
      say(rest, others.join("\n"))
      more.hidden = others.length === 0
      element.hidden = first === ""
      element.classList.toggle("is-all", others.length === 0)
    }
  }
}

const textOf = (value: unknown): string => {
  const text = (value as { readonly text?: unknown } | null)?.text // an explanation has a text, or is shown as JSON
  return typeof text === "string" ? text : JSON.stringify(value)
}
