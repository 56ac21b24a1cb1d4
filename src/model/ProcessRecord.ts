/**
 * The record of a process: its registration and the fold of its log, as one value.
 *
 * Invariant: `fold(base, events)` equals what a store keeps, field for field, after every operation. The fold is the
 * lifecycle machine advanced over the log; there is no second reducer.
 */

import type { ProcessSnapshot } from "../../machines/process/lifecycle.ts"
import { processMachine } from "../../machines/process/machine.ts"
import type { EndState, Output, ProcessContext } from "../../machines/process/types.ts"
import * as Step from "../../machines/xstate/step.ts"
import type { AwaitOutput } from "./AwaitOutput.ts"
import { lifecycleEventOf } from "./facts.ts"
import type { ProcessEvent } from "./ProcessEvent.ts"
import type { Registration } from "./Registration.ts"

/** What never changes about a process. Units: `createdAtMs` is epoch milliseconds, UTC. */
export interface Base {
  readonly registration: Registration
  readonly registrationHash: string
  readonly createdAtMs: number
}

/** Running, or ended with an output. */
export type ProcessStatus =
  | { readonly _tag: "Running" }
  | { readonly _tag: "Completed"; readonly output: AwaitOutput }
  | { readonly _tag: "Failed"; readonly output: AwaitOutput }
  | { readonly _tag: "Cancelled"; readonly output: AwaitOutput }
  | { readonly _tag: "Abandoned"; readonly output: AwaitOutput }

/** Only the label of a status, as a bare string. */
export type ProcessLifecycle = "running" | EndState

/** A process as everybody outside the store sees it. Units: times are epoch milliseconds, UTC. */
export interface ProcessRecord extends Omit<Registration, "wakeTarget">, Omit<ProcessContext, "wakeTarget" | "output"> {
  readonly registrationHash: string
  readonly createdAtMs: number
  readonly wakeTarget?: NonNullable<ProcessContext["wakeTarget"]>
  /** The oldest open wait. */
  readonly wait?: ProcessContext["waits"][number]
  readonly status: ProcessStatus
}

/** The stored part of a snapshot. */
export type StoredSnapshot = Step.Persisted<ProcessContext>

/** The record that a base and a snapshot make. */
export const make = (base: Base, snapshot: StoredSnapshot): ProcessRecord => {
  const { wakeTarget: _registered, ...registration } = base.registration
  const { wakeTarget, output, ...facts } = snapshot.context
  const wait = facts.waits[0]
  return {
    ...registration,
    ...facts,
    registrationHash: base.registrationHash,
    createdAtMs: base.createdAtMs,
    ...(wakeTarget === null ? {} : { wakeTarget }),
    ...(wait === undefined ? {} : { wait }),
    status: statusOf(snapshot.value, output)
  }
}

/** The snapshot of a process to which nothing has happened yet. */
export const initial = (base: Base): ProcessSnapshot =>
  ({ ...pristine, context: { ...pristine.context, ...inputOf(base) } }) as ProcessSnapshot // only the context depends on the input

/** Advances the lifecycle machine over a log, from the base. */
export const fold = (base: Base, events: Iterable<ProcessEvent>): ProcessSnapshot => {
  let snapshot = Step.begin(processMachine, {
    createdAtMs: base.createdAtMs,
    wakeTarget: base.registration.wakeTarget ?? null
  }).snapshot
  for (const event of events) snapshot = Step.advance(processMachine, snapshot, lifecycleEventOf(event)).snapshot
  return snapshot
}

/** Whether a status is an end. */
export const isTerminal = (record: ProcessRecord): boolean => record.status._tag !== "Running"

/** The label of a record's status. */
export const lifecycleLabel = (record: ProcessRecord): ProcessLifecycle =>
  record.status._tag.toLowerCase() as ProcessLifecycle // the tags are the labels, capitalised

/** Entering the machine costs more than a step; what it yields differs only in the two fields of the input. */
const pristine = Step.begin(processMachine, { createdAtMs: 0, wakeTarget: null }).snapshot

const inputOf = (base: Base): Pick<ProcessContext, "updatedAtMs" | "wakeTarget"> => ({
  updatedAtMs: base.createdAtMs,
  wakeTarget: base.registration.wakeTarget ?? null
})

const statusOf = (value: unknown, output: Output | undefined): ProcessStatus => {
  if (output === undefined || typeof value !== "string") return { _tag: "Running" }
  return { _tag: statusTags[value as EndState], output }
}

const statusTags = {
  completed: "Completed",
  failed: "Failed",
  cancelled: "Cancelled",
  abandoned: "Abandoned"
} as const
