/**
 * The folder of the other libraries, outside this project: made once for each state of their manifest, and kept for the next run.
 */
import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { projectRoot } from "../../support/projectRoot.ts"

const sources = join(projectRoot, "test/bench/peers")

/** Installs the libraries unless they are, brings their programs up to date, and answers the folder. */
export const installPeers = (onProgress: (line: string) => void): string => {
  const manifest = readFileSync(join(sources, "package.json"))
  const hash = createHash("sha256").update(manifest).digest("hex").slice(0, 12)
  const folder = join(tmpdir(), `holdfast-peers-${hash}`)
  const isComplete = join(folder, "installed")
  mkdirSync(folder, { recursive: true })
  if (!existsSync(isComplete)) {
    onProgress(`installing the other libraries into ${folder}; this is done once`)
    writeFileSync(join(folder, "package.json"), manifest)
    execFileSync("npm", ["install", "--no-audit", "--no-fund", "--silent"], {
      cwd: folder,
      stdio: ["ignore", "ignore", "inherit"]
    })
    writeFileSync(isComplete, "")
  }
  for (const name of readdirSync(sources)) if (name.endsWith(".mjs")) cpSync(join(sources, name), join(folder, name))
  return folder
}

/** The version of the package in a folder. */
export const versionOf = (folder: string): string => {
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
    readonly version: string
  } // npm requires it
  return version
}
