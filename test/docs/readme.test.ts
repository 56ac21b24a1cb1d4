import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import ts from "typescript"
import { allLaws } from "../../src/testing/Certify.ts"
import { root, start } from "../support/children.ts"
import { remove } from "../support/folders.ts"

const readme = readFileSync(`${root}README.md`, "utf8")

const codeOf = (text: string): string => /```ts\n([\s\S]*?)```/.exec(text)?.[1] ?? ""

const run = async (script: string, cwd: string): Promise<ReadonlyArray<string>> => {
  const child = start(script, [], { cwd })
  const end = await child.ended()
  assert.deepStrictEqual(end, { code: 0, signal: null }, child.errors.join("\n"))
  return child.lines
}

describe("the README", () => {
  it("shows the code of the deploy example, to the letter", () => {
    const example = readFileSync(`${root}docs/examples/08-deploy.ts`, "utf8")
    assert.strictEqual(codeOf(readme), example.replace('"../../src/index.ts"', '"holdfast"'))
  })

  it("shows code that runs as printed, and whose second run prints the recorded result", async () => {
    const folder = mkdtempSync(join(tmpdir(), "holdfast-readme-"))
    const built = join(root, "dist/test/docs/readme-example.js")
    mkdirSync(join(root, "dist/test/docs"), { recursive: true })
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 }
    writeFileSync(built, ts.transpileModule(codeOf(readme), { compilerOptions: options }).outputText)
    assert.deepStrictEqual(await run("test/docs/readme-example.js", folder), ["https://api.example/api:42"])
    assert.deepStrictEqual(await run("test/docs/readme-example.js", folder), ["https://api.example/api:42"])
    rmSync(built)
    await Effect.runPromise(remove(folder))
  })

  it("lists every guide and every example, and nothing that does not exist", () => {
    const listed = [...readme.matchAll(/\]\((docs\/[^)]+)\)/g)].map(([, path = ""]) => path)
    assert.deepStrictEqual(
      listed.filter((path) => !existsSync(`${root}${path}`)),
      []
    )
    const pages = ["docs/guide", "docs/examples"].flatMap((folder) =>
      readdirSync(`${root}${folder}`).map((name) => `${folder}/${name}`)
    )
    assert.deepStrictEqual(
      pages.filter((path) => !listed.includes(path)),
      []
    )
  })

  it("names commands that exist", () => {
    const { scripts } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { scripts: Record<string, string> }
    const named = [...readme.matchAll(/npm (?:run )?(start|test|check|bench)\b/g)].map(([, name = ""]) => name)
    assert.deepStrictEqual(
      named.filter((name) => !(name in scripts)),
      []
    )
    assert.include(named, "start")
    assert.include(named, "test")
  })
})

describe("the guide to writing a store", () => {
  it("begins with an adapter that compiles, and is told of every law but the two no store takes part in", async () => {
    const lines = await run("docs/examples/09-own-store.js", root)
    assert.strictEqual(lines[0], `2 of ${allLaws.length} laws are kept`)
    assert.strictEqual(lines.filter((line) => line.startsWith("✗ ")).length, allLaws.length - 2)
    assert.isAbove(allLaws.length, 150)
  })
})
