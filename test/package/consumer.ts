/**
 * A project that has installed the package: what `npm pack` packs, beside what it declares that it needs, and nothing else.
 *
 * Invariant: the package's own files are copies. A link would let it find this project's other packages.
 */
import { execFile } from "node:child_process"
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import * as Effect from "effect/Effect"
import { remove } from "../support/folders.ts"
import { projectRoot } from "../support/projectRoot.ts"

/** How a program ended, and what it said. */
export interface Ended {
  readonly code: number
  readonly out: string
}

/** A folder with the installed package. */
export interface Consumer {
  readonly folder: string
  /** Lets the project have a package of its own. */
  readonly link: (name: string) => void
  /** Runs Node in the folder. */
  readonly node: (...args: ReadonlyArray<string>) => Promise<Ended>
  readonly remove: () => Promise<void>
}

/** The fields of the package that a consumer depends on. */
export const manifest = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as {
  readonly exports: Readonly<Record<string, { readonly types: string } | string>>
  readonly bin: Readonly<Record<string, string>>
  readonly engines: { readonly node: string }
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly peerDependenciesMeta: Readonly<Record<string, unknown>>
} // the fields are npm's

const run = promisify(execFile)

/** Packs the package as it was built; answers the file. */
export const pack = async (folder: string): Promise<string> => {
  const { stdout } = await run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], {
    cwd: projectRoot,
    maxBuffer: 64 * 1024 * 1024
  })
  const [{ filename }] = JSON.parse(stdout) as readonly [{ readonly filename: string }] // one package is packed
  return join(folder, filename)
}

/** Packs the package as it was built, and installs it into an empty project, which another Node may run. */
export const install = async (node: string = process.execPath): Promise<Consumer> => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-consumer-"))
  const modules = join(folder, "node_modules")
  const link = (name: string): void => {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(projectRoot, "node_modules", name), join(modules, name))
  }
  mkdirSync(modules)
  await run("tar", ["-xzf", await pack(folder), "-C", modules])
  cpSync(join(modules, "package"), join(modules, "holdfast"), { recursive: true })
  rmSync(join(modules, "package"), { recursive: true })
  const optional = new Set(Object.keys(manifest.peerDependenciesMeta))
  for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    if (!optional.has(name)) link(name)
  }
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }')
  return {
    folder,
    link,
    node: (...args) =>
      new Promise((resolve) => {
        execFile(node, args, { cwd: folder, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
          resolve({ code: error === null ? 0 : 1, out: (stdout + stderr).trim() })
        )
      }),
    remove: () => Effect.runPromise(remove(folder))
  }
}

/** Every module that the package offers, by the name it is imported under. */
export const offered: ReadonlyArray<readonly [name: string, source: string]> = Object.entries(manifest.exports).flatMap(
  ([subpath, target]) =>
    typeof target === "string"
      ? []
      : [[`holdfast${subpath.slice(1)}`, target.types.replace("./dist/", "").replace(".d.ts", ".ts")] as const]
)

/** Copies the examples into a folder, as a reader does who has the package instead of its source. */
export const copyExamples = (to: string): void => {
  cpSync(join(projectRoot, "docs/examples"), to, { recursive: true })
  for (const entry of readdirSync(to, { recursive: true, encoding: "utf8" })) {
    if (!entry.endsWith(".ts")) continue
    const path = join(to, entry)
    const text = readFileSync(path, "utf8").replaceAll(/"(?:\.\.\/)+((?:src|machines)\/[^"]+)"/g, (written, source) => {
      const name = offered.find(([, file]) => file === source)?.[0]
      return name === undefined ? written : `"${name}"`
    })
    writeFileSync(path, text)
  }
}
