/**
 * How XState has the parts of a machine: actions, guards, delays and the default of a history state, as data.
 */
import type { AnyStateMachine, AnyStateNode } from "xstate"

/** An action as XState has it: a name, an object with one, or a function, which XState's own actions are, too. */
export type Part = string | (ActionObject & (object | (() => void)))

interface ActionObject {
  readonly type?: string
  readonly resolve?: unknown
  readonly delay?: unknown
  readonly event?: unknown
  readonly src?: unknown
}

/** A guard, as far as it is data: its name and parameters, or what it is made of. */
export interface Condition {
  readonly guard: string
  readonly params?: unknown
  readonly of?: ReadonlyArray<Condition>
}

/** The name of an action or guard. A function has none, but for XState's own actions. */
export const nameOf = (part: unknown): string => {
  if (typeof part === "string") return part
  const { type } = part as { readonly type?: unknown }
  return typeof type === "string" ? type : "(inline)"
}

/** Whether XState itself performs an action. */
export const isBuiltIn = (action: unknown): action is ActionObject =>
  typeof action === "function" && "resolve" in action

/** What a machine implements under the names of its actions. */
export const implementedActions = ({ implementations }: AnyStateMachine): Readonly<Record<string, unknown>> =>
  implementations.actions as Readonly<Record<string, unknown>>

const raising = "xstate.raise"

/** The name of an action, with the type of the event where it raises one at once that no function makes. */
export const nameWithEvent = (action: unknown): string => {
  const name = nameOf(action)
  if (name !== raising || !isBuiltIn(action) || action.delay !== undefined) return name
  const { type } = Object(action.event) as { readonly type?: unknown }
  return typeof action.event === "object" && typeof type === "string" ? `${name} ${type}` : name
}

/** The event that an action raises, by the name that {@link nameWithEvent} gives it. */
export const raisedBy = (name: string): string | undefined =>
  name.startsWith(`${raising} `) ? name.slice(raising.length + 1) : undefined

/** The name of an action without the event that it raises. */
export const withoutEvent = (name: string): string => (raisedBy(name) === undefined ? name : raising)

/** Whether a transition of a descriptor takes events of a type: `a.*` takes `a` and what begins with `a.`, as in XState. */
export const isDescribedBy = (descriptor: string, type: string): boolean =>
  descriptor === type ||
  descriptor === "*" ||
  (descriptor.endsWith(".*") && `${type}.`.startsWith(descriptor.slice(0, -1)))

/** The guards that a guard is made of; itself where it is made of none. */
export const guardsIn = (guard: unknown): ReadonlyArray<unknown> => {
  const parts = partsOf(guard)
  return parts === undefined ? [guard] : parts.flatMap(guardsIn)
}

/** A guard as data; `undefined` where its name says all that is data. */
export const conditionOf = (guard: unknown): Condition | undefined => {
  const condition = writtenOf(guard)
  return condition.params === undefined && condition.of === undefined ? undefined : condition
}

/** The name that a condition has for the guard `stateIn`. */
export const stateGuard = "xstate.stateIn"

const writtenOf = (guard: unknown): Condition => {
  const parts = partsOf(guard)
  if (parts !== undefined) return { guard: (guard as () => void).name, of: parts.map(writtenOf) } // not, and, or
  const { stateValue, params } = Object(guard) as { readonly stateValue?: unknown; readonly params?: unknown }
  if (typeof guard === "function" && stateValue !== undefined) return { guard: stateGuard, params: stateValue }
  return { guard: nameOf(guard), ...(isData(params) ? { params } : {}) }
}

const partsOf = (guard: unknown): ReadonlyArray<unknown> | undefined => {
  const { guards } = Object(guard) as { readonly guards?: unknown }
  return typeof guard === "function" && Array.isArray(guards) ? guards : undefined
}

/** Whether a value is plain JSON: a structure has no other. */
const isData = (value: unknown): boolean => {
  if (typeof value === "number") return Number.isFinite(value)
  if (typeof value !== "object" || value === null) return typeof value === "string" || typeof value === "boolean"
  const prototype: unknown = Object.getPrototypeOf(value)
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return false
  return Object.values(value).every((inner) => inner === null || isData(inner))
}

/** Where a history state leads that remembers nothing, if it says so. */
export const defaultsOf = (node: AnyStateNode): ReadonlyArray<AnyStateNode> => {
  const { target } = node.config as { readonly target?: unknown }
  return target === undefined ? [] : [target].flat().map((each) => within(node, String(each)))
}

const within = (node: AnyStateNode, path: string): AnyStateNode => {
  if (path.startsWith("#")) return node.machine.getStateNodeById(path)
  const keys = path.split(unescapedPoint).map((key) => key.replaceAll("\\.", "."))
  return keys.reduce((outer, key) => outer.states[key] as AnyStateNode, node.parent as AnyStateNode) // XState refuses any other path
}

const unescapedPoint = /(?<!\\)\./
