/**
 * Writes what is not written by hand: the pages of the machines, the API report, the import graph of the map, the schema.
 *
 * Run as `npm run codegen`; with `--check` it writes nothing, names each file that differs and exits with 1.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { cruiseTree } from "../../architecture/layers.ts"
import { report } from "../../chart/scxml/report.ts"
import { cases } from "../../chart/scxml/suite.ts"
import { projectRoot } from "../projectRoot.ts"
import { apiReport } from "./apiReport.ts"
import { withGraph } from "./importGraph.ts"
import { machinePages } from "./machinePages.ts"
import { recoveryPage } from "./recoveryPage.ts"
import { schema } from "./schema.ts"

/** A file as it ought to be; `undefined` for one that ought not to be there. Paths are from the project root. */
export interface Generated {
  readonly path: string
  readonly text: string | undefined
}

const pagesFolder = "docs/machines"

/** Makes every generated file, and lists the pages of machines that are gone. */
export const generate = async (root: string): Promise<ReadonlyArray<Generated>> => {
  const pages = [...machinePages(), { name: "recovery", text: recoveryPage() }].map(({ name, text }) => ({
    path: `${pagesFolder}/${name}.md`,
    text
  }))
  const present = existsSync(join(root, pagesFolder)) ? readdirSync(join(root, pagesFolder)) : []
  const stale = present
    .map((name) => `${pagesFolder}/${name}`)
    .filter((path) => !pages.some((page) => page.path === path))
    .map((path) => ({ path, text: undefined }))
  return [
    ...pages,
    ...stale,
    { path: "docs/scxml.md", text: report(cases()) },
    { path: "docs/api.md", text: apiReport(root) },
    { path: "docs/map.md", text: withGraph(readFileSync(join(root, "docs/map.md"), "utf8"), await cruiseTree(root)) },
    { path: "test/store/schema.sql", text: await schema() }
  ]
}

/** Those of the files that are not on disk as they ought to be. */
export const differing = (root: string, files: ReadonlyArray<Generated>): ReadonlyArray<Generated> =>
  files.filter(({ path, text }) => {
    const file = join(root, path)
    return text !== (existsSync(file) ? readFileSync(file, "utf8") : undefined)
  })

/** Puts files on disk as they ought to be. */
export const write = (root: string, files: ReadonlyArray<Generated>): void => {
  for (const { path, text } of files) {
    const file = join(root, path)
    if (text === undefined) rmSync(file)
    else {
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text)
    }
  }
}

const main = async (check: boolean): Promise<void> => {
  const files = differing(projectRoot, await generate(projectRoot))
  if (!check) write(projectRoot, files)
  for (const { path, text } of files) {
    console.log(check ? `differs: ${path}` : text === undefined ? `removed ${path}` : `wrote ${path}`)
  }
  if (check && files.length > 0) process.exitCode = 1
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.includes("--check"))
