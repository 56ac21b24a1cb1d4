import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { temporaryFolder } from "../support/hosts.ts"
import { projectRoot } from "../support/projectRoot.ts"

/** The files that node loads when a program imports a module, of packages and of this one, by their paths. */
const filesOf = (module: string, ...words: ReadonlyArray<string>) =>
  Effect.map(temporaryFolder, (folder): ReadonlyArray<string> => {
    const program = join(folder, "program.mjs")
    const hook = join(folder, "hook.mjs")
    writeFileSync(
      hook,
      `export const load = async (url, context, next) => { process._rawDebug("loaded " + url); return next(url, context) }`
    )
    const begin = `import { register } from "node:module"; register(${JSON.stringify(pathToFileURL(hook).href)})`
    writeFileSync(
      program,
      `${begin}
process.argv = ${JSON.stringify(["node", "program", ...words])}
await import(${JSON.stringify(module)})
const { default: Module } = await import("node:module")
for (const path of Object.keys(Module._cache)) process._rawDebug("loaded " + path)`
    )
    const { stderr } = spawn(program)
    return [...stderr.matchAll(/^loaded (\S+)$/gm)].map(([, url = ""]) => url)
  })

const spawn = (program: string): { readonly stderr: string } => ({
  stderr: execFileSync("sh", ["-c", `exec ${process.execPath} ${program} 2>&1`], { encoding: "utf8", cwd: projectRoot })
})

/** The sources that files of the build were made from, by their maps. */
const sourcesOf = (files: ReadonlyArray<string>): ReadonlyArray<string> =>
  files.flatMap((file) => {
    const map = JSON.parse(readFileSync(join(projectRoot, "dist", `${file}.map`), "utf8")) as {
      readonly sources: ReadonlyArray<string>
    } // the form of a source map
    return map.sources.map((source) => source.replace(/^(\.\.\/)+/, ""))
  })

const packageOf = (url: string): string | undefined => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1]

describe("a program that imports the library", () => {
  it.scoped("loads what a host needs, and nothing that only some hosts need", () =>
    Effect.gen(function* () {
      const files = yield* filesOf(pathToFileURL(join(projectRoot, "dist/lib/holdfast.js")).href)
      const packages = new Set(files.flatMap((file) => packageOf(file) ?? []))
      assert.include([...packages], "effect")
      for (const name of [
        "ajv",
        "elkjs",
        "@effect/cli",
        "@effect/platform-node",
        "@opentelemetry/api",
        "preact",
        "pg"
      ]) {
        assert.notInclude([...packages], name)
      }
      const own = files
        .filter((file) => packageOf(file) === undefined && file.includes("/dist/"))
        .map((file) => file.replace(/^.*\/dist\//, ""))
      assert.include(own, "lib/holdfast.js")
      assert.deepStrictEqual(
        sourcesOf(own).filter((file) => /^src\/(inspector|explain|cli|testing)\/|^test\//.test(file)),
        []
      )
      // Every module that effect brings beyond these is a reason to look: it takes time at each start of a program.
      assert.isAtMost(files.filter((file) => packageOf(file) === "effect").length, 260)
      assert.isAtMost(sourcesOf(own).length, 199)
      // Each file that is opened costs as much as the compilation of a hundred lines: the published ones are few.
      assert.isAtMost(own.length, 30)
    })
  )
})

describe("the command line", () => {
  it.scoped("says its version, which is that of the package, without loading what commands need", () =>
    Effect.gen(function* () {
      const main = join(projectRoot, "dist/src/cli/main.js")
      const files = yield* filesOf(pathToFileURL(main).href, "--version")
      assert.deepStrictEqual(
        files.filter((file) => /\/(dist|node_modules)\//.test(file)).map((file) => file.replace(/^.*\/dist\//, "")),
        ["src/cli/main.js", "src/cli/version.js"]
      )
      const { version } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as {
        readonly version: string
      }
      assert.strictEqual(execFileSync(process.execPath, [main, "--version"], { encoding: "utf8" }), `${version}\n`)
    })
  )
})
