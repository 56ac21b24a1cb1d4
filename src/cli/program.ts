/**
 * The command line as an effect: from arguments to an exit, with everything it says going through the screen in context.
 *
 * Invariant: whatever happens, stderr gets at most one sentence about it, and never a stack.
 */

import { stripVTControlCharacters } from "node:util"
import * as Command from "@effect/cli/Command"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Backup from "./commands/backup.ts"
import * as Copy from "./commands/copy.ts"
import * as Count from "./commands/count.ts"
import * as Explain from "./commands/explain.ts"
import * as Inspect from "./commands/inspect.ts"
import * as List from "./commands/list.ts"
import * as MachinesCommand from "./commands/machines.ts"
import * as Migrate from "./commands/migrate.ts"
import * as Open from "./commands/open.ts"
import * as Requests from "./commands/requests.ts"
import * as Show from "./commands/show.ts"
import * as State from "./commands/state.ts"
import * as Sweep from "./commands/sweep.ts"
import * as Tail from "./commands/tail.ts"
import * as Top from "./commands/top.ts"
import * as Tree from "./commands/tree.ts"
import * as Verify from "./commands/verify.ts"
import * as Wait from "./commands/wait.ts"
import * as Wakes from "./commands/wakes.ts"
import { candidates, scripts } from "./completion.ts"
import type { AnyCommand, Described } from "./help.ts"
import { described, helpOf, overview } from "./help.ts"
import { didYouMean } from "./nearest.ts"
import { markWord } from "./options.ts"
import * as Screen from "./Screen.ts"
import { failureOf, interruptWasExpected, misused } from "./Screen.ts"
import { harmless } from "./table.ts"
import { version } from "./version.ts"

/** What a run of the command line may fail with: the parser's refusals, and whatever a command fails with. */
export type Failure = Effect.Effect.Error<ReturnType<typeof cli>>

/** Runs the command line. `argv` is the whole of it, the program's own name included. */
export const run = (argv: ReadonlyArray<string>): Effect.Effect<void, Failure, Screen.TheScreen> =>
  Effect.suspend(() => answered(questionFirst(argv.slice(2))) ?? parsed(argv)).pipe(
    withPlainOutput,
    Effect.provide(NodeContext.layer),
    Logger.withMinimumLogLevel(LogLevel.None),
    Effect.tapErrorCause(say)
  )

const parsed = (argv: ReadonlyArray<string>) => cli([...argv.slice(0, 2), ...dashesKept(fieldsNamed(argv.slice(2)))])

/** What the parser has no part in: help, completion, and a command that there is none of. */
const answered = (
  words: ReadonlyArray<string>
): Effect.Effect<void, Screen.CliFailure, Screen.TheScreen> | undefined => {
  const [name = "", part, last] = words
  if (name === "__complete") return Effect.flatMap(candidates(words.slice(1), every()), printed)
  if (name === "--completions") {
    const script = scripts[part === "sh" ? "bash" : (part ?? "")]
    return script === undefined ? Effect.fail(misused("--completions takes bash, zsh or fish")) : printed([script])
  }
  if (name === "--help") {
    return shown(({ width }) => overview(lookers.map(described), changers.map(described), width))
  }
  if (name === "" || name.startsWith("-")) return undefined
  const command = [...lookers, ...changers].find((one) => HashSet.has(Command.getNames(one), name))
  if (command === undefined) {
    const names = every().map((one) => one.name)
    return Effect.fail(
      misused(`there is no command ${harmless(name)}${didYouMean(name, names) || "; holdfast --help lists them"}`)
    )
  }
  if (part !== "--help" && last !== "--help") return undefined
  const whole = described(command)
  const asked = whole.parts.find((one) => one.name === `${name} ${part}`) ?? whole
  return shown(({ width }) => helpOf(asked, width))
}

/** Every command with what the parser knows of it. */
const every = (): ReadonlyArray<Described> => [...lookers, ...changers].map(described)

const printed = (lines: ReadonlyArray<string>): Effect.Effect<void, never, Screen.TheScreen> =>
  lines.length === 0 ? Effect.void : Effect.flatMap(Screen.TheScreen, (screen) => screen.print(lines.join("\n")))

const shown = (lines: (screen: Screen.Screen) => ReadonlyArray<string>): Effect.Effect<void, never, Screen.TheScreen> =>
  Effect.flatMap(Screen.TheScreen, (screen) =>
    screen.print(
      lines(screen)
        .map((line) => (/^\w[\w ]*$/.test(line) && line.length < 12 ? screen.paint("strong", line) : line))
        .join("\n")
    )
  )

/** `--json id,kind` names fields; the parser knows an option with a value, or one without. */
export const fieldsNamed = (words: ReadonlyArray<string>): ReadonlyArray<string> => {
  if (words[0] !== "ls") return words
  const glued = words.flatMap((word) =>
    word.startsWith("--json=") ? ["--json", word.slice("--json=".length)] : [word]
  )
  return glued.map((word, index) =>
    word === "--json" && /^\w+(,\w+)*$/.test(glued[index + 1] ?? "") ? "--fields" : word
  )
}

/** The exit code of an exit. */
export const codeOf = (exit: Exit.Exit<unknown, unknown>): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.isInterruptedOnly(exit.cause)) return interruptWasExpected() ? 0 : 130
  return ValidationError.isValidationError(Cause.squash(exit.cause)) ? 2 : failureOf(exit.cause).code
}

/** The commands that look: none of them changes the file, or anything beside it, unless a page is served with `--actions`. */
export const looking = [
  List.command,
  Count.command,
  Top.command,
  Show.command,
  State.command,
  Tail.command,
  Tree.command,
  Explain.command,
  Wait.command,
  Wakes.command,
  Verify.command,
  Backup.command,
  Inspect.command,
  Open.command,
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
  Migrate.command,
  Copy.command
] as const

// The parser's types say what each command takes; what is read here is the same of all of them.
const lookers = looking as unknown as ReadonlyArray<AnyCommand> // as above
const changers = changing as unknown as ReadonlyArray<AnyCommand> // as above

const holdfast = Command.make("holdfast", {}, () =>
  Effect.fail(misused("name a command: holdfast --help lists them"))
).pipe(Command.withSubcommands([...looking, ...changing]))

const cli = Command.run(holdfast, { name: "holdfast", version })

/** The parser's help and refusals, said as everything else here is: refusals in one line, colours for a terminal only. */
const withPlainOutput = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R | Screen.TheScreen> =>
  Effect.flatMap(Effect.all([Screen.TheScreen, Console.consoleWith(Effect.succeed)]), ([screen, console]) =>
    Effect.withConsole(effect, {
      ...console,
      log: (text) => screen.print(stripVTControlCharacters(String(text))),
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
