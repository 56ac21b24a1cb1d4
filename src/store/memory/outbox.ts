/**
 * The wake outbox of a store in memory.
 */
import * as Effect from "effect/Effect"
import type { ProcessId } from "../../model/ids.ts"
import { freeze } from "../../model/json.ts"
import type { WakeDelivery } from "../../model/WakeDelivery.ts"
import type { BlockedGroup, OutboxReads, OutboxView, WakeQuery, WakeReport, WakeRow, WakeTimes } from "../Outbox.ts"

/** The rows by number, in the order in which they came. */
export interface OutboxShelf {
  readonly rows: Map<number, WakeRow>
  readonly times: WakeTimes
  nextNumber: number
}

/** Makes an empty outbox. */
export const make = (times: WakeTimes): OutboxShelf => ({ rows: new Map(), times, nextNumber: 1 })

/** Takes over what a change owes; what merges into an open row is dropped. */
export const add = (shelf: OutboxShelf, wakes: ReadonlyArray<WakeDelivery>): void => {
  for (const wake of wakes) {
    if (openOf(shelf, wake.wakeId) !== undefined) continue
    const number = shelf.nextNumber++
    put(shelf, {
      number,
      wake: freeze(wake),
      state: "pending",
      attempts: 0,
      nextAttemptAtMs: wake.createdAtMs,
      expiresAtMs: wake.createdAtMs + shelf.times.expiryMs,
      isOpen: true
    })
  }
}

/** Replaces a row. */
export const put = (shelf: OutboxShelf, row: WakeRow): void => {
  shelf.rows.set(row.number, Object.freeze(row))
}

/** Removes the rows of a process. */
export const bury = (shelf: OutboxShelf, id: ProcessId): void => {
  for (const { number, wake } of shelf.rows.values()) if (wake.processId === id) shelf.rows.delete(number)
}

/** What a decision sees. */
export const viewOf = (shelf: OutboxShelf, nowMs: number): OutboxView => ({
  stale: (limit) =>
    [...shelf.rows.values()].filter((row) => row.state === "enqueuing" && row.nextAttemptAtMs <= nowMs).slice(0, limit),
  dueHeads: (limit) => dueHeads(shelf, nowMs).slice(0, limit),
  row: (number) => shelf.rows.get(number),
  openOf: (wakeId) => openOf(shelf, wakeId),
  discardedOf: (wakeId) =>
    [...shelf.rows.values()].filter((row) => row.state === "discarded" && row.wake.wakeId === wakeId),
  owes: (id) => undelivered(shelf).some((row) => row.wake.processId === id)
})

/** The reads of the store contract. */
export const readsOf = (shelf: OutboxShelf): OutboxReads => ({
  isDue: (nowMs) => Effect.sync(() => dueHeads(shelf, nowMs).length > 0),
  rowsOf: (wakeId) => Effect.sync(() => [...shelf.rows.values()].filter((row) => row.wake.wakeId === wakeId)),
  list: (query) =>
    Effect.sync(() =>
      [...shelf.rows.values()]
        .filter((row) => isAsked(row, query))
        .toSorted((a, b) => b.number - a.number)
        .slice(0, query.limit)
    ),
  report: Effect.sync(() => reportOf(shelf))
})

const isAsked = ({ number, state, wake }: WakeRow, { states, processId, targetScopeId, before }: WakeQuery): boolean =>
  (states === undefined || states.includes(state)) &&
  (processId === undefined || wake.processId === processId) &&
  (targetScopeId === undefined || wake.targetScopeId === targetScopeId) &&
  (before === undefined || number < before)

const openOf = (shelf: OutboxShelf, wakeId: string): WakeRow | undefined =>
  [...shelf.rows.values()].find((row) => row.isOpen && row.wake.wakeId === wakeId)

const undelivered = (shelf: OutboxShelf): ReadonlyArray<WakeRow> =>
  [...shelf.rows.values()].filter(({ state }) => state === "pending" || state === "enqueuing")

/** Undelivered rows by target and process, each group in order of sequence. */
const groupsOf = (shelf: OutboxShelf): ReadonlyArray<readonly [WakeRow, ...ReadonlyArray<WakeRow>]> => {
  const groups = new Map<string, [WakeRow, ...Array<WakeRow>]>()
  for (const row of undelivered(shelf).toSorted((a, b) => a.wake.sequence - b.wake.sequence)) {
    const key = JSON.stringify([row.wake.targetScopeId, row.wake.processId])
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return [...groups.values()]
}

const dueHeads = (shelf: OutboxShelf, nowMs: number): ReadonlyArray<WakeRow> =>
  groupsOf(shelf)
    .flatMap(([head]) => (head.nextAttemptAtMs <= nowMs ? [head] : []))
    .sort(
      (a, b) =>
        Number(b.state === "enqueuing") - Number(a.state === "enqueuing") ||
        a.nextAttemptAtMs - b.nextAttemptAtMs ||
        a.number - b.number
    )

const reportOf = (shelf: OutboxShelf): WakeReport => {
  const counts = { pending: 0, enqueuing: 0, enqueued: 0, discarded: { expired: 0, target_gone: 0, retargeted: 0 } }
  for (const { state, discardReason } of shelf.rows.values()) {
    if (state !== "discarded") counts[state]++
    else if (discardReason !== undefined) counts.discarded[discardReason]++
  }
  return { counts, blocked: groupsOf(shelf).flatMap(blockedGroup).sort(byTargetThenProcess) }
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
