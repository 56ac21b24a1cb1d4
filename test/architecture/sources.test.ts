import { join } from "node:path"
import { assert, beforeAll, describe, it } from "@effect/vitest"
import ts from "typescript"
import { projectRoot } from "../support/projectRoot.ts"
import { breachesOf, crowded, rules } from "./rules.ts"
import { projectPaths, readSources } from "./sources.ts"

describe("the files of this project", () => {
  let found: ReturnType<typeof breachesOf>
  beforeAll(() => {
    found = breachesOf(
      rules,
      readSources(projectRoot, (path) => rules.some((rule) => rule.judges(path)))
    )
  })

  for (const rule of rules) {
    it(`keep the rule that ${rule.name}`, () => {
      assert.deepStrictEqual(found.get(rule.name), [])
    })
  }

  it("are at most 25 beside each other in a folder", () => {
    assert.deepStrictEqual(crowded(projectPaths(projectRoot), { most: 25 }), [])
  })
})

describe("the tools of this project", () => {
  it("include the Effect language service, which without its entry here checks no file and passes", () => {
    const { config } = ts.readConfigFile(join(projectRoot, "tsconfig.json"), ts.sys.readFile)
    assert.deepInclude(config.compilerOptions.plugins, { name: "@effect/language-service" })
  })
})
