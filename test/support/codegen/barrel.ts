/**
 * Writes `src/index.ts`: one namespace for each public module.
 *
 * Public is a concept of its own file (PascalCase) in the layers that a host builds on, and every module of the model,
 * unless it is listed here as an exception.
 */
import { basename } from "node:path"

/** Exceptions from the rule. A path that ends in `/` stands for a folder. */
export interface BarrelLists {
  /** Modules that a host has no business with. */
  readonly internal: ReadonlyArray<string>
  /** Modules that are public all the same: the types of public signatures live in them. */
  readonly alsoPublic: ReadonlyArray<string>
  /** Modules whose exports stand in the barrel under their own names, and which of them. */
  readonly unwrapped: Readonly<Record<string, ReadonlyArray<string>>>
}

const internal: ReadonlyArray<string> = [
  "src/model/json.ts",
  "src/model/payloads.ts",
  "src/model/selectors.ts",
  "src/model/semantics.ts",
  "src/store/decisions/",
  "src/store/holdings.ts",
  "src/store/listeners.ts",
  "src/store/memory/Shelf.ts",
  "src/store/sqlite/",
  "src/runtime/ChangeHub.ts",
  "src/runtime/Inbox.ts",
  "src/runtime/ProcessActor.ts",
  "src/runtime/Slots.ts",
  "src/runtime/Worker.ts",
  "src/supervision/ForeignChanges.ts",
  "src/supervision/LeaseKeeper.ts"
]

const alsoPublic: ReadonlyArray<string> = [
  "src/store/decisions/authority.ts",
  "src/store/decisions/completion.ts",
  "src/store/sqlite/SqliteStore.ts"
]

/** `yield* Processes` is what every program begins with: it is spared the namespace. */
const unwrapped: Readonly<Record<string, ReadonlyArray<string>>> = {
  "src/host/Processes.ts": ["Processes", "type StartOptions"]
}

const publicFolders = ["src/model/", "src/store/", "src/runtime/", "src/supervision/", "src/host/"]

/**
 * The text of the barrel, for the files of the project.
 *
 * Throws when two public modules have one name, or when a module listed above does not exist: the lists must not rot.
 */
export const barrel = (
  paths: ReadonlyArray<string>,
  lists: BarrelLists = { internal, alsoPublic, unwrapped }
): string => {
  const stale = [...lists.internal, ...lists.alsoPublic, ...Object.keys(lists.unwrapped)].filter(
    (listed) => !paths.some((path) => path.startsWith(listed))
  )
  if (stale.length > 0) throw new Error(`the barrel's lists name what does not exist: ${stale.join(", ")}`)
  const modules = publicFolders.flatMap((folder) =>
    paths
      .filter((path) => path.startsWith(folder) && isPublic(path, lists))
      .map((path) => ({ path, name: nameOf(path) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  )
  for (const { name, path } of modules) {
    const twin = modules.find((other) => other.name === name && other.path !== path)
    if (twin !== undefined) throw new Error(`${path} and ${twin.path} would both be exported as ${name}`)
  }
  return [
    "/** Everything a host builds on, one namespace a module. Written by `npm run codegen`. */",
    ...modules.map(({ name, path }) => {
      const names = lists.unwrapped[path]
      const exported = names === undefined ? `* as ${name}` : `{ ${names.join(", ")} }`
      return `export ${exported} from "./${path.slice("src/".length)}"`
    }),
    ""
  ].join("\n")
}

const isPublic = (path: string, lists: BarrelLists): boolean => {
  if (!path.endsWith(".ts")) return false
  if (lists.alsoPublic.includes(path)) return true
  if (lists.internal.some((listed) => path.startsWith(listed))) return false
  return path.startsWith("src/model/") || /^[A-Z]/.test(basename(path))
}

const nameOf = (path: string): string => {
  const name = basename(path, ".ts")
  return name.slice(0, 1).toUpperCase() + name.slice(1)
}
