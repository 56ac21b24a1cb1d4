/**
 * What of a machine cannot be durable, or is given by no part of its program.
 */
import type { AnyStateMachine } from "xstate"
import { namesOf } from "../../../machines/chart/definition.ts"
import { InputInvalid } from "../../model/errors.ts"
import { isDurable } from "./durable.ts"
import type { MachineOptions } from "./MachineOptions.ts"
import { isReducer } from "./reducer.ts"

/** Refuses what cannot be durable, by name. Throws `InputInvalid`. */
export const check = <R>(
  machine: AnyStateMachine,
  { actions = {}, actors = {} }: Pick<MachineOptions<AnyStateMachine, R>, "actions" | "actors">
): void => {
  const names = namesOf(machine)
  const refuse = (what: string, problem: string): never => {
    throw new InputInvalid({ field: `${what} of machine \`${machine.id}\``, problem })
  }
  for (const { what, state } of names.inline) {
    refuse(
      `an ${what} in state \`${state}\``,
      what === "action"
        ? "is given as a function: name it in `setup({ actions })`, and give what it does under `actions`"
        : "is given as it is: name it in `setup({ actors })` with `fromDurable`, and give what runs it under `actors`"
    )
  }
  for (const name of names.actions) {
    if (!Object.hasOwn(actions, name)) refuse(`action \`${name}\``, "is performed by nothing: give it under `actions`")
  }
  for (const name of names.guards) refuse(`guard \`${name}\``, "is nowhere: give it in `setup({ guards })`")
  for (const { of, delay } of names.lengths) {
    // A word is a duration, which `withDelays` has read.
    if (typeof delay === "string" || (typeof delay === "number" && delay >= 0 && Number.isFinite(delay))) continue
    refuse(
      `the delay of ${of}`,
      `is ${String(delay)}; it must be a number of milliseconds from 0, or a duration in words`
    )
  }
  for (const id of names.observed) {
    refuse(
      `\`onSnapshot\` of actor \`${id}\``,
      "hears of nothing: a child is a process of its own, and sends what its parent is to know"
    )
  }
  // An `assign` may spawn whatever is declared.
  for (const name of new Set([...names.actors, ...Object.keys(machine.implementations.actors)])) {
    if (!Object.hasOwn(actors, name)) refuse(`actor \`${name}\``, "is run by nothing: give it under `actors`")
    const logic: unknown = machine.implementations.actors[name]
    if (!isDurable(logic) && !isReducer(logic)) {
      const problem =
        "is a function or machine of one memory: declare it with `fromDurable`, and give what runs it under `actors`, such as an engine"
      refuse(`actor \`${name}\``, problem)
    }
  }
  for (const [name, action] of Object.entries(actions)) {
    const event = `error.action.${name}`
    if (typeof action === "object" && action.onFailure === "event" && !names.events.includes(event)) {
      refuse(`action \`${name}\``, `has \`onFailure: "event"\`, and no state takes \`${event}\``)
    }
  }
}
