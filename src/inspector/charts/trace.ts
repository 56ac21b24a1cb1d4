/**
 * The path of a macrostep, found again from the stored definition: which states it left and entered, which transitions it took,
 * and what each asked for, in order.
 *
 * A definition has no functions. What a guard said is not stored, so its answers are tried until the step leads to what the log
 * says; a step that has not happened is only taken where no function has a say.
 *
 * Invariant: XState takes the steps. Nothing is written, and nothing is performed.
 */
import type { AnyStateMachine } from "xstate"
import type { StateDefinition, TransitionDefinition } from "../../../machines/chart/definition.ts"
import type { Macrostep, RawEffect } from "../../../machines/chart/macrostep.ts"
import * as Macrosteps from "../../../machines/chart/macrostep.ts"
import type { ChartEvent, ChartState, ChartTransition } from "../../../machines/chart/state.ts"
import { canonicalText } from "../../model/json.ts"
import type { StoredDefinition } from "../../operations/Charts.ts"
import { fromDurable } from "../../runtime/engine/durable.ts"
import { machineFrom } from "./stored.ts"

/** One thing that a macrostep did. `name` is a state, a transition, an action, a timer or an actor, by its id. */
export interface TraceLine {
  readonly did: "leave" | "take" | "enter" | "act" | "arm" | "disarm" | "start" | "stop" | "send"
  readonly name: string
}

/** Where a chart rests. */
export type Place = Pick<ChartState, "value" | "history"> & Partial<Pick<ChartState, "children">>

/** How a step went that did not happen, or why the definition alone does not say. */
export type Tried =
  | { readonly possible: true; readonly step: Macrostep; readonly trace: ReadonlyArray<TraceLine> }
  | { readonly possible: false; readonly why: string }

/** How many answers of guards are tried, and how many may be asked for in one step. */
const most = { tries: 256, asked: 64 }

/** The path of a step of the log; `undefined` where the definition does not lead to what it came to. */
export const traceOf = (
  definition: StoredDefinition,
  before: ChartState | undefined,
  step: ChartTransition
): ReadonlyArray<TraceLine> | undefined => {
  let answers: ReadonlyArray<boolean> = []
  let asked: Array<boolean> = []
  let fallback: ReadonlyArray<TraceLine> | undefined
  const machine = tracedMachine(definition, () => {
    if (asked.length >= most.asked) throw new Error("a guard is asked without end")
    const answer = answers[asked.length] ?? true
    asked.push(answer)
    return answer
  })
  for (let tries = 0; tries < most.tries; tries++) {
    asked = []
    const taken = attempt(() => take(machine, before, step.event))
    if (!(taken instanceof Error) && canonicalText(taken.value) === canonicalText(step.to)) {
      const trace = linesOf(taken, before?.timers.map(({ id }) => id) ?? []).filter(
        ({ did, name }) => did !== "stop" || !isOver(step.event, name)
      )
      if (canonicalText(actsOf(taken.effects)) === canonicalText(actsOf(step.effects))) return trace
      // Actions that a function adds are in the log and not in the definition.
      fallback ??= trace
    }
    const last = asked.lastIndexOf(true)
    if (last === -1) break
    answers = [...asked.slice(0, last), false]
  }
  return fallback
}

/** Whether an event is the end of an actor: leaving its state then stops nothing. */
export const isOver = ({ type }: ChartEvent, actorId: string): boolean =>
  type === `xstate.done.actor.${actorId}` || type === `xstate.error.actor.${actorId}`

/** Takes a step that has not happened, as far as the definition says what comes of it. */
export const tryStep = (definition: StoredDefinition, place: Place, event: ChartEvent): Tried => {
  const deciding = new Set<string>()
  const machine = tracedMachine(definition, (guard) => {
    deciding.add(`the guard ${guard}`)
    return true
  })
  const taken = attempt(() => take(machine, place, event))
  for (const effect of taken instanceof Error ? [] : taken.effects) {
    if (effect.do === "act" && effect.name === marks.unknown) deciding.add(String(effect.params))
  }
  if (deciding.size > 0) {
    return {
      possible: false,
      why: `${[...deciding].join(", ")} decides that, and a stored definition has no functions`
    }
  }
  return taken instanceof Error
    ? { possible: false, why: taken.message }
    : { possible: true, step: taken, trace: linesOf(taken, []) }
}

/** The actions that the traced machine has besides its own. No machine's own begins so. */
const prefix = "\u0000"
const marks = { leave: `${prefix}leave`, take: `${prefix}take`, enter: `${prefix}enter`, unknown: `${prefix}unknown` }

const mark = (type: string, params: string): object => ({ type, params })

/** What XState performs inside of a macrostep by a function, which the definition names only. */
const functions = ["xstate.raise", "xstate.enqueueActions"]

const unknownsIn = (actions: ReadonlyArray<string> = [], delayed = 0): ReadonlyArray<object> => {
  const found = actions.filter((name) => functions.includes(name))
  // Each delay of a state is a raise in its entry.
  const raises = found.filter((name) => name === "xstate.raise").slice(delayed)
  return [...raises, ...found.filter((name) => name !== "xstate.raise")].map((name) =>
    mark(marks.unknown, name.replace("xstate.", ""))
  )
}

/** The delays after which a state is left, each once. */
const delayedIn = ({ id, transitions = [] }: StateDefinition): ReadonlyArray<string> => {
  const begin = "xstate.after."
  const events = transitions
    .map(({ event }) => event)
    .filter((event) => event.startsWith(begin) && event.endsWith(`.${id}`))
  return [...new Set(events)].map((event) => event.slice(begin.length, -id.length - 1))
}

const isForbidden = ({ targets, actions }: TransitionDefinition): boolean =>
  targets === undefined && actions === undefined

const tracedMachine = (definition: StoredDefinition, decide: (guard: string) => boolean): AnyStateMachine => {
  const { guards, delays, actors } = namesIn(definition.structure)
  return machineFrom(definition, {
    entry: (state) => [mark(marks.enter, state.id), ...unknownsIn(state.entry, delayedIn(state).length)],
    exit: (state) => [...unknownsIn(state.exit), mark(marks.leave, state.id)],
    transition: (state, transition, index) =>
      isForbidden(transition)
        ? []
        : [mark(marks.take, `${state.id} ${transition.event} ${index}`), ...unknownsIn(transition.actions)]
  }).provide({
    guards: Object.fromEntries(guards.map((name) => [name, () => decide(name)])),
    // A delay without a length would be over at once.
    delays: Object.fromEntries(delays.map((name) => [name, 1])),
    actors: Object.fromEntries(actors.map((name) => [name, fromDurable()]))
  } as object) // of a machine of any type
}

const take = (machine: AnyStateMachine, before: Place | undefined, event: ChartEvent): Macrostep => {
  const place = { processId: "", parentId: "", revision: 0 }
  return before === undefined
    ? Macrosteps.begin(machine, undefined, place)
    : Macrosteps.take(machine, { children: {}, ...before }, {}, event, place)
}

interface Names {
  readonly guards: ReadonlyArray<string>
  readonly delays: ReadonlyArray<string>
  readonly actors: ReadonlyArray<string>
}

const namesIn = (state: StateDefinition): Names => {
  const inner = Object.values(state.states ?? {}).map(namesIn)
  const transitions = state.transitions ?? []
  return {
    guards: [...transitions.flatMap(({ guard }) => guard ?? []), ...inner.flatMap(({ guards }) => guards)],
    delays: [...delayedIn(state), ...inner.flatMap(({ delays }) => delays)],
    actors: [...(state.invoke ?? []).map(({ src }) => src), ...inner.flatMap(({ actors }) => actors)]
  }
}

/** XState ends the timers of each state that it leaves, whether they run or not, and leaves all states of a machine that ends. */
const linesOf = ({ effects, end }: Macrostep, timers: ReadonlyArray<string>): ReadonlyArray<TraceLine> => {
  const lines = effects.flatMap((effect) => lineOf(effect, timers))
  const last = lines.findLastIndex(({ did }) => did === "enter")
  return end === undefined ? lines : lines.filter(({ did }, index) => index < last || did !== "leave")
}

const lineOf = (effect: RawEffect, timers: ReadonlyArray<string>): ReadonlyArray<TraceLine> => {
  switch (effect.do) {
    case "act": {
      const { name, params } = effect
      const did = marked.get(name)
      if (did !== undefined) return [{ did, name: String(params) }]
      return name === marks.unknown ? [] : [{ did: "act", name }]
    }
    case "disarm":
      return timers.includes(effect.id) ? [{ did: "disarm", name: effect.id }] : []
    case "arm":
    case "start":
    case "stop":
      return [{ did: effect.do, name: effect.id }]
    case "send":
      return [{ did: "send", name: effect.event.type }]
    default:
      return []
  }
}

const marked: ReadonlyMap<string, TraceLine["did"]> = new Map([
  [marks.leave, "leave"],
  [marks.take, "take"],
  [marks.enter, "enter"]
])

const actsOf = (effects: ReadonlyArray<{ readonly do: string; readonly name?: string }>): ReadonlyArray<string> =>
  effects.flatMap(({ do: what, name = "" }) => (what === "act" && !name.startsWith(prefix) ? [name] : []))

const attempt = <A>(run: () => A): A | Error => {
  try {
    return run()
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown))
  }
}
