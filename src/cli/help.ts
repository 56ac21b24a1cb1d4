/**
 * Help as people read it: how to type a command, its options one a line, and examples to copy.
 *
 * Invariant: names, options and their words come from the parser's own description of a command, so help never differs from it.
 */
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/Command"
import * as Descriptor from "@effect/cli/CommandDescriptor"
import type * as HelpDoc from "@effect/cli/HelpDoc"
import type * as Span from "@effect/cli/HelpDoc/Span"
import * as HashMap from "effect/HashMap"
import { exitCodes } from "./Screen.ts"
import { padded, widthOf, wrapped } from "./table.ts"

/** An argument or an option: as it is typed, and what it is. */
export interface Entry {
  readonly term: string
  readonly text: string
  readonly isOptional: boolean
}

/** What the parser knows of a command. */
export interface Described {
  readonly name: string
  readonly description: ReadonlyArray<string>
  readonly arguments: ReadonlyArray<Entry>
  readonly options: ReadonlyArray<Entry>
  /** The commands within it. */
  readonly parts: ReadonlyArray<Described>
}

/** Any command, whatever it takes and does. */
export type AnyCommand = Command.Command<string, never, unknown, unknown>

/** Reads a command's description. */
export const described = (command: AnyCommand): Described => {
  const [name = ""] = Command.getNames(command)
  // A command without others within it is its own only one.
  const within = [...HashMap.entries(Command.getSubcommands(command))].filter(([part]) => part !== name)
  const parts = within.map(([part, descriptor]) =>
    from(`${name} ${part}`, Descriptor.getHelp(descriptor, CliConfig.defaultConfig))
  )
  return { ...from(name, Command.getHelp(command, CliConfig.defaultConfig)), parts }
}

/** Options that every command of the parser has, and that belong to the program. */
const ofParser = /^--(completions|log-level|wizard|version|help)\b|^\(-h/

const from = (name: string, help: HelpDoc.HelpDoc): Described => {
  const sections = sectionsOf(help)
  const entries = (title: string) => (sections.get(title) ?? []).flatMap((part) => ("term" in part ? [part] : []))
  const said = (sections.get("DESCRIPTION") ?? []).flatMap((part) => ("term" in part ? [] : [part.text]))
  return {
    name,
    description: said,
    arguments: entries("ARGUMENTS"),
    options: entries("OPTIONS").filter(({ term }) => !ofParser.test(term)),
    parts: []
  }
}

type Part = Entry | { readonly text: string }

const sectionsOf = (help: HelpDoc.HelpDoc): ReadonlyMap<string, ReadonlyArray<Part>> => {
  const sections = new Map<string, Array<Part>>()
  let present: Array<Part> = []
  const walk = (doc: HelpDoc.HelpDoc): void => {
    switch (doc._tag) {
      case "Sequence":
        walk(doc.left)
        walk(doc.right)
        return
      case "Header":
        present = []
        sections.set(spanText(doc.value), present)
        return
      case "Paragraph":
        present.push({ text: spanText(doc.value) })
        return
      case "DescriptionList":
        for (const [term, text] of doc.definitions) present.push(entryOf(spanText(term), paragraphsOf(text)))
        return
      case "Enumeration":
      case "Empty":
        return
    }
  }
  walk(help)
  return sections
}

/** What the parser says of every option, and no reader needs. */
const noise =
  /^(A user-defined piece of text|A true or false value|An integer|One of the following: .*|This setting is optional|This argument may be repeated zero or more times)\.?$/

/** What it says of what may be left out. */
const optional = ["This setting is optional.", "This argument may be repeated zero or more times."]

const entryOf = (term: string, paragraphs: ReadonlyArray<string>): Entry => ({
  term: term.replaceAll(" | ", "|"),
  text: paragraphs.filter((text) => !noise.test(text)).join(" "),
  isOptional: optional.some((text) => paragraphs.includes(text))
})

const paragraphsOf = (doc: HelpDoc.HelpDoc): ReadonlyArray<string> => {
  switch (doc._tag) {
    case "Sequence":
      return [...paragraphsOf(doc.left), ...paragraphsOf(doc.right)]
    case "Paragraph":
      return [spanText(doc.value)]
    default:
      return []
  }
}

const spanText = (span: Span.Span): string => {
  switch (span._tag) {
    case "Text":
      return span.value
    case "Sequence":
      return spanText(span.left) + spanText(span.right)
    case "URI":
      return span.value
    default:
      return spanText(span.value)
  }
}

/** Calls to copy, by command. */
export const examples: Readonly<Record<string, ReadonlyArray<string>>> = {
  ls: ["ls --status failed --since 2h --sort changed", "ls --json id,kind,reason | jq"],
  count: ["count --by kind,reason", "count --status failed --since 1d --by kind"],
  top: ["top", "top --kind deploy --sort due"],
  show: ["show deploy-42", "show deploy-42 --json | jq .record"],
  state: ["state expense-7"],
  tail: ["tail", "tail deploy-42 --from 1 --until-end"],
  tree: ["tree agent-run-1", "tree --limit 50"],
  explain: ["explain deploy-42"],
  wait: ["wait deploy-42 --timeout 600 && echo done"],
  wakes: ["wakes --state discarded"],
  verify: ["verify", "verify deploy-42"],
  backup: ["backup agent.db agent-backup.db"],
  inspect: ["inspect --port 7711", "inspect --actions"],
  open: ["open deploy-42"],
  machines: ["machines process", "machines draw agent.db expense-7 --format svg --out expense.svg"],
  signal: [
    'signal deploy-42 approve --payload \'{"by":"ana"}\'',
    "signal approve --kind deploy --because waiting_for_signal --dry-run"
  ],
  send: ['send expense-7 approve \'{"by":"ana"}\''],
  cancel: ["cancel deploy-42 --reason 'no longer needed'", "cancel --kind import --since 1h --dry-run"],
  abandon: ["abandon charge-3 --reason 'checked by hand'"],
  resume: ["resume deploy-42 --from 7 --dry-run"],
  redrive: ["redrive 12"],
  sweep: ["sweep"],
  migrate: ["migrate --engines dist/engines.js --dry-run"],
  copy: ["copy --from agent.db --to 'postgres://me@db.example/agents?schema=holdfast' --dry-run"]
}

/** Longer lines are hard to read, however wide the terminal is. */
const readable = 100

/** The help of a command. */
export const helpOf = (command: Described, width: number): ReadonlyArray<string> => {
  const { name, description, options, parts } = command
  const columns = Math.min(width, readable)
  const words = command.arguments.map(({ term, isOptional }) => (isOptional ? `[${term}]` : term))
  const usage = ["holdfast", name, ...words, ...(options.length > 0 ? ["[options]"] : [])].join(" ")
  const calls = examples[name] ?? []
  return [
    ...description.flatMap((text) => wrapped(text, columns)),
    "",
    "Usage",
    ...hung("  ", usage, columns),
    ...listed("Arguments", command.arguments, columns),
    ...listed("Options", options, columns),
    ...listed("Parts", parts.map(asEntry), columns),
    ...(calls.length === 0 ? [] : ["", "Examples", ...calls.map((call) => `  $ holdfast ${call}`)])
  ]
}

/** The help of the program: its commands, those that look apart from those that change something. */
export const overview = (
  looking: ReadonlyArray<Described>,
  changing: ReadonlyArray<Described>,
  width: number
): ReadonlyArray<string> => {
  const columns = Math.min(width, readable)
  const codes = exitCodes.map(([code, meaning]) => ({ term: String(code), text: meaning, isOptional: false }))
  return [
    "Sees and operates the processes in a database file, also while a host has it open.",
    "",
    "Usage",
    "  holdfast <command> [options]          holdfast <command> --help explains one",
    ...listed("See", looking.map(asEntry), columns),
    ...listed("Operate", changing.map(asEntry), columns),
    ...listed("Options", program, columns),
    ...listed("Exit codes", codes, columns),
    "",
    ...wrapped(
      "Options may come before or after the id. After -- nothing is an option: the place of an id that begins with a dash. Times are in UTC.",
      columns
    ),
    "",
    "Examples",
    "  $ export HOLDFAST_DB=agent.db",
    "  $ holdfast ls --status failed --since 2h",
    "  $ holdfast explain deploy-42"
  ]
}

const program: ReadonlyArray<Entry> = [
  { term: "--db file", text: "The database: a file or postgres://… Default: what HOLDFAST_DB says.", isOptional: true },
  { term: "--completions bash|zsh|fish", text: "Print a completion script for a shell.", isOptional: true },
  { term: "--version", text: "Print the version.", isOptional: true },
  { term: "--help, -h", text: "Print this, or the help of a command.", isOptional: true }
]

/** The first sentence says enough in a list. */
const asEntry = ({ name, description: [text = ""] }: Described): Entry => ({
  term: name,
  text: /^.*?[.](?= [A-Z]|$)/.exec(text)?.[0] ?? text,
  isOptional: false
})

/** The widest term that others are aligned to; a longer one has its text below. */
const widest = 26

const listed = (title: string, entries: ReadonlyArray<Entry>, columns: number): ReadonlyArray<string> => {
  if (entries.length === 0) return []
  const short = entries.map(({ term }) => widthOf(term)).filter((length) => length <= widest)
  const width = Math.max(0, ...short)
  const lines = entries.flatMap(({ term, text }) =>
    widthOf(term) > width
      ? [`  ${term}`, ...hung(" ".repeat(width + 4), text, columns)]
      : hung(`  ${padded(term, width)}  `, text, columns)
  )
  return ["", title, ...lines]
}

/** The first line begins with the head, the others with as much space. */
const hung = (head: string, text: string, columns: number): ReadonlyArray<string> =>
  wrapped(text, columns - widthOf(head)).map(
    (part, index) => `${index === 0 ? head : " ".repeat(widthOf(head))}${part}`
  )
