/**
 * What the command line shows: lines on stdout for its reader, remarks on stderr.
 *
 * Invariant: nothing but the command's answer goes to stdout, and no escape sequence that a process's own text contains
 * reaches the terminal. Colours are for terminals only, and never where NO_COLOR is set.
 */

import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"

/** A colour, by what it means. */
export type Paint = "plain" | "strong" | "faint" | "good" | "bad" | "warn"

/** Where a command writes. */
export interface Screen {
  /** Columns of the terminal; unlimited where stdout is no terminal, so that nothing is cut in a file or a pipe. */
  readonly width: number
  /** Lines of the terminal; unlimited where stdout is none. */
  readonly height: number
  /** Whether a person looks at stdout. */
  readonly isLive: boolean
  /** Whether colours are wanted. */
  readonly isColourful: boolean
  /** Writes one line, as it is, to stdout. */
  readonly print: (line: string) => Effect.Effect<void>
  /** Writes one value as one line of JSON to stdout. */
  readonly json: (value: unknown) => Effect.Effect<void>
  /** Writes a list as JSON to stdout, one row a line: so a program can read it as it comes, and none has to be held whole. */
  readonly jsonRows: (rows: ReadonlyArray<unknown>) => Effect.Effect<void>
  /** Writes one line to stderr. */
  readonly remark: (line: string) => Effect.Effect<void>
  /** Writes a line over the one before it on stderr; nowhere but on a terminal. An empty one takes it away. */
  readonly progress: (line: string) => Effect.Effect<void>
  /** Colours a text, where colours are wanted. */
  readonly paint: (paint: Paint, text: string) => string
  /** The same screen, as large as its terminal is now. */
  readonly fitted: () => Screen
  /**
   * Gives an effect the whole terminal until the effect ends, or a person presses q or Ctrl-C. Then the terminal is as it was
   * before, however it ended. Where stdout is no terminal, the effect just runs.
   */
  readonly whole: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<void, E, R>
}

/** The screen of the program. */
export class TheScreen extends Context.Tag("holdfast/cli/Screen")<TheScreen, Screen>() {}

/** A stream to write to, of which it is known whether it is a terminal, and how wide. */
export interface Output {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
  readonly write: (text: string) => unknown
}

/** A stream of what a person types. */
export interface Input {
  readonly isTTY?: boolean
  readonly setRawMode?: (isRaw: boolean) => unknown
  readonly on: (event: "data", listener: (typed: Uint8Array) => void) => unknown
  readonly pause: () => unknown
}

/** Makes a screen of two streams and an environment. `stdin` is asked for once keys are heard; without it none is. */
export const make = (
  stdout: Output,
  stderr: Output,
  env: Readonly<Record<string, string | undefined>>,
  stdin?: () => Input
): Screen => {
  const isLive = stdout.isTTY === true
  const isColourful = isLive && (env.NO_COLOR ?? "") === "" && env.TERM !== "dumb"
  const write = (stream: Output, text: string) => Effect.sync(() => void stream.write(text))
  const json = (value: unknown) => write(stdout, `${JSON.stringify(value)}\n`)
  return {
    width: isLive ? Math.max(20, stdout.columns || 80) : Number.POSITIVE_INFINITY,
    height: isLive ? Math.max(5, stdout.rows || 24) : Number.POSITIVE_INFINITY,
    isLive,
    isColourful,
    print: (line) => write(stdout, `${line}\n`),
    json,
    jsonRows: (rows) => Effect.forEach(rows, json, { discard: true }),
    remark: (line) => write(stderr, `${line}\n`),
    progress: (line) => (stderr.isTTY === true ? write(stderr, `\r\u001b[K${line}`) : Effect.void),
    paint: (paint, text) =>
      isColourful && paint !== "plain" && text !== "" ? `\u001b[${codes[paint]}m${text}\u001b[0m` : text,
    fitted: () => make(stdout, stderr, env, stdin),
    whole: (effect) =>
      isLive
        ? Effect.acquireUseRelease(
            write(stdout, "\u001b[?1049h\u001b[?25l"),
            () => Effect.raceFirst(Effect.asVoid(effect), left(stdin?.())),
            () => write(stdout, "\u001b[?25h\u001b[?1049l")
          )
        : Effect.asVoid(effect)
  }
}

/** Ends once a person presses q or Ctrl-C, of which a terminal that hands over each key at once makes no signal. */
const left = (stdin: Input | undefined): Effect.Effect<void> =>
  stdin?.isTTY !== true
    ? Effect.never
    : Effect.acquireUseRelease(
        Effect.sync(() => stdin.setRawMode?.(true)),
        () =>
          Effect.async<void>((resume) => {
            stdin.on("data", (typed) => {
              const text = Buffer.from(typed).toString()
              if (["q", "Q", "\u0003"].some((key) => text.includes(key))) resume(Effect.void)
            })
          }),
        () =>
          Effect.sync(() => {
            stdin.setRawMode?.(false)
            // A stream that flows keeps the program from ending.
            stdin.pause()
          })
      )

const codes: Readonly<Record<Paint, number>> = { plain: 0, strong: 1, faint: 2, good: 32, bad: 31, warn: 33 }

/** What the exit codes mean; `--help` prints this. */
export const exitCodes: ReadonlyArray<readonly [number, string]> = [
  [0, "done"],
  [1, "refused or failed; the sentence on stderr says why (verify: differences were found; wait: it failed)"],
  [2, "the command line is not understood"],
  [3, "no such process, wake or machine, or no such file"],
  [4, "some of it could not be done: the report says which, and why"],
  [5, "wait: it was cancelled"],
  [6, "wait: it was abandoned"],
  [7, "wait: it has not ended in time"],
  [130, "interrupted"]
]

/** A command that did not succeed. Units: `code` is an exit code above. */
export class CliFailure extends Data.TaggedError("CliFailure")<{
  readonly code: 1 | 2 | 3 | 4 | 5 | 6 | 7
  readonly line: string
}> {
  override get message(): string {
    return this.line
  }
}

/** It could not be done. */
export const refused = (line: string): CliFailure => new CliFailure({ code: 1, line })

/** The command line asks for something that makes no sense. */
export const misused = (line: string): CliFailure => new CliFailure({ code: 2, line })

/** What was named is not there. */
export const notFound = (line: string): CliFailure => new CliFailure({ code: 3, line })

/** Some of it could not be done. */
export const incomplete = (line: string): CliFailure => new CliFailure({ code: 4, line })

/** The failure of a cause: the command's own, the library's typed one in its words, or a defect in one line. */
export const failureOf = (cause: Cause.Cause<unknown>): CliFailure => {
  const error = Cause.squash(cause)
  if (error instanceof CliFailure) return error
  const line = error instanceof Error ? error.message : String(error)
  const tag = typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined
  if (tag === "ProcessUnknown" || tag === "ProcessPruned") return notFound(line)
  return refused(Cause.isDie(cause) ? `unexpected: ${line}` : line)
}

let wasExpected = false

/** Marks an effect that runs until it is interrupted, which is its normal end. */
export const interruptIsItsEnd = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.onInterrupt(effect, () =>
    Effect.sync(() => {
      wasExpected = true
    })
  )

/** Whether the interruption that came was the normal end. */
export const interruptWasExpected = (): boolean => wasExpected
