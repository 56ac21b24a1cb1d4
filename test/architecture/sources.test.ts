import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import ts from "typescript"
import { projectRoot } from "../support/projectRoot.ts"
import { breaches, rules } from "./rules.ts"
import { readSources } from "./sources.ts"

describe("the files of this project", () => {
  const sources = readSources(projectRoot, (path) => rules.some((rule) => rule.judges(path)))

  for (const rule of rules) {
    it(`keep the rule that ${rule.name}`, () => {
      assert.deepStrictEqual(breaches(rule, sources), [])
    })
  }
})

describe("the tools of this project", () => {
  it("include the Effect language service, which without its entry here checks no file and passes", () => {
    const { config } = ts.readConfigFile(join(projectRoot, "tsconfig.json"), ts.sys.readFile)
    assert.deepInclude(config.compilerOptions.plugins, { name: "@effect/language-service" })
  })
})
