import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Errors from "../../src/model/errors.ts"
import { root } from "../support/children.ts"

const guide = readFileSync(`${root}docs/guide/errors-of-a-body.md`, "utf8")

/** The rows of the guide's tables, each as its cells. */
const rows = guide
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) => line.slice(2, -2).split(" | "))

const named = rows.map(([name = ""]) => name.replaceAll("`", ""))

describe("the guide to the errors of a body", () => {
  it("tells of every failure that a body may let through, once, in four cells", () => {
    const failures = readFileSync(`${root}src/model/failures.ts`, "utf8")
    const names = [...failures.matchAll(/import (?:type )?\{([^}]*)\} from "\.\/errors\.ts"/g)]
      .flatMap(([, imported = ""]) => imported.split(","))
      .map((name) => name.trim())
    assert.isAbove(names.length, 15)
    assert.deepStrictEqual(named.toSorted(), names.toSorted())
    for (const row of rows) assert.strictEqual(row.length, 4, row[0])
  })

  it("names errors that exist", () => {
    for (const name of named) assert.property(Errors, name)
  })
})
