/**
 * The machines of the library: their charts, and stepping them by hand. Nothing here touches a process.
 */
import type { MachineLine, MachineView, StepView } from "../View.ts"
import { get, post, sentenceOf } from "./api.ts"
import { draw } from "./chart.ts"
import { fill, h, notice, panel, say } from "./dom.ts"
import { jsonField } from "./form.ts"
import { jsonTree } from "./json.ts"

/** Shows all machines, one of them open. */
export const makeMachines = (wanted: string | undefined): HTMLElement => {
  const element = h("div", { class: "machines" }, notice("loading", "Reading the machines…"))
  const read = async (): Promise<void> => {
    const all = await get<ReadonlyArray<MachineLine>>("machines")
    const chosen = all.find(({ id }) => id === wanted) ?? all.find(({ id }) => id === "process") ?? all[0]
    if (chosen === undefined) return fill(element, notice("empty", "No machines", "This build exports none."))
    const list = listOf(all, chosen.id)
    // The first chart takes a moment: the others can be chosen meanwhile.
    fill(element, list, h("div", { class: "detail" }, notice("loading", "Drawing the statechart…")))
    fill(element, list, bench(await get<MachineView>("machine", { id: chosen.id })))
  }
  read().catch((error: unknown) => fill(element, notice("error", "The machines could not be read", sentenceOf(error))))
  return element
}

const listOf = (all: ReadonlyArray<MachineLine>, chosen: string): HTMLElement =>
  h(
    "nav",
    { class: "side machine-list", "aria-label": "Machines" },
    h(
      "p",
      { class: "muted" },
      "The statecharts by which everything here is decided. Try one by hand: no process is touched."
    ),
    ...all.map(({ id, version, description }) =>
      h(
        "a",
        { href: `#/machines/${encodeURIComponent(id)}`, "aria-current": id === chosen ? "page" : undefined },
        h("b", {}, id),
        version !== undefined && h("span", { class: "muted" }, ` version ${version}`),
        description !== undefined && h("span", { class: "machine-what" }, description)
      )
    )
  )

/** One machine, with its chart and the form by which it is stepped. */
const bench = (machine: MachineView): HTMLElement => {
  const drawing = draw(machine.id, machine.chart)
  let step: StepView | undefined
  const done: Array<string> = []

  const now = h("div", { class: "facts" })
  const problem = h("p", { class: "problem", role: "alert" })
  const choice = h("select", { id: "event-choice" })
  const holder = h("div", {})
  let field = jsonField("as JSON", {})
  const choose = (): void => {
    field = jsonField("as JSON", {}, machine.samples[choice.value] ?? { type: choice.value })
    fill(holder, field.element)
  }
  choice.addEventListener("change", choose)
  const input = jsonField("input", {}, machine.sample_input)

  const run = (body: Readonly<Record<string, unknown>>, what: string): void => {
    post<StepView>("simulate", { machine: machine.id, ...body }).then(
      (next) => {
        step = next
        say(problem, "")
        done.push(next.changed ? what : `${what} (nothing handles it here)`)
        paint()
      },
      (error: unknown) => {
        say(problem, sentenceOf(error))
      }
    )
  }
  const begin = (): void => {
    const filled = input.value()
    if (!filled.ok) say(problem, filled.problem)
    else {
      done.length = 0
      run({ input: filled.value }, "begin")
    }
  }
  const advance = (): void => {
    const filled = field.value()
    if (!filled.ok) say(problem, filled.problem)
    else run({ snapshot: step?.snapshot, event: filled.value }, choice.value)
  }

  const paint = (): void => {
    if (step === undefined) return
    drawing.light(step.active, step.taken)
    const accepted = new Set(step.accepts)
    const before = choice.value
    const group = (label: string, events: ReadonlyArray<string>) =>
      h("optgroup", { label }, ...events.map((event) => h("option", { value: event }, event)))
    fill(
      choice,
      group("handled here", step.accepts),
      group(
        "not handled here",
        machine.events.filter((event) => !accepted.has(event))
      )
    )
    if (machine.events.includes(before)) choice.value = before
    choose()
    fill(
      now,
      panel(
        "Commands of this step",
        step.commands.length === 0
          ? h("p", { class: "muted" }, "None.")
          : h(
              "ul",
              { class: "commands" },
              ...step.commands.map(({ type, params }) => h("li", {}, h("code", {}, type), " ", jsonTree(params, 2)))
            )
      ),
      panel("Steps so far", h("ol", { class: "steps" }, ...done.map((what) => h("li", { class: "mono" }, what)))),
      panel("Context", jsonTree(step.snapshot.context, 2)),
      panel(
        "Definition",
        h(
          "details",
          {},
          h("summary", {}, "For a visual editor"),
          h("pre", { tabindex: 0 }, JSON.stringify(machine.definition, null, 2))
        )
      )
    )
  }

  begin()
  return h(
    "article",
    { class: "process", "aria-label": `Machine ${machine.id}` },
    h(
      "div",
      { class: "head" },
      h(
        "div",
        { class: "title" },
        h("h2", { class: "mono" }, machine.id),
        h("span", { class: "muted" }, machine.description ?? "")
      )
    ),
    h(
      "div",
      { class: "process-body" },
      h(
        "div",
        { class: "middle" },
        h("div", { class: "panel chart-panel" }, drawing.element),
        h(
          "section",
          { class: "panel step" },
          h("h2", {}, "Step by hand"),
          h("div", { class: "field" }, h("label", { for: "event-choice" }, "event"), choice),
          holder,
          problem,
          h(
            "div",
            { class: "actions" },
            h("details", { class: "begin" }, h("summary", {}, "Begin with another input"), input.element),
            h("button", { type: "button", onclick: begin }, "Begin again"),
            h("button", { type: "button", class: "primary", onclick: advance }, "Send event")
          )
        )
      ),
      now
    )
  )
}
