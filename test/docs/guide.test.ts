import { existsSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { root } from "../support/children.ts"

const guide = readFileSync(`${root}docs/guide/what-happens-when.md`, "utf8")

/** The rows of the guide's tables, each as its cells. */
const rows = guide
  .split("\n")
  .filter((line) => line.startsWith("| ") && !line.startsWith("| what happens |"))
  .map((line) => line.split(" | ").map((cell) => cell.replace(/^\| |\s*\|$/g, "")))

/** The tests that a row names. */
const proofsOf = (row: ReadonlyArray<string>) =>
  [...(row.at(-1) ?? "").matchAll(/`(test\/[^`]+)`: \*([^*]+)\*/g)].map(([, file = "", name = ""]) => ({ file, name }))

describe("the guide to what happens when", () => {
  it("has five cells in each row, and names a test for each", () => {
    assert.isAbove(rows.length, 25)
    for (const row of rows) {
      assert.strictEqual(row.length, 5, row[0])
      assert.isAbove(proofsOf(row).length, 0, row[0])
    }
  })

  it("names tests that exist, by file and name", () => {
    const missing = rows.flatMap(proofsOf).filter(({ file, name }) => {
      const path = `${root}${file}`
      return !existsSync(path) || !readFileSync(path, "utf8").includes(name)
    })
    assert.deepStrictEqual(missing, [])
  })

  it("tells of each failure once", () => {
    const told = rows.map(([what]) => what)
    assert.deepStrictEqual([...new Set(told)], told)
  })
})
