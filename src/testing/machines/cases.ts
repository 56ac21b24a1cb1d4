/**
 * The paths of a machine as tests: for each state in which it may rest, the shortest history that a script can play.
 */
import * as Duration from "effect/Duration"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import type { AnyStateMachine, StateValue } from "xstate"
import { findIn, graphOf } from "./graph.ts"
import { nodesOf } from "./paths.ts"
import type { Givens, Script, Step } from "./script.ts"

/** A way to a state, and what plays it. */
export interface Played {
  readonly state: string
  readonly path: ReadonlyArray<string>
  readonly script: Script
  /** How the actors end, one after another, by the names of their logic. */
  readonly ends: Readonly<Record<string, ReadonlyArray<"done" | "error">>>
}

/** The shortest ways that a script can play. One that depends on another process, or on a delay that a function makes, is left out. */
export const playedOf = (machine: AnyStateMachine, givens: Givens, mostSteps: number): ReadonlyArray<Played> => {
  const samples = new Map(sampled(FastCheck.tuple(...givens.events)).map((event) => [event.type, event]))
  const [input] = FastCheck.sample(givens.input, { numRuns: 1, seed: 1 })
  const nodes = nodesOf(machine.root)
  const actors = new Map(nodes.flatMap(({ invoke }) => invoke.map(({ id, src }) => [id, String(src)] as const)))
  /** What plays an event: nothing where an actor ends, as that comes by itself. */
  const stepFor = (type: string): ReadonlyArray<Step> | undefined => {
    const event = samples.get(type)
    if (event !== undefined) return [{ do: "send", event, burst: false }]
    const [, , actor = ""] = ended.exec(type) ?? []
    if (actors.has(actor)) return []
    const ms = type.startsWith(after)
      ? lengthOf(
          machine,
          type.slice(after.length),
          nodes.map(({ id }) => id)
        )
      : undefined
    return ms === undefined ? undefined : [{ do: "advance", ms }]
  }
  const graph = graphOf(machine, [...samples.keys()])
  const { resting } = findIn(graph, mostSteps, (type) => stepFor(type) !== undefined)
  return nodes.flatMap(({ id }) => {
    const path = resting.get(id)
    if (path === undefined) return []
    const ends: Record<string, Array<"done" | "error">> = {}
    for (const type of path) {
      const [, how, actor = ""] = ended.exec(type) ?? []
      const src = actors.get(actor)
      if (src !== undefined) ends[src] = [...(ends[src] ?? []), how === "done" ? "done" : "error"]
    }
    return [{ state: id, path, ends, script: { input, steps: path.flatMap((type) => stepFor(type) ?? []) } }]
  })
}

/** Whether a state is active in a state value. */
export const isActiveIn = (machine: AnyStateMachine, value: StateValue, state: string): boolean => {
  const { path } = machine.getStateNodeById(state)
  let inner: StateValue | undefined = value
  for (const key of path) {
    if (typeof inner === "string") inner = inner === key ? {} : undefined
    else inner = inner?.[key]
    if (inner === undefined) return false
  }
  return true
}

const sampled = (
  events: FastCheck.Arbitrary<Array<{ readonly type: string }>>
): ReadonlyArray<{ readonly type: string }> => FastCheck.sample(events, { numRuns: 1, seed: 1 }).flat()

const ended = /^xstate\.(done|error)\.actor\.(.+)$/s

const after = "xstate.after."

/** How long a delay is, which is before the id of a state. */
const lengthOf = (
  { implementations }: AnyStateMachine,
  rest: string,
  ids: ReadonlyArray<string>
): number | undefined => {
  const id = ids.filter((each) => rest.endsWith(`.${each}`)).sort((one, other) => other.length - one.length)[0] ?? ""
  const name = rest.slice(0, -id.length - 1)
  const given: unknown = implementations.delays[name]
  if (given !== undefined) return typeof given === "number" ? given : undefined
  if (/^\d+$/.test(name)) return Number(name)
  return Option.getOrUndefined(Option.map(Duration.decodeUnknown(name), Duration.toMillis))
}
