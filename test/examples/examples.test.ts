import { mkdtempSync, readdirSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { root, start } from "../support/children.ts"
import { examples } from "../support/examples.ts"
import { remove } from "../support/folders.ts"
import { isWhole } from "../support/samples.ts"

/** These have tests of their own, beside the text that they belong to. */
const testedElsewhere: ReadonlyArray<string> = ["06-wake-a-session", "08-deploy", "09-own-store"]

/** Each is a program that is run several times: these are in every run of the tests. */
const inEveryRun: ReadonlyArray<string> = ["01-hello", "07-promises"]

describe("the examples", () => {
  for (const [name, runs] of Object.entries(examples)) {
    it.skipIf(!isWhole && !inEveryRun.includes(name))(`${name} prints what it promises, run after run`, async () => {
      const folder = mkdtempSync(join(tmpdir(), "holdfast-example-"))
      try {
        const file = join(folder, "example.db")
        for (const [index, { args = [], prints }] of runs.entries()) {
          const child = start(`docs/examples/${name}.js`, [file, ...args], { cwd: folder })
          const end = await child.ended()
          assert.deepStrictEqual(end, { code: 0, signal: null }, child.errors.join("\n"))
          assert.deepStrictEqual(child.lines, prints, `run ${index + 1}`)
        }
      } finally {
        await Effect.runPromise(remove(folder))
      }
    })
  }

  it("are all tested", () => {
    const names = readdirSync(`${root}docs/examples`)
      .filter((name) => /^\d/.test(name))
      .map((name) => (name.endsWith(".ts") ? name.slice(0, -".ts".length) : `${name}/main`))
    assert.sameMembers(names, [...Object.keys(examples), ...testedElsewhere])
  })

  it("say how they are run, where they are more than the README's code", () => {
    for (const name of Object.keys(examples)) {
      const text = readFileSync(`${root}docs/examples/${name}.ts`, "utf8")
      assert.include(text, ` * usage: node dist/docs/examples/${name}.js [database file]`)
    }
  })
})
