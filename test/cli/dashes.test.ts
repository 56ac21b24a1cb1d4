import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { open, temporaryFolder } from "../store/sqliteFixtures.ts"
import { holdfast } from "./running.ts"

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
})
