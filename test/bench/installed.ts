/**
 * What the package puts into an empty project, in megabytes: the figures of docs/guide/what-is-installed.md. npm fetches its peers.
 *
 * usage: npm run build && node dist/test/bench/installed.js
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { projectRoot } from "../support/projectRoot.ts"

const sizeOf = (path: string): number =>
  existsSync(path)
    ? readdirSync(path, { recursive: true, encoding: "utf8" }).reduce((sum, name) => {
        const file = statSync(join(path, name))
        return file.isFile() ? sum + file.size : sum
      }, 0)
    : 0

const folder = mkdtempSync(join(tmpdir(), "holdfast-installed-"))
const npm = (cwd: string, ...args: ReadonlyArray<string>): string =>
  execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] })

try {
  const packed = npm(projectRoot, "pack", "--ignore-scripts", "--json", "--pack-destination", folder)
  const [{ filename }] = JSON.parse(packed) as readonly [{ readonly filename: string }] // one package is packed
  writeFileSync(join(folder, "package.json"), '{ "private": true }')
  const beganMs = Date.now()
  npm(folder, "install", join(folder, filename), "effect", "--no-audit", "--no-fund")
  const seconds = (Date.now() - beganMs) / 1_000
  const modules = join(folder, "node_modules")
  const packages = readdirSync(modules)
    .filter((name) => !name.startsWith("."))
    .flatMap((name) =>
      name.startsWith("@") ? readdirSync(join(modules, name)).map((one) => `${name}/${one}`) : [name]
    )
  const sizes = packages.map((name) => [name, sizeOf(join(modules, name))] as const)
  const shown = (bytes: number) => (bytes / 1e6).toFixed(1).padStart(7)
  for (const [name, bytes] of sizes.toSorted(([, a], [, b]) => b - a)) console.log(`${shown(bytes)} MB  ${name}`)
  console.log(`${shown(sizes.reduce((sum, [, bytes]) => sum + bytes, 0))} MB  in ${packages.length} packages`)
  console.log(`${shown(sizeOf(join(modules, "better-sqlite3/build")))} MB  of that where better-sqlite3 is compiled`)
  console.log(`${seconds.toFixed(0).padStart(7)} seconds`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
