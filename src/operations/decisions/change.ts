/**
 * How a decision changes a row: by appending facts, which the lifecycle machine folds, and by moving its lease.
 */
import { advance, isDormant, isStarted } from "../../../machines/process/lifecycle.ts"
import { dueAtMs } from "../../../machines/recovery.ts"
import type { Fact } from "../../model/facts.ts"
import { lifecycleEventOf } from "../../model/facts.ts"
import { jsonEquals } from "../../model/json.ts"
import type { LeaseSlot } from "../../model/Lease.ts"
import { emptySlot } from "../../model/Lease.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Base } from "../../model/ProcessRecord.ts"
import * as ProcessRecord from "../../model/ProcessRecord.ts"
import type { BackOff, Change, Decision, ProcessRow } from "../../store/Decision.ts"
import { accept } from "../../store/Decision.ts"
import * as Wakes from "./wakes.ts"

/** A change that changes nothing yet. */
export const of = (row: ProcessRow): Change => ({ before: row, row, events: [], lifecycle: [], commands: [] })

/** Inserts a process to which nothing has happened yet. A fence left by a pruned one of the same id goes on rising. */
export const insert = (base: Base, after?: { readonly sequence: number; readonly fence: number }): Change => {
  const snapshot = ProcessRecord.initial(base)
  const row = {
    base,
    sequence: after?.sequence ?? 0,
    snapshot,
    lease: after === undefined ? emptySlot : { fencingToken: after.fence },
    dueAtMs: dueOf(base, snapshot, base.createdAtMs)
  }
  return { row, events: [], lifecycle: [], commands: [] }
}

/** Appends a fact: the event gets the next sequence, the machine advances, and when the row is due and what is owed follow. */
export const append = (change: Change, fact: Fact, nowMs: number): Change => {
  const { row } = change
  const sequence = row.sequence + 1
  const step = advance(row.snapshot, { ...fact.lifecycle, atMs: nowMs })
  const advanced = { ...row, sequence, snapshot: step.snapshot }
  const event = eventOf(row.base, sequence, fact, nowMs)
  const owed = Wakes.deliveryOwedBy(row, event, fact.wakeTarget)
  return {
    ...change,
    row: staysBackedOff(row, step.snapshot)
      ? advanced
      : { ...withoutBackOff(advanced), dueAtMs: stillDue(row, dueOf(row.base, step.snapshot, nowMs)) },
    events: [...change.events, event],
    lifecycle: [...change.lifecycle, fact.lifecycle],
    commands: step.commands.length === 0 ? change.commands : [...change.commands, ...step.commands],
    ...(owed === undefined ? {} : { wakes: [...(change.wakes ?? []), owed] })
  }
}

/** Folds an event that is stored already into a row whose projection missed it. */
export const refolded = (change: Change, event: ProcessEvent): Change => ({
  ...change,
  row: {
    ...change.row,
    snapshot: advance(change.row.snapshot, lifecycleEventOf(event)).snapshot,
    dueAtMs: null
  }
})

/** Moves the lease. */
export const withLease = (change: Change, lease: LeaseSlot): Change => ({
  ...change,
  row: { ...change.row, lease }
})

/** Accepts a change, and answers the row as it leaves it. */
export const accepted = (change: Change): Decision<ProcessRow, never> => accept(change.row, change)

/** Ends the holding; the fence stays. */
export const released = (change: Change): Change => withLease(change, { fencingToken: change.row.lease.fencingToken })

/** Rests a row that could not be begun: it is due again later, sooner only when an event changes what it is asked to do. */
export const backedOff = (row: ProcessRow, backOff: BackOff): Change => ({
  before: row,
  row: { ...row, backOff, dueAtMs: backOff.untilMs },
  events: [],
  lifecycle: [],
  commands: []
})

/** A row that rests goes on resting while nothing happens to it but notes. */
const staysBackedOff = (row: ProcessRow, next: ProcessRow["snapshot"]): boolean =>
  row.backOff !== undefined && jsonEquals(row.snapshot.value, next.value)

const withoutBackOff = (row: ProcessRow): ProcessRow => {
  if (row.backOff === undefined) return row
  const { backOff: _over, ...rest } = row
  return rest
}

/** What was due stays due since then: an event that does not change that changes nothing here. */
const stillDue = ({ dueAtMs: before, backOff }: ProcessRow, due: number | null): number | null =>
  backOff === undefined && before !== null && due !== null && before <= due ? before : due

const eventOf = (base: Base, sequence: number, fact: Fact, nowMs: number): ProcessEvent => ({
  processId: base.registration.id,
  sequence,
  eventType: fact.eventType,
  payload: fact.payload,
  ...(fact.replayKey === undefined ? {} : { replayKey: fact.replayKey }),
  semantics: Wakes.meaningOf(base, fact, sequence),
  occurredAtMs: nowMs
})

const dueOf = (base: Base, snapshot: ProcessRow["snapshot"], nowMs: number): number | null =>
  dueAtMs({
    disposition: base.registration.disposition,
    terminal: snapshot.status === "done",
    started: isStarted(snapshot),
    waiting: snapshot.context.waits.length > 0,
    dormant: !isStarted(snapshot) || isDormant(snapshot),
    cancelRequested: snapshot.context.cancelRequest !== undefined,
    abandonRequested: snapshot.context.abandonRequest !== undefined,
    ...(base.registration.startAtMs === undefined ? {} : { startAtMs: base.registration.startAtMs }),
    nowMs
  })
