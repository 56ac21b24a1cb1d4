/**
 * The package beside an Effect of its host's own choice: the oldest that the package allows, and the newest that npm has of that
 * range. There is one copy of Effect in the project then, and a program on it runs. npm gives the versions, so this runs where it is
 * asked for: `HOLDFAST_WHOLE=1 npx vitest run test/package/peers.test.ts`, as the gate does.
 */
import { execFile } from "node:child_process"
import { cpSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { remove } from "../support/folders.ts"
import { isGate } from "../support/gate.ts"
import { patienceMs } from "../support/patience.ts"
import { projectRoot } from "../support/projectRoot.ts"
import { isWhole } from "../support/samples.ts"
import { manifest, pack } from "./consumer.ts"

const run = promisify(execFile)

const range = manifest.peerDependencies["effect"] ?? ""

const versionIn = (folder: string): string =>
  (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { readonly version: string }).version

/** The versions of Effect that the range allows, in npm's order; none where npm does not answer. */
const allowed = async (): Promise<ReadonlyArray<string>> => {
  if (!isWhole) return []
  try {
    const { stdout } = await run("npm", ["view", `effect@${range}`, "version", "--json"], { timeout: patienceMs })
    const found = JSON.parse(stdout) as string | ReadonlyArray<string>
    return typeof found === "string" ? [found] : found
  } catch (error) {
    if (isGate()) throw error
    return []
  }
}

const versions = await allowed()

/** Every copy of a package below a folder, by its version. */
const copiesOf = (name: string, folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(join("node_modules", name, "package.json")))
    .map((path) => versionIn(join(folder, path, "..")))

const program = `
import { Effect, Schema } from "effect"
import { Engine, Processes, SingleHost } from "holdfast"

const Hello = Engine.make("hello", {
  version: "1",
  payload: Schema.Struct({ name: Schema.String }),
  success: Schema.String,
  disposition: "rerunnable",
  run: ({ name }, ctx) => ctx.step("greet", Effect.succeed("hello, " + name))
})
const greeting = Effect.gen(function* () {
  const processes = yield* Processes
  const handle = yield* processes.start(Hello, { id: "a", payload: { name: "Ana" } })
  return yield* handle.await
})
console.log(
  await Effect.runPromise(Effect.provide(greeting, SingleHost.layerSqlite({ filename: "agent.db", engines: [Hello] })))
)
`

describe.skipIf(versions.length === 0)(
  versions.length > 0
    ? "the package beside another Effect"
    : `the package beside another Effect (left out: ${isWhole ? "npm gives none" : "tried with HOLDFAST_WHOLE=1"})`,
  () => {
    for (const version of new Set([versions[0] ?? "", versions.at(-1) ?? ""])) {
      describe(`in version ${version}, of those that ${range} allows`, () => {
        let folder = ""

        beforeAll(async () => {
          folder = mkdtempSync(join(tmpdir(), "holdfast-peers-"))
          const dependencies = {
            holdfast: `file:${await pack(folder)}`,
            effect: version,
            // This one is compiled already.
            "better-sqlite3": versionIn(join(projectRoot, "node_modules/better-sqlite3"))
          }
          writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module", dependencies }))
          await run("npm", ["install", "--no-audit", "--no-fund", "--ignore-scripts"], {
            cwd: folder,
            timeout: 4 * patienceMs,
            maxBuffer: 64 * 1024 * 1024
          })
          const built = "node_modules/better-sqlite3/build"
          cpSync(join(projectRoot, built), join(folder, built), { recursive: true })
          writeFileSync(join(folder, "program.js"), program)
        }, 10 * patienceMs)

        afterAll(() => Effect.runPromise(remove(folder)))

        it("there is one copy of it, which everything uses", async () => {
          assert.deepStrictEqual(copiesOf("effect", folder), [version])
          // It fails where a package has another version than it asks for.
          await run("npm", ["ls", "effect"], { cwd: folder })
        })

        it("a program on it runs", async () => {
          const { stdout } = await run(process.execPath, ["program.js"], { cwd: folder, timeout: patienceMs })
          assert.strictEqual(stdout, "hello, Ana\n")
        })
      })
    }
  }
)
