/**
 * How a decision changes a row: by appending facts, which the lifecycle machine folds, and by moving its lease.
 *
 * Invariant: every event with a wake and a target has its delivery in the same change, and an event that ends the process
 * takes the lease away in it, whichever operation appended it.
 */

import { hasWork } from "../../../machines/chart/state.ts"
import { advance, isDormant, isStarted } from "../../../machines/process/lifecycle.ts"
import { dueAtMs } from "../../../machines/recovery.ts"
import type { Fact } from "../../model/facts.ts"
import { lifecycleEventOf } from "../../model/facts.ts"
import { jsonEquals } from "../../model/json.ts"
import type { LeaseSlot } from "../../model/Lease.ts"
import { emptySlot } from "../../model/Lease.ts"
import type { MaterializedSemantics, ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Base } from "../../model/ProcessRecord.ts"
import * as ProcessRecord from "../../model/ProcessRecord.ts"
import { eventTypeOf } from "../../model/Registration.ts"
import { certainWake } from "../../model/semantics.ts"
import type { WakeDelivery } from "../../model/WakeDelivery.ts"
import { deliveryOf } from "../../model/WakeDelivery.ts"
import type { BackOff, Change, Decision, ProcessRow } from "../../store/Decision.ts"
import { accept } from "../../store/Decision.ts"

/** A change that changes nothing yet. */
export const of = (row: ProcessRow): Change => ({ before: row, row, events: [], lifecycle: [], commands: [] })

/** Inserts a process without events. The sequence and the fence of a pruned process of the same id go on from there. */
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

/** Appends a fact: the event gets the next sequence, the machine advances, and the due time and the wake follow. */
export const appendFact = (change: Change, fact: Fact, nowMs: number): Change => {
  const { row } = change
  const { base } = row
  const sequence = row.sequence + 1
  const { snapshot, commands } = advance(row.snapshot, { ...fact.lifecycle, atMs: nowMs })
  const isEnd = row.snapshot.status !== "done" && snapshot.status === "done"
  const lease = isEnd ? { fencingToken: row.lease.fencingToken } : row.lease
  const event = eventOf(base, sequence, fact, nowMs)
  const wake = deliveryOfEvent(row, event, fact.wakeTarget)
  return {
    ...change,
    row: staysBackedOff(row, snapshot)
      ? { ...row, sequence, snapshot, lease }
      : { base, sequence, snapshot, lease, dueAtMs: stillDue(row, dueOf(base, snapshot, nowMs)) },
    events: [...change.events, event],
    lifecycle: [...change.lifecycle, fact.lifecycle],
    commands: commands.length === 0 ? change.commands : [...change.commands, ...commands],
    ...(wake === undefined ? {} : { wakes: [...(change.wakes ?? []), wake] })
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

/** Backs a row off whose start failed: it is due again later, or sooner when an event changes its state. */
export const backedOff = (row: ProcessRow, backOff: BackOff): Change => ({
  before: row,
  row: { ...row, backOff, dueAtMs: backOff.untilMs },
  events: [],
  lifecycle: [],
  commands: []
})

/** Lets a row be due at once: it does not back off any more. */
export const dueNow = (change: Change, nowMs: number): Change => ({
  ...change,
  row: { ...withoutBackOff(change.row), dueAtMs: nowMs }
})

/** A row stays backed off while its events are notes only. */
const staysBackedOff = (row: ProcessRow, next: ProcessRow["snapshot"]): boolean =>
  row.backOff !== undefined && jsonEquals(row.snapshot.value, next.value)

const withoutBackOff = (row: ProcessRow): ProcessRow => {
  if (row.backOff === undefined) return row
  const { backOff: _over, ...rest } = row
  return rest
}

/** A row that is due keeps the time since when, unless an event moves it. */
const stillDue = ({ dueAtMs: before, backOff }: ProcessRow, due: number | null): number | null =>
  backOff === undefined && before !== null && due !== null && before <= due ? before : due

const eventOf = (base: Base, sequence: number, fact: Fact, nowMs: number): ProcessEvent => ({
  processId: base.registration.id,
  sequence,
  eventType: fact.eventType,
  payload: fact.payload,
  ...(fact.replayKey === undefined ? {} : { replayKey: fact.replayKey }),
  semantics: meaningOf(base, fact, sequence),
  occurredAtMs: nowMs
})

const dueOf = (base: Base, snapshot: ProcessRow["snapshot"], nowMs: number): number | null =>
  dueAtMs({
    disposition: base.registration.disposition,
    terminal: snapshot.status === "done",
    started: isStarted(snapshot),
    waiting: snapshot.context.waits.length > 0,
    dormant: !isStarted(snapshot) || isDormant(snapshot),
    ...(snapshot.context.chart === undefined ? {} : { chart: hasWork(snapshot.context.chart) ? "busy" : "at_rest" }),
    cancelRequested: snapshot.context.cancelRequest !== undefined,
    abandonRequested: snapshot.context.abandonRequest !== undefined,
    ...(base.registration.startAtMs === undefined ? {} : { startAtMs: base.registration.startAtMs }),
    nowMs
  })

/** The meaning of a fact, with the wake that its declared type adds: a producer may declare that `process.completed` wakes. */
const meaningOf = (base: Base, fact: Fact, sequence: number): MaterializedSemantics => {
  if (fact.semantics.terminal === undefined && fact.eventType !== "process.cancel_requested") return fact.semantics
  const wake = eventTypeOf(base.registration, fact.eventType)?.semantics.wake
  if (wake === undefined || fact.semantics.wake !== undefined) return fact.semantics
  const processId = base.registration.id
  const own = certainWake(wake, { processId, sequence, payload: fact.payload })
  return own === undefined ? fact.semantics : { ...fact.semantics, wake: own }
}

/** The delivery of an event's wake: to the target that the append named, else to that of the process before the event. */
const deliveryOfEvent = (row: ProcessRow, event: ProcessEvent, named: Fact["wakeTarget"]): WakeDelivery | undefined =>
  event.semantics.wake === undefined
    ? undefined
    : deliveryOf(
        event,
        named ?? row.snapshot.context.wakeTarget ?? undefined,
        row.base.registration.provenance.causedBy
      )
