/**
 * In which states a machine may rest.
 */
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode } from "xstate"

/**
 * Why a machine never rests in a state, if it does not: the state is where the machine ends, or one that it leaves at once. XState
 * is in such a state only on its way, and says nothing when it is given one.
 */
export const whyNoRest = ({ machine, _nodes: nodes }: AnyMachineSnapshot): string | undefined => {
  const active = nodes as ReadonlyArray<AnyStateNode>
  const isDone = (node: AnyStateNode): boolean =>
    node.type === "parallel"
      ? Object.values(node.states).every(isDone)
      : active.some(({ type, parent }) => type === "final" && parent === node)
  if (isDone((machine as AnyStateMachine).root))
    return "is where the machine ends: a migration leads to a state that goes on"
  const passing = active.find(
    (node) =>
      (node.always ?? []).some(({ guard }) => guard === undefined) ||
      (node.config.onDone !== undefined && node.type !== "atomic" && isDone(node))
  )
  return (
    passing && `is left at once, by state \`${passing.id}\`: a migration leads to a state in which the machine rests`
  )
}
