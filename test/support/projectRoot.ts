/**
 * Where the project's files are, for code that runs from its source and from `dist` alike.
 */
import { existsSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const above = (folder: string): string => (existsSync(join(folder, "package.json")) ? folder : above(dirname(folder)))

/** The folder of the project's package.json. */
export const projectRoot: string = above(dirname(fileURLToPath(import.meta.url)))
