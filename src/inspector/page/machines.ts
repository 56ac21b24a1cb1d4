/**
 * The machines of the library: their charts, and a bench to step them by hand. Nothing here changes a process.
 */
import type { MachineLine, MachineView, StepView } from "../View.ts"
import { draw } from "./chart.ts"
import { get, post, sentenceOf } from "./connection.ts"
import { button, fill, h, labelled, notice, panel, say } from "./dom.ts"
import { commandList, jsonField, jsonTree } from "./json.ts"

/** Shows all machines, one of them open. */
export const makeMachines = (wanted: string | undefined): HTMLElement => {
  const element = h("div", "machines", notice("loading", "Reading the machines…"))
  const read = async (): Promise<void> => {
    const all = await get<ReadonlyArray<MachineLine>>("machines")
    const chosen = all.find(({ id }) => id === wanted) ?? all.find(({ id }) => id === "process") ?? all[0]
    if (chosen === undefined) return fill(element, notice("empty", "No machines", "This build exports none."))
    const list = listOf(all, chosen.id)
    // The first chart takes a moment: the others can be chosen meanwhile.
    fill(element, list, h("div", "detail", notice("loading", "Drawing the statechart…")))
    fill(element, list, bench(await get<MachineView>("machine", { id: chosen.id })))
  }
  read().catch((error: unknown) => fill(element, notice("error", "The machines could not be read", sentenceOf(error))))
  return element
}

const listOf = (all: ReadonlyArray<MachineLine>, chosen: string): HTMLElement =>
  h(
    "nav",
    { class: "side machine-list", "aria-label": "Machines" },
    h("p", "muted", "These statecharts make every decision. Step one by hand: no process is changed."),
    ...all.map(({ id, version, description }) =>
      h(
        "a",
        { href: `#/machines/${encodeURIComponent(id)}`, "aria-current": id === chosen ? "page" : undefined },
        h("b", {}, id),
        version !== undefined && h("span", "muted", ` version ${version}`),
        description !== undefined && h("span", "machine-what", description)
      )
    )
  )

/** One machine: its chart, and a form that steps it. */
const bench = (machine: MachineView): HTMLElement => {
  const drawing = draw(machine.id, machine.chart)
  let step: StepView | undefined
  const done: Array<string> = []

  const now = h("div", "facts")
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
  const definition = h("pre", { tabindex: 0 }, JSON.stringify(machine.definition, null, 2))

  const run = (body: Readonly<Record<string, unknown>>, what: string): void => {
    post<StepView>("simulate", { machine: machine.id, ...body }).then(
      (next) => {
        step = next
        say(problem, "")
        done.push(next.changed ? what : `${what} (nothing handles it here)`)
        paint()
      },
      (error: unknown) => say(problem, sentenceOf(error))
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
    const others = machine.events.filter((event) => !accepted.has(event))
    fill(choice, group("handled here", step.accepts), group("not handled here", others))
    if (machine.events.includes(before)) choice.value = before
    choose()
    fill(
      now,
      panel(
        "Commands of this step",
        step.commands.length === 0 ? h("p", "muted", "None.") : commandList(step.commands, 2)
      ),
      panel("Steps so far", h("ol", "steps", ...done.map((what) => h("li", "mono", what)))),
      panel("Context", jsonTree(step.snapshot.context, 2)),
      panel("Definition", h("details", {}, h("summary", {}, "For a visual editor"), definition))
    )
  }

  begin()
  return h(
    "article",
    { class: "process", "aria-label": `Machine ${machine.id}` },
    h("div", "head", h("div", "title", h("h2", "mono", machine.id), h("span", "muted", machine.description ?? ""))),
    h(
      "div",
      "process-body",
      h(
        "div",
        "middle",
        h("div", "panel chart-panel", drawing.element),
        h(
          "section",
          "panel step",
          h("h2", {}, "Step by hand"),
          labelled("event", choice),
          holder,
          problem,
          h(
            "div",
            "actions",
            h("details", "begin", h("summary", {}, "Begin with another input"), input.element),
            button("", "Begin again", begin),
            button("primary", "Send event", advance)
          )
        )
      ),
      now
    )
  )
}
