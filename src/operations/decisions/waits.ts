/**
 * Waits and the signals that end them. Signals are consumed from the log, in its order, each by exactly one wait.
 *
 * Nothing can be lost between a signal and a wait: entering looks for a signal in the same transaction, and a signal looks
 * for a wait.
 */
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { LeaseLost, ProcessUnknown } from "../../model/errors.ts"
import { InputInvalid, ProcessAlreadyTerminal } from "../../model/errors.ts"
import type { WaitOutcome, WaitState } from "../../model/facts.ts"
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import { isTimerKey, signalNameOf, signalWaitKey } from "../../model/ids.ts"
import { jsonEquals } from "../../model/json.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Change, Decision, Plan, ProcessRow, View } from "../../store/Decision.ts"
import { accept, refuse } from "../../store/Decision.ts"
import type { Authority } from "./authority.ts"
import { lockOf, onRowUnder } from "./authority.ts"
import * as Changes from "./change.ts"

/** What setting a wait touches. */
export const setPlan = (id: ProcessId, wait: WaitState, authority: Authority): Plan => ({
  lock: lockOf(id, authority),
  replays: [{ processId: id, key: Facts.enteredKey(id, wait.kind.key, 1) }]
})

/**
 * Enters a wait. An equal wait that is open already is left as it is.
 *
 * When an unconsumed signal of its name is in the log, the wait is resolved at once with the earliest one.
 * The key of a wait that the process's body entered, and every key of its waits for time, is refused: the body finds by it how
 * its own wait ended.
 */
export const setWait = (
  id: ProcessId,
  wait: WaitState,
  authority: Authority
): ((view: View) => Decision<ProcessRow, ProcessUnknown | ProcessAlreadyTerminal | LeaseLost | InputInvalid>) =>
  onRowUnder(id, authority, (row, view): Decision<ProcessRow, ProcessAlreadyTerminal | InputInvalid> => {
    const state = lifecycleOf(row.snapshot)
    if (state !== "running") {
      return refuse(new ProcessAlreadyTerminal({ processId: id, state, refused: "enter a wait state" }))
    }
    if (row.snapshot.context.waits.some((open) => jsonEquals(open, wait))) return accept(row)
    if (isOfBody(view, row, wait.kind.key)) return refuse(reservedKey(wait.kind.key))
    return Changes.accepted(enter(view, Changes.of(row), wait))
  })

/** Ends every open wait with an outcome; without one nothing happens. Also accepted after the end. */
export const clearWait = (
  id: ProcessId,
  outcome: WaitOutcome,
  authority: Authority
): ((view: View) => Decision<ProcessRow, ProcessUnknown | LeaseLost>) =>
  onRowUnder(id, authority, (row, { nowMs }) => {
    const { waits } = row.snapshot.context
    return waits.length === 0
      ? accept(row)
      : Changes.accepted(
          waits.reduce((cleared, { kind }) => resume(cleared, kind.key, outcome, nowMs), Changes.of(row))
        )
  })

/** Hands an event that was just appended to the oldest wait for it, if it is a signal and a wait is open. */
export const deliver = (change: Change, event: ProcessEvent, nowMs: number): Change => {
  if (signalNameOf(event.eventType) === undefined) return change
  const wait = change.row.snapshot.context.waits.find(
    ({ kind }) => kind._tag === "Signal" && kind.eventType === event.eventType
  )
  return wait === undefined
    ? change
    : resume(change, wait.kind.key, { _tag: "Signal", sequence: event.sequence }, nowMs)
}

/** Opens a wait; an unconsumed signal of its name ends it at once. */
export const enter = (view: View, change: Change, wait: WaitState): Change => {
  const id = idOf(change)
  const fact = Facts.waiting(id, wait, wait.once === true ? 1 : occurrences(change, wait.kind.key) + 1)
  const entered = Changes.appendFact(change, fact, view.nowMs)
  if (wait.kind._tag !== "Signal") return entered
  const { name, eventType, key } = wait.kind
  const sequence =
    returnedSignals(change.row, name)[0] ??
    view.firstEventAfter(id, eventType, consumedUpTo(change.row, name))?.sequence
  return sequence === undefined ? entered : resume(entered, key, { _tag: "Signal", sequence }, view.nowMs)
}

/**
 * Closes a wait whose end its body did not see. A signal that had ended it goes to the next wait for it.
 *
 * `undefined`: there is nothing to close.
 */
export const drop = (view: View, change: Change, { waitKey, signal: name }: DroppedWait): Change | undefined => {
  const open = change.row.snapshot.context.waits.some(({ kind }) => kind.key === waitKey)
  if (open) return resume(change, waitKey, { _tag: "Dropped" }, view.nowMs)
  if (name === undefined) return undefined
  const id = idOf(change)
  const sequence = signalTaken(view, id, waitKey)
  if (sequence === undefined) return undefined
  const returned = Changes.appendFact(change, Facts.signalReturned(id, waitKey, name, sequence), view.nowMs)
  const next = returned.row.snapshot.context.waits.find(({ kind }) => kind._tag === "Signal" && kind.name === name)
  return next === undefined ? returned : resume(returned, next.kind.key, { _tag: "Signal", sequence }, view.nowMs)
}

/** The sequence of the signal that ended a wait, if one did. */
export const signalTaken = (view: View, id: ProcessId, waitKey: string): number | undefined => {
  const ended = view.replayed(id, Facts.resumedKey(id, waitKey, 1))
  const fact = ended && Facts.lifecycleEventOf(ended)
  return fact?.type === "process.resumed" && fact.outcome._tag === "Signal" ? fact.outcome.sequence : undefined
}

/** A wait that its body dropped; `signal` names the signal that it was for. */
export interface DroppedWait {
  readonly waitKey: string
  readonly signal?: string
}

/** The ordinal of a body's next wait for a signal of this name: the first whose key no wait from outside has. */
export const nextOrdinal = (row: ProcessRow, name: string): number => {
  const { registration } = row.base
  let ordinal = signalWaits(row, name) + 1
  while (Object.hasOwn(row.snapshot.context.waitCounts, signalWaitKey(registration.id, name, ordinal))) ordinal += 1
  return ordinal
}

/** How many waits for a signal of this name the process ever entered. */
const signalWaits = (row: ProcessRow, name: string): number => {
  const { waitCounts, signalWaits: ordinals = {} } = row.snapshot.context
  if (Object.hasOwn(ordinals, name)) return own(ordinals, name)
  const prefix = signalWaitKey(row.base.registration.id, name, 0).slice(0, -1)
  return Object.keys(waitCounts).filter((key) => key.startsWith(prefix)).length
}

/** Ends every wait whose deadline has passed. The first caller does it; a second one changes nothing. */
export const fire =
  (id: ProcessId) =>
  (view: View): Decision<ProcessRow | undefined, never> => {
    const row = view.row(id)
    if (row === undefined || lifecycleOf(row.snapshot) !== "running") return accept(undefined)
    const due = row.snapshot.context.waits.filter(
      ({ deadlineMs }) => deadlineMs !== undefined && deadlineMs <= view.nowMs
    )
    if (due.length === 0) return accept(row)
    return Changes.accepted(
      due.reduce(
        (fired, { kind }) => resume(fired, kind.key, { _tag: kind._tag === "Timer" ? "Timer" : "Timeout" }, view.nowMs),
        Changes.of(row)
      )
    )
  }

const resume = (change: Change, key: string, outcome: WaitOutcome, nowMs: number): Change =>
  Changes.appendFact(change, Facts.resumed(idOf(change), key, Math.max(occurrences(change, key), 1), outcome), nowMs)

/** A body's keys are used once and not counted: one that is in the log without a count was the body's. */
const isOfBody = (view: View, row: ProcessRow, waitKey: string): boolean => {
  const { id } = row.base.registration
  if (isTimerKey(id, waitKey)) return true
  return (
    !Object.hasOwn(row.snapshot.context.waitCounts, waitKey) &&
    view.replayed(id, Facts.enteredKey(id, waitKey, 1)) !== undefined
  )
}

const reservedKey = (waitKey: string): InputInvalid =>
  new InputInvalid({ field: "wait/kind/key", problem: `\`${waitKey}\` is a key of the waits of the process's body` })

const idOf = ({ row }: Pick<Change, "row">): ProcessId => row.base.registration.id

/** Keys and names come from outside: what an object inherits is none of them. */
const own = (counts: Readonly<Record<string, number>>, key: string): number =>
  Object.hasOwn(counts, key) ? (counts[key] ?? 0) : 0

const occurrences = ({ row }: Change, key: string): number => own(row.snapshot.context.waitCounts, key)

const returnedSignals = ({ snapshot }: ProcessRow, name: string): ReadonlyArray<number> => {
  const { returnedSignals: returned = {} } = snapshot.context
  return Object.hasOwn(returned, name) ? (returned[name] ?? []) : []
}

const consumedUpTo = (row: ProcessRow, name: string): number => own(row.snapshot.context.consumedSignals, name)
