import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
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

/** The guides whose code is that of a test or an example. */
const compiled = [
  "follow-processes.md",
  "testing-your-body.md",
  "testing-your-statechart.md",
  "values-and-their-limits.md",
  "your-statechart.md"
]

describe("the guides", () => {
  const folder = `${root}docs/guide`
  const guides = readdirSync(folder).map((name) => ({ name, text: readFileSync(join(folder, name), "utf8") }))

  it("link to files that exist, pictures among them", () => {
    const dead = guides.flatMap(({ name, text }) =>
      [...text.matchAll(/\]\(([^)#:]+)[^)]*\)/g)].flatMap(([, path = ""]) =>
        existsSync(join(folder, path)) ? [] : [`${name} links to ${path}`]
      )
    )
    assert.deepStrictEqual(dead, [])
  })

  it("to machines, values, projections and checks show code that a test or an example compiles", () => {
    const plain = (text: string) => text.replace(/^import .*$/gm, "").replace(/\s+/g, "")
    const code = ["docs/examples", "test/docs", "test/chart"].flatMap((of) =>
      readdirSync(`${root}${of}`)
        .filter((name) => name.endsWith(".ts"))
        .map((name) => plain(readFileSync(join(root, of, name), "utf8")))
    )
    const shown = guides
      .filter(({ name }) => compiled.includes(name))
      .flatMap(({ name, text }) =>
        [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block = ""]) => ({ name, block }))
      )
    assert.sameMembers([...new Set(shown.map(({ name }) => name))], compiled)
    assert.deepStrictEqual(
      shown.filter(({ block }) => !code.some((text) => text.includes(plain(block)))),
      []
    )
  })

  it("show every picture that is kept for them", () => {
    const unused = readdirSync(`${root}docs/pictures`).filter(
      (picture) => !guides.some(({ text }) => text.includes(`](../pictures/${picture})`))
    )
    assert.deepStrictEqual(unused, [])
  })
})

describe("the map", () => {
  it("names files that exist", () => {
    const map = readFileSync(`${root}docs/map.md`, "utf8")
    const named = [...map.matchAll(/`((?:machines|src|test|docs)\/[\w./-]+)`/g)].map(([, path = ""]) => path)
    assert.isAbove(named.length, 50)
    assert.deepStrictEqual(
      named.filter((path) => !existsSync(`${root}${path}`)),
      []
    )
  })
})

const promises = readFileSync(`${root}docs/guide/embed-with-promises.md`, "utf8")

describe("the guide to embedding with Promises", () => {
  it("shows the code of the example that is run, to the letter", () => {
    const example = readFileSync(`${root}docs/examples/07-promises.ts`, "utf8")
      .replace('"../../src/index.ts"', '"holdfast"')
      .replace('"../../src/host/embed/createHost.ts"', '"holdfast/embed"')
    const shown = /```ts\n([\s\S]*?)```/.exec(promises)?.[1] ?? ""
    assert.strictEqual(shown, example.slice(example.indexOf("import ")))
  })
})
