/**
 * Draws a statechart in Mermaid, as text.
 *
 * Mermaid joins only states of the same level. So a transition from a state into itself is drawn from each of its parts, and
 * one that crosses a border is drawn between the two states of a level that contain its ends, naming the real one.
 */
import type { ChartState, ChartTransition } from "./reader.ts"
import { flattened } from "./reader.ts"

type Path = ReadonlyArray<string>

interface Arrow {
  readonly from: Path
  readonly to: Path
  readonly label: string
}

/** The lines of a `stateDiagram-v2`. Events that leave a state as it is are not drawn. */
export const diagram = (chart: ChartState): ReadonlyArray<string> => {
  const names = namesIn(chart)
  const arrows = arrowsIn(chart)
  return [
    "stateDiagram-v2",
    ...(chart.kind === "parallel"
      ? composite({ ...chart, path: [] }, names, arrows, "  ")
      : within(chart, names, arrows, "  "))
  ]
}

/** Short names where they are unique, with the names of the parents where they are not. */
const namesIn = (chart: ChartState): ((path: Path) => string) => {
  const paths = flattened(chart).map(({ path }) => path)
  return (path) => {
    if (path.length === 0) return "machine"
    const depths = path.map((_, index) => index + 1)
    const unique = depths.find((depth) => paths.filter((other) => ends(other, path.slice(-depth))).length === 1)
    return path.slice(-(unique ?? path.length)).join("_")
  }
}

const within = (
  state: ChartState,
  names: (path: Path) => string,
  arrows: ReadonlyArray<Arrow>,
  indent: string
): ReadonlyArray<string> => {
  const children = state.states.flatMap((child) => composite(child, names, arrows, indent))
  const own = arrows.filter(({ from }) => same(from.slice(0, -1), state.path))
  return [
    ...(state.initial === undefined ? [] : [`${indent}[*] --> ${names([...state.path, state.initial])}`]),
    ...children,
    ...own.map(({ from, to, label }) => `${indent}${names(from)} --> ${names(to)} : ${label}`),
    ...state.states.filter(({ kind }) => kind === "final").map(({ path }) => `${indent}${names(path)} --> [*]`)
  ]
}

const composite = (
  state: ChartState,
  names: (path: Path) => string,
  arrows: ReadonlyArray<Arrow>,
  indent: string
): ReadonlyArray<string> => {
  const name = names(state.path)
  const key = state.path.at(-1) ?? name
  const declared = name === key ? name : `"${key}" as ${name}`
  if (state.states.length === 0) {
    if (name !== key) return [`${indent}state ${declared}`]
    // Whatever an arrow leads to or from exists by that.
    const isDrawn =
      state.kind === "final" || arrows.some(({ from, to }) => same(from, state.path) || same(to, state.path))
    return isDrawn ? [] : [`${indent}${name}`]
  }
  const deeper = `${indent}  `
  const regions = state.states.map((child) => composite(child, names, arrows, deeper))
  const lines =
    state.kind === "parallel"
      ? regions.flatMap((region, index) => (index === 0 ? region : [`${deeper}--`, ...region]))
      : within(state, names, arrows, deeper)
  return [`${indent}state ${declared} {`, ...lines, `${indent}}`]
}

const arrowsIn = (chart: ChartState): ReadonlyArray<Arrow> =>
  flattened(chart).flatMap((state) =>
    state.transitions.flatMap((transition) =>
      transition.target === undefined ? [] : arrowsOf(state, transition, transition.target)
    )
  )

const arrowsOf = (state: ChartState, transition: ChartTransition, target: Path): ReadonlyArray<Arrow> => {
  const label = transition.guard === undefined ? transition.event : `${transition.event} [${transition.guard}]`
  if (target.length > state.path.length && begins(target, state.path)) {
    return state.states
      .filter((child) => !child.transitions.some(({ event }) => event === transition.event))
      .map((child) => lifted(child.path, target, label))
  }
  return [lifted(state.path, target, label)]
}

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
