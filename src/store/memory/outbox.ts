/**
 * The wake outbox of a store in memory.
 */
import * as Effect from "effect/Effect"
import type { ProcessId } from "../../model/ids.ts"
import type { WakeDelivery } from "../../model/WakeDelivery.ts"
import type { BlockedGroup, OutboxReads, OutboxView, WakeQuery, WakeReport, WakeRow, WakeTimes } from "../Outbox.ts"

/** The rows by number, in the order in which they came. */
export interface OutboxState {
  readonly rows: Map<number, WakeRow>
  readonly times: WakeTimes
  nextNumber: number
}

/** Makes an empty outbox. */
export const make = (times: WakeTimes): OutboxState => ({ rows: new Map(), times, nextNumber: 1 })

/** Adds the wakes of a change; a wake that merges into an open row is dropped. */
export const add = (outbox: OutboxState, wakes: ReadonlyArray<WakeDelivery>): void => {
  for (const wake of wakes) {
    if (openOf(outbox, wake.wakeId) !== undefined) continue
    const number = outbox.nextNumber++
    put(outbox, {
      number,
      wake,
      state: "pending",
      attempts: 0,
      nextAttemptAtMs: wake.createdAtMs,
      expiresAtMs: wake.createdAtMs + outbox.times.expiryMs,
      isOpen: true
    })
  }
}

/** Replaces a row. */
export const put = (outbox: OutboxState, row: WakeRow): void => {
  outbox.rows.set(row.number, row)
}

/** Removes the rows of a process. */
export const prune = (outbox: OutboxState, id: ProcessId): void => {
  for (const { number, wake } of outbox.rows.values()) if (wake.processId === id) outbox.rows.delete(number)
}

/** What a decision sees. */
export const viewOf = (outbox: OutboxState, nowMs: number): OutboxView => ({
  stale: (limit) =>
    [...outbox.rows.values()]
      .filter((row) => row.state === "enqueuing" && row.nextAttemptAtMs <= nowMs)
      .slice(0, limit),
  dueHeads: (limit) => dueHeads(outbox, nowMs).slice(0, limit),
  row: (number) => outbox.rows.get(number),
  openOf: (wakeId) => openOf(outbox, wakeId),
  discardedOf: (wakeId) =>
    [...outbox.rows.values()].filter((row) => row.state === "discarded" && row.wake.wakeId === wakeId),
  hasUndelivered: (id) => undelivered(outbox).some((row) => row.wake.processId === id),
  isOvertaken: ({ wake: { processId, targetScopeId, sequence } }) =>
    [...outbox.rows.values()].some(
      ({ state, wake }) =>
        state === "enqueued" &&
        wake.processId === processId &&
        wake.targetScopeId === targetScopeId &&
        wake.sequence > sequence
    )
})

/** The reads of the store contract. */
export const readsOf = (outbox: OutboxState): OutboxReads => ({
  isDue: (nowMs) => Effect.sync(() => dueHeads(outbox, nowMs).length > 0),
  rowsOf: (wakeId) => Effect.sync(() => [...outbox.rows.values()].filter((row) => row.wake.wakeId === wakeId)),
  list: (query) =>
    Effect.sync(() =>
      [...outbox.rows.values()]
        .filter((row) => isAsked(row, query))
        .toSorted((a, b) => b.number - a.number)
        .slice(0, query.limit)
    ),
  report: Effect.sync(() => reportOf(outbox))
})

const isAsked = ({ number, state, wake }: WakeRow, { states, processId, targetScopeId, before }: WakeQuery): boolean =>
  (states === undefined || states.includes(state)) &&
  (processId === undefined || wake.processId === processId) &&
  (targetScopeId === undefined || wake.targetScopeId === targetScopeId) &&
  (before === undefined || number < before)

const openOf = (outbox: OutboxState, wakeId: string): WakeRow | undefined =>
  [...outbox.rows.values()].find((row) => row.isOpen && row.wake.wakeId === wakeId)

const undelivered = (outbox: OutboxState): ReadonlyArray<WakeRow> =>
  [...outbox.rows.values()].filter(({ state }) => state === "pending" || state === "enqueuing")

/** Undelivered rows by target and process, each group in order of sequence. */
const groupsOf = (outbox: OutboxState): ReadonlyArray<readonly [WakeRow, ...ReadonlyArray<WakeRow>]> => {
  const groups = new Map<string, [WakeRow, ...Array<WakeRow>]>()
  for (const row of undelivered(outbox).toSorted((a, b) => a.wake.sequence - b.wake.sequence)) {
    const key = JSON.stringify([row.wake.targetScopeId, row.wake.processId])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return [...groups.values()]
}

const dueHeads = (outbox: OutboxState, nowMs: number): ReadonlyArray<WakeRow> =>
  groupsOf(outbox)
    .flatMap(([head]) => (head.nextAttemptAtMs <= nowMs ? [head] : []))
    .sort(
      (a, b) =>
        Number(b.state === "enqueuing") - Number(a.state === "enqueuing") ||
        a.nextAttemptAtMs - b.nextAttemptAtMs ||
        a.number - b.number
    )

const reportOf = (outbox: OutboxState): WakeReport => {
  const counts = { pending: 0, enqueuing: 0, enqueued: 0, discarded: { expired: 0, target_gone: 0, retargeted: 0 } }
  for (const { state, discardReason } of outbox.rows.values()) {
    if (state !== "discarded") counts[state]++
    else if (discardReason !== undefined) counts.discarded[discardReason]++
  }
  return { counts, blocked: groupsOf(outbox).flatMap(blockedGroup).sort(byTargetThenProcess) }
}

const blockedGroup = ([head, ...behind]: readonly [WakeRow, ...ReadonlyArray<WakeRow>]): ReadonlyArray<BlockedGroup> =>
  behind.length === 0
    ? []
    : [
        {
          targetScopeId: head.wake.targetScopeId,
          processId: head.wake.processId,
          unblockedBy: head.wake.wakeId,
          sequence: head.wake.sequence,
          state: head.state,
          attempts: head.attempts,
          nextAttemptAtMs: head.nextAttemptAtMs,
          waiting: behind.length
        }
      ]

/** Bytewise, as SQL stores compare. */
const byTargetThenProcess = (a: BlockedGroup, b: BlockedGroup): number =>
  Buffer.compare(Buffer.from(a.targetScopeId), Buffer.from(b.targetScopeId)) ||
  Buffer.compare(Buffer.from(a.processId), Buffer.from(b.processId))
