/**
 * The lifecycle as the store advances it, and questions about a snapshot of it that more than one layer asks.
 */
import type { SnapshotFrom, StateValue } from "xstate"
import { matchesState } from "xstate"
import type { Compiled } from "../xstate/compile.ts"
import { compile } from "../xstate/compile.ts"
import type { ProcessCommand } from "./machine.ts"
import { processMachine } from "./machine.ts"
import type { EndState } from "./types.ts"

/** A live snapshot of the lifecycle. */
export type ProcessSnapshot = SnapshotFrom<typeof processMachine>

/** Advances the lifecycle by one event: the same step that XState takes, several times faster. */
export const { advance }: Compiled<typeof processMachine> = compile(processMachine)

/** The state of a process: running, or one of its four ends. */
export const lifecycleOf = ({ value }: { readonly value: StateValue }): "running" | EndState =>
  typeof value === "string" ? (value as EndState) : "running" // the states without regions are the ends

/** Whether an activation began and has left no fact of its end. */
export const isActive = ({ value }: { readonly value: StateValue }): boolean =>
  matchesState({ running: { execution: { started: "active" } } }, value)

/** Whether it left memory to wait. */
export const isDormant = (snapshot: ProcessSnapshot): boolean =>
  snapshot.matches({ running: { execution: { started: "dormant" } } })

/**
 * The number of the next try.
 *
 * A process that was handed back goes on with the try it was in; one whose activation left no fact begins another.
 */
export const nextAttempt = (snapshot: ProcessSnapshot): number =>
  snapshot.matches({ running: { execution: { started: "suspended" } } }) || isDormant(snapshot)
    ? snapshot.context.attempts
    : snapshot.context.attempts + 1

/**
 * The hints that a snapshot still calls for, so that none is lost with the runtime that was to act on it.
 *
 * Running the body is not among them: who may do that is the lease's question, and the sweep asks it.
 */
export const resume = (snapshot: ProcessSnapshot): ReadonlyArray<ProcessCommand> => {
  const state = lifecycleOf(snapshot)
  if (state !== "running") return [{ type: "announceEnd", params: { state } }]
  const { cancelRequest, abandonRequest } = snapshot.context
  if (isActive(snapshot)) return cancelRequest ? [{ type: "interruptBody", params: { cause: "cancel" } }] : []
  return cancelRequest || abandonRequest ? [{ type: "requestSweep", params: {} }] : []
}

/** Whether any activation ever began. */
export const isStarted = (snapshot: ProcessSnapshot): boolean => snapshot.context.firstStarted !== undefined

/** Whether all that its body would do is wait, as far as the log tells. */
export const onlyWaits = ({ context: { waits, cancelRequest } }: ProcessSnapshot): boolean =>
  waits.length > 0 && cancelRequest === undefined

/** When the next of its open waits ends by time, or the next timer of its chart fires; `null` when none does. */
export const nextDeadline = ({ context: { waits, chart } }: ProcessSnapshot): number | null => {
  let next: number | null = null
  for (const { at } of chart?.timers ?? []) if (next === null || at < next) next = at
  for (const { deadlineMs } of waits)
    if (deadlineMs !== undefined && (next === null || deadlineMs < next)) next = deadlineMs
  return next
}
