/**
 * A store in memory: the same contract and laws as every other, for tests and for hosts that need no durability.
 *
 * Rows and grants are values that nothing changes, so a reader never sees half a change. What a body reads, events and journals, it
 * gets as values of its own.
 */
import { randomUUID } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { lifecycleOf, nextDeadline } from "../../../machines/process/lifecycle.ts"
import { ProcessUnknown } from "../../model/errors.ts"
import { isNews } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { JournalEntry, WrittenEntry } from "../../model/JournalEntry.ts"
import { copyOf } from "../../model/json.ts"
import { leaseIn } from "../../model/Lease.ts"
import type { ListFilter } from "../../model/ListFilter.ts"
import { matches } from "../../model/ListFilter.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import { isOriginatedBy } from "../../model/Provenance.ts"
import type { Change, ProcessRow } from "../Decision.ts"
import { recordOf } from "../Decision.ts"
import * as Listeners from "../listeners.ts"
import { WakeTimings } from "../Outbox.ts"
import type {
  Candidate,
  ExecutionReads,
  Found,
  Holder,
  Holding,
  LifecycleCounts,
  ListQuery,
  Numbered
} from "../ProcessStore.ts"
import { noProcesses, ProcessStore } from "../ProcessStore.ts"
import * as Children from "./children.ts"
import type { MemoryState } from "./MemoryState.ts"
import * as State from "./MemoryState.ts"
import * as Outbox from "./outbox.ts"

/** Makes an empty store. */
export const make: Effect.Effect<typeof ProcessStore.Service> = Effect.map(WakeTimings, (times) => {
  const state = State.make(times)
  const listeners = Listeners.make<ReadonlyArray<Change>>()

  const onLog = <A>(id: ProcessId, read: (log: ReadonlyArray<ProcessEvent>) => A) =>
    Effect.suspend(() => {
      const log = state.logs.get(id)
      return log === undefined ? Effect.fail(new ProcessUnknown({ processId: id })) : Effect.succeed(copyOf(read(log)))
    })

  return ProcessStore.of({
    durability: "inline",
    storeId: randomUUID(),
    transact: (plan, decide) =>
      Effect.flatMap(Clock.currentTimeMillis, (nowMs) =>
        Effect.suspend(() => {
          const decision = decide(State.viewOf(state, plan, nowMs))
          if (decision._tag === "Refused") return Effect.fail(decision.error)
          for (const change of decision.changes) State.write(state, change)
          for (const write of decision.writes) State.writeSide(state, write)
          if (decision.changes.length > 0) listeners.publish(decision.changes)
          return Effect.succeed(decision.answer)
        })
      ),
    onCommit: listeners.subscribe,
    outbox: Outbox.readsOf(state.outbox),
    definitions: {
      of: (kind, version) =>
        Effect.sync(() =>
          [...state.definitions.values()]
            .filter((definition) => definition.kind === kind && definition.version === version)
            .map(({ hash, body }) => ({ hash, body }))
            .sort((one, other) => State.bytewise(one.hash, other.hash))
        ),
      all: Effect.sync(() =>
        [...state.definitions.values()].sort(
          (one, other) =>
            State.bytewise(one.kind, other.kind) ||
            State.bytewise(one.version, other.version) ||
            State.bytewise(one.hash, other.hash)
        )
      )
    },
    environments: { get: (ref) => Effect.sync(() => state.environments.get(ref)) },
    promises: { get: (keyId) => Effect.sync(() => state.promises.get(keyId)) },
    externalChanges: Effect.succeed([]),
    parts: () => [],
    children: Children.reads(state.children, state.rows, State.bytewise),
    execution: executionReads(state),
    // No read here waits: a fiber that does not yield runs them all in one turn.
    readTogether: Effect.withMaxOpsBeforeYield(Number.MAX_SAFE_INTEGER),
    find: (id) => Effect.sync(() => found(state, id)),
    eventsAfter: (id, sequence, limit) =>
      onLog(id, (log) => log.filter((event) => event.sequence > sequence).slice(0, limit)),
    countByLifecycle: Effect.sync(() => {
      const counts: Record<keyof LifecycleCounts, number> = { ...noProcesses }
      for (const { snapshot } of state.rows.values()) counts[lifecycleOf(snapshot)]++
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
            state.acks.get(id)?.has(event.sequence) !== true
        )
      ),
    listNonTerminal: Effect.sync(() => nonTerminal(state).sort(byId)),
    list: (query) => Effect.sync(() => pageOf(query, [...state.rows.values()], (row) => row)),
    grants: {
      ofProcess: (id) =>
        Effect.sync(() => State.grantsWhere(state, ({ processId }) => processId === id).sort(State.bySessionThenScope)),
      ofScope: (scope, query) =>
        Effect.sync(() => {
          const granted = State.grantsWhere(state, ({ scopeId }) => scopeId === scope).flatMap((grant) => {
            const row = state.rows.get(grant.processId)
            return row === undefined ? [] : [{ grant, row }]
          })
          return pageOf(query, granted, ({ row }) => row)
        })
    },
    wakers: (sessionId) =>
      Effect.sync(() =>
        [...state.rows.values()].filter((row) => row.snapshot.context.wakeTarget?.sessionId === sessionId).sort(byId)
      ),
    feed: { after: (change, limit) => Effect.sync(() => numbered(state, change).slice(0, limit)) },
    retention: {
      endedBefore: ({ cutoffMs, filter, afterChange, limit }) =>
        Effect.sync(() =>
          numbered(state, afterChange)
            .flatMap((entry) => (entry._tag === "Row" && mayEnd(entry.row, cutoffMs, filter) ? [candidate(entry)] : []))
            .slice(0, limit)
        ),
      tombstone: (id) => Effect.sync(() => state.tombstones.get(id)),
      tombstonesBefore: ({ cutoffMs, afterChange, limit }) =>
        Effect.sync(() =>
          numbered(state, afterChange)
            .flatMap((entry) =>
              entry._tag === "Tombstone" && entry.tombstone.prunedAtMs < cutoffMs ? [buried(entry)] : []
            )
            .slice(0, limit)
        )
    },
    due: ({ nowMs, limit }) =>
      Effect.sync(() =>
        nonTerminal(state)
          .filter((row) => isDue(row, nowMs))
          .slice(0, limit)
          .map(State.idOf)
      ),
    leases: {
      of: (id) =>
        Effect.sync(() => {
          const row = state.rows.get(id)
          return row && leaseIn(id, row.lease)
        }),
      holders: Effect.sync(() => holdersOf(state.rows.values())),
      heldBy: (holder) => Effect.sync(() => heldBy(state.rows.values(), holder)),
      renew: ({ renewerId, ttlMs }) =>
        Effect.map(Clock.currentTimeMillis, (nowMs) => {
          const expiresAtMs = nowMs + ttlMs
          const renewed = [...state.rows.values()].flatMap((row) => {
            const { held } = row.lease
            if (held === undefined || held.renewerId !== renewerId || held.expiresAtMs <= nowMs) return []
            const processId = State.idOf(row)
            state.rows.set(processId, { ...row, lease: { ...row.lease, held: { ...held, expiresAtMs } } })
            return [{ processId, leaseToken: held.leaseToken }]
          })
          return { renewed, expiresAtMs }
        })
    }
  })
})

/** An empty store, for as long as the layer lives. */
export const layer: Layer.Layer<ProcessStore> = Layer.effect(ProcessStore, make)

const found = (state: MemoryState, id: ProcessId): Found => {
  const row = state.rows.get(id)
  if (row !== undefined) return { _tag: "Present", row }
  const tombstone = state.tombstones.get(id)
  return tombstone === undefined || tombstone.compacted ? { _tag: "Absent" } : { _tag: "Pruned", tombstone }
}

const nonTerminal = (state: MemoryState): Array<ProcessRow> =>
  [...state.rows.values()].filter((row) => lifecycleOf(row.snapshot) === "running")

/** A page of what is of a row each, in the order of those. */
const pageOf = <A>(
  { filter, originator, after, limit }: ListQuery,
  all: ReadonlyArray<A>,
  rowOf: (one: A) => ProcessRow
): ReadonlyArray<A> =>
  all
    .filter((one) => {
      const row = rowOf(one)
      const { provenance } = row.base.registration
      return (
        (after === undefined || State.bytewise(State.idOf(row), after) > 0) &&
        (originator === undefined || isOriginatedBy(provenance.originator, originator)) &&
        admits(filter, row)
      )
    })
    .sort((one, other) => byId(rowOf(one), rowOf(other)))
    .slice(0, limit)

const admits = (filter: ListFilter, row: ProcessRow): boolean =>
  matches(filter, recordOf(row), row.lease.held?.owner.ownerId)

const mayEnd = (row: ProcessRow, cutoffMs: number, filter: ListFilter): boolean =>
  lifecycleOf(row.snapshot) !== "running" &&
  row.snapshot.context.updatedAtMs < cutoffMs &&
  admits({ status: "any", ...filter }, row)

const numbered = (state: MemoryState, after: number): ReadonlyArray<Numbered> =>
  [...state.changes]
    .filter(([, change]) => change > after)
    .sort(([, a], [, b]) => a - b)
    .flatMap(([id, change]): ReadonlyArray<Numbered> => {
      const entry = found(state, id)
      if (entry._tag === "Present") return [{ _tag: "Row", change, row: entry.row }]
      return entry._tag === "Pruned" ? [{ _tag: "Tombstone", change, tombstone: entry.tombstone }] : []
    })

const candidate = ({ change, row }: Extract<Numbered, { readonly _tag: "Row" }>): Candidate => ({
  processId: State.idOf(row),
  sequence: row.sequence,
  change,
  parentId: row.base.registration.parent?.processId ?? null
})

const buried = ({ change, tombstone }: Extract<Numbered, { readonly _tag: "Tombstone" }>): Candidate => ({
  processId: tombstone.processId,
  sequence: tombstone.lastSequence,
  change
})

const isDue = (row: ProcessRow, nowMs: number): boolean =>
  row.dueAtMs !== null && row.dueAtMs <= nowMs && !(row.lease.held !== undefined && row.lease.held.expiresAtMs > nowMs)

const byId = (a: ProcessRow, b: ProcessRow): number => State.bytewise(State.idOf(a), State.idOf(b))

const entryOf = ({ outcome, ...entry }: WrittenEntry): JournalEntry => ({
  ...entry,
  outcome: JSON.parse(outcome) as unknown
})

const executionReads = (state: MemoryState): ExecutionReads => {
  const timers = () =>
    [...state.rows.values()]
      .flatMap((row) => {
        const deadlineMs = nextDeadline(row.snapshot)
        return deadlineMs === null ? [] : [{ id: State.idOf(row), deadlineMs }]
      })
      .sort((a, b) => a.deadlineMs - b.deadlineMs)
  return {
    journal: (id, { after, limit } = { after: 0, limit: Number.POSITIVE_INFINITY }) =>
      Effect.sync(() =>
        (state.journals.get(id) ?? [])
          .filter(({ position }) => position > after)
          .sort((one, other) => one.position - other.position)
          .slice(0, limit)
          .map(entryOf)
      ),
    progress: (id) =>
      Effect.sync(() =>
        [...(state.progress.get(id)?.values() ?? [])]
          .sort((one, other) => State.bytewise(one.key, other.key))
          .map(({ detail, ...step }) => ({ ...step, detail: JSON.parse(detail) as unknown }))
      ),
    entryAt: (id, position) =>
      Effect.sync(() => {
        const entry = state.journals.get(id)?.find((written) => written.position === position)
        return entry && entryOf(entry)
      }),
    news: (id, { after, limit }) =>
      Effect.sync(() =>
        (state.logs.get(id) ?? [])
          .filter(({ sequence, eventType }) => sequence > after && isNews(eventType))
          .slice(0, limit)
          .map(copyOf)
      ),
    eventByKey: (id, replayKey) => Effect.sync(() => copyOf(state.replays.get(id)?.get(replayKey))),
    timersDue: ({ nowMs, limit }) =>
      Effect.sync(() =>
        timers()
          .filter(({ deadlineMs }) => deadlineMs <= nowMs)
          .slice(0, limit)
          .map(({ id }) => id)
      ),
    nextTimer: Effect.sync(() => timers()[0]?.deadlineMs)
  }
}

/** Groups the leases of processes that have not ended by renewer, or by owner where there is none; order is kept. */
const holdersOf = (rows: Iterable<ProcessRow>): ReadonlyArray<Holder> => {
  const holders = new Map<string, Holder>()
  for (const row of rows) {
    const { held } = row.lease
    if (held === undefined || lifecycleOf(row.snapshot) !== "running") continue
    const { renewerId, owner } = held
    const key = groupOf({ owner, ...(renewerId === undefined ? {} : { renewerId }) })
    const known = holders.get(key)
    if (known === undefined) holders.set(key, { ...(renewerId === undefined ? {} : { renewerId }), owner, leases: 1 })
    else holders.set(key, { ...known, leases: known.leases + 1 })
  }
  return [...holders.values()]
}

/** The leases of one holder. */
const heldBy = (rows: Iterable<ProcessRow>, holder: Pick<Holder, "renewerId" | "owner">): ReadonlyArray<Holding> =>
  [...rows].flatMap((row) => {
    const { held } = row.lease
    return held !== undefined && lifecycleOf(row.snapshot) === "running" && groupOf(held) === groupOf(holder)
      ? [{ processId: row.base.registration.id, owner: held.owner, expiresAtMs: held.expiresAtMs }]
      : []
  })

const groupOf = ({ renewerId, owner }: Pick<Holder, "renewerId" | "owner">): string =>
  JSON.stringify([renewerId ?? [owner.ownerId, owner.incarnationId], owner.liveness])
