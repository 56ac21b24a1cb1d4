/**
 * A store in memory: the same contract and laws as every other, for tests and for hosts that need no durability.
 *
 * Rows, events and grants are frozen values, so a reader never sees half a change and cannot make one.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import { ProcessUnknown } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import { leaseIn } from "../../model/Lease.ts"
import type { ListFilter } from "../../model/ListFilter.ts"
import { matches } from "../../model/ListFilter.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import * as ProcessRecord from "../../model/ProcessRecord.ts"
import type { Change, ProcessRow } from "../Decision.ts"
import { heldBy, holdersOf } from "../holdings.ts"
import * as Listeners from "../listeners.ts"
import { WakeTimings } from "../Outbox.ts"
import type { Candidate, Found, LifecycleCounts, Numbered } from "../ProcessStore.ts"
import { noProcesses, ProcessStore } from "../ProcessStore.ts"
import * as Children from "./children.ts"
import * as Environments from "./environments.ts"
import * as Executions from "./executions.ts"
import type { Shelf } from "./MemoryState.ts"
import * as Shelves from "./MemoryState.ts"
import * as Outbox from "./outbox.ts"
import * as Promises from "./promises.ts"

/** Makes an empty store. */
export const make: Effect.Effect<typeof ProcessStore.Service> = Effect.map(WakeTimings, (times) => {
  const shelf = Shelves.make(times)
  const listeners = Listeners.make<ReadonlyArray<Change>>()

  const onLog = <A>(id: ProcessId, read: (log: ReadonlyArray<ProcessEvent>) => A) =>
    Effect.suspend(() => {
      const log = shelf.logs.get(id)
      return log === undefined ? Effect.fail(new ProcessUnknown({ processId: id })) : Effect.succeed(read(log))
    })

  return ProcessStore.of({
    durability: "inline",
    storeId: randomUUID(),
    transact: (plan, decide) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
        Effect.suspend(() => {
          const decision = decide(Shelves.viewOf(shelf, plan, nowMs))
          if (decision._tag === "Refused") return Effect.fail(decision.error)
          for (const change of decision.changes) Shelves.write(shelf, change)
          for (const write of decision.writes) Shelves.writeBeside(shelf, write)
          if (decision.changes.length > 0) listeners.publish(decision.changes)
          return Effect.succeed(decision.answer)
        })
      ),
    onCommit: listeners.subscribe,
    outbox: Outbox.readsOf(shelf.outbox),
    environments: Environments.reads(shelf.environments),
    promises: Promises.reads(shelf.promises),
    externalChanges: Effect.succeed([]),
    parts: () => [],
    children: Children.reads(shelf.kin, shelf.rows, Shelves.bytewise),
    execution: Executions.make(shelf),
    find: (id) => Effect.sync(() => found(shelf, id)),
    leaseOf: (id) =>
      Effect.sync(() => {
        const row = shelf.rows.get(id)
        return row && leaseIn(id, row.lease)
      }),
    eventsAfter: (id, sequence, limit) =>
      onLog(id, (log) => log.filter((event) => event.sequence > sequence).slice(0, limit)),
    countByLifecycle: Effect.sync(() => {
      const counts: Record<keyof LifecycleCounts, number> = { ...noProcesses }
      for (const { snapshot } of shelf.rows.values()) counts[lifecycleOf(snapshot)]++
      return counts
    }),
    countEvents: (id, eventType, upto) =>
      onLog(id, (log) => log.filter((event) => event.sequence <= upto && event.eventType === eventType).length),
    recentEvents: (id, limit) => onLog(id, (log) => (limit <= 0 ? [] : log.slice(-limit))),
    wakeEventsAfter: (id, sequence) =>
      onLog(id, (log) =>
        log.filter(
          (event) =>
            event.sequence > sequence &&
            event.semantics.wake !== undefined &&
            shelf.acks.get(id)?.has(event.sequence) !== true
        )
      ),
    listNonTerminal: Effect.sync(() => nonTerminal(shelf).sort(byId)),
    list: ({ filter, after, limit }) =>
      Effect.sync(() =>
        [...shelf.rows.values()]
          .filter((row) => admits(filter, row))
          .filter((row) => after === undefined || Shelves.bytewise(Shelves.idOf(row), after) > 0)
          .sort(byId)
          .slice(0, limit)
      ),
    grants: (of) =>
      Effect.sync(() =>
        "scopeId" in of
          ? Shelves.grantsWhere(shelf, (grant) => grant.scopeId === of.scopeId).sort((a, b) =>
              Shelves.bytewise(a.processId, b.processId)
            )
          : Shelves.grantsWhere(shelf, (grant) => grant.processId === of.processId).sort(Shelves.bySessionThenScope)
      ),
    wakers: (sessionId) =>
      Effect.sync(() =>
        [...shelf.rows.values()].filter((row) => row.snapshot.context.wakeTarget?.sessionId === sessionId).sort(byId)
      ),
    changesAfter: (change, limit) => Effect.sync(() => numbered(shelf, change).slice(0, limit)),
    endedBefore: ({ cutoffMs, filter, afterChange, limit }) =>
      Effect.sync(() =>
        numbered(shelf, afterChange)
          .flatMap((entry) => (entry._tag === "Row" && mayEnd(entry.row, cutoffMs, filter) ? [candidate(entry)] : []))
          .slice(0, limit)
      ),
    tombstonesBefore: ({ cutoffMs, limit }) =>
      Effect.sync(() =>
        [...shelf.tombstones.values()]
          .filter((tombstone) => !tombstone.compacted && tombstone.prunedAtMs < cutoffMs)
          .sort((a, b) => a.prunedAtMs - b.prunedAtMs)
          .slice(0, limit)
          .map(({ processId, lastSequence }) => ({
            processId,
            sequence: lastSequence,
            change: shelf.changes.get(processId) ?? 0
          }))
      ),
    due: ({ nowMs, limit }) =>
      Effect.sync(() =>
        nonTerminal(shelf)
          .filter((row) => isDue(row, nowMs))
          .slice(0, limit)
          .map(Shelves.idOf)
      ),
    holders: Effect.sync(() => holdersOf(shelf.rows.values())),
    heldBy: (holder) => Effect.sync(() => heldBy(shelf.rows.values(), holder)),
    renewLeases: ({ renewerId: keeper, ttlMs }) =>
      Effect.map(Clock.currentTimeMillis, (nowMs) => {
        const expiresAtMs = nowMs + ttlMs
        const renewed = [...shelf.rows.values()].flatMap((row) => {
          const { held } = row.lease
          if (held === undefined || held.renewerId !== keeper || held.expiresAtMs <= nowMs) return []
          const processId = Shelves.idOf(row)
          shelf.rows.set(processId, { ...row, lease: { ...row.lease, held: { ...held, expiresAtMs } } })
          return [{ processId, leaseToken: held.leaseToken }]
        })
        return { renewed, expiresAtMs }
      })
  })
})

/** An empty store, for as long as the layer lives. */
export const layer: Layer.Layer<ProcessStore> = Layer.effect(ProcessStore, make)

const found = (shelf: Shelf, id: ProcessId): Found => {
  const row = shelf.rows.get(id)
  if (row !== undefined) return { _tag: "Present", row }
  const tombstone = shelf.tombstones.get(id)
  return tombstone === undefined || tombstone.compacted ? { _tag: "Absent" } : { _tag: "Pruned", tombstone }
}

const nonTerminal = (shelf: Shelf): Array<ProcessRow> =>
  [...shelf.rows.values()].filter((row) => lifecycleOf(row.snapshot) === "running")

const admits = (filter: ListFilter, row: ProcessRow): boolean =>
  matches(filter, ProcessRecord.make(row.base, row.snapshot), row.lease.held?.owner.ownerId)

const mayEnd = (row: ProcessRow, cutoffMs: number, filter: ListFilter): boolean =>
  lifecycleOf(row.snapshot) !== "running" &&
  row.snapshot.context.updatedAtMs < cutoffMs &&
  admits({ status: "any", ...filter }, row)

const numbered = (shelf: Shelf, after: number): ReadonlyArray<Numbered> =>
  [...shelf.changes]
    .filter(([, change]) => change > after)
    .sort(([, a], [, b]) => a - b)
    .flatMap(([id, change]): ReadonlyArray<Numbered> => {
      const entry = found(shelf, id)
      if (entry._tag === "Present") return [{ _tag: "Row", change, row: entry.row }]
      return entry._tag === "Pruned" ? [{ _tag: "Tombstone", change, tombstone: entry.tombstone }] : []
    })

const candidate = ({ change, row }: Extract<Numbered, { readonly _tag: "Row" }>): Candidate => ({
  processId: Shelves.idOf(row),
  sequence: row.sequence,
  change
})

const isDue = (row: ProcessRow, nowMs: number): boolean =>
  row.dueAtMs !== null && row.dueAtMs <= nowMs && !(row.lease.held !== undefined && row.lease.held.expiresAtMs > nowMs)

const byId = (a: ProcessRow, b: ProcessRow): number => Shelves.bytewise(Shelves.idOf(a), Shelves.idOf(b))
