/**
 * The progress of a step outlives the death of its host: not an interruption, which could still write, but a kill.
 */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { start } from "../support/children.ts"
import { temporaryFolder } from "../support/hosts.ts"

describe("a step whose host is killed", () => {
  it.scopedLive("goes on under the next host from what it said last", () =>
    Effect.gen(function* () {
      const database = join(yield* temporaryFolder, "progress.db")
      const host = (turn: "first" | "next") =>
        Effect.acquireRelease(
          Effect.sync(() => start("test/crash/copier.js", [database, turn])),
          (child) => Effect.sync(() => child.process.kill("SIGKILL"))
        )
      const first = yield* host("first")
      yield* Effect.promise(() => Promise.all([first.saw(/^effects reported/), first.saw(/^promises reported/)]))
      first.process.kill("SIGKILL")
      assert.strictEqual((yield* Effect.promise(() => first.ended())).signal, "SIGKILL")
      const next = yield* host("next")
      assert.strictEqual((yield* Effect.promise(() => next.ended())).code, 0, next.errors.join("\n"))
      assert.deepStrictEqual(next.lines.filter((line) => line.includes(" had ")).sort(), [
        'effects had {"done":3}',
        'promises had {"done":3}'
      ])
    })
  )
})
