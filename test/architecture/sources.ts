/**
 * The project's own files, as the rules on sources see them.
 */
import { execFileSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"

/** A file by its path from the project root, with `/` between folders, and its text. */
export interface Source {
  readonly path: string
  readonly text: string
}

/** The paths of every file that git tracks or would track, in order. */
export const projectPaths = (root: string): ReadonlyArray<string> => {
  const listed = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root })
  const paths = new Set(listed.toString("utf8").split("\0"))
  paths.delete("")
  return [...paths].filter((path) => existsSync(join(root, path))).sort()
}

/** Reads every file whose path `wanted` accepts. */
export const readSources = (root: string, wanted: (path: string) => boolean): ReadonlyArray<Source> =>
  projectPaths(root)
    .filter(wanted)
    .map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }))
