/**
 * What the graph of a machine says: how to reach each state, and where there is no way on.
 *
 * Guards are taken as they may be, so a state counts as reachable that some context lets be reached.
 */
import type { AnyStateMachine, AnyStateNode } from "xstate"
import { isDescribedBy } from "../../../machines/chart/parts.ts"
import type { Found, Graph, Move } from "./graph.ts"
import { findIn, graphOf } from "./graph.ts"

/** What the graph of a machine says. States are named by their ids. */
export interface Paths {
  /** The shortest series of events to each state that can be reached. */
  readonly shortest: Readonly<Record<string, ReadonlyArray<string>>>
  /** All series of events to each state that enter no state twice, shortest first. */
  readonly simple: Readonly<Record<string, ReadonlyArray<ReadonlyArray<string>>>>
  /** Whether there are more ways than were walked. What was not found may then be there: allow more steps. */
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
 * Walks the graph of a machine. `events`: what it declares that may come. The ways may be very many: no more than `mostSteps`
 * transitions are taken to find the shortest ones, and as many to find the simple ones.
 */
export const paths = (
  machine: AnyStateMachine,
  events: ReadonlyArray<string> = [],
  { mostSteps = 10_000 }: { readonly mostSteps?: number } = {}
): Paths => {
  const graph = graphOf(machine, events)
  const found = findIn(graph, mostSteps)
  const all = nodesOf(machine.root).filter(({ type }) => type !== "history")
  const reachable = all.filter(({ id }) => found.entered.has(id))
  const { simple, isCut } = simpleOf(graph, mostSteps)
  const descriptors = new Set(all.flatMap((node) => transitionsOf(node).map(({ eventType }) => eventType)))
  const data = {
    shortest: Object.fromEntries(found.entered),
    simple,
    isCut: isCut || found.isCut,
    unreachable: idsOf(all.filter(({ id }) => !found.entered.has(id))),
    stuck: idsOf(reachable.filter(isStuck)),
    deadEnds: mayEnd(machine.root) ? deadEndsOf(reachable.filter(isAtomic), found) : [],
    unhandled: events.filter((event) => ![...descriptors].some((descriptor) => isDescribedBy(descriptor, event)))
  }
  return { ...data, text: textOf(data) }
}

/** Walks on from each place, as long as a step enters a state that its way did not. */
const simpleOf = (graph: Graph, mostSteps: number): Pick<Paths, "simple" | "isCut"> => {
  const found = new Map<string, Map<string, ReadonlyArray<string>>>()
  let steps = 0
  let isCut = false
  const walk = ({ entered: states, to }: Move, path: ReadonlyArray<string>, entered: ReadonlySet<string>): void => {
    const fresh = states.filter((id) => !entered.has(id))
    for (const id of fresh) {
      const known = found.get(id) ?? new Map<string, ReadonlyArray<string>>()
      found.set(id, known.set(JSON.stringify(path), path))
    }
    const now = new Set([...entered, ...fresh])
    for (const move of graph.from(to)) {
      if (move.entered.every((id) => now.has(id))) continue
      isCut ||= steps === mostSteps
      if (isCut) return
      steps++
      walk(move, [...path, move.event ?? ""], now)
    }
  }
  for (const move of graph.begin) walk(move, [], new Set())
  return {
    simple: Object.fromEntries(
      [...found].map(([id, known]) => [id, [...known.values()].sort((one, other) => one.length - other.length)])
    ),
    isCut
  }
}

/** The states in which a machine rests only where no way leads to its end. What was not left counts as leading there. */
const deadEndsOf = (nodes: ReadonlyArray<AnyStateNode>, { places, next }: Found): ReadonlyArray<string> => {
  const before = new Map<string, Array<string>>()
  for (const [key, after] of next) for (const to of after) before.set(to.key, [...(before.get(to.key) ?? []), key])
  const edge = [...places.values()].filter(({ key, isEnded }) => isEnded || !next.has(key)).map(({ key }) => key)
  const alive = new Set(edge)
  for (let key = edge.pop(); key !== undefined; key = edge.pop()) {
    for (const earlier of before.get(key) ?? []) {
      if (alive.has(earlier)) continue
      alive.add(earlier)
      edge.push(earlier)
    }
  }
  const resting = [...places.values()]
  return idsOf(nodes).filter((id) => {
    const here = resting.filter(({ active }) => active.includes(id))
    return here.length > 0 && here.every(({ key }) => !alive.has(key))
  })
}

/** Whether a state is over when some state in it is. */
const mayEnd = ({ type, states }: AnyStateNode): boolean => {
  const inner = Object.values<AnyStateNode>(states)
  if (type === "parallel") return inner.length > 0 && inner.every(mayEnd)
  return type === "final" || inner.some((state) => state.type === "final")
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

const isStuck = (node: AnyStateNode): boolean =>
  isAtomic(node) &&
  node.type !== "final" &&
  !around(node).some((outer) =>
    transitionsOf(outer).some(
      // A state around it is not over while it is in one that is not final.
      ({ eventType, target }) =>
        target !== undefined && !target.includes(node) && !eventType.startsWith("xstate.done.state.")
    )
  )
