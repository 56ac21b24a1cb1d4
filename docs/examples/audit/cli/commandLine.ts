/**
 * The audit agent's command line: reads every file below a directory, durably, and writes two reports.
 */
import { stripVTControlCharacters } from "node:util"
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeTerminal from "@effect/platform-node/NodeTerminal"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import { alwaysExcluded } from "../report/parts.ts"
import { tries } from "../work/batch.ts"
import { modeOf } from "./approval.ts"
import { normalised } from "./args.ts"
import { CannotAudit, checked } from "./inputs.ts"
import * as Job from "./job.ts"
import * as Screen from "./Screen.ts"

const version = "0.1.0"

const options = {
  directory: Args.text({ name: "directory" }).pipe(
    Args.withDescription("The directory to audit. Default: the working directory."),
    // The parser takes an option it does not know for an argument.
    Args.mapEffect((typed) =>
      typed.startsWith("-")
        ? Effect.fail(HelpDoc.p(`${typed} is not an option of this command`))
        : Effect.succeed(typed)
    ),
    Args.withDefault(".")
  ),
  out: Options.text("out").pipe(
    Options.withDescription("The folder for audit-report.json and audit-report.md. Default: the working directory."),
    Options.withDefault(".")
  ),
  state: Options.text("state").pipe(
    Options.withDescription("The file that stores the audit, so that an interrupted audit can resume."),
    Options.withDefault(".holdfast/audit.db")
  ),
  exclude: Options.text("exclude").pipe(
    Options.withDescription(
      `The name of files or folders to leave out; may be repeated. Always left out: ${alwaysExcluded.join(", ")}.`
    ),
    Options.repeated,
    Options.filterMap(
      (names) => (names.some((name) => name === "" || name.includes("/")) ? Option.none() : Option.some(names)),
      "--exclude takes the name of a file or folder, not a path"
    )
  ),
  pace: Options.integer("pace").pipe(
    Options.withDescription("Milliseconds to pause before each file, to watch the audit work."),
    Options.filterMap(
      (ms) => (ms < 0 ? Option.none() : Option.some(ms)),
      "--pace takes a number of milliseconds, not below 0"
    ),
    Options.withDefault(0)
  ),
  fileTimeout: Options.integer("file-timeout").pipe(
    Options.withDescription(
      `Seconds that one attempt to read a file may take. After ${tries} attempts the file is reported as not read. Default: 30.`
    ),
    Options.filterMap(
      (seconds) => (seconds < 1 || seconds > 86_400 ? Option.none() : Option.some(seconds)),
      "--file-timeout takes a number of seconds, from 1 to 86400"
    ),
    Options.withDefault(30)
  ),
  yes: Options.boolean("yes").pipe(
    Options.withDescription("Approve the report without asking. npm start sets it; npm run audit does not.")
  ),
  wait: Options.boolean("wait").pipe(
    Options.withDescription(
      "Wait for an approval from elsewhere, and do not ask here. It overrides --yes, so npm start -- --wait waits."
    )
  ),
  noOpen: Options.boolean("no-open").pipe(
    Options.withDescription("Open no browser: only print the address of the page.")
  ),
  noInspect: Options.boolean("no-inspect").pipe(Options.withDescription("Serve no page to watch the audit.")),
  verbose: Options.boolean("verbose").pipe(Options.withDescription("Log each step on stderr."))
}

const screen = Screen.make(process.stdout, process.stderr)

const audit = Command.make("audit", options, ({ verbose, pace, yes, wait, noOpen, noInspect, ...inputs }) =>
  Effect.flatMap(checked(inputs), (request) => {
    if (yes && wait) screen.print("--wait overrides --yes: the report must be approved elsewhere")
    return Job.run(request, screen, {
      paceMs: pace,
      mode: modeOf({ yes, wait, hasTerminal: process.stdin.isTTY === true }),
      inspecting: { serve: !noInspect, open: !noOpen }
    })
  }).pipe(
    Logger.withMinimumLogLevel(verbose ? LogLevel.Debug : LogLevel.Warning),
    Effect.onInterrupt(() =>
      Effect.sync(() => screen.warn("interrupted; recorded work is kept: run the same command again to resume"))
    )
  )
).pipe(
  Command.withDescription(
    HelpDoc.blocks([
      HelpDoc.p(
        "Reads every file below a directory and writes a report: digests, lines by language, TODO and FIXME markers, likely secrets (redacted), and the git history."
      ),
      HelpDoc.p("Interrupt it or kill it at any moment: the same command resumes it."),
      HelpDoc.p(
        "The report is published once it is approved: at this terminal, with --yes, or from another terminal (node dist/docs/examples/audit/cli/approve.js, or holdfast signal). Until then it is a draft. Without a terminal the program writes the draft, prints how to approve it and ends; the audit waits. With --wait the program waits as well."
      ),
      HelpDoc.p(
        "Start it twice: both programs share the work, each part is done once, and one takes over when the other is killed."
      ),
      HelpDoc.p(
        "Exit codes: 0 the reports are written, or drafted and waiting for approval; 1 the audit failed, or the report was rejected; 2 the command line is invalid; 130 interrupted."
      )
    ])
  )
)

const cli = Command.run(audit, { name: "audit", version })

/** Prints the parser's help and errors like all other output: an error in one line, colours for a terminal only. */
const withPlainOutput = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Console.consoleWith((console) =>
    Effect.withConsole(effect, {
      ...console,
      log: (text) =>
        Effect.sync(() => screen.print(screen.live ? String(text) : stripVTControlCharacters(String(text)))),
      error: (text) =>
        Effect.sync(() => {
          const line = stripVTControlCharacters(String(text)).replace(/\s+/g, " ").trim()
          screen.warn(`audit: ${line}; see --help`)
        })
    })
  )

/** Prints a failure in one line; the parser has printed its own errors. */
const say = (cause: Cause.Cause<CannotAudit | ValidationError.ValidationError>): void => {
  if (Cause.isInterruptedOnly(cause)) return
  const error = Cause.squash(cause)
  if (ValidationError.isValidationError(error)) return
  const line = error instanceof CannotAudit ? error.line : `unexpected: ${String(error).split("\n", 1)[0]}`
  screen.warn(`audit: ${line}`)
}

const codeOf = (exit: Exit.Exit<void, CannotAudit | ValidationError.ValidationError>): number => {
  if (Exit.isSuccess(exit)) return 0
  if (Cause.isInterruptedOnly(exit.cause)) return 130
  return ValidationError.isValidationError(Cause.squash(exit.cause)) ? 2 : 1
}

/**
 * The first signal stops the program gracefully; a second one ends it. One that follows at once does not count: on Ctrl-C the
 * terminal signals this program and `npm start`, which passes the signal on.
 */
const insistenceMs = 1_000
let askedAt: number | undefined
const onSignal = (): void => {
  askedAt ??= performance.now()
  if (performance.now() - askedAt > insistenceMs) process.exit(130)
}
process.on("SIGINT", onSignal).on("SIGTERM", onSignal)

cli([...process.argv.slice(0, 2), ...normalised(process.argv.slice(2))]).pipe(
  withPlainOutput,
  Effect.provide(Layer.mergeAll(NodeFileSystem.layer, NodePath.layer, NodeTerminal.layer)),
  Effect.provide(Logger.replace(Logger.defaultLogger, Screen.logger(screen))),
  Effect.tapErrorCause((cause) => Effect.sync(() => say(cause))),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    disablePrettyLogger: true,
    teardown: (exit, end) => end(codeOf(exit as Parameters<typeof codeOf>[0])) // the exit of the effect above
  })
)
