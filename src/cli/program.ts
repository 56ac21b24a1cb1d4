/**
 * The command line as an effect: from arguments to an exit, with everything it says going through the screen in context.
 *
 * Invariant: whatever happens, stderr gets at most one sentence about it, and never a stack.
 */

import { stripVTControlCharacters } from "node:util"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HashMap from "effect/HashMap"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Backup from "./commands/backup.ts"
import * as Explain from "./commands/explain.ts"
import * as Inspect from "./commands/inspect.ts"
import * as List from "./commands/list.ts"
import * as MachinesCommand from "./commands/machines.ts"
import * as Migrate from "./commands/migrate.ts"
import * as Requests from "./commands/requests.ts"
import * as Show from "./commands/show.ts"
import * as State from "./commands/state.ts"
import * as Sweep from "./commands/sweep.ts"
import * as Tail from "./commands/tail.ts"
import * as Tree from "./commands/tree.ts"
import * as Verify from "./commands/verify.ts"
import * as Wakes from "./commands/wakes.ts"
import { markWord } from "./options.ts"
import * as Screen from "./Screen.ts"
import { exitCodes, failureOf, interruptWasExpected, misused } from "./Screen.ts"
import { harmless, padded, wrapped } from "./table.ts"

/** What a run of the command line may fail with: the parser's refusals, and whatever a command fails with. */
export type Failure = Effect.Effect.Error<ReturnType<typeof cli>>

/** Runs the command line. `argv` is the whole of it, the program's own name included. */
export const run = (argv: ReadonlyArray<string>): Effect.Effect<void, Failure, Screen.TheScreen> =>
  cli([...argv.slice(0, 2), ...dashesKept(questionFirst(argv.slice(2)))]).pipe(
    withPlainOutput,
    Effect.provide(NodeContext.layer),
    Logger.withMinimumLogLevel(LogLevel.None),
    Effect.tapErrorCause(say)
  )

/** The exit code of an exit. */
export const codeOf = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.isInterruptedOnly(exit.cause)) return interruptWasExpected() ? 0 : 130
  return ValidationError.isValidationError(Cause.squash(exit.cause)) ? 2 : failureOf(exit.cause).code
}

/** The commands that look: none of them changes the file, or anything beside it. */
export const looking = [
  List.command,
  Show.command,
  State.command,
  Tail.command,
  Tree.command,
  Explain.command,
  Wakes.command,
  Verify.command,
  Backup.command,
  Inspect.command,
  MachinesCommand.command
] as const

/** The commands that change something. */
export const changing = [
  Requests.signal,
  Requests.send,
  Requests.cancel,
  Requests.abandon,
  Requests.resume,
  Wakes.redrive,
  Sweep.command,
  Migrate.command
] as const

const holdfast = Command.make("holdfast", {}, () =>
  Effect.fail(misused("name a command: holdfast --help lists them"))
).pipe(
  Command.withDescription(
    HelpDoc.blocks([
      HelpDoc.p("Sees and operates the processes in a database file, also while a host has it open."),
      HelpDoc.p("Options may come before or after the id. Each command explains its own: holdfast ls --help."),
      HelpDoc.p("After -- nothing is an option: the place of an id that begins with a dash."),
      HelpDoc.p(`Exit codes: ${exitCodes.map(([code, meaning]) => `${code} ${meaning}`).join("; ")}.`)
    ])
  ),
  Command.withSubcommands([...looking, ...changing])
)

const cli = Command.run(holdfast, { name: "holdfast", version: "0.1.0" })

/** The parser's help and refusals, said as everything else here is: refusals in one line, colours for a terminal only. */
const withPlainOutput = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Screen.TheScreen> =>
  Effect.flatMap(Effect.all([Screen.TheScreen, Console.consoleWith(Effect.succeed)]), ([screen, console]) =>
    Effect.withConsole(effect, {
      ...console,
      log: (text) => {
        const help = laidOut(String(text), screen.width)
        return screen.print(screen.isColourful ? help : stripVTControlCharacters(help))
      },
      error: (text) => {
        const problem = stripVTControlCharacters(String(text)).replace(/\s+/g, " ").trim()
        return screen.remark(`holdfast: ${problem === "" ? notUnderstood : problem}; see --help`)
      }
    })
  )

/** The parser has no words for short options that it does not know. */
const notUnderstood = "an option is not known; an id that begins with a dash comes after --"

/** Says a failure in one line; what the parser refuses, it has said itself. */
const say = (cause: Cause.Cause<unknown>): Effect.Effect<void, never, Screen.TheScreen> =>
  Cause.isInterruptedOnly(cause) || ValidationError.isValidationError(Cause.squash(cause))
    ? Effect.void
    : Effect.flatMap(Screen.TheScreen, (screen) => screen.remark(`holdfast: ${harmless(failureOf(cause).line)}`))

/** Lays help out for a width; every other text of the parser (a completion script, a version) is left as it is. */
export const laidOut = (text: string, width: number): string => {
  const lines = text.split("\n")
  if (!lines.some((line) => stripVTControlCharacters(line) === "USAGE")) return text
  const names = lines.flatMap((line) => commandOf(line)?.name ?? [])
  const nameWidth = Math.max(0, ...names.map((name) => name.length))
  const columns = Math.min(width, readable)
  let isAfterCommand = false
  return lines
    .flatMap((line): ReadonlyArray<string> => {
      const command = commandOf(line)
      if (command !== undefined) {
        isAfterCommand = true
        return indented(command.description, columns, `  ${padded(command.name, nameWidth)}  `)
      }
      if (isAfterCommand && line.trim() === "") return []
      const plain = stripVTControlCharacters(line)
      if (plain.length <= columns) return [line]
      return indented(plain.trimStart(), columns, /^ */.exec(plain)?.[0] ?? "")
    })
    .join("\n")
}

/**
 * What is typed, as the parser understands it: it knows `--help` right behind a command only, and takes it for an unknown
 * option elsewhere. After `--` nothing is an option.
 */
export const questionFirst = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const end = words.indexOf("--")
  const options = words.slice(0, end === -1 ? words.length : end)
  const [command, part] = options
  if (!options.some((word) => word === "--help" || word === "-h")) return words
  if (command === undefined || command.startsWith("-")) return ["--help"]
  return part !== undefined && partsOf(command).includes(part) ? [command, part, "--help"] : [command, "--help"]
}

/** The commands within a command. */
const partsOf = (command: string): ReadonlyArray<string> =>
  command === "machines" ? [...HashMap.keys(Command.getSubcommands(MachinesCommand.command))] : []

/** The parser knows no `--`: what follows it is marked, so that a leading dash makes no option of it. */
const dashesKept = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const end = words.indexOf("--")
  return end === -1 ? words : [...words.slice(0, end), ...words.slice(end + 1).map(markWord)]
}

/** Longer lines are hard to read, however wide the terminal is. */
const readable = 100

/** The first line begins with the head, the others with as much space. */
const indented = (text: string, width: number, head: string): ReadonlyArray<string> =>
  wrapped(text, width - head.length).map((part, index) => `${index === 0 ? head : " ".repeat(head.length)}${part}`)

const commandOf = (line: string): { readonly name: string; readonly description: string } | undefined => {
  const [, name, description] = /^ {2}- (\S+).*? {2,}(\S.*)$/.exec(stripVTControlCharacters(line)) ?? []
  return name === undefined || description === undefined ? undefined : { name, description }
}
