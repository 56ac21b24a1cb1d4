/**
 * What the command line shows: lines on stdout for its reader, remarks on stderr.
 *
 * Invariant: nothing but the command's answer goes to stdout, and no escape sequence that a process's own text contains
 * reaches the terminal. Colours are for terminals only, and never where NO_COLOR is set.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"

/** A colour, by what it means. */
export type Paint = "plain" | "strong" | "faint" | "good" | "bad" | "warn"

/** Where a command writes. */
export interface Screen {
  /** Columns of the terminal; without end where nobody looks, so that nothing is cut in a file or a pipe. */
  readonly width: number
  /** Whether a person looks at stdout. */
  readonly isLive: boolean
  /** Whether colours are wanted. */
  readonly isColourful: boolean
  /** Writes one line, as it is, to stdout. */
  readonly print: (line: string) => Effect.Effect<void>
  /** Writes one value as one line of JSON to stdout. */
  readonly json: (value: unknown) => Effect.Effect<void>
  /** Writes one line to stderr. */
  readonly remark: (line: string) => Effect.Effect<void>
  /** Writes a line over the one before it on stderr; nowhere but on a terminal. An empty one takes it away. */
  readonly progress: (line: string) => Effect.Effect<void>
  /** Colours a text, where colours are wanted. */
  readonly paint: (paint: Paint, text: string) => string
}

/** The screen of the program. */
export class TheScreen extends Context.Tag("holdfast/cli/Screen")<TheScreen, Screen>() {}

/** A stream to write to, of which it is known whether it is a terminal, and how wide. */
export interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly write: (text: string) => unknown
}

/** Makes a screen of two streams and an environment. */
export const make = (stdout: Output, stderr: Output, env: Readonly<Record<string, string | undefined>>): Screen => {
  const isLive = stdout.isTTY === true
  const isColourful = isLive && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb"
  const write = (stream: Output, text: string) => Effect.sync(() => void stream.write(text))
  return {
    width: isLive ? Math.max(20, stdout.columns || 80) : Number.POSITIVE_INFINITY,
    isLive,
    isColourful,
    print: (line) => write(stdout, `${line}\n`),
    json: (value) => write(stdout, `${JSON.stringify(value)}\n`),
    remark: (line) => write(stderr, `${line}\n`),
    progress: (line) => (stderr.isTTY === true ? write(stderr, `\r\u001b[K${line}`) : Effect.void),
    paint: (paint, text) =>
      isColourful && paint !== "plain" && text !== "" ? `\u001b[${codes[paint]}m${text}\u001b[0m` : text
  }
}

const codes: Readonly<Record<Paint, number>> = { plain: 0, strong: 1, faint: 2, good: 32, bad: 31, warn: 33 }
