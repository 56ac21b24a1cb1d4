/**
 * Writes a page for each statechart of `machines`: a picture, and a table of its states with what each event does there.
 */
import type { AnyStateMachine } from "xstate"
import type { StateNode, StateTransition } from "../../../src/inspector/charts/definition.ts"
import {
  commandsOf,
  initialOf,
  machines,
  statesOf,
  transitionsOf,
  triggerOf
} from "../../../src/inspector/charts/definition.ts"
import { diagram } from "../../../src/inspector/charts/mermaid.ts"

/** A page, by the name of its machine. */
export interface Page {
  readonly name: string
  readonly text: string
}

/** The pages of every machine that `machines/index.ts` exports. */
export const machinePages = (): ReadonlyArray<Page> =>
  [...machines.values()].map((machine) => ({ name: machine.id, text: pageOf(machine) }))

/** The page of one machine. */
export const pageOf = (machine: AnyStateMachine): string => {
  const { description } = machine.root
  return [
    `# The \`${machine.id}\` machine`,
    "",
    "<!-- Written by `npm run codegen` from the machine itself. -->",
    "",
    ...(description === undefined ? [] : [description, ""]),
    ...(machine.version === undefined ? [] : [`Version ${machine.version}.`, ""]),
    "```mermaid",
    ...diagram(machine),
    "```",
    "",
    "An event that is not listed for a state, or for one around it, changes nothing there. A name after `/` is a command that",
    "the machine asks of its runtime; everything else an event does is a fold into the context.",
    "",
    "| State | Meaning | Events |",
    "| --- | --- | --- |",
    ...statesOf(machine.root).map(row),
    ""
  ].join("\n")
}

const row = (state: StateNode): string => {
  const name = state.path.length === 0 ? "*anywhere*" : `\`${state.path.join(".")}\``
  const meaning = [state.path.length === 0 ? "" : (state.description ?? ""), kindOf(state)].filter(
    (text) => text !== ""
  )
  const asked = commandsOf({ actions: state.entry })
  const entry = asked.length === 0 ? [] : [`on entry${commands(asked)}`]
  const events = [...entry, ...transitionsOf(state).map((transition) => eventCell(state, transition))]
  return `| ${name} | ${cell(meaning.join(" "))} | ${cell(events.join("<br>"))} |`
}

const kindOf = (state: StateNode): string => {
  if (state.type === "final") return "*Final.*"
  if (state.type === "parallel") {
    return `*All at once: ${Object.keys(state.states)
      .map((key) => `\`${key}\``)
      .join(", ")}.*`
  }
  const initial = initialOf(state)
  return initial === undefined ? "" : `*Begins in \`${initial}\`.*`
}

const eventCell = (state: StateNode, transition: StateTransition): string => {
  const { event, guard } = triggerOf(transition)
  const target = transition.target?.[0]?.path
  const arrow = target === undefined ? "" : ` → \`${nearName(state.path, target)}\``
  return `\`${event}\`${guard}${arrow}${commands(commandsOf(transition))}`
}

const commands = (names: ReadonlyArray<string>): string =>
  names.length === 0 ? "" : ` / ${names.map((name) => `\`${name}\``).join(", ")}`

/** A sibling or a part by its key, everything else by its path. */
const nearName = (from: ReadonlyArray<string>, to: ReadonlyArray<string>): string => {
  const parent = to.slice(0, -1).join(".")
  return parent === from.join(".") || parent === from.slice(0, -1).join(".") ? (to.at(-1) ?? "") : to.join(".")
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ")
