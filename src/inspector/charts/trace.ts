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
import type { Macrostep, RawEffect } from "../../../machines/chart/macrostep.ts"
import * as Macrosteps from "../../../machines/chart/macrostep.ts"
import type { ChartEvent, ChartState, ChartTransition } from "../../../machines/chart/state.ts"
import { attempt, didBy, tracedMachine, triedAll } from "../../../machines/chart/traced.ts"
import { canonicalText } from "../../model/json.ts"
import type { StoredDefinition } from "../../operations/Charts.ts"

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

/** The path of a step of the log; `undefined` where the definition does not lead to what it came to. */
export const traceOf = (
  definition: StoredDefinition,
  before: ChartState | undefined,
  step: ChartTransition
): ReadonlyArray<TraceLine> | undefined => {
  let found: ReadonlyArray<TraceLine> | undefined
  let fallback: ReadonlyArray<TraceLine> | undefined
  triedAll<Macrostep>(definition)(
    (machine) => take(machine, before, step.event),
    (taken) => {
      if (taken instanceof Error || canonicalText(taken.value) !== canonicalText(step.to)) return false
      const trace = linesOf(taken, before?.timers.map(({ id }) => id) ?? []).filter(
        ({ did, name }) => did !== "stop" || !isOver(step.event, name)
      )
      // Actions that a function adds are in the log and not in the definition.
      fallback ??= trace
      if (canonicalText(actsOf(taken.effects)) === canonicalText(actsOf(step.effects))) found = trace
      return found !== undefined
    }
  )
  return found ?? fallback
}

/** Whether an event is the end of an actor: leaving its state then stops nothing. */
export const isOver = ({ type }: ChartEvent, actorId: string): boolean =>
  type === `xstate.done.actor.${actorId}` || type === `xstate.error.actor.${actorId}`

/** Takes a step that has not happened, as far as the definition says what comes of it. */
export const tryStep = (definition: StoredDefinition, place: Place, event: ChartEvent): Tried => {
  const deciding = new Set<string>()
  const machine = tracedMachine(definition, ({ what }) => {
    deciding.add(what)
    return 0
  })
  const taken = attempt(() => take(machine, place, event))
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

const take = (machine: AnyStateMachine, before: Place | undefined, event: ChartEvent): Macrostep => {
  const place = { processId: "", parentId: "", revision: 0 }
  return before === undefined
    ? Macrosteps.begin(machine, undefined, place)
    : Macrosteps.take(machine, { children: {}, ...before }, {}, event, place)
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
      const did = didBy.get(name)
      return did === undefined ? [{ did: "act", name }] : [{ did, name: String(params) }]
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

const actsOf = (effects: ReadonlyArray<{ readonly do: string; readonly name?: string }>): ReadonlyArray<string> =>
  effects.flatMap(({ do: what, name = "" }) => (what === "act" && !didBy.has(name) ? [name] : []))
