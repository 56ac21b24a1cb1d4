/**
 * A process's own machine beside its chart: the macrostep that led where it is, what it takes, its timers and its context.
 */

import { countOf } from "../text.ts"
import type { EffectView, EventView, ProcessView, RestView, TraceView, TransitionView } from "../View.ts"
import type { Child } from "./dom.ts"
import { button, h, panel, pill } from "./dom.ts"
import { processLink } from "./facts.ts"
import { jsonTree } from "./json.ts"
import { ageOf, timeAndAge, timeOf } from "./text.ts"

/** The panels of where a machine rests. `send` opens the form of an event; absent where nothing may be sent. */
export const restPanels = (
  rest: RestView,
  isPast: boolean,
  send: ((event: string) => void) | undefined
): ReadonlyArray<HTMLElement> => [
  ...(rest.transition === undefined ? [] : [transitionPanel(rest.transition)]),
  ...(isPast ? [] : [takesPanel(rest, send)]),
  ...(rest.timers.length > 0 ? [timersPanel(rest)] : []),
  panel("Context", jsonTree(rest.context, 2))
]

const transitionPanel = (transition: TransitionView): HTMLElement => {
  const { revision, version, event, from, to, handled, trace, changes, effects } = transition
  return h(
    "section",
    { class: "panel transition", "aria-label": "Transition" },
    h("h2", {}, `Revision ${revision}`),
    h("p", {}, h("b", {}, event), handled ? "" : h("span", "muted", " — no state takes it")),
    h("p", "mono", from === "" ? to : from === to ? to : `${from} → ${to}`),
    trace === null
      ? h("p", "muted", "The stored definition alone does not lead there: its path is not known.")
      : trace.length > 0 && traceList(trace),
    changes.length > 0 && h("h3", {}, "Context"),
    ...changes.map((change) =>
      h(
        "div",
        "change",
        h("code", {}, change.field),
        "before" in change && h("del", {}, jsonTree(change.before, 0)),
        "after" in change ? h("ins", {}, jsonTree(change.after, 0)) : h("span", "muted", "removed")
      )
    ),
    effects.length > 0 && h("h3", {}, "Asked for"),
    effects.length > 0 && h("ul", "effects", ...effects.map((effect) => h("li", {}, ...effectParts(effect)))),
    h("p", "muted small-print", `version ${version}, event #${transition.sequence} of the log`)
  )
}

/** The path of a macrostep. */
export const traceList = (trace: ReadonlyArray<TraceView>): HTMLElement =>
  h(
    "ol",
    { class: "trace", "aria-label": "Path" },
    ...trace.map(({ did, text }) => h("li", `trace-${did}`, h("span", "muted", words[did]), " ", text))
  )

const words: Readonly<Record<TraceView["did"], string>> = {
  leave: "leaves",
  take: "takes",
  enter: "enters",
  act: "action",
  arm: "arms",
  disarm: "ends the timer",
  start: "starts",
  stop: "stops",
  send: "sends"
}

const did: Readonly<Record<EffectView["did"], string>> = {
  act: "action",
  arm: "timer",
  disarm: "ended timer",
  start: "child",
  stop: "stopped",
  send: "message",
  emit: "emitted",
  log: "log"
}

const effectParts = (effect: EffectView): ReadonlyArray<Child> => [
  h("span", "muted", `${did[effect.did]} `),
  h("code", {}, effect.text),
  effect.performed !== undefined && h("span", "muted", effect.performed ? " performed" : " to be performed"),
  effect.at_ms !== undefined &&
    h("span", { class: "muted", title: timeOf(effect.at_ms) }, ` due ${ageOf(effect.at_ms)}`),
  effect.process_id !== undefined && h("span", {}, " ", processLink(effect.process_id)),
  effect.state !== undefined && h("span", {}, " ", pill(effect.state)),
  effect.problem !== undefined && h("p", "problem", effect.problem),
  effect.detail !== undefined && jsonTree(effect.detail, 1)
]

const takesPanel = ({ takes }: RestView, send: ((event: string) => void) | undefined): HTMLElement =>
  panel(
    "Takes",
    takes.length === 0
      ? h("p", "muted", "No event that is sent from outside.")
      : h(
          "div",
          "takes",
          ...takes.map(({ type }) =>
            button("small", `${type}…`, () => send?.(type), {
              disabled: send === undefined,
              title: send === undefined ? "This inspector is read-only, or the process has ended" : `Send ${type}`
            })
          )
        )
  )

const timersPanel = ({ timers }: RestView): HTMLElement =>
  panel(
    "Timers",
    h(
      "ul",
      "effects",
      ...timers.map(({ text, state, at_ms: at }) =>
        h(
          "li",
          {},
          h("code", {}, text),
          state !== undefined && h("span", "muted", ` of ${state.split(".").slice(1).join(".")}`),
          h("div", {}, timeAndAge(at))
        )
      )
    )
  )

/** A slider over the macrosteps of a machine. */
export interface Revisions {
  readonly element: HTMLElement
  /** Shows the macrosteps among the events that are loaded; `at` is the chosen event, `undefined` the present. */
  readonly update: (
    known: ProcessView,
    events: ReadonlyArray<EventView>,
    at: number | undefined,
    rest?: RestView
  ) => void
}

/** Makes the slider. `choose` gets the event of a macrostep; `earlier` loads events before the first one. */
export const makeRevisions = (choose: (sequence: number | undefined) => void, earlier: () => void): Revisions => {
  let steps: ReadonlyArray<number> = []
  let current = 0
  let isAtStart = true
  const go = (index: number): void => {
    const sequence = steps[Math.min(Math.max(index, 0), steps.length - 1)]
    if (index < 0 && !isAtStart) earlier()
    else if (sequence !== undefined) choose(sequence)
  }
  const slider = h("input", { type: "range", min: 0, max: 0, step: 1, "aria-label": "Revision of the machine" })
  slider.addEventListener("input", () => go(Number(slider.value)))
  const where = h("output", "where")
  const stepper = (label: string, name: string, by: number) =>
    button("quiet small", label, () => go(current + by), { "aria-label": name, title: name })
  const back = stepper("‹", "Previous revision", -1)
  const on = stepper("›", "Next revision", 1)
  const element = h(
    "section",
    { class: "panel panel-head revisions", hidden: true },
    h("h2", {}, "Revisions"),
    where,
    back,
    slider,
    on
  )
  return {
    element,
    update: ({ machine }, events, at, rest) => {
      steps = events.flatMap(({ event_type: type, sequence }) => (type === "machine.transitioned" ? [sequence] : []))
      element.hidden = rest === undefined || machine === "process"
      isAtStart = (events[0]?.sequence ?? 1) <= 1
      const until = steps.filter((sequence) => at === undefined || sequence <= at)
      current = until.length - 1
      slider.max = String(Math.max(0, steps.length - 1))
      slider.value = String(current)
      back.disabled = current <= 0 && isAtStart
      on.disabled = current >= steps.length - 1
      const { transition } = rest ?? {}
      where.textContent =
        transition === undefined
          ? `${countOf(current + 1)} of ${countOf(steps.length)} loaded`
          : `${countOf(transition.revision)}: ${transition.event}`
      slider.setAttribute("aria-valuetext", where.textContent)
    }
  }
}
