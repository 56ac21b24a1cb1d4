/**
 * The graph of a machine: where it may rest, and what leads from there to where. XState takes each step, on a machine made again of
 * the structure.
 *
 * Guards are taken as they may be, each both ways. What a function raises, and what it knows of the context, is not in a graph.
 */
import type { AnyStateMachine, StateValue } from "xstate"
import type { StateDefinition } from "../../../machines/chart/definition.ts"
import { structureOf } from "../../../machines/chart/definition.ts"
import type { Macrostep } from "../../../machines/chart/macrostep.ts"
import * as Macrosteps from "../../../machines/chart/macrostep.ts"
import { isDescribedBy } from "../../../machines/chart/parts.ts"
import { didBy, triedAll } from "../../../machines/chart/traced.ts"

/** Where a machine rests. States are named by their ids. */
export interface Place {
  /** The same for equal places. */
  readonly key: string
  readonly value: StateValue
  readonly history: Readonly<Record<string, ReadonlyArray<string>>>
  readonly active: ReadonlyArray<string>
  readonly isEnded: boolean
}

/** A step to a place, with the states that it enters, some of which it may leave at once. */
export interface Move {
  /** Absent for the beginning. */
  readonly event?: string
  readonly to: Place
  readonly entered: ReadonlyArray<string>
}

/** The graph of a machine, as far as it is asked for. */
export interface Graph {
  readonly begin: ReadonlyArray<Move>
  readonly from: (place: Place) => ReadonlyArray<Move>
}

/** A series of events. */
export type Path = ReadonlyArray<string>

/** What was found from the beginning on, over the shortest ways. */
export interface Found {
  /** The shortest way to each state. */
  readonly entered: ReadonlyMap<string, Path>
  /** The shortest way to rest in each state. */
  readonly resting: ReadonlyMap<string, Path>
  readonly places: ReadonlyMap<string, Place>
  /** Where each place leads; absent for those that were not left any more. */
  readonly next: ReadonlyMap<string, ReadonlyArray<Place>>
  readonly isCut: boolean
}

const place = { processId: "", parentId: "", revision: 0 }

/** The graph of a machine. `events`: what it declares that may come; of others a wildcard says nothing. */
export const graphOf = (machine: AnyStateMachine, events: ReadonlyArray<string>): Graph => {
  const structure = structureOf(machine)
  const tried = triedAll<Macrostep>({ version: "", structure }, { onlyGuards: true })
  const moves = (take: (machine: AnyStateMachine) => Macrostep, event?: string): ReadonlyArray<Move> => {
    const found = new Map<string, Move>()
    tried(take, (step) => {
      if (!(step instanceof Error)) {
        const move = {
          ...(event === undefined ? {} : { event }),
          to: placeOf(structure, step),
          entered: enteredBy(step)
        }
        found.set(JSON.stringify([move.to.key, move.entered]), move)
      }
      return false
    })
    return [...found.values()]
  }
  const known = new Map<string, ReadonlyArray<Move>>()
  return {
    begin: moves((traced) => Macrosteps.begin(traced, undefined, place)),
    from: (before) => {
      const same = known.get(before.key)
      if (same !== undefined) return same
      const fresh = before.isEnded
        ? []
        : typesIn(structure, before.value, events).flatMap((type) =>
            moves((traced) => Macrosteps.take(traced, { ...before, children: {} }, {}, { type }, place), type)
          )
      known.set(before.key, fresh)
      return fresh
    }
  }
}

/** Looks from the beginning on, over the events that may come, and leaves no more than `mostSteps` places. */
export const findIn = (
  { begin, from }: Graph,
  mostSteps: number,
  mayCome: (event: string) => boolean = () => true
): Found => {
  const entered = new Map<string, Path>()
  const resting = new Map<string, Path>()
  const places = new Map<string, Place>()
  const next = new Map<string, ReadonlyArray<Place>>()
  const arrive = (moves: ReadonlyArray<Move>, path: Path): ReadonlyArray<readonly [Place, Path]> =>
    moves.flatMap(({ to, event, entered: states }) => {
      const way = event === undefined ? path : [...path, event]
      for (const id of states) if (!entered.has(id)) entered.set(id, way)
      if (places.has(to.key)) return []
      places.set(to.key, to)
      for (const id of to.active) if (!resting.has(id)) resting.set(id, way)
      return [[to, way] as const]
    })
  let steps = 0
  let isCut = false
  let edge = arrive(begin, [])
  while (edge.length > 0) {
    edge = edge.flatMap(([at, path]) => {
      isCut ||= steps >= mostSteps
      if (isCut) return []
      const moves = from(at).filter(({ event }) => mayCome(event ?? ""))
      steps += moves.length
      next.set(
        at.key,
        moves.map(({ to }) => to)
      )
      return arrive(moves, path)
    })
  }
  return { entered, resting, places, next, isCut }
}

const placeOf = (structure: StateDefinition, { value, history, end }: Macrostep): Place => ({
  key: JSON.stringify([value, history]),
  value,
  history,
  active: activeIn(structure, value).map(({ id }) => id),
  isEnded: end !== undefined
})

const activeIn = (state: StateDefinition, value: StateValue | undefined): ReadonlyArray<StateDefinition> => [
  state,
  ...Object.entries(typeof value === "string" ? { [value]: undefined } : (value ?? {})).flatMap(([key, inner]) => {
    const child = state.states?.[key]
    return child === undefined ? [] : activeIn(child, inner)
  })
]

const enteredBy = ({ effects }: Macrostep): ReadonlyArray<string> =>
  effects.flatMap((effect) =>
    effect.do === "act" && didBy.get(effect.name) === "enter" ? [String(effect.params)] : []
  )

/** The types of the events that may come in some states. The end of a state is none: XState takes it in the same step. */
const typesIn = (
  structure: StateDefinition,
  value: StateValue,
  events: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const descriptors = new Set(
    activeIn(structure, value).flatMap(({ transitions = [] }) => transitions.map(({ event }) => event))
  )
  const types = [...descriptors].flatMap((descriptor) => {
    if (descriptor === "" || descriptor.startsWith("xstate.done.state.")) return []
    const meant = descriptor.endsWith("*") ? events.filter((event) => isDescribedBy(descriptor, event)) : []
    return meant.length === 0 ? [descriptor] : meant
  })
  return [...new Set(types)]
}
