/**
 * Draws statecharts and messages in Mermaid, as text.
 *
 * Mermaid joins only states of the same level. So a transition from a state into itself is drawn from each of its parts, and
 * one that crosses a border is drawn between the two states of a level that contain its ends, naming the real one.
 */
import type { AnyStateMachine } from "xstate"
import type { MessagesView } from "../View.ts"
import type { StateNode, StateTransition } from "./definition.ts"
import { initialOf, statesOf, transitionsOf, triggerOf } from "./definition.ts"

type Path = ReadonlyArray<string>

interface Arrow {
  readonly from: Path
  readonly to: Path
  readonly label: string
}

/**
 * The lines of a `stateDiagram-v2`, with the active states highlighted. Events that leave a state as it is are not drawn.
 *
 * Mermaid colours no state that has others in it: of the active ones the innermost are.
 */
export const diagram = ({ root }: AnyStateMachine, active: ReadonlyArray<string> = []): ReadonlyArray<string> => {
  const names = namesIn(root)
  const arrows = statesOf(root).flatMap((state) => transitionsOf(state).flatMap((each) => arrowsOf(state, each)))
  const draw = root.type === "parallel" ? composite : within
  const lit = statesOf(root).filter((state) => active.includes(state.id) && partsOf(state).length === 0)
  return [
    "stateDiagram-v2",
    ...draw(root, names, arrows, "  "),
    ...(lit.length === 0 ? [] : [`  classDef active ${colours}`]),
    ...lit.map(({ path }) => `  class ${names(path)} active`)
  ]
}

/** The lines of a `sequenceDiagram` of what the processes of a tree said to each other. */
export const sequenceDiagram = ({
  participants,
  messages
}: Pick<MessagesView, "participants" | "messages">): ReadonlyArray<string> => {
  const names = new Map(participants.map(({ process_id: id }, index) => [id, `p${index}`]))
  const nameOf = (id: string | null): string => (id === null ? "outside" : (names.get(id) ?? "outside"))
  const isAsked = messages.some(({ from, to }) => from === null || to === null)
  const arrows = { start: "->>", message: "->>", timer: "->>", end: "-->>" } as const
  return [
    "sequenceDiagram",
    ...(isAsked ? ["  actor outside"] : []),
    ...participants.map(({ process_id: id }) => `  participant ${nameOf(id)} as ${quoted(id)}`),
    ...messages.map(({ kind, from, to, text, problem }) => {
      const arrow = problem === undefined ? arrows[kind] : "-x"
      return `  ${nameOf(from)}${arrow}${nameOf(to)}: ${quoted(problem === undefined ? text : `${text} (${problem})`)}`
    })
  ]
}

const colours = "fill:#e2ebfd,stroke:#1f52c4,stroke-width:2px,color:#1f52c4"

/**
 * Short names where they are unique, with the names of the parents where they are not. A key that is no word for Mermaid gets
 * a number instead; its text is in the label.
 */
const namesIn = (root: StateNode): ((path: Path) => string) => {
  const paths = statesOf(root).map(({ path }) => path)
  return (path) => {
    if (path.length === 0) return "machine"
    const depths = path.map((_, index) => index + 1)
    const unique = depths.find((depth) => paths.filter((other) => ends(other, path.slice(-depth))).length === 1)
    const name = path.slice(-(unique ?? path.length)).join("_")
    return /^[A-Za-z]\w*$/.test(name) && !reserved.has(name)
      ? name
      : `state_${paths.findIndex((other) => same(other, path))}`
  }
}

/** Words that mean something else to Mermaid. */
const reserved = new Set(["state", "note", "class", "classDef", "style", "direction", "default", "end", "as"])

/** Signs that mean something to Mermaid, as it writes them itself. */
const quoted = (text: string): string => text.replace(/["#;:\n\r]/g, (sign) => `#${sign.charCodeAt(0)};`)

const within = (
  state: StateNode,
  names: (path: Path) => string,
  arrows: ReadonlyArray<Arrow>,
  indent: string
): ReadonlyArray<string> => {
  const parts = partsOf(state)
  const children = parts.flatMap((child) => composite(child, names, arrows, indent))
  const initial = initialOf(state)
  const own = arrows.filter(({ from }) => same(from.slice(0, -1), state.path))
  return [
    ...(initial === undefined ? [] : [`${indent}[*] --> ${names([...state.path, initial])}`]),
    ...children,
    ...own.map(({ from, to, label }) => `${indent}${names(from)} --> ${names(to)} : ${quoted(label)}`),
    ...parts.filter(({ type }) => type === "final").map(({ path }) => `${indent}${names(path)} --> [*]`)
  ]
}

const composite = (
  state: StateNode,
  names: (path: Path) => string,
  arrows: ReadonlyArray<Arrow>,
  indent: string
): ReadonlyArray<string> => {
  const name = names(state.path)
  const key = state.path.at(-1) ?? name
  const parts = partsOf(state)
  const isParted = state.type === "parallel" && parts.every(isShallow)
  const label = state.type === "parallel" && !isParted ? `${key} (parallel)` : key
  const declared = name === label ? name : `"${quoted(label)}" as ${name}`
  if (parts.length === 0) {
    if (name !== key) return [`${indent}state ${declared}`]
    // An arrow to or from a state declares it.
    const isDrawn =
      state.type === "final" || arrows.some(({ from, to }) => same(from, state.path) || same(to, state.path))
    return isDrawn ? [] : [`${indent}${name}`]
  }
  const deeper = `${indent}  `
  const regions = parts.map((child) => composite(child, names, arrows, deeper))
  const parted = regions.flatMap((region, index) => (index === 0 || !isParted ? region : [`${deeper}--`, ...region]))
  const lines = state.type === "parallel" ? parted : within(state, names, arrows, deeper)
  return [`${indent}state ${declared} {`, ...lines, `${indent}}`]
}

/** Mermaid fails to draw a part of a divided state that has states with others in them. */
const isShallow = (region: StateNode): boolean => partsOf(region).every((state) => partsOf(state).length === 0)

const arrowsOf = (state: StateNode, transition: StateTransition): ReadonlyArray<Arrow> => {
  const target = transition.target?.[0]?.path
  if (target === undefined) return []
  const { event, guard } = triggerOf(transition)
  const label = `${event}${guard}`
  if (target.length > state.path.length && begins(target, state.path)) {
    return partsOf(state)
      .filter((child) => !transitionsOf(child).some(({ eventType }) => eventType === transition.eventType))
      .map((child) => lifted(child.path, target, label))
  }
  return [lifted(state.path, target, label)]
}

const partsOf = (state: StateNode): ReadonlyArray<StateNode> => Object.values<StateNode>(state.states)

const lifted = (from: Path, to: Path, label: string): Arrow => {
  const shared = from.findIndex((key, index) => key !== to[index])
  const depth = (shared === -1 ? Math.min(from.length, to.length) - 1 : shared) + 1
  const inner = [from.slice(depth), to.slice(depth)].map((path) => path.join("."))
  const [source, target] = inner
  return {
    from: from.slice(0, depth),
    to: to.slice(0, depth),
    label: `${source ? `${source}, ` : ""}${label}${target ? ` to ${target}` : ""}`
  }
}

const begins = (path: Path, start: Path): boolean => start.every((key, index) => path[index] === key)
const ends = (path: Path, end: Path): boolean =>
  end.every((key, index) => path[path.length - end.length + index] === key)
const same = (a: Path, b: Path): boolean => a.length === b.length && begins(a, b)
