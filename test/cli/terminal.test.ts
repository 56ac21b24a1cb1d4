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
import { temporaryFolder } from "../support/hosts.ts"
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
