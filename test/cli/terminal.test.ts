import { stripVTControlCharacters } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { widthOf } from "../../src/cli/table.ts"
import { processId } from "../../src/model/ids.ts"
import { external } from "../../src/operations/decisions/authority.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"
import { onTerminal, withoutTerminal } from "../support/children.ts"
import { leftOut } from "../support/gate.ts"
import { bounded, temporaryFolder } from "../support/hosts.ts"
import { programAt } from "../support/programs.ts"
import { holdfast } from "./running.ts"

const long = `deploy/${"very-long-name/".repeat(4)}42`

/** A file with texts that are long, wide, or meant to steer a terminal. */
const awkward = Effect.gen(function* () {
  const filename = `${yield* temporaryFolder}/awkward.db`
  const fill = Effect.gen(function* () {
    const registry = yield* ProcessRegistry
    const label = "\u001b[2Jラベル\r\n"
    const sessionId = "\u001b[2Jのセッション\r\n"
    const identity = { kind: "law.engine", label }
    yield* registry.registerProcess(
      registrationOf(processId(long), "rerunnable", { identity, wakeTarget: { sessionId } })
    )
    yield* registry.registerProcess(registrationOf(processId("short"), "externally_owned"))
    yield* registry.appendEvent(
      processId(long),
      { eventType: "note", payload: { text: "wörter ".repeat(60) } },
      external
    )
    const urgent = { eventType: "progress", payload: { urgent: true, text: "\u001b[2J" } }
    for (const _ of [1, 2]) yield* registry.appendEvent(processId(long), urgent, external)
  })
  yield* Effect.provide(fill, Registry.layer.pipe(Layer.provide(SqliteStore.layer({ filename }))))
  return filename
})

const commands: ReadonlyArray<ReadonlyArray<string>> = [["ls"], ["show", long], ["tree"], ["wakes"], ["sweep"]]

describe("on a terminal", () => {
  for (const columns of [80, 160]) {
    it.scopedLive(`no line is wider than its ${columns} columns, and no text of a process steers it`, () =>
      Effect.gen(function* () {
        const db = yield* awkward
        for (const command of commands) {
          const { out, code } = yield* Effect.promise(() => holdfast([...command, "--db", db], { columns }))
          assert.strictEqual(code, 0)
          const lines = stripVTControlCharacters(out).split("\n")
          assert.isTrue(
            lines.every((line) => widthOf(line) <= columns),
            out
          )
          assert.notInclude(out, "\u001b[2J")
          assert.notInclude(out, "\r")
        }
      })
    )
  }

  it.scopedLive("there are colours, unless NO_COLOR is set; in a pipe there are none, and nothing is cut", () =>
    Effect.gen(function* () {
      const db = yield* awkward
      const ls = (options: Parameters<typeof holdfast>[1]) =>
        Effect.promise(() => holdfast(["ls", "--db", db], options))
      assert.include((yield* ls({ columns: 80 })).out, "\u001b[")
      assert.notInclude((yield* ls({ columns: 80, env: { NO_COLOR: "1" } })).out, "\u001b[")
      const piped = yield* ls({})
      assert.notInclude(piped.out, "\u001b[")
      assert.include(piped.out, long)
      assert.include(piped.out, "law.engine/\\u001b[2Jラベル\\r\\n")
    })
  )
})

const noTerminal = leftOut(withoutTerminal)

describe.skipIf(noTerminal !== undefined)(
  `holdfast top${noTerminal === undefined ? "" : ` (left out: ${noTerminal})`}`,
  () => {
    const ways: ReadonlyArray<readonly [name: string, key: string, input: string]> = [
      ["q", "q", ""],
      ["Ctrl-C", "\u0003", ""],
      ["Ctrl-C, where its input is no terminal", "\u0003", "</dev/null"]
    ]
    for (const [name, key, input] of ways) {
      it.scopedLive(`draws, and draws anew upon a change, until ${name}; then the terminal is as it was`, () =>
        bounded(
          Effect.gen(function* () {
            const filename = yield* awkward
            const program = `"${process.execPath}" "${programAt("src/cli/main.js")}" top --db "${filename}" ${input}`
            // The shell is interrupted with the program, and goes on.
            const shell = `trap : INT; stty cols 70 rows 24; stty -a; ${program}; echo "code $?"; stty -a`
            const terminal = yield* Effect.acquireRelease(
              Effect.sync(() => onTerminal(shell)),
              ({ process: child }) => Effect.sync(() => child.kill("SIGKILL"))
            )
            yield* Effect.promise(() => terminal.saw(/^short /))
            const more = Effect.flatMap(ProcessRegistry, (registry) =>
              registry.registerProcess(registrationOf(processId("another"), "externally_owned"))
            )
            yield* Effect.provide(more, Registry.layer.pipe(Layer.provide(SqliteStore.layer({ filename }))))
            yield* Effect.promise(() => terminal.saw(/^another /))
            terminal.process.stdin?.write(key)
            yield* Effect.promise(async () => {
              await terminal.saw(/code 0/)
              assert.strictEqual((await terminal.ended()).code, 0)
            })
            const out = terminal.lines.join("\n")
            const [before = "", after = ""] = [out.slice(0, out.indexOf(enter)), out.slice(out.indexOf(leave))]
            assert.isTrue(after.startsWith(leave), out)
            assert.include(after, "code 0")
            const settings = (text: string) => text.match(/-?\b(icanon|isig|echo|opost)\b/g)
            assert.deepStrictEqual(settings(after), settings(before))
            assert.deepStrictEqual(settings(before), ["opost", "isig", "icanon", "echo"])
            const drawn = stripVTControlCharacters(out.slice(out.indexOf(enter), out.indexOf(leave))).split("\n")
            assert.isTrue(
              drawn.every((line) => widthOf(line.trimEnd()) <= 70),
              out
            )
          })
        )
      )
    }
  }
)

/** Another screen with no cursor, and back. */
const [enter, leave] = ["\u001b[?1049h\u001b[?25l", "\u001b[?25h\u001b[?1049l"]
