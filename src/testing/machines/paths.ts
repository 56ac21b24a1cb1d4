/**
 * What the graph of a machine says: how to reach each state, and where there is no way on.
 *
 * Guards are taken as they may be, so a state counts as reachable that some context lets be reached.
 */
import type { AnyStateMachine, AnyStateNode } from "xstate"

/** What the graph of a machine says. States are named by their ids. */
export interface Paths {
  /** The shortest series of events to each state that can be reached. */
  readonly shortest: Readonly<Record<string, ReadonlyArray<string>>>
  /** All series of events to each state that enter no state twice, shortest first. */
  readonly simple: Readonly<Record<string, ReadonlyArray<ReadonlyArray<string>>>>
  /** Whether there are more simple ones than were walked. */
  readonly isCut: boolean
  readonly unreachable: ReadonlyArray<string>
  /** States that are not final, and that nothing leaves: neither an event of theirs or of a state around them, nor time. */
  readonly stuck: ReadonlyArray<string>
  /** States from which no final state can be reached, in a machine that has one. */
  readonly deadEnds: ReadonlyArray<string>
  /** Events that are declared and no state takes. */
  readonly unhandled: ReadonlyArray<string>
  readonly text: string
}

/**
 * Walks the graph of a machine. `events`: what it declares that may come. The simple paths may be very many: no more than
 * `mostSteps` transitions are taken to find them.
 */
export const paths = (
  machine: AnyStateMachine,
  events: ReadonlyArray<string> = [],
  { mostSteps = 10_000 }: { readonly mostSteps?: number } = {}
): Paths => {
  const all = nodesOf(machine.root).filter(({ type }) => type !== "history")
  const shortest = new Map<AnyStateNode, ReadonlyArray<string>>()
  let edge = entered(machine.root).map((node) => [node, []] as readonly [AnyStateNode, ReadonlyArray<string>])
  while (edge.length > 0) {
    const fresh = edge.filter(
      ([node], index) => !shortest.has(node) && edge.findIndex(([other]) => other === node) === index
    )
    for (const [node, path] of fresh) shortest.set(node, path)
    edge = fresh.flatMap(([node, path]) =>
      transitionsOf(node).flatMap(({ eventType, target = [] }) =>
        target.flatMap((next: AnyStateNode) =>
          reached(next).map((each) => [each, eventType === "" ? path : [...path, eventType]] as const)
        )
      )
    )
  }
  const reachable = all.filter((node) => shortest.has(node))
  const finals = all.filter(({ type, parent }) => type === "final" && parent === machine.root)
  const stuck = reachable.filter(isStuck)
  const alive = leadingTo(reachable, finals)
  const deadEnds = finals.length === 0 ? [] : reachable.filter((node) => isAtomic(node) && !alive.has(node))
  const handled = new Set(all.flatMap((node) => transitionsOf(node).map(({ eventType }) => eventType)))
  const data = {
    shortest: Object.fromEntries([...shortest].map(([{ id }, path]) => [id, path])),
    ...simpleOf(machine, mostSteps),
    unreachable: idsOf(all.filter((node) => !shortest.has(node))),
    stuck: idsOf(stuck),
    deadEnds: idsOf(deadEnds),
    unhandled: events.filter((event) => !handled.has(event) && !handled.has("*"))
  }
  return { ...data, text: textOf(data) }
}

/** Walks on from each state, until a state would be entered twice. */
const simpleOf = (machine: AnyStateMachine, mostSteps: number): Pick<Paths, "simple" | "isCut"> => {
  const found = new Map<string, Map<string, ReadonlyArray<string>>>()
  let steps = 0
  let isCut = false
  const walk = (
    nodes: ReadonlyArray<AnyStateNode>,
    path: ReadonlyArray<string>,
    entered: ReadonlySet<AnyStateNode>
  ): void => {
    const fresh = nodes.filter((node) => !entered.has(node))
    for (const { id } of fresh) {
      const known = found.get(id) ?? new Map<string, ReadonlyArray<string>>()
      found.set(id, known.set(JSON.stringify(path), path))
    }
    const now = new Set([...entered, ...fresh])
    const leaving = [...new Set(fresh.filter(isAtomic).flatMap(around))]
    for (const { eventType, target = [] } of leaving.flatMap(transitionsOf)) {
      const next = target.flatMap((node: AnyStateNode) => reached(node))
      if (next.every((node) => now.has(node))) continue
      isCut ||= steps === mostSteps
      if (isCut) return
      steps++
      walk(next, eventType === "" ? path : [...path, eventType], now)
    }
  }
  walk(entered(machine.root), [], new Set())
  return {
    simple: Object.fromEntries(
      [...found].map(([id, known]) => [id, [...known.values()].sort((one, other) => one.length - other.length)])
    ),
    isCut
  }
}

const textOf = (data: Omit<Paths, "text">): string => {
  const list = (title: string, names: ReadonlyArray<string>) =>
    names.length === 0 ? [] : [`${title}: ${names.join(", ")}`]
  return [
    ...Object.entries(data.shortest).map(([state, path]) => {
      const others = (data.simple[state]?.length ?? 1) - 1
      const more = others > 0 ? ` (and ${others} other ${others === 1 ? "way" : "ways"})` : ""
      return `${state}: ${path.length === 0 ? "at the beginning" : path.join(", ")}${more}`
    }),
    ...(data.isCut ? ["there are more ways than were walked"] : []),
    ...list("never reached", data.unreachable),
    ...list("without a way out", data.stuck),
    ...list("without a way to the end", data.deadEnds),
    ...list("events that no state takes", data.unhandled)
  ].join("\n")
}

const idsOf = (nodes: ReadonlyArray<AnyStateNode>): ReadonlyArray<string> => nodes.map(({ id }) => id)

/** A state and all that are in it. */
export const nodesOf = (node: AnyStateNode): ReadonlyArray<AnyStateNode> => [
  node,
  ...Object.values(node.states).flatMap((child) => nodesOf(child as AnyStateNode)) // its own states
]

const isAtomic = ({ states }: AnyStateNode): boolean => Object.keys(states).length === 0

const transitionsOf = (node: AnyStateNode) => [...[...node.transitions.values()].flat(), ...(node.always ?? [])]

const around = (node: AnyStateNode): ReadonlyArray<AnyStateNode> =>
  node.parent === undefined ? [node] : [node, ...around(node.parent)]

/** What is entered together with a state, from it inwards. */
const entered = (node: AnyStateNode): ReadonlyArray<AnyStateNode> => {
  if (node.type === "parallel")
    return [node, ...Object.values(node.states).flatMap((child) => entered(child as AnyStateNode))] // its own states
  if (node.type === "compound") return [node, ...node.initial.target.flatMap((child: AnyStateNode) => reached(child))]
  return node.type === "history" ? entered(node.parent as AnyStateNode) : [node] // it is within one
}

/** What is entered by a transition to a state: it, what is in it, the states around it, and their other regions. */
const reached = (node: AnyStateNode): ReadonlyArray<AnyStateNode> => [
  ...entered(node),
  ...around(node).flatMap((outer) =>
    outer.type === "parallel"
      ? [outer, ...Object.values(outer.states).flatMap((child) => entered(child as AnyStateNode))] // its own states
      : outer.type === "history"
        ? []
        : [outer]
  )
]

const isStuck = (node: AnyStateNode): boolean =>
  isAtomic(node) &&
  node.type !== "final" &&
  !around(node).some((outer) =>
    transitionsOf(outer).some(({ target }) => target !== undefined && !target.includes(node))
  )

/** The states from which one of some states can be reached. */
const leadingTo = (
  nodes: ReadonlyArray<AnyStateNode>,
  goals: ReadonlyArray<AnyStateNode>
): ReadonlySet<AnyStateNode> => {
  const found = new Set<AnyStateNode>(goals)
  for (let before = -1; before !== found.size; ) {
    before = found.size
    for (const node of nodes) {
      const targets = around(node).flatMap((outer) =>
        transitionsOf(outer).flatMap(({ target = [] }) => target.flatMap(reached))
      )
      if (targets.some((target: AnyStateNode) => found.has(target) && isAtomic(target))) found.add(node)
    }
  }
  return found
}
