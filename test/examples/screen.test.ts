import { PassThrough } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as ProgressBar from "../../docs/examples/audit/cli/ProgressBar.ts"
import * as Screen from "../../docs/examples/audit/cli/Screen.ts"
import { Progress } from "../../docs/examples/audit/work/Progress.ts"

/** A stream that keeps what is written to it; as a terminal it has a width. */
const output = (terminal: boolean): { readonly stream: Screen.Output; readonly written: () => string } => {
  const stream = new PassThrough()
  let written = ""
  stream.on("data", (chunk) => {
    written += String(chunk)
  })
  const extra = terminal ? { isTTY: true, columns: 100 } : {}
  return { stream: Object.assign(stream, extra) as unknown as Screen.Output, written: () => written } // what is used of it
}

/** What a terminal shows after all that was written: it obeys line ends, cursor rows and columns, and clearing. */
const shown = (written: string): ReadonlyArray<string> => {
  const lines = [""]
  let column = 0
  let row = 0
  const line = () => lines[row] ?? ""
  const set = (text: string) => {
    lines[row] = text
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  for (const [token] of written.matchAll(/\u001b\[[0-9;?]*[A-Za-z]|\u001b[78]|[\s\S]/g)) {
    if (token === "\n") {
      row++
      if (row === lines.length) lines.push("")
      column = 0
    } else if (token === "\r") column = 0
    else if (/^.\[[0-9]+A$/.test(token)) row -= Number(token.slice(2, -1))
    else if (token.endsWith("J")) lines.splice(row, lines.length, line().slice(0, column))
    else if (/G$/.test(token) && token.length > 1) column = Number(token.slice(2, -1)) - 1
    else if (/^.\[[0-2]?K$/.test(token)) set(token.includes("2") ? "" : line().slice(0, column))
    else if (!token.startsWith("\u001b")) {
      set(line().padEnd(column).slice(0, column) + token + line().slice(column + 1))
      column++
    } else assert.fail(`the terminal does not know ${JSON.stringify(token)}`)
  }
  return lines
}

describe("a screen on a terminal", () => {
  it("keeps lines whole that are written while the bar is drawn", () => {
    const terminal = output(true)
    const screen = Screen.make(terminal.stream, terminal.stream)
    screen.print("before")
    screen.draw({ done: 1, total: 4, text: "batch 0 of 1" })
    screen.print(
      "a line that is much longer than the bar would be, so that a rest of either would show in the other one"
    )
    screen.draw({ done: 2, total: 4, text: "batch 0 of 1" })
    screen.warn("short")
    assert.deepStrictEqual(shown(terminal.written()), [
      "before",
      "a line that is much longer than the bar would be, so that a rest of either would show in the other one",
      "short",
      "████████████░░░░░░░░░░░░ 50 % | 2 of 4 files | batch 0 of 1"
    ])
    screen.draw({ done: 4, total: 4, text: "batch 1 of 1" })
    screen.clear()
    screen.print("after")
    assert.deepStrictEqual(shown(terminal.written()), [
      "before",
      "a line that is much longer than the bar would be, so that a rest of either would show in the other one",
      "short",
      "after",
      ""
    ])
  })

  it("keeps the status below the bar, in place, one row a line, and takes it away with the bar", () => {
    const terminal = output(true)
    const screen = Screen.make(terminal.stream, terminal.stream)
    screen.status(["nothing to be below of"])
    screen.draw({ done: 1, total: 4, text: "batch 0 of 1" })
    screen.status(["owners: one", "here: a"])
    screen.status([`owners: ${"two ".repeat(40)}`, "here: a, b"])
    screen.print("a line")
    const bar = "██████░░░░░░░░░░░░░░░░░░ 25 % | 1 of 4 files | batch 0 of 1"
    const cut = `owners: ${"two ".repeat(22)}tw…`
    assert.deepStrictEqual(shown(terminal.written()).slice(0, 4), ["a line", bar, cut, "here: a, b"])
    screen.status(["owners: one"])
    screen.print("another line")
    assert.deepStrictEqual(shown(terminal.written()).slice(0, 5), ["a line", "another line", bar, "owners: one", ""])
    screen.clear()
    screen.print("after")
    assert.deepStrictEqual(shown(terminal.written()), ["a line", "another line", "after", ""])
  })

  it.effect("shows a warning of the library as one line above the bar", () =>
    Effect.gen(function* () {
      const terminal = output(true)
      const screen = Screen.make(terminal.stream, terminal.stream)
      screen.draw({ done: 0, total: 1, text: "batch 0 of 1" })
      yield* Effect.logWarning("lease lost").pipe(
        Effect.annotateLogs({ process: "audit:1", attempt: 2 }),
        Effect.zipRight(Effect.logInfo("not shown")),
        Logger.withMinimumLogLevel(LogLevel.Warning),
        Effect.provide(Logger.replace(Logger.defaultLogger, Screen.logger(screen)))
      )
      assert.deepStrictEqual(shown(terminal.written()), [
        "warning: lease lost (attempt=2, process=audit:1)",
        "░░░░░░░░░░░░░░░░░░░░░░░░ 0 % | 0 of 1 files | batch 0 of 1"
      ])
      screen.clear()
    })
  )
})

describe("progress without a terminal", () => {
  it.effect("is a line for every tenth, counts a file once, and what other audits read not at all", () =>
    Effect.gen(function* () {
      const [out, err] = [output(false), output(false)]
      const screen = Screen.make(out.stream, err.stream)
      yield* Effect.gen(function* () {
        const progress = yield* Progress
        yield* progress.fileRead("a/2", "early")
        yield* progress.fileRead("other/1", "x")
        yield* progress.planned(
          [
            { id: "a/1", files: 16 },
            { id: "a/2", files: 2 },
            { id: "a/3", files: 2 }
          ],
          new Set(["a/1"])
        )
        yield* progress.fileRead("a/2", "early")
        yield* progress.fileRead("other/1", "y")
        yield* progress.batchDone("a/1")
        yield* progress.batchDone("a/2")
        yield* progress.batchDone("other/1")
        yield* progress.batchDone("a/3")
      }).pipe(Effect.provide(ProgressBar.layer(screen, 0)))
      assert.deepStrictEqual(out.written().split("\n"), [
        "20 files in 3 batches; taken over: 16 files in 1 batch",
        "80 %: 17 of 20 files",
        "90 %: 18 of 20 files",
        "100 %: 20 of 20 files",
        ""
      ])
      assert.strictEqual(err.written(), "")
    })
  )
})
