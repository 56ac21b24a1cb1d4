/**
 * The layers of the source, and the imports that are forbidden between them, as rules for dependency-cruiser.
 *
 * ```
 * machines ◄ model ◄ store ◄ operations ◄ runtime ◄ supervision ◄ host ◄ explain ◄ inspector ◄ cli
 *                                                                   └──◄ testing
 * ```
 *
 * Invariant: a layer imports itself and what is to its left, and every file of `src` but the entries lies in a layer.
 */
import type { ICruiseResult, IFlattenedRuleSet } from "dependency-cruiser"
import { cruise } from "dependency-cruiser"

/** A folder of the source, and the folders it may import besides itself. */
export interface Layer {
  readonly folder: string
  readonly imports: ReadonlyArray<string>
}

/** An import that a rule forbids. */
export interface Violation {
  readonly rule: string
  readonly from: string
  readonly to: string
}

const line = ["machines", "src/model", "src/store", "src/operations", "src/runtime", "src/supervision", "src/host"]

/** Every layer, lowest first. */
export const layers: ReadonlyArray<Layer> = [
  ...line.map((folder, index) => ({ folder, imports: line.slice(0, index) })),
  ...["src/explain", "src/testing"].map((folder) => ({ folder, imports: line })),
  { folder: "src/inspector", imports: [...line, "src/explain"] },
  { folder: "src/cli", imports: [...line, "src/explain", "src/inspector"] }
]

/** The layer a file lies in, by its path from the project root. */
export const layerOf = (path: string): Layer | undefined => layers.find(({ folder }) => path.startsWith(`${folder}/`))

/** What is published under `holdfast` and its subpaths: these files list modules, and no module imports them. */
export const entries: ReadonlyArray<string> = [
  "src/engine.ts",
  "src/index.ts",
  "src/model.ts",
  "src/operations.ts",
  "src/postgres.ts",
  "src/store.ts"
]

/** The files of `src` that lie in no layer and are no entry. */
export const unlayered = (paths: ReadonlyArray<string>): ReadonlyArray<string> =>
  paths.filter((path) => path.startsWith("src/") && !entries.includes(path) && layerOf(path) === undefined)

// Above `ruleSet`, which is built while this module loads.
const within = (folders: ReadonlyArray<string>): string => `^(${folders.join("|")})/`

/** The build packs these with the packages they import; of the layout, it is the types that are imported. */
const packed = "^src/(cli/|inspector/page/|inspector/charts/layout(Worker)?[.]ts$)"

/** What is forbidden; the name of a rule is what a failing test says. */
export const ruleSet: IFlattenedRuleSet = {
  forbidden: [
    ...layers.map(({ folder, imports }) => ({
      name: `${folder} imports only what is to its left`,
      severity: "error" as const,
      from: { path: `^${folder}/` },
      to: { path: "^(machines|src|test|docs)/", pathNot: within([folder, ...imports]) }
    })),
    {
      name: "machines imports xstate and nothing else",
      severity: "error",
      from: { path: "^machines/" },
      to: { pathNot: ["^(machines|src|test|docs)/", "(^|/)node_modules/xstate/"] }
    },
    {
      name: "src/testing imports no test runner",
      severity: "error",
      from: { path: "^src/testing/" },
      to: { path: "(^|/)node_modules/(@effect/)?vitest/" }
    },
    {
      name: "what is published imports no development dependency",
      severity: "error",
      from: { path: "^(machines|src)/", pathNot: packed },
      // What a host brings is developed against one version of it.
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["npm-peer"] }
    },
    {
      name: "no cycle, of types neither",
      severity: "error",
      from: { path: "^(machines|src)/" },
      to: { circular: true }
    }
  ]
}

/** Reads every import of a tree, type-only ones included. */
export const cruiseTree = async (root: string): Promise<ICruiseResult> => {
  const { output } = await cruise(["machines", "src"], {
    baseDir: root,
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    validate: true,
    ruleSet
  })
  if (typeof output === "string") throw new Error("dependency-cruiser answered with a report where data was asked for")
  return output
}

/** The forbidden imports that were found. */
export const violationsIn = (result: ICruiseResult): ReadonlyArray<Violation> =>
  result.summary.violations.map(({ rule, from, to }) => ({ rule: rule.name, from, to }))
