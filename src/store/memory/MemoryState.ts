/**
 * What a store in memory holds, and how changes get into it. One JavaScript turn is its transaction.
 */
import { isChartInput } from "../../model/facts.ts"
import type { HandleGrant } from "../../model/Handle.ts"
import type { EnvironmentRef, ProcessId } from "../../model/ids.ts"
import type { WrittenEntry, WrittenProgress } from "../../model/JournalEntry.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Change, Plan, ProcessRow, PutDefinition, StoredPromise, Tombstone, View, Write } from "../Decision.ts"
import type { WakeTimes } from "../Outbox.ts"
import type { ChildState } from "./children.ts"
import * as Children from "./children.ts"
import * as Outbox from "./outbox.ts"

/** Everything a store in memory holds. */
export interface MemoryState {
  readonly rows: Map<ProcessId, ProcessRow>
  readonly logs: Map<ProcessId, Array<ProcessEvent>>
  readonly replays: Map<ProcessId, Map<string, ProcessEvent>>
  readonly tombstones: Map<ProcessId, Tombstone>
  readonly grants: Map<string, HandleGrant>
  readonly acks: Map<ProcessId, Set<number>>
  readonly journals: Map<ProcessId, Array<WrittenEntry>>
  readonly progress: Map<ProcessId, Map<string, WrittenProgress>>
  /** Texts by their content address. */
  readonly definitions: Map<string, Omit<PutDefinition, "_tag">>
  readonly environments: Map<EnvironmentRef, string>
  /** By the id of their key. */
  readonly promises: Map<string, StoredPromise>
  /** The latest change of each row or tombstone. */
  readonly changes: Map<ProcessId, number>
  readonly children: ChildState
  nextChange: number
  readonly outbox: Outbox.OutboxState
}

/** Makes an empty state. */
export const make = (times: WakeTimes): MemoryState => ({
  rows: new Map(),
  logs: new Map(),
  replays: new Map(),
  tombstones: new Map(),
  grants: new Map(),
  acks: new Map(),
  journals: new Map(),
  progress: new Map(),
  definitions: new Map(),
  environments: new Map(),
  promises: new Map(),
  changes: new Map(),
  children: Children.make(),
  nextChange: 1,
  outbox: Outbox.make(times)
})

/** What a decision sees. */
export const viewOf = (state: MemoryState, plan: Plan, nowMs: number): View => ({
  nowMs,
  ...Children.viewOf(state.children),
  row: (id) => state.rows.get(id),
  tombstone: (id) => state.tombstones.get(id),
  replayed: (id, key) => state.replays.get(id)?.get(key),
  nextChartInput: (id, sequence) =>
    state.logs.get(id)?.find((event) => event.sequence > sequence && isChartInput(event.eventType)),
  firstEventAfter: (id, eventType, sequence) =>
    state.logs.get(id)?.find((event) => event.sequence > sequence && event.eventType === eventType),
  grant: (scopeId, id) => state.grants.get(grantKey(scopeId, id)),
  grantsOf: (id) => grantsWhere(state, (grant) => grant.processId === id).sort(bySessionThenScope),
  sessionGrants: () =>
    grantsWhere(state, (grant) => grant.sessionId === plan.session).sort(
      (a, b) => bytewise(a.processId, b.processId) || bytewise(a.scopeId, b.scopeId)
    ),
  sessionTargets: () =>
    [...state.rows.values()]
      .filter((row) => plan.session !== undefined && row.snapshot.context.wakeTarget?.sessionId === plan.session)
      .map(idOf)
      .sort(bytewise),
  outbox: Outbox.viewOf(state.outbox, nowMs)
})

/** Applies a change. */
export const write = (state: MemoryState, change: Change): void => {
  const { row, before, events, wakes = [] } = change
  const id = idOf(row)
  state.rows.set(id, row)
  const log = state.logs.get(id) ?? []
  const replays = state.replays.get(id) ?? new Map<string, ProcessEvent>()
  for (const event of events) {
    log.push(event)
    if (event.replayKey !== undefined) replays.set(event.replayKey, event)
  }
  state.logs.set(id, log)
  state.replays.set(id, replays)
  Outbox.add(state.outbox, wakes)
  if (before === undefined || events.length > 0 || row.snapshot !== before.snapshot) {
    state.changes.set(id, state.nextChange++)
  }
  Children.follow(state.children, state.rows, change)
}

/** Applies a side write. */
export const writeSide = (state: MemoryState, write: Write): void => {
  switch (write._tag) {
    case "PutGrant":
      state.grants.set(grantKey(write.grant.scopeId, write.grant.processId), write.grant)
      return
    case "RemoveGrant":
      state.grants.delete(grantKey(write.scopeId, write.processId))
      return
    case "AckWake": {
      const acks = state.acks.get(write.processId) ?? new Set()
      if (!acks.has(write.sequence)) state.changes.set(write.processId, state.nextChange++)
      state.acks.set(write.processId, acks.add(write.sequence))
      return
    }
    case "PutCloseRequest":
    case "RemoveCloseRequest":
      Children.write(state.children, write)
      return
    case "PutJournal": {
      const journal = state.journals.get(write.processId) ?? []
      if (!journal.some(({ position }) => position === write.entry.position)) journal.push(write.entry)
      state.journals.set(write.processId, journal)
      return
    }
    case "PutProgress": {
      const steps = state.progress.get(write.processId) ?? new Map<string, WrittenProgress>()
      state.progress.set(write.processId, steps.set(write.progress.key, write.progress))
      return
    }
    case "RemoveProgress":
      state.progress.get(write.processId)?.delete(write.key)
      return
    case "Prune":
      prune(state, write.tombstone)
      return
    case "PutWake":
      Outbox.put(state.outbox, write.row)
      return
    case "Compact": {
      const tombstone = state.tombstones.get(write.processId)
      if (tombstone !== undefined) state.tombstones.set(write.processId, { ...tombstone, compacted: true })
      return
    }
    case "PutDefinition": {
      const { kind, version, hash, body } = write
      const key = JSON.stringify([kind, version, hash])
      if (!state.definitions.has(key)) state.definitions.set(key, { kind, version, hash, body })
      return
    }
    case "PutEnvironment":
      state.environments.set(write.ref, write.body)
      return
    case "EndPromise":
      if (!state.promises.has(write.keyId)) state.promises.set(write.keyId, { body: write.body, token: write.token })
  }
}

/** The id of a row. */
export const idOf = (row: ProcessRow): ProcessId => row.base.registration.id

/** Grants that satisfy a condition. */
export const grantsWhere = (state: MemoryState, holds: (grant: HandleGrant) => boolean): Array<HandleGrant> =>
  [...state.grants.values()].filter(holds)

/** Texts are compared bytewise, as SQL stores do; JavaScript's own order is by UTF-16 units. */
export const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** The order of the grants of one process. */
export const bySessionThenScope = (a: HandleGrant, b: HandleGrant): number =>
  bytewise(a.sessionId, b.sessionId) || bytewise(a.scopeId, b.scopeId)

const grantKey = (scopeId: string, id: string): string => JSON.stringify([scopeId, id])

const prune = (state: MemoryState, tombstone: Tombstone): void => {
  const id = tombstone.processId
  Children.forget(state.children, state.rows, id)
  state.rows.delete(id)
  state.logs.delete(id)
  state.replays.delete(id)
  state.acks.delete(id)
  state.journals.delete(id)
  state.progress.delete(id)
  Outbox.prune(state.outbox, id)
  for (const grant of grantsWhere(state, ({ processId }) => processId === id)) {
    state.grants.delete(grantKey(grant.scopeId, id))
  }
  state.tombstones.set(id, tombstone)
  state.changes.set(id, state.nextChange++)
}
