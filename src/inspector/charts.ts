/**
 * The picture of a machine: states as nested boxes, transitions as lines, laid out once by elkjs and kept.
 *
 * Transitions that stay in their state and only ask for commands are notes in its box. The layout engine takes up to a second
 * of pure computing, so it works in a thread of its own, which exists for one layout: no host stands still for a picture.
 */

import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import type { ElkExtendedEdge, ElkNode } from "elkjs/lib/elk-api.js"
import type { AnyStateMachine } from "xstate"
import { root } from "./assets.ts"
import type { StateNode, StateTransition } from "./states.ts"
import { commandsOf, nameOf, statesOf, transitionId, transitionsOf } from "./states.ts"
import type { ChartEdge, ChartNode, ChartNote, ChartView } from "./View.ts"

/** How wide a character of a chart's text is, and how high a line. Units: pixels. The page's style sheet agrees. */
const text = { titleWidth: 7.8, width: 6.3, lineHeight: 14 }

const charts = new WeakMap<AnyStateMachine, Promise<ChartView>>()

/** The chart of a machine, laid out on first use. A machine that cannot be laid out is a defect. */
export const chartOf = (machine: AnyStateMachine): Effect.Effect<ChartView> =>
  Effect.promise(() => {
    const known = charts.get(machine)
    if (known !== undefined) return known
    const chart = layOut(machine)
    charts.set(machine, chart)
    // A layout that failed is tried again when it is next asked for.
    chart.catch(() => charts.delete(machine))
    return chart
  })

const layOut = async (machine: AnyStateMachine): Promise<ChartView> => {
  const graph: ElkNode = {
    id: "chart",
    layoutOptions: {
      "elk.algorithm": "layered",
      "elk.direction": "RIGHT",
      "elk.hierarchyHandling": "INCLUDE_CHILDREN",
      "elk.edgeRouting": "ORTHOGONAL",
      "elk.layered.spacing.nodeNodeBetweenLayers": "28",
      "elk.layered.spacing.edgeNodeBetweenLayers": "16",
      "elk.spacing.nodeNode": "20",
      "elk.spacing.edgeLabel": "4",
      "elk.edgeLabels.placement": "CENTER",
      "elk.padding": "[top=8,left=8,bottom=8,right=8]",
      "json.edgeCoords": "ROOT",
      "json.shapeCoords": "ROOT"
    },
    children: [boxOf(machine.root)],
    edges: [...edgesOf(machine.root)]
  }
  const laid = await computed(graph)
  const boxes = boxesIn(laid)
  return {
    width: Math.ceil(laid.width ?? 0),
    height: Math.ceil(laid.height ?? 0),
    nodes: statesOf(machine.root).flatMap((node) => nodesFor(node, boxes)),
    edges: (laid.edges ?? []).map((edge) => edgeFor(machine, edge))
  }
}

/** Lays a graph out in a thread. Its script is the built one: Node runs no other. */
const computed = (graph: ElkNode): Promise<ElkNode> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL("dist/src/inspector/layoutWorker.js", root), { workerData: graph })
    worker.once("message", (laid: ElkNode) => {
      resolve(laid)
      void worker.terminate()
    })
    worker.once("error", reject)
  })

const boxOf = (node: StateNode): ElkNode => {
  const notes = notesOf(node)
  const widest = Math.max(
    label(node).length * text.titleWidth + 34,
    ...notes.map(({ text: note }) => note.length * text.width + 22),
    84
  )
  const height = 32 + notes.length * text.lineHeight
  const children = Object.values<StateNode>(node.states)
  if (children.length === 0) return { id: node.id, width: widest, height: notes.length === 0 ? 34 : height + 6 }
  return {
    id: node.id,
    layoutOptions: {
      "elk.padding": `[top=${height + 8},left=14,bottom=14,right=14]`,
      "elk.nodeSize.constraints": "MINIMUM_SIZE",
      "elk.nodeSize.minimum": `(${widest},${height + 20})`
    },
    children: [
      ...(node.type === "compound" ? [{ id: initialId(node), width: 10, height: 10 }] : []),
      ...children.map(boxOf)
    ]
  }
}

const edgesOf = (root: StateNode): ReadonlyArray<ElkExtendedEdge> =>
  statesOf(root).flatMap((node) => {
    const first = node.type === "compound" ? node.initial.target[0] : undefined
    const entry =
      first === undefined ? [] : [{ id: `${initialId(node)} edge`, sources: [initialId(node)], targets: [first.id] }]
    const moves = transitionsOf(node).flatMap((transition) =>
      (transition.target ?? []).map((target) => {
        const lines = linesOf(transition)
        const longest = Math.max(...lines.map(({ length }) => length))
        return {
          id: transitionId(node, transition),
          sources: [node.id],
          targets: [target.id],
          labels: [{ text: lines.join("\n"), width: longest * text.width + 8, height: lines.length * text.lineHeight }]
        }
      })
    )
    return [...entry, ...moves]
  })

const linesOf = (transition: StateTransition): ReadonlyArray<string> => [
  eventOf(transition),
  ...(transition.guard === undefined ? [] : [`[${nameOf(transition.guard) ?? "condition"}]`]),
  ...commandsOf(transition).map((command) => `/ ${command}`)
]

const notesOf = (node: StateNode): ReadonlyArray<ChartNote> =>
  transitionsOf(node)
    .filter(({ target }) => target === undefined || target.length === 0)
    .map((transition) => ({ id: transitionId(node, transition), text: linesOf(transition).join(" ") }))

const eventOf = ({ eventType }: StateTransition): string => {
  if (eventType === "") return "always"
  return eventType.startsWith("xstate.done.state.") ? "done" : eventType
}

const label = (node: StateNode): string => node.key

const initialId = (node: StateNode): string => `${node.id} initial`

type Boxes = ReadonlyMap<string, ElkNode>

const boxesIn = (node: ElkNode): Boxes =>
  new Map([
    [node.id, node] as const,
    ...(node.children ?? []).flatMap((child): ReadonlyArray<readonly [string, ElkNode]> => [...boxesIn(child)])
  ])

const nodesFor = (node: StateNode, boxes: Boxes): ReadonlyArray<ChartNode> => {
  const depth = node.path.length
  const dot = node.type === "compound" ? initialId(node) : undefined
  return [
    {
      id: node.id,
      label: label(node),
      kind: node.type,
      ...(node.description === undefined ? {} : { description: node.description }),
      notes: notesOf(node),
      depth,
      ...placeOf(boxes, node.id)
    },
    ...(dot === undefined
      ? []
      : [{ id: dot, label: "", kind: "initial" as const, notes: [], depth: depth + 1, ...placeOf(boxes, dot) }])
  ]
}

const placeOf = (boxes: Boxes, id: string): Pick<ChartNode, "x" | "y" | "width" | "height"> => {
  const { x = 0, y = 0, width = 0, height = 0 } = boxes.get(id) ?? {}
  return { x: Math.round(x), y: Math.round(y), width: Math.round(width), height: Math.round(height) }
}

const edgeFor = (machine: AnyStateMachine, edge: ElkExtendedEdge): ChartEdge => {
  const [place] = edge.labels ?? []
  const source = edge.sources[0] ?? ""
  const move = statesOf(machine.root)
    .filter(({ id }) => id === source)
    .flatMap((node) => transitionsOf(node).filter((transition) => transitionId(node, transition) === edge.id))[0]
  return {
    id: edge.id,
    source,
    target: edge.targets[0] ?? "",
    event: move?.eventType ?? "",
    lines: move === undefined ? [] : linesOf(move),
    points: (edge.sections ?? []).flatMap(({ startPoint, bendPoints = [], endPoint }) =>
      [startPoint, ...bendPoints, endPoint].map(({ x, y }) => [Math.round(x), Math.round(y)] as const)
    ),
    ...(place === undefined
      ? {}
      : { label: { x: place.x ?? 0, y: place.y ?? 0, width: place.width ?? 0, height: place.height ?? 0 } })
  }
}
