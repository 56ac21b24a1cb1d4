/**
 * The output of the program: lines, and on a terminal a progress bar below them, with a status below that.
 *
 * Invariant: while the bar is drawn, everything is written through a screen, so that no line lands inside the bar.
 */
import { MultiBar, type SingleBar } from "cli-progress"
import * as HashMap from "effect/HashMap"
import * as Logger from "effect/Logger"
import { harmless } from "../report/text.ts"

/** A stream to write to, which may be a terminal. */
export type Output = NodeJS.WriteStream

/** Shows lines and a bar. */
export interface Screen {
  /** Whether it is a terminal, which can show a bar. */
  readonly live: boolean
  /** Writes a line for the program's reader. */
  readonly print: (line: string) => void
  /** Writes an error or a warning. */
  readonly warn: (line: string) => void
  /** Draws the bar, or changes it. */
  readonly draw: (state: BarState) => void
  /** Replaces the lines below the bar; on a terminal only. At most {@link maxStatusLines}. */
  readonly status: (lines: ReadonlyArray<string>) => void
  /** Removes bar and status; lines stay. */
  readonly clear: () => void
}

/** How many lines of status a terminal shows. */
export const maxStatusLines = 2

/** What the bar says. */
export interface BarState {
  readonly done: number
  readonly total: number
  readonly text: string
}

/** Makes a screen of two outputs. A closed pipe (`| head`) ends the output, not the audit. */
export const make = (stdout: Output, stderr: Output): Screen => {
  let bars: { readonly all: MultiBar; readonly one: SingleBar; readonly below: Array<SingleBar> } | undefined
  for (const output of [stdout, stderr]) output.on("error", () => {})

  const write = (output: Output, line: string): void => {
    if (bars === undefined || !output.isTTY) {
      output.write(`${line}\n`)
      return
    }
    bars.all.log(`${line}\n`)
    bars.all.update() // at once: a line that is logged after the last redraw would never be shown
  }

  return {
    live: stdout.isTTY === true,
    print: (line) => write(stdout, line),
    warn: (line) => write(stderr, line),
    draw: ({ done, total, text }) => {
      if (stdout.isTTY !== true) return
      if (bars === undefined) {
        const all = new MultiBar({
          stream: stdout,
          format: "{bar} {percentage} % | {value} of {total} files | {text}",
          barsize: 24,
          barCompleteChar: "█",
          barIncompleteChar: "░",
          clearOnComplete: true,
          forceRedraw: true,
          gracefulExit: false,
          linewrap: true
        })
        bars = { all, one: all.create(total, done, { text }), below: [] }
      }
      bars.one.setTotal(total)
      bars.one.update(done, { text })
    },
    status: (lines) => {
      if (bars === undefined) return
      for (const [index, line] of lines.slice(0, maxStatusLines).entries()) {
        const text = cut(harmless(line), stdout.columns)
        bars.below[index] ??= bars.all.create(1, 0, { text }, { format: "{text}" })
        bars.below[index].update(0, { text })
      }
      for (const bar of bars.below.slice(lines.length)) bar.update(0, { text: "" })
    },
    clear: () => {
      bars?.all.stop()
      bars = undefined
    }
  }
}

/** Cuts a line to the width of the terminal: a wrapped line would be redrawn in the wrong place. */
const cut = (line: string, columns: number): string => (line.length < columns ? line : `${line.slice(0, columns - 2)}…`)

/** Shows log entries as single lines: `warning: lease lost (process=…, attempt=1)`. */
export const logger = (screen: Screen): Logger.Logger<unknown, void> =>
  Logger.make(({ logLevel, message, annotations, cause }) => {
    const said = (Array.isArray(message) ? message : [message]).map(text).join(" ")
    const failure = cause._tag === "Empty" ? "" : `: ${String(cause).split("\n", 1)[0]}`
    const about = Array.from(HashMap.entries(annotations), ([key, value]) => `${key}=${text(value)}`).sort()
    const where = about.length === 0 ? "" : ` (${about.join(", ")})`
    screen.warn(harmless(`${words[logLevel._tag] ?? logLevel.label.toLowerCase()}: ${said}${failure}${where}`))
  })

const words: Readonly<Record<string, string>> = { Warning: "warning", Error: "error", Fatal: "error" }

const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))
