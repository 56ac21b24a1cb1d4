import { assert, describe, it } from "@effect/vitest"
import { laidOut, questionFirst } from "../../src/cli/program.ts"
import { cut, harmless, padded, table, widthOf, wrapped } from "../../src/cli/table.ts"

const plain = (width: number) => ({ width, paint: (_paint: unknown, text: string) => text })

const columns = [
  { title: "ID", yields: 2, least: 6 },
  { title: "WHAT", yields: 1, least: 4 },
  { title: "N", yields: 9, least: 1, align: "right" as const }
]

describe("a table", () => {
  it("is as wide as what it holds where there is room", () => {
    assert.deepStrictEqual(
      table(plain(80), columns, [
        ["a", "something long", "7"],
        ["bcd", "x", "12"]
      ]),
      ["ID   WHAT             N", "a    something long   7", "bcd  x               12"]
    )
  })

  it("cuts what yields first, and an id last", () => {
    const rows = [["identity-1", "something long", "7"]]
    assert.deepStrictEqual(table(plain(22), columns, rows), ["ID          WHAT     N", "identity-1  someth…  7"])
    assert.deepStrictEqual(table(plain(18), columns, rows), ["ID         WHAT  N", "identity…  som…  7"])
  })

  it("is never wider than the terminal, whatever stands in it", () => {
    for (let width = 20; width < 60; width += 1) {
      const lines = table(plain(width), columns, [["identity-1", "日本語のとても長いラベル", "7"]])
      assert.isTrue(
        lines.every((line) => widthOf(line) <= width),
        `${width}`
      )
    }
  })
})

describe("a text", () => {
  it("cannot steer the terminal", () => {
    assert.strictEqual(harmless("a\u001b[31mb\nc\u202e"), "a\\u001b[31mb\\nc\\u202e")
  })

  it("has the width that a terminal gives it", () => {
    assert.deepStrictEqual(["abc", "日本", "e\u0301", "🚀"].map(widthOf), [3, 4, 1, 2])
    assert.strictEqual(cut("日本語", 5), "日本…")
    assert.strictEqual(padded("日本", 5, "right"), " 日本")
  })

  it("is broken at spaces, and a long word is left whole", () => {
    assert.deepStrictEqual(wrapped("one two three-is-long four", 8), ["one two", "three-is-long", "four"])
  })
})

describe("help", () => {
  const asked: ReadonlyArray<readonly [string, string]> = [
    ["--help", "--help"],
    ["-h", "--help"],
    ["ls --help", "ls --help"],
    ["ls --status any --help", "ls --help"],
    ["show id -h --json", "show --help"],
    ["--db x.db --help", "--help"],
    ["ls --status any", "ls --status any"],
    ["signal id go -- --help", "signal id go -- --help"]
  ]
  for (const [typed, understood] of asked) {
    it(`\`holdfast ${typed}\` is understood as \`holdfast ${understood}\``, () => {
      assert.deepStrictEqual(questionFirst(typed.split(" ")), understood.split(" "))
    })
  }

  it("lists each command on a line of its own, and leaves other texts as they are", () => {
    const help = "USAGE\n\n$ x\n\nCOMMANDS\n\n  - ls [--db file]      List.\n\n  - show [--db file] <id>  Show one.\n"
    assert.strictEqual(laidOut(help, 80), "USAGE\n\n$ x\n\nCOMMANDS\n\n  ls    List.\n  show  Show one.")
    assert.strictEqual(laidOut("function f() {\n\n}", 10), "function f() {\n\n}")
  })
})
