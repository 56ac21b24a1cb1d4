/**
 * The supervision tree as a value: who runs, in which state, how often it was restarted, and why it last failed.
 */

/** One node of the tree. Units: epoch milliseconds, UTC. */
export interface TreeNode {
  readonly name: string
  /** A supervisor restarts what stands below it; a worker is one fiber; a process is a body, never restarted in place. */
  readonly kind: "supervisor" | "worker" | "process"
  readonly state: string
  readonly restarts: number
  readonly lastFailure?: { readonly atMs: number; readonly problem: string }
  /** What else a reader wants to know of it, in a few words. */
  readonly note?: string
  readonly children: ReadonlyArray<TreeNode>
}

/** Draws a tree as lines of text. */
export const render = (node: TreeNode): string => lines(node, "", "").join("\n")

const lines = (node: TreeNode, lead: string, indent: string): ReadonlyArray<string> => [
  `${lead}${labelOf(node)}`,
  ...node.children.flatMap((child, index) => {
    const isLast = index === node.children.length - 1
    return lines(child, `${indent}${isLast ? "└─ " : "├─ "}`, `${indent}${isLast ? "   " : "│  "}`)
  })
]

const labelOf = ({ name, state, restarts, lastFailure, note }: TreeNode): string =>
  [
    `${name}: ${state}`,
    ...(note === undefined ? [] : [note]),
    ...(restarts === 0 ? [] : [`restarted ${restarts === 1 ? "once" : `${restarts} times`}`]),
    ...(lastFailure === undefined ? [] : [`last failure: ${firstLine(lastFailure.problem)}`])
  ].join(", ")

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? ""
