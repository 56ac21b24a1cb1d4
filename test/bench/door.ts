/**
 * The door: what a program pays before its first line, in processor time of a process of its own. Held against the packages of Effect
 * and SQL that the library imports, and nothing else; `--version`, which imports none of them, against node itself.
 */
import { strict as assert } from "node:assert"
import { spawnSync } from "node:child_process"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { projectRoot } from "../support/projectRoot.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { ofRun, reading } from "./Contest.ts"
import { quiet, Trivial } from "./host.ts"

const library = pathToFileURL(join(projectRoot, "dist/lib/holdfast.js")).href
const commandLine = join(projectRoot, "dist/holdfast.js")

/** Whose imports count as those of Effect and SQL. */
const isEffectOrSql = (specifier: string): boolean => /^(effect|@effect\/[^/]+|better-sqlite3)(\/|$)/.test(specifier)

/** Measures `nodeMs`, `packagesMs`, `importMs`, `versionMs` and `lsMs`: processor time of all threads, from start to end. */
export const measureDoor = async (folder: string): Promise<Run> => {
  const database = join(folder, "door.db")
  await Effect.runPromise(Effect.provide(aFew, hostOn(database)))
  const write = (name: string, lines: ReadonlyArray<string>): string => {
    const path = join(folder, name)
    writeFileSync(path, lines.join("\n"))
    return path
  }
  const imports = (name: string, modules: ReadonlyArray<string>): string =>
    write(
      name,
      modules.map((module) => `import ${JSON.stringify(module)}`)
    )
  const clock = write("clock.cjs", [
    `process.on("exit", () => {`,
    "  const { user, system } = process.cpuUsage()",
    `  require("node:fs").writeSync(3, String((user + system) / 1000))`,
    "})"
  ])
  const cpuMs = (...words: ReadonlyArray<string>): number => Number(answerOf("--require", clock, ...words))
  const own = imports("own.mjs", [library])
  const packages = importedBy(own, (lines) => write("hook.mjs", lines)).filter(([specifier]) =>
    isEffectOrSql(specifier)
  )
  assert.ok(packages.length > 20, "the library does not import Effect")
  return {
    nodeMs: cpuMs(imports("nothing.mjs", [])),
    packagesMs: cpuMs(
      imports(
        "packages.mjs",
        packages.map(([, url]) => url)
      )
    ),
    importMs: cpuMs(own),
    versionMs: cpuMs(commandLine, "--version"),
    lsMs: cpuMs(commandLine, "ls", "--status", "any", "--db", database)
  }
}

/** What the files of the build import of packages when a program runs: each as it is written, and where node found it. */
const importedBy = (
  program: string,
  write: (lines: ReadonlyArray<string>) => string
): ReadonlyArray<readonly [specifier: string, url: string]> => {
  const built = pathToFileURL(join(projectRoot, "dist/")).href
  const hook = write([
    `import { writeSync } from "node:fs"`,
    "export const resolve = async (specifier, context, next) => {",
    "  const found = await next(specifier, context)",
    `  const isOwn = String(context.parentURL).startsWith(${JSON.stringify(built)})`,
    `  if (isOwn && /^[@a-z]/.test(specifier) && !found.url.startsWith("node:"))`,
    `    writeSync(3, JSON.stringify([specifier, found.url]) + "\\n")`,
    "  return found",
    "}"
  ])
  const register = `import { register } from "node:module"; register(${JSON.stringify(pathToFileURL(hook).href)})`
  const said = answerOf("--import", `data:text/javascript,${encodeURIComponent(register)}`, program)
  const found = said.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as [string, string]])) // as the hook writes them
  return [...new Map(found)]
}

/** Runs node, and answers what that program writes to its fourth channel. */
const answerOf = (...words: ReadonlyArray<string>): string => {
  const { status, output } = spawnSync(process.execPath, words, {
    encoding: "utf8",
    stdio: ["ignore", "ignore", "inherit", "pipe"]
  })
  assert.equal(status, 0, `${words.join(" ")} failed`)
  return output[3] ?? ""
}

const hostOn = (filename: string) =>
  SingleHost.layerSqlite({ filename, engines: [Trivial] }).pipe(Layer.provideMerge(quiet))

/** Something to list. */
const aFew = Effect.flatMap(Processes, (processes) =>
  Effect.forEach([1, 2, 3], (item) =>
    Effect.flatMap(processes.start(Trivial, { id: `door-${item}`, payload: { item } }), (handle) => handle.await)
  )
)

/** Figures of the door. */
export const doorFigures: ReadonlyArray<FigureSpec> = [
  {
    name: `import "holdfast"`,
    unit: "ms CPU",
    value: reading("importMs"),
    against: ofRun("its Effect and SQL", "packagesMs"),
    target: { of: "ratio", max: 1.2 }
  },
  {
    name: "holdfast --version",
    unit: "ms CPU",
    value: reading("versionMs"),
    against: ofRun("node", "nodeMs"),
    target: { of: "ratio", max: 1.3 }
  },
  {
    name: "holdfast ls",
    unit: "ms CPU",
    value: reading("lsMs"),
    against: ofRun("Effect and SQL", "packagesMs"),
    target: { of: "ratio", max: 1.3 }
  }
]
