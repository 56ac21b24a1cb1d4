/**
 * Writes the import graph of `docs/map.md`: which layer imports which, and which packages.
 */
import { layerOf, layers } from "../../architecture/layers.ts"

const beginMark = "<!-- graph:begin -->"
const endMark = "<!-- graph:end -->"

/** The imports of a tree, as dependency-cruiser answers with them. */
export interface Imports {
  readonly modules: ReadonlyArray<{
    readonly source: string
    readonly dependencies: ReadonlyArray<{
      readonly module: string
      readonly resolved: string
      readonly coreModule: boolean
    }>
  }>
}

/** A layer with what its files import. */
interface Node {
  readonly folder: string
  readonly layers: ReadonlyArray<string>
  readonly packages: ReadonlyArray<string>
}

/**
 * Puts the graph between the marks of a page.
 *
 * Throws when the page has no such marks.
 */
export const withGraph = (page: string, imports: Imports): string => {
  const begin = page.indexOf(beginMark)
  const end = page.indexOf(endMark)
  if (begin === -1 || end < begin) throw new Error(`docs/map.md lacks the marks ${beginMark} and ${endMark}`)
  return `${page.slice(0, begin + beginMark.length)}\n${graph(imports)}\n${page.slice(end)}`
}

const graph = (imports: Imports): string => {
  const nodes = nodesOf(imports)
  const arrows = nodes.flatMap((node) =>
    direct(node, nodes).map((target) => `  ${idOf(node.folder)} --> ${idOf(target)}`)
  )
  return [
    "```mermaid",
    "flowchart RL",
    ...nodes.map(({ folder }) => `  ${idOf(folder)}["${folder}"]`),
    ...arrows,
    "```",
    "",
    "An arrow points at what is imported; one that other arrows imply is left out of the picture, not of the table.",
    "",
    "| Layer | Imports | Packages |",
    "| --- | --- | --- |",
    ...nodes.map((node) => `| ${code([node.folder])} | ${code(node.layers)} | ${code(node.packages)} |`)
  ].join("\n")
}

const nodesOf = ({ modules }: Imports): ReadonlyArray<Node> =>
  layers.flatMap(({ folder }) => {
    const own = modules.filter(({ source }) => source.startsWith(`${folder}/`))
    if (own.length === 0) return []
    const targets = own.flatMap(({ dependencies }) => dependencies)
    const imported = new Set(targets.map(({ resolved }) => layerOf(resolved)?.folder))
    const packages = new Set(targets.filter(({ coreModule }) => !coreModule).flatMap(({ module }) => packageOf(module)))
    return [
      {
        folder,
        layers: layers.map((layer) => layer.folder).filter((other) => other !== folder && imported.has(other)),
        packages: [...packages].sort()
      }
    ]
  })

/** The layers that a layer imports and that none of the others it imports leads to. */
const direct = (node: Node, nodes: ReadonlyArray<Node>): ReadonlyArray<string> => {
  const reached = (folder: string): ReadonlyArray<string> => {
    const next = nodes.find((other) => other.folder === folder)?.layers ?? []
    return [...next, ...next.flatMap(reached)]
  }
  const implied = new Set(node.layers.flatMap(reached))
  return node.layers.filter((folder) => !implied.has(folder))
}

const packageOf = (module: string): ReadonlyArray<string> => {
  const name = /^(?:@[^/]+\/)?[^./][^/]*/.exec(module)?.[0]
  return name === undefined ? [] : [name]
}

const idOf = (folder: string): string => folder.replace("src/", "")

const code = (names: ReadonlyArray<string>): string =>
  names.length === 0 ? "–" : names.map((name) => `\`${name}\``).join(", ")
