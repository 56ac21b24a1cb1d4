import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import { fieldsNamed, questionFirst } from "../../src/cli/program.ts"
import { cut, cutInside, harmless, padded, table, widthOf, wrapped } from "../../src/cli/table.ts"

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

  it("may lose its middle, and keeps both ends", () => {
    FC.assert(
      FC.property(FC.string({ unit: "grapheme", minLength: 1 }), FC.integer({ min: 3, max: 40 }), (text, width) => {
        const shown = cutInside(text, width)
        assert.isAtMost(widthOf(shown), width)
        const [head = "", tail = ""] = shown === text ? [text, ""] : shown.split("…")
        assert.isTrue(shown === text || (text.startsWith(head) && text.endsWith(tail)))
      })
    )
    assert.strictEqual(cutInside("deploy-7f3c9a52-000001", 13), "deploy…000001")
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
  const listed: ReadonlyArray<readonly [string, string]> = [
    ["ls --json id,kind --status any", "ls --fields id,kind --status any"],
    ["ls --json=id", "ls --fields id"],
    ["ls --json --status any", "ls --json --status any"],
    ["show --json p", "show --json p"]
  ]
  for (const [typed, understood] of listed) {
    it(`\`holdfast ${typed}\` is understood as \`holdfast ${understood}\``, () => {
      assert.deepStrictEqual(fieldsNamed(typed.split(" ")), understood.split(" "))
    })
  }

  for (const [typed, understood] of asked) {
    it(`\`holdfast ${typed}\` is understood as \`holdfast ${understood}\``, () => {
      assert.deepStrictEqual(questionFirst(typed.split(" ")), understood.split(" "))
    })
  }
})
