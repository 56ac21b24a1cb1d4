/**
 * The options and arguments that commands share.
 */
import * as Args from "@effect/cli/Args"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { ProcessId } from "../model/ids.ts"
import { processId } from "../model/ids.ts"

/** No word of a command line can have this character. */
const mark = "\u0000"

/** Marks a word as one that is no option, whatever it begins with. */
export const markWord = (word: string): string => `${mark}${word}`

/** An argument that is one word. */
export const word = (name: string, description: string): Args.Args<string> =>
  Args.text({ name }).pipe(
    Args.withDescription(description),
    // The parser takes an option it does not know for an argument.
    Args.mapEffect((typed) =>
      typed.startsWith("-")
        ? Effect.fail(HelpDoc.p(`${typed} is no option of this command; an id that begins with a dash comes after --`))
        : Effect.succeed(typed.startsWith(mark) ? typed.slice(mark.length) : typed)
    )
  )

/** The process that a command is about. */
export const id: Args.Args<ProcessId> = Args.map(word("id", "The id of the process."), processId)

/** Which database. */
export const db: Options.Options<Option.Option<string>> = Options.text("db").pipe(
  Options.withPseudoName("file"),
  Options.withDescription("The database: a file, or a postgres:// URL. Default: HOLDFAST_DB."),
  Options.optional
)

/** Whether the answer is for a program. */
export const json: Options.Options<boolean> = Options.boolean("json").pipe(
  Options.withDescription("Answer with JSON, for programs.")
)

/** The port of a page. */
export const port: Options.Options<number> = Options.integer("port").pipe(
  Options.withDescription("The port to listen on. Default: a free one."),
  Options.mapEffect((number) =>
    number >= 0 && number <= 65_535
      ? Effect.succeed(number)
      : Effect.fail(ValidationError.invalidValue(HelpDoc.p("--port takes a number from 0, any that is free, to 65535")))
  ),
  Options.withDefault(0)
)

/** Whether a page may change something. */
export const actions: Options.Options<boolean> = Options.boolean("actions").pipe(
  Options.withDescription("Let the page signal, cancel, abandon and redrive. Default: it only reads.")
)

/** A whole number of at least one. */
export const positive = (name: string, description: string): Options.Options<number> =>
  Options.integer(name).pipe(
    Options.withDescription(description),
    Options.mapEffect((number) =>
      number >= 1
        ? Effect.succeed(number)
        : Effect.fail(ValidationError.invalidValue(HelpDoc.p(`--${name} takes a whole number of at least 1`)))
    )
  )

/** An option that is one text. */
export const text = (name: string, pseudo: string, description: string): Options.Options<string> =>
  Options.text(name).pipe(Options.withPseudoName(pseudo), Options.withDescription(description))
