/**
 * Writes a page for each statechart of `machines`: a picture, and a table of its states with what each event does there.
 */
import type { AnyStateMachine } from "xstate"
import { StateMachine } from "xstate"
import * as Machines from "../../../machines/index.ts"
import { diagram } from "../../../src/inspector/charts/mermaid.ts"
import type { ChartState, ChartTransition } from "../../../src/inspector/charts/reader.ts"
import { chartOf, flattened } from "../../../src/inspector/charts/reader.ts"

/** A page, by the name of its machine. */
export interface Page {
  readonly name: string
  readonly text: string
}

/** The pages of every machine that `machines/index.ts` exports. */
export const machinePages = (): ReadonlyArray<Page> =>
  Object.values(Machines)
    .flatMap((module) => Object.values<unknown>(module))
    .filter((exported): exported is AnyStateMachine => exported instanceof StateMachine)
    .map((machine) => ({ name: machine.id, text: pageOf(machine) }))

/** The page of one machine. */
export const pageOf = (machine: AnyStateMachine): string => {
  const chart = chartOf(machine)
  return [
    `# The \`${machine.id}\` machine`,
    "",
    "<!-- Written by `npm run codegen` from the machine itself. -->",
    "",
    ...(chart.description === undefined ? [] : [chart.description, ""]),
    ...(machine.version === undefined ? [] : [`Version ${machine.version}.`, ""]),
    "```mermaid",
    ...diagram(chart),
    "```",
    "",
    "An event that is not listed for a state, or for one around it, changes nothing there. A name after `/` is a command that",
    "the machine asks of its runtime; everything else an event does is a fold into the context.",
    "",
    "| State | Meaning | Events |",
    "| --- | --- | --- |",
    ...flattened(chart).map((state) => row(state)),
    ""
  ].join("\n")
}

const row = (state: ChartState): string => {
  const name = state.path.length === 0 ? "*anywhere*" : `\`${state.path.join(".")}\``
  const meaning = [state.path.length === 0 ? "" : (state.description ?? ""), kindOf(state)].filter(
    (text) => text !== ""
  )
  const entry = state.entry.length === 0 ? [] : [`on entry${commands(state.entry)}`]
  const events = [...entry, ...state.transitions.map((transition) => eventCell(state, transition))]
  return `| ${name} | ${cell(meaning.join(" "))} | ${cell(events.join("<br>"))} |`
}

const kindOf = ({ kind, initial, states }: ChartState): string => {
  if (kind === "final") return "*Final.*"
  if (kind === "parallel") return `*All at once: ${states.map(({ path }) => `\`${path.at(-1)}\``).join(", ")}.*`
  return initial === undefined ? "" : `*Begins in \`${initial}\`.*`
}

const eventCell = (state: ChartState, { event, guard, target, commands: asked }: ChartTransition): string => {
  const condition = guard === undefined ? "" : ` [${guard}]`
  const arrow = target === undefined ? "" : ` → \`${nearName(state.path, target)}\``
  return `\`${event}\`${condition}${arrow}${commands(asked)}`
}

const commands = (names: ReadonlyArray<string>): string =>
  names.length === 0 ? "" : ` / ${names.map((name) => `\`${name}\``).join(", ")}`

/** A sibling or a part by its key, everything else by its path. */
const nearName = (from: ReadonlyArray<string>, to: ReadonlyArray<string>): string => {
  const parent = to.slice(0, -1).join(".")
  return parent === from.join(".") || parent === from.slice(0, -1).join(".") ? (to.at(-1) ?? "") : to.join(".")
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")
