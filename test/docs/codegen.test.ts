import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { setup } from "xstate"
import { diagram } from "../../src/inspector/charts/mermaid.ts"
import { start } from "../support/children.ts"
import type { Imports } from "../support/codegen/importGraph.ts"
import { withGraph } from "../support/codegen/importGraph.ts"
import { pageOf } from "../support/codegen/machinePages.ts"
import { differing, write } from "../support/codegen/main.ts"
import type { Question } from "../support/codegen/recoveryPage.ts"
import { condensed } from "../support/codegen/recoveryPage.ts"

describe("the generated files", () => {
  it("are on disk as `npm run codegen` writes them", async () => {
    // A whole tree is read in one go: in this OS process nothing else would be heard meanwhile.
    const check = start("test/support/codegen/main.js", ["--check"])
    assert.deepStrictEqual(await check.ended(), { code: 0, signal: null }, check.errors.join("\n"))
    assert.deepStrictEqual(check.lines, [])
  })

  it("differ when one is missing, has another text, or ought not to be there; writing puts that right", () => {
    const root = mkdtempSync(join(tmpdir(), "codegen-"))
    try {
      write(root, [
        { path: "docs/same.md", text: "same" },
        { path: "docs/other.md", text: "before" },
        { path: "docs/gone.md", text: "stale" }
      ])
      const files = [
        { path: "docs/same.md", text: "same" },
        { path: "docs/other.md", text: "after" },
        { path: "docs/gone.md", text: undefined },
        { path: "docs/missing.md", text: "new" }
      ]
      assert.deepStrictEqual(
        differing(root, files).map(({ path }) => path),
        ["docs/other.md", "docs/gone.md", "docs/missing.md"]
      )
      write(root, differing(root, files))
      assert.deepStrictEqual(differing(root, files), [])
      assert.deepStrictEqual(readdirSync(join(root, "docs")).sort(), ["missing.md", "other.md", "same.md"])
      assert.strictEqual(readFileSync(join(root, "docs/other.md"), "utf8"), "after")
    } finally {
      rmSync(root, { recursive: true })
    }
  })
})

const lamp = setup({
  types: { events: {} as { readonly type: "on" | "off" | "next" | "dimmed" | "seen" } },
  guards: { isWired: () => true },
  actions: { shine: () => {} }
}).createMachine({
  id: "lamp",
  version: "3",
  description: "A lamp.",
  initial: "dark",
  on: { seen: {} },
  states: {
    dark: { description: "No light | at all.", on: { on: { guard: "isWired", target: "lit", actions: "shine" } } },
    lit: {
      description: "Light.",
      initial: "low",
      on: { off: "broken", next: ".low", dimmed: "dark" },
      states: { low: { on: { dimmed: "high" } }, high: { on: { off: "#lamp.dark" } }, both: { on: { next: "low" } } }
    },
    broken: {
      type: "parallel",
      states: {
        left: { initial: "low", states: { low: {}, gone: { type: "final" } } },
        right: { entry: "shine" }
      }
    }
  }
})

describe("the picture of a machine", () => {
  it("nests states, parts regions, and joins only states of one level", () => {
    assert.deepStrictEqual(diagram(lamp), [
      "stateDiagram-v2",
      "  [*] --> dark",
      "  state lit {",
      "    [*] --> lit_low",
      '    state "low" as lit_low',
      "    lit_low --> lit_low : next",
      "    high --> lit_low : next",
      "    lit_low --> high : dimmed",
      "    both --> lit_low : next",
      "  }",
      "  state broken {",
      "    state left {",
      "      [*] --> left_low",
      '      state "low" as left_low',
      "      gone --> [*]",
      "    }",
      "    --",
      "    right",
      "  }",
      "  dark --> lit : on [isWired]",
      "  lit --> broken : off",
      "  lit --> dark : dimmed",
      "  lit --> dark : high, off"
    ])
  })

  it("divides no state whose regions are deeper than Mermaid draws, and says that it is parallel", () => {
    const inner = { initial: "x", states: { x: { initial: "y", states: { y: {} } } } }
    const deep = setup({}).createMachine({ id: "deep", type: "parallel", states: { a: inner, b: {} } })
    assert.deepStrictEqual(diagram(deep), [
      "stateDiagram-v2",
      '  state "machine (parallel)" as machine {',
      "    state a {",
      "      [*] --> x",
      "      state x {",
      "        [*] --> y",
      "        y",
      "      }",
      "    }",
      "    b",
      "  }"
    ])
  })

  it("frames a machine that is parallel as a whole", () => {
    const both = setup({}).createMachine({ id: "both", type: "parallel", states: { a: {}, b: {} } })
    assert.deepStrictEqual(diagram(both), ["stateDiagram-v2", "  state machine {", "    a", "    --", "    b", "  }"])
  })
})

describe("the page of a machine", () => {
  it("says what each state means and what each event does there", () => {
    const page = pageOf(lamp).split("\n")
    assert.includeMembers(page, [
      "# The `lamp` machine",
      "A lamp.",
      "Version 3.",
      "| *anywhere* | *Begins in `dark`.* | `seen` |",
      "| `dark` | No light \\| at all. | `on` [isWired] → `lit` / `shine` |",
      "| `lit` | Light. *Begins in `low`.* | `off` → `broken`<br>`next` → `low`<br>`dimmed` → `dark` |",
      "| `lit.high` |  | `off` → `dark` |",
      "| `broken` | *All at once: `left`, `right`.* |  |",
      "| `broken.left.gone` | *Final.* |  |",
      "| `broken.right` |  | on entry / `shine` |"
    ])
  })
})

describe("a condensed table", () => {
  type Case = { readonly a: number; readonly b: number }
  const question = (field: keyof Case): Question<Case> => ({
    title: field,
    answers: [1, 2, 3].map((value) => ({ name: `${field}${value}`, facts: { [field]: value } }))
  })
  const table = (decide: (facts: Partial<Case>) => string) => condensed([question("a"), question("b")], decide)

  it("shares lines among answers that lead to the same, and marks what does not matter", () => {
    assert.deepStrictEqual(
      table(({ a, b }) => (a === 2 ? "two" : String(b === 3))),
      [
        ["a1 or a3", "b1 or b2", "false"],
        ["a1 or a3", "b3", "true"],
        ["a2", "–", "two"]
      ]
    )
    assert.deepStrictEqual(
      table(() => "x"),
      [["–", "–", "x"]]
    )
  })
})

describe("the import graph", () => {
  const importing = (source: string, ...targets: ReadonlyArray<string>): Imports["modules"][number] => ({
    source,
    dependencies: targets.map((target) => ({
      module: target.startsWith("src/") || target.startsWith("machines/") ? `../${target}` : target,
      resolved: target,
      coreModule: target === "fs"
    }))
  })
  const imports: Imports = {
    modules: [
      importing("machines/a.ts", "xstate"),
      importing("src/model/A.ts", "machines/a.ts", "effect/Schema"),
      importing("src/store/A.ts", "src/store/B.ts", "src/model/A.ts", "machines/a.ts", "fs", "@effect/sql/SqlClient")
    ]
  }

  it("replaces what stands between the marks, and leaves out arrows that others imply", () => {
    const page = "# Map\n<!-- graph:begin -->\nold\n<!-- graph:end -->\nAfter.\n"
    const text = withGraph(page, imports)
    assert.isTrue(text.startsWith("# Map\n<!-- graph:begin -->\n```mermaid\n"))
    assert.isTrue(text.endsWith("\n<!-- graph:end -->\nAfter.\n"))
    assert.notInclude(text, "old")
    assert.deepStrictEqual(
      text.split("\n").filter((line) => line.includes("-->") && !line.startsWith("<!--")),
      ["  model --> machines", "  store --> model"]
    )
    assert.includeMembers(text.split("\n"), [
      "| `machines` | – | `xstate` |",
      "| `src/store` | `machines`, `src/model` | `@effect/sql` |"
    ])
    assert.strictEqual(withGraph(text, imports), text)
  })

  it("refuses a page without the marks", () => {
    assert.throws(() => withGraph("# Map\n", imports), "lacks the marks")
  })
})
