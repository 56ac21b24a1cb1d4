import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { withGraph } from "../support/codegen/importGraph.ts"
import { projectRoot } from "../support/projectRoot.ts"
import { cruiseTree, layers, ruleSet, unlayered, violationsIn } from "./layers.ts"
import { projectPaths } from "./sources.ts"

type Tree = Readonly<Record<string, string>>

/** The violations of a tree of files, each as `from -> to: rule`. */
const violationsOf = async (tree: Tree): Promise<ReadonlyArray<string>> => {
  const root = mkdtempSync(join(tmpdir(), "layers-"))
  try {
    for (const [path, text] of Object.entries({ "machines/a.ts": "", "src/model/A.ts": "", ...tree })) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
    return violationsIn(await cruiseTree(root))
      .map(({ rule, from, to }) => `${from} -> ${to}: ${rule}`)
      .sort()
  } finally {
    rmSync(root, { recursive: true })
  }
}

/** A package as it lies in a tree, and as its manifest lists it. */
const installed = (kind: "dependencies" | "devDependencies", ...names: ReadonlyArray<string>): Tree => ({
  "package.json": JSON.stringify({ [kind]: Object.fromEntries(names.map((name) => [name, "1.0.0"])) }),
  ...Object.fromEntries(
    names.flatMap((name) => [
      [`node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.0.0", main: "index.js" })],
      [`node_modules/${name}/index.js`, "module.exports = {}"]
    ])
  )
})

describe("the imports of this project", () => {
  /** The whole tree is read once: that takes seconds. */
  let imports: Awaited<ReturnType<typeof cruiseTree>>
  beforeAll(async () => {
    imports = await cruiseTree(projectRoot)
  })

  it("go to the left only, and in no circle", () => {
    assert.deepStrictEqual(violationsIn(imports), [])
  })

  it("are drawn in docs/map.md as they are", () => {
    const page = readFileSync(join(projectRoot, "docs/map.md"), "utf8")
    assert.strictEqual(withGraph(page, imports), page, "npm run codegen writes it anew")
  })

  it("come from files that lie in a layer", () => {
    assert.deepStrictEqual(unlayered(projectPaths(projectRoot)), [])
  })
})

describe("the rules on imports", () => {
  const everyLayer: Tree = Object.fromEntries(layers.map(({ folder }) => [`${folder}/x.ts`, "export const x = 1"]))
  const toRoot = (folder: string): string => "../".repeat(folder.split("/").length)
  const importingAll = (folder: string): string =>
    layers.map((layer) => `import "${toRoot(folder)}${layer.folder}/x.ts"`).join("\n")

  const refused: Readonly<Record<string, ReadonlyArray<string>>> = {
    machines: [
      "cli",
      "explain",
      "host",
      "inspector",
      "model",
      "operations",
      "runtime",
      "store",
      "supervision",
      "testing"
    ],
    "src/model": ["cli", "explain", "host", "inspector", "operations", "runtime", "store", "supervision", "testing"],
    "src/store": ["cli", "explain", "host", "inspector", "operations", "runtime", "supervision", "testing"],
    "src/operations": ["cli", "explain", "host", "inspector", "runtime", "supervision", "testing"],
    "src/runtime": ["cli", "explain", "host", "inspector", "supervision", "testing"],
    "src/supervision": ["cli", "explain", "host", "inspector", "testing"],
    "src/host": ["cli", "explain", "inspector", "testing"],
    "src/explain": ["cli", "inspector", "testing"],
    "src/inspector": ["cli", "testing"],
    "src/cli": ["testing"],
    "src/testing": ["cli", "explain", "inspector"]
  }

  for (const [folder, names] of Object.entries(refused)) {
    it(`let ${folder} import what is to its left, and refuse ${names.join(", ")}`, async () => {
      assert.deepStrictEqual(
        await violationsOf({ ...everyLayer, [`${folder}/y.ts`]: importingAll(folder) }),
        names.map((name) => `${folder}/y.ts -> src/${name}/x.ts: ${folder} imports only what is to its left`)
      )
    })
  }

  it("refuse an import of types to the right as well", async () => {
    assert.deepStrictEqual(
      await violationsOf({
        "src/host/B.ts": "export type B = 1",
        "src/model/B.ts": 'import type { B } from "../host/B.ts"'
      }),
      ["src/model/B.ts -> src/host/B.ts: src/model imports only what is to its left"]
    )
  })

  it("refuse an import of the barrel, of a test or of an example, by whatever layer", async () => {
    const rule = "src/cli imports only what is to its left"
    assert.deepStrictEqual(
      await violationsOf({
        "src/index.ts": "",
        "test/a.ts": "",
        "docs/examples/a.ts": "",
        "src/cli/main.ts": 'import "../index.ts"\nimport "../../test/a.ts"\nimport "../../docs/examples/a.ts"'
      }),
      [
        `src/cli/main.ts -> docs/examples/a.ts: ${rule}`,
        `src/cli/main.ts -> src/index.ts: ${rule}`,
        `src/cli/main.ts -> test/a.ts: ${rule}`
      ]
    )
  })

  it("refuse every package but xstate in machines, Node's own among them", async () => {
    const rule = "machines imports xstate and nothing else"
    assert.deepStrictEqual(
      await violationsOf({
        ...installed("dependencies", "xstate", "effect"),
        "machines/b.ts": 'import "xstate"\nimport "effect"\nimport "node:fs"'
      }),
      [`machines/b.ts -> fs: ${rule}`, `machines/b.ts -> node_modules/effect/index.js: ${rule}`]
    )
  })

  it("refuse a test runner in src/testing", async () => {
    const rule = "src/testing imports no test runner"
    assert.deepStrictEqual(
      await violationsOf({
        ...installed("dependencies", "vitest", "@effect/vitest"),
        "src/testing/a.ts": 'import "vitest"\nimport "@effect/vitest"'
      }),
      [
        `src/testing/a.ts -> node_modules/@effect/vitest/index.js: ${rule}`,
        `src/testing/a.ts -> node_modules/vitest/index.js: ${rule}`
      ]
    )
  })

  it("refuse a development dependency in what is published", async () => {
    assert.deepStrictEqual(
      await violationsOf({ ...installed("devDependencies", "tool"), "src/model/B.ts": 'import "tool"' }),
      ["src/model/B.ts -> node_modules/tool/index.js: what is published imports no development dependency"]
    )
  })

  it("refuse a cycle of values and one that types close", async () => {
    assert.deepStrictEqual(
      await violationsOf({
        "src/model/B.ts": 'import { c } from "./C.ts"\nexport const b = () => c',
        "src/model/C.ts": 'import { b } from "./B.ts"\nexport const c = () => b',
        "src/model/D.ts": 'import { e } from "./E.ts"\nexport type D = 1\nexport const d = e',
        "src/model/E.ts": 'import type { D } from "./D.ts"\nexport const e: D = 1'
      }),
      [
        "src/model/B.ts -> src/model/C.ts: no cycle, of types neither",
        "src/model/D.ts -> src/model/E.ts: no cycle, of types neither"
      ]
    )
  })

  it("are each named once", () => {
    const names = (ruleSet.forbidden ?? []).map((rule) => rule.name)
    assert.strictEqual(new Set(names).size, names.length)
  })

  it("refuse a folder of src that is no layer", () => {
    assert.deepStrictEqual(unlayered(["src/index.ts", "src/model/A.ts", "src/utils/a.ts", "src/b.ts", "test/c.ts"]), [
      "src/utils/a.ts",
      "src/b.ts"
    ])
  })
})
