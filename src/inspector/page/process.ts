/**
 * One process: its chart, its log, its facts; in the present or after any of its events.
 */

import { valueText } from "../text.ts"
import type { EventsView, EventView, HostView, MachineView, MomentView, PartView, ProcessView } from "../View.ts"
import { openAbandon, openCancel, openSignal, takesActions } from "./actions.ts"
import type { Drawing } from "./chart.ts"
import { draw } from "./chart.ts"
import { get, Refused, sentenceOf } from "./connection.ts"
import { makeCopy } from "./copy.ts"
import { button, fill, h, notice, pill, say } from "./dom.ts"
import { factPanels } from "./facts.ts"
import { openMessages } from "./messages.ts"
import { makeRevisions, restPanels } from "./rest.ts"
import { setClock } from "./text.ts"
import type { TextOf } from "./timeline.ts"
import { makeTimeline } from "./timeline.ts"

/** How many events are loaded at once. */
const pageSize = 200

/** How many events are kept while new ones arrive, beside those that were loaded by hand. */
const keptEvents = 1_000

/** The shortest time between two reads of a process that changes continuously. Units: milliseconds. */
const pauseMs = 100

/** The host folds a log for its last transition only if the log is no longer than this. Units: events. */
const cheapFold = 2_000

/** The same while the process is busy: its last two events came less than `busyMs` apart. Units: events, milliseconds. */
const cheapBusyFold = 200
const busyMs = 500

/** A process on the page. */
export interface ProcessPanel {
  readonly element: HTMLElement
  /** Reads it again; calls during a read cause one more. */
  readonly refresh: () => void
  /** Reads it again because it has changed, with a pause between two reads. */
  readonly changed: () => void
  /** Goes to an event; `undefined` is the present. */
  readonly goTo: (sequence: number | undefined) => void
  readonly step: (by: number) => void
}

/** Shows a process; `onMoment` gets the event that a person chooses. */
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
  let textOf = eventTexts({})
  let isReading = false
  let isAskedAgain = false
  let kept = keptEvents
  let readAtMs = 0
  let changedAtMs = Number.NEGATIVE_INFINITY
  let changedBeforeMs = Number.NEGATIVE_INFINITY
  let isReadSoon = false

  const title = h("div", "title", h("h2", "mono", id))
  const why = makeWhy(id)
  const past = h("p", { class: "past", role: "status", hidden: true })
  const chart = h("div", "panel chart-panel", notice("loading", "Drawing the statechart…"))
  const facts = h("div", "facts", notice("loading", "Reading the process…"))
  const loadEarlier = (): void => {
    const first = events[0]?.sequence ?? 1
    const after = Math.max(0, first - 1 - pageSize)
    get<EventsView>("events", { id, after, limit: first - 1 - after }).then((page) => {
      events = [...page.events, ...events]
      kept += page.events.length
      paint()
    }, fail)
  }
  const timeline = makeTimeline({ choose: onMoment, loadEarlier })
  const revisions = makeRevisions(onMoment, loadEarlier)
  const copy = makeCopy(() => paint())
  const action = (label: string, open: (known: ProcessView) => void) =>
    button("small", label, () => view !== undefined && open(view), { disabled: true })
  const signal = action("Signal…", (known) => openSignal(known, () => refresh()))
  const messages = button("small", "Messages", () => openMessages(id))
  const cancel = action("Cancel…", () => openCancel(id, () => refresh()))
  const abandon = action("Abandon…", () => openAbandon(id, () => refresh()))

  const middle = h("div", "middle", past, revisions.element, chart, timeline.element)
  const body = h("div", "process-body", middle, facts)
  const element = h(
    "article",
    { class: "process", "aria-label": `Process ${id}` },
    h("div", "head", title, h("div", "actions", messages, signal, cancel, abandon), why.element),
    body
  )

  const readLog = async (known: ProcessView): Promise<void> => {
    const last = events.at(-1)?.sequence
    const page = await get<EventsView>("events", { id, after: last, limit: last === undefined ? pageSize : 1_000 })
    events = last === undefined ? page.events : [...events, ...page.events].slice(-kept)
    // More than a page behind: begin with the newest ones again.
    if ((events.at(-1)?.sequence ?? 0) < known.row.sequence) {
      events = (await get<EventsView>("events", { id, limit: pageSize })).events
    }
  }

  const readMoment = async (known: ProcessView): Promise<void> => {
    const sequence = at ?? known.row.sequence
    const isBusy = changedAtMs - changedBeforeMs < busyMs && performance.now() - changedAtMs < busyMs
    if (at === undefined && sequence > (isBusy ? cheapBusyFold : cheapFold)) moment = undefined
    else if (moment?.sequence !== sequence) moment = await get<MomentView>("state", { id, sequence })
  }

  const read = async (): Promise<void> => {
    const known = await get<ProcessView>("process", { id })
    setClock(known.now_ms)
    await Promise.all([readLog(known), readMoment(known)])
    view = known
    // The first chart of a host takes a moment: the rest is shown meanwhile.
    paint()
    if (machine !== known.machine) {
      const drawn = await get<MachineView>("machine", { id: known.machine })
      machine = known.machine
      drawing = draw(drawn.id, drawn.chart)
      textOf = eventTexts(drawn.words)
      fill(chart, drawing.element)
      paint()
    }
    why.show(await get<PartView>("explain", { id }).catch((): PartView => ({ available: false })))
  }

  const paint = (): void => {
    if (view === undefined) return
    // A failure replaced the parts by a sentence.
    if (!body.contains(facts)) fill(body, middle, facts)
    const { row, signals } = view
    const isPast = at !== undefined
    fill(
      title,
      h("h2", { class: "mono", title: id }, id),
      pill(row.state),
      h("span", "muted", row.label === undefined ? row.kind : `${row.label} · ${row.kind}`)
    )
    const isReadOnly = !takesActions(host())
    const hasEnded = row.state !== "running"
    const hint = isReadOnly ? "This inspector is read-only" : hasEnded ? "The process has ended" : ""
    for (const each of [signal, cancel, abandon]) each.title = hint
    signal.disabled = isReadOnly || hasEnded || signals.length === 0
    cancel.disabled = isReadOnly || hasEnded
    abandon.disabled = isReadOnly || hasEnded || row.abandon_requested
    const rest = moment?.rest ?? (isPast ? undefined : view.rest)
    copy.update(view.machine, `${at ?? row.sequence}`, rest)
    const stepped = copy.shown()
    past.hidden = !isPast && stepped === undefined
    const where = isPast ? `As it was after event ${at} of ${row.sequence}. Press Esc for the present.` : ""
    past.textContent = stepped === undefined ? where : "A copy, stepped by hand: no process is there."
    const active = isPast ? (moment?.active ?? []) : view.active
    const timers = stepped === undefined ? (rest?.timers ?? []) : []
    drawing?.light(stepped?.active ?? active, stepped?.taken ?? moment?.taken ?? [], timers)
    const open = openDetails(facts)
    const known = view
    const send = signal.disabled || isPast ? undefined : (event: string) => openSignal(known, () => refresh(), event)
    fill(
      facts,
      ...(rest === undefined ? [] : [...restPanels(rest, isPast, send), copy.element]),
      ...factPanels(view, moment, isPast)
    )
    restoreDetails(facts, open)
    timeline.update(events, row.sequence, at, textOf)
    revisions.update(view, events, at, rest)
  }

  const fail = (error: unknown): void => {
    // The last state stays on the page while the host is away: the header says that the page is disconnected.
    if (error instanceof Refused && error.tag === "Unreachable" && view !== undefined) return
    fill(body, notice("error", "This process cannot be shown", sentenceOf(error)))
  }

  const refresh = (): void => {
    if (isReading) {
      isAskedAgain = true
      return
    }
    isReading = true
    readAtMs = performance.now()
    read()
      .catch(fail)
      .finally(() => {
        isReading = false
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
        readAtMs + pauseMs - changedAtMs
      )
    },
    goTo: (sequence) => {
      at = sequence
      refresh()
    },
    step: timeline.step
  }
}

/** What the events of a machine say, with words for those that XState makes. */
const eventTexts =
  (words: MachineView["words"]): TextOf =>
  ({ event_type: type, payload }) => {
    const { event, from, to, timer } = Object(payload) as Readonly<Record<string, unknown>> // redacted, it may be anything
    const { type: name } = Object(event) as { readonly type?: unknown }
    if (typeof name !== "string" || !type.startsWith("machine.")) return undefined
    const said = words[name] ?? name
    if (type !== "machine.transitioned") return timer === undefined ? said : `${said}, a timer`
    const places = [...new Set([from, to].map(valueText))].filter((place) => place !== "")
    return `${said}: ${places.join(" → ")}`
  }

/** The parts that a person opened: a repaint opens them again. */
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

/** Makes a place for explanations of a process; a new explanation does not close it. */
const makeWhy = (id: string) => {
  const sentence = h("span", "why-sentence")
  const more = h("span", "why-more", "all of it")
  const rest = h("pre", { tabindex: 0, "aria-label": "The whole explanation" })
  const element = h("details", { class: "why", hidden: true }, h("summary", {}, sentence, " ", more), rest)
  return {
    element,
    show: (explained: PartView): void => {
      const [first = "", ...others] = explained.available ? textOf(explained.value).split("\n") : []
      // The heading above already shows the id.
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
