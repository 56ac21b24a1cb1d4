import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { projectRoot } from "../support/projectRoot.ts"

const textOf = (path: string): string => readFileSync(join(projectRoot, path), "utf8")

type Versions = Readonly<Record<string, string>>

const manifest = JSON.parse(textOf("package.json")) as {
  readonly dependencies: Versions
  readonly peerDependencies: Versions
  readonly peerDependenciesMeta: Readonly<Record<string, unknown>>
  readonly devDependencies: Versions
} // the fields are npm's

/** The packages that the guide has in its table, by who brings them. */
const brought = (by: RegExp): ReadonlyArray<string> =>
  textOf("docs/guide/what-is-installed.md")
    .split("\n")
    .filter((line) => line.startsWith("| ") && by.test(line.split("|")[4] ?? ""))
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name))

/** What only telemetry uses; its page names it as one. */
const isTelemetry = (name: string): boolean => /opentelemetry/.test(name)

describe("what the package asks for", () => {
  it("is brought by it exactly as the guide says", () => {
    assert.sameMembers(Object.keys(manifest.dependencies), [...brought(/^ the package $/)])
  })

  it("is brought by its host exactly as the guide says, what is optional aside where it is", () => {
    const isOptional = (name: string) => name in manifest.peerDependenciesMeta
    const peers = Object.keys(manifest.peerDependencies).filter((name) => !isTelemetry(name))
    assert.sameMembers(
      peers.filter((name) => !isOptional(name)),
      brought(/^ the host\b/).filter((name) => name !== "fast-check")
    )
    assert.sameMembers(peers.filter(isOptional), [...brought(/^ a host that uses it $/)])
    for (const name of Object.keys(manifest.peerDependencies).filter(isTelemetry)) assert.isTrue(isOptional(name), name)
  })

  it("is a range, so that a host that has it too has one copy", () => {
    for (const [name, range] of Object.entries({ ...manifest.dependencies, ...manifest.peerDependencies })) {
      assert.match(range, /^(\^\d+\.\d+\.\d+|>=\d+\.\d+\.\d+ <\d+\.\d+\.\d+)$/, name)
    }
    const page = textOf("docs/guide/what-is-installed.md")
    for (const name of ["effect", "xstate"]) {
      assert.include(page, `the host: \`${manifest.peerDependencies[name]}\``, name)
    }
  })

  it("is a version where only this project uses it", () => {
    for (const [name, version] of Object.entries(manifest.devDependencies)) {
      assert.match(version, /^\d+\.\d+\.\d+(-[\w.]+)?$/, name)
    }
  })

  it("is installed with what better-sqlite3 says while it compiles", () => {
    assert.include(textOf(".npmrc").split("\n"), "foreground-scripts=true")
  })
})
