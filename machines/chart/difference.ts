/**
 * How two structures of a chart differ.
 */
import type { StateDefinition } from "./definition.ts"
import { withoutEvent } from "./parts.ts"

/**
 * How two structures differ, a line for each state: what a person compares when a version means two things. What a state says for
 * a reader is no difference, nor what an action with a name is implemented as. `isOlder`: the first one may lack what was added to structures, which is no difference then.
 */
export const differences = (
  before: StateDefinition,
  after: StateDefinition,
  isOlder = false
): ReadonlyArray<string> => {
  const kept = isOlder ? withoutAdded : meant
  const { states: inner = {}, ...own } = kept(before)
  const { states: innerAfter = {}, ...ownAfter } = kept(after)
  const here = ownAndAfter(own, ownAfter)
  const keys = [...new Set([...Object.keys(inner), ...Object.keys(innerAfter)])]
  return [
    ...(here.length === 0 ? [] : [`state ${after.id} has other ${here.join(" and ")}`]),
    ...keys.flatMap((key) => {
      const [one, other] = [inner[key], innerAfter[key]]
      if (one === undefined) return [`state ${other?.id} is new`]
      return other === undefined ? [`state ${one.id} is gone`] : differences(one, other, isOlder)
    })
  ]
}

const meant = ({ description: _text, raises: _implemented, ...state }: StateDefinition): StateDefinition => state

/** A state as structures had it at first. */
const withoutAdded = (state: StateDefinition): StateDefinition => {
  const { initialActions: _actions, target: _target, order: _order, ...kept } = meant(state)
  const { entry, exit, invoke, transitions } = kept
  return {
    ...kept,
    ...(entry === undefined ? {} : { entry: entry.map(withoutEvent) }),
    ...(exit === undefined ? {} : { exit: exit.map(withoutEvent) }),
    ...(invoke === undefined ? {} : { invoke: invoke.map(({ id, src }) => ({ id, src })) }),
    ...(transitions === undefined
      ? {}
      : {
          transitions: transitions.map(({ condition: _condition, actions, ...transition }) => ({
            ...transition,
            ...(actions === undefined ? {} : { actions: actions.map(withoutEvent) })
          }))
        })
  }
}

/** The fields that differ. What is stored has its keys in another order. */
const ownAndAfter = (one: object, other: object): ReadonlyArray<string> =>
  [...new Set([...Object.keys(one), ...Object.keys(other)])].filter(
    (field) =>
      JSON.stringify((one as Readonly<Record<string, unknown>>)[field], inOrder) !==
      JSON.stringify((other as Readonly<Record<string, unknown>>)[field], inOrder)
  )

const inOrder = (_key: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)))
    : value
