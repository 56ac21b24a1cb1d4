import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { AnyCommand } from "../../src/cli/help.ts"
import { described } from "../../src/cli/help.ts"
import { changing, looking } from "../../src/cli/program.ts"
import { processId } from "../../src/model/ids.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"
import { open, temporaryFolder } from "../store/sqliteFixtures.ts"
import { holdfast } from "./running.ts"

/** What a command needs beside its first word; one of files has no --db. */
const needs: Readonly<
  Record<string, { readonly options?: ReadonlyArray<string>; readonly words?: ReadonlyArray<string> }>
> = {
  backup: { words: ["-copy.db"] },
  migrate: { options: ["--engines", join(import.meta.dirname, "newEngines.ts")] },
  resume: { options: ["--from", "1"] },
  tail: { options: ["--until-end"] },
  send: { words: ["-event"] },
  signal: { words: ["ready"] }
}

/** The commands that take words, and those within commands, as the parser knows them. */
const taking = [...looking, ...changing]
  .map((command) => described(command as AnyCommand))
  .flatMap((command) => [command, ...command.parts])
  .filter((command) => command.arguments.length > 0)

describe("an id that begins with a dash", () => {
  it.scopedLive("stands after --, and without that the refusal says so", () =>
    Effect.gen(function* () {
      const filename = join(yield* temporaryFolder, "agent.db")
      const { register } = yield* open(filename)
      for (const id of ["-rf", "--help", "--", "plain"]) {
        yield* register(id)
        for (const command of ["show", "explain"]) {
          const { code, err, out } = yield* Effect.promise(() => holdfast([command, "--db", filename, "--", id]))
          assert.strictEqual(code, 0, err)
          assert.include(out, id)
        }
      }
      for (const id of ["-rf", "--rf"]) {
        const { code, err } = yield* Effect.promise(() => holdfast(["show", id, "--db", filename]))
        assert.strictEqual(code, 2)
        assert.match(err, /an id that begins with a dash comes after --/)
      }
    })
  )

  for (const {
    name,
    arguments: [first],
    options
  } of taking) {
    // The page opens at any id, and is served until it is interrupted.
    const isOfProcess = /\bid\b/.test(first?.term ?? "") && name !== "open"
    it.scopedLive(`is taken behind -- by holdfast ${name}, which ${isOfProcess ? "finds" : "looks for"} it`, () =>
      Effect.gen(function* () {
        const filename = join(yield* temporaryFolder, "agent.db")
        const { registry } = yield* open(filename)
        const id = processId("--json")
        if (isOfProcess) {
          yield* registry.registerProcess(registrationOf(id, "externally_owned"))
          yield* registry.completeProcess(id, { _tag: "Success", value: 1 }, { _tag: "ExternalOwner" })
        }
        const { options: more = [], words = [] } = needs[name] ?? {}
        const db = options.some(({ term }) => term.startsWith("--db")) ? ["--db", filename] : []
        const { code, err, out } = yield* Effect.promise(() =>
          holdfast([...name.split(" "), ...more, ...db, "--", id, ...words])
        )
        if (!isOfProcess) {
          assert.deepStrictEqual({ code, out }, { code: 3, out: "" }, err)
          assert.include(err, id)
          return
        }
        assert.notMatch(err, /unknown process|is no option/)
        assert.include([0, 1], code, err)
      })
    )
  }
})
