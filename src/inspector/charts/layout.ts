/**
 * The picture of a machine: states as nested boxes, transitions as lines, laid out once by elkjs and kept.
 *
 * Transitions that stay in their state and only ask for commands are notes in its box. The layout engine takes up to a second
 * of pure computing, so it works in a thread of its own, which exists for one layout: no host pauses for a picture.
 */

import { Worker } from "node:worker_threads"
import * as Effect from "effect/Effect"
import type { ElkExtendedEdge, ElkNode } from "elkjs/lib/elk-api.js"
import type { AnyStateMachine } from "xstate"
import type { ChartEdge, ChartNode, ChartNote, ChartView } from "../View.ts"
import type { StateNode, StateTransition } from "./definition.ts"
import { commandsOf, eventWords, nameOf, statesOf, transitionId, transitionsOf } from "./definition.ts"

/** How wide a character of a chart's text is, and how high a line. Units: pixels. The page's style sheet agrees. */
const text = { titleWidth: 7.8, width: 6.3, lineHeight: 13 }

/** Distances, which no box inherits from the one around it. */
const spacing: Readonly<Record<string, string>> = {
  "elk.edgeRouting": "ORTHOGONAL",
  "elk.edgeLabels.placement": "CENTER",
  "elk.layered.spacing.nodeNodeBetweenLayers": "16",
  "elk.layered.spacing.edgeNodeBetweenLayers": "8",
  "elk.spacing.nodeNode": "10",
  "elk.spacing.edgeNode": "8",
  "elk.spacing.edgeEdge": "8",
  "elk.spacing.edgeLabel": "2"
}

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

/** The room a chart usually has. Units: pixels. */
const room = { width: 960, height: 540 }

const scaleOf = ({ width = 1, height = 1 }: ElkNode): number => Math.min(room.width / width, room.height / height)

/** Smaller than this a chart is not read without scrolling. */
const readable = 0.8

/** Whether a machine has so many states that the layout engine takes seconds for it, and a minute for some hundreds. */
export const isLarge = ({ root }: AnyStateMachine): boolean => statesOf(root).length > 100

/**
 * Some machines are long and some are broad: one that gets too small across is tried downwards as well. A large one gets too small
 * either way, and is laid out once.
 */
const layOut = async (machine: AnyStateMachine): Promise<ChartView> => {
  const across = await computed(graphOf(machine, "RIGHT"))
  const down = scaleOf(across) < readable && !isLarge(machine) ? await computed(graphOf(machine, "DOWN")) : across
  const laid = scaleOf(down) > scaleOf(across) * 1.1 ? down : across
  const boxes = boxesIn(laid)
  return {
    width: Math.ceil(laid.width ?? 0),
    height: Math.ceil(laid.height ?? 0),
    nodes: statesOf(machine.root).flatMap((node) => nodesFor(node, boxes)),
    edges: (laid.edges ?? []).map((edge) => edgeFor(machine, edge))
  }
}

const graphOf = (machine: AnyStateMachine, direction: "RIGHT" | "DOWN"): ElkNode => ({
  id: "chart",
  layoutOptions: {
    ...spacing,
    "elk.algorithm": "layered",
    "elk.direction": direction,
    "elk.hierarchyHandling": "INCLUDE_CHILDREN",
    "elk.padding": "[top=2,left=2,bottom=2,right=2]",
    "json.edgeCoords": "ROOT",
    "json.shapeCoords": "ROOT"
  },
  children: [boxOf(machine.root)],
  edges: [...edgesOf(machine.root)]
})

/** Lays a graph out in a thread. Its script is the packed one: a bundle has no file to start a thread from. */
const computed = async (graph: ElkNode): Promise<ElkNode> => {
  const { script } = await import("../packed/layout.js")
  return new Promise((resolve, reject) => {
    const worker = new Worker(script, { eval: true, workerData: graph })
    worker.once("message", (laid: ElkNode) => {
      resolve(laid)
      void worker.terminate()
    })
    worker.once("error", reject)
  })
}

const boxOf = (node: StateNode): ElkNode => {
  const isRoot = node.parent === undefined
  // What the machine does in all of its states is a line below its picture, which needs no box either.
  const lines = isRoot ? [] : notesOf(node).flatMap((note) => note.lines)
  const widest = Math.max(
    node.key.length * text.titleWidth + (node.type === "parallel" ? 76 : 26),
    ...lines.map((line) => line.length * text.width + 20),
    66
  )
  const height = 28 + lines.length * text.lineHeight
  const children = Object.values<StateNode>(node.states)
  if (children.length === 0) return { id: node.id, width: widest, height: lines.length === 0 ? 32 : height + 4 }
  return {
    id: node.id,
    layoutOptions: {
      ...spacing,
      "elk.padding": isRoot ? "[top=4,left=4,bottom=4,right=4]" : `[top=${height + 4},left=10,bottom=10,right=10]`,
      "elk.nodeSize.constraints": "MINIMUM_SIZE",
      "elk.nodeSize.minimum": `(${widest},${height + 14})`
    },
    children: [
      ...(node.type === "compound" ? [{ id: initialId(node), width: 8, height: 8 }] : []),
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

const notesOf = (node: StateNode): ReadonlyArray<ChartNote> => [
  ...ownNotes(node),
  ...transitionsOf(node)
    .filter(({ target }) => target === undefined || target.length === 0)
    .map((transition) => {
      const [event = "", ...extra] = linesOf(transition)
      const guards = extra.filter((line) => line.startsWith("["))
      const commands = extra.filter((line) => !line.startsWith("["))
      return { id: transitionId(node, transition), lines: [[event, ...guards].join(" "), ...commands] }
    })
]

/** What a state does whatever event led there: the actions of its entry and exit, and the actors that live as long as it does. */
const ownNotes = (node: StateNode): ReadonlyArray<ChartNote> => [
  ...[
    ...commandsOf({ actions: node.entry }).map((name) => `entry / ${name}`),
    ...node.invoke.map(({ src }) => `invoke ${typeof src === "string" ? src : "an actor"}`),
    ...commandsOf({ actions: node.exit }).map((name) => `exit / ${name}`)
  ].map((line, index) => ({ id: `${node.id} own ${index}`, lines: [line] })),
  ...[...node.transitions.keys()]
    .filter((event) => event.startsWith("xstate.after."))
    .map((event) => ({ id: `${node.id} ${event} due`, lines: ["due 59 min ago"], timer: event }))
]

/** An event's name as the chart shows it; what all of a machine's events begin with says nothing in its own picture. */
const eventOf = ({ eventType, source }: StateTransition): string => {
  const common = `${source.machine.id}.`
  return eventType.startsWith(common) ? eventType.slice(common.length) : eventWords(source.machine, eventType)
}

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
      label: node.key,
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
