import { mkdtempSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { root, start } from "../support/children.ts"
import { remove } from "../support/folders.ts"

describe("the guide to waking a session", () => {
  it("shows the code of its example, to the letter", () => {
    const guide = readFileSync(`${root}docs/guide/wake-a-session.md`, "utf8")
    const code = /```ts\n([\s\S]*?)```/.exec(guide)?.[1]
    assert.isString(code)
    assert.include(readFileSync(`${root}docs/examples/06-wake-a-session.ts`, "utf8"), code ?? "no code")
  })

  it("has an example that delivers once, and when it is run again nothing more", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-wakes-"))
    try {
      const run = async () => {
        const child = start("docs/examples/06-wake-a-session.js", [join(folder, "wakes.db")])
        const end = await child.ended()
        assert.deepStrictEqual(end, { code: 0, signal: null }, child.errors.join("\n"))
        return child.lines
      }
      assert.deepStrictEqual(await run(), [
        "to ana",
        "Background process wake",
        "Process: build-7",
        "Event: built #1",
        "Wake input:",
        "all tests pass"
      ])
      assert.deepStrictEqual(await run(), [])
    } finally {
      await Effect.runPromise(remove(folder))
    }
  })
})
