/**
 * What a store in memory holds, and how changes get into it. One JavaScript turn is its transaction.
 */
import type { HandleGrant } from "../../model/Handle.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { JournalEntry } from "../../model/JournalEntry.ts"
import { freeze } from "../../model/json.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Change, Plan, ProcessRow, Tombstone, View, Write } from "../Decision.ts"
import type { WakeTimes } from "../Outbox.ts"
import type { Kin } from "./children.ts"
import * as Children from "./children.ts"
import type { EnvironmentShelf } from "./environments.ts"
import * as Outbox from "./outbox.ts"
import * as Promises from "./promises.ts"

/** Everything a store in memory holds. */
export interface Shelf {
  readonly rows: Map<ProcessId, ProcessRow>
  readonly logs: Map<ProcessId, Array<ProcessEvent>>
  readonly replays: Map<ProcessId, Map<string, ProcessEvent>>
  readonly tombstones: Map<ProcessId, Tombstone>
  readonly grants: Map<string, HandleGrant>
  readonly acks: Map<ProcessId, Set<number>>
  readonly journals: Map<ProcessId, Array<JournalEntry>>
  readonly environments: EnvironmentShelf
  readonly promises: Promises.PromiseShelf
  /** The latest change of each row or tombstone. */
  readonly changes: Map<ProcessId, number>
  readonly kin: Kin
  nextChange: number
  readonly outbox: Outbox.OutboxShelf
}

/** Makes an empty shelf. */
export const make = (times: WakeTimes): Shelf => ({
  rows: new Map(),
  logs: new Map(),
  replays: new Map(),
  tombstones: new Map(),
  grants: new Map(),
  acks: new Map(),
  journals: new Map(),
  environments: new Map(),
  promises: new Map(),
  changes: new Map(),
  kin: Children.make(),
  nextChange: 1,
  outbox: Outbox.make(times)
})

/** What a decision sees. */
export const viewOf = (shelf: Shelf, plan: Plan, nowMs: number): View => ({
  nowMs,
  ...Children.viewOf(shelf.kin),
  row: (id) => shelf.rows.get(id),
  tombstone: (id) => shelf.tombstones.get(id),
  replayed: (id, key) => shelf.replays.get(id)?.get(key),
  firstEventAfter: (id, eventType, sequence) =>
    shelf.logs.get(id)?.find((event) => event.sequence > sequence && event.eventType === eventType),
  grant: (scopeId, id) => shelf.grants.get(grantKey(scopeId, id)),
  grantsOf: (id) => grantsWhere(shelf, (grant) => grant.processId === id).sort(bySessionThenScope),
  sessionGrants: () =>
    grantsWhere(shelf, (grant) => grant.sessionId === plan.session).sort(
      (a, b) => bytewise(a.processId, b.processId) || bytewise(a.scopeId, b.scopeId)
    ),
  sessionTargets: () =>
    [...shelf.rows.values()]
      .filter((row) => plan.session !== undefined && row.snapshot.context.wakeTarget?.sessionId === plan.session)
      .map(idOf)
      .sort(bytewise),
  outbox: Outbox.viewOf(shelf.outbox, nowMs)
})

/** Takes a change over. */
export const write = (shelf: Shelf, change: Change): void => {
  const { row, before, events, wakes = [] } = change
  const id = idOf(row)
  freeze(row.base)
  freeze(row.snapshot.context)
  shelf.rows.set(id, row)
  const log = shelf.logs.get(id) ?? []
  const replays = shelf.replays.get(id) ?? new Map<string, ProcessEvent>()
  for (const event of events) {
    log.push(freeze(event))
    if (event.replayKey !== undefined) replays.set(event.replayKey, event)
  }
  shelf.logs.set(id, log)
  shelf.replays.set(id, replays)
  Outbox.add(shelf.outbox, wakes)
  if (before === undefined || events.length > 0 || row.snapshot !== before.snapshot) {
    shelf.changes.set(id, shelf.nextChange++)
  }
  Children.follow(shelf.kin, shelf.rows, change)
}

/** Takes a write beside the rows over. */
export const writeBeside = (shelf: Shelf, write: Write): void => {
  switch (write._tag) {
    case "PutGrant":
      shelf.grants.set(grantKey(write.grant.scopeId, write.grant.processId), freeze(write.grant))
      return
    case "RemoveGrant":
      shelf.grants.delete(grantKey(write.scopeId, write.processId))
      return
    case "AckWake":
      shelf.acks.set(write.processId, (shelf.acks.get(write.processId) ?? new Set()).add(write.sequence))
      return
    case "Owe":
    case "PayDebt":
      Children.write(shelf.kin, write)
      return
    case "PutJournal": {
      const journal = shelf.journals.get(write.processId) ?? []
      if (!journal.some(({ position }) => position === write.entry.position)) journal.push(freeze(write.entry))
      shelf.journals.set(write.processId, journal)
      return
    }
    case "Bury":
      bury(shelf, write.tombstone)
      return
    case "PutWake":
      Outbox.put(shelf.outbox, write.row)
      return
    case "Compact": {
      const tombstone = shelf.tombstones.get(write.processId)
      if (tombstone !== undefined) shelf.tombstones.set(write.processId, { ...tombstone, compacted: true })
      return
    }
    case "PutEnvironment":
      shelf.environments.set(write.ref, write.body)
      return
    case "EndPromise":
      Promises.end(shelf.promises, write)
  }
}

/** The id of a row. */
export const idOf = (row: ProcessRow): ProcessId => row.base.registration.id

/** Grants that satisfy a condition. */
export const grantsWhere = (shelf: Shelf, holds: (grant: HandleGrant) => boolean): Array<HandleGrant> =>
  [...shelf.grants.values()].filter(holds)

/** Texts are compared bytewise, as SQL stores do; JavaScript's own order is by UTF-16 units. */
export const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))

/** The order of the grants of one process. */
export const bySessionThenScope = (a: HandleGrant, b: HandleGrant): number =>
  bytewise(a.sessionId, b.sessionId) || bytewise(a.scopeId, b.scopeId)

const grantKey = (scopeId: string, id: string): string => JSON.stringify([scopeId, id])

const bury = (shelf: Shelf, tombstone: Tombstone): void => {
  const id = tombstone.processId
  Children.forget(shelf.kin, shelf.rows, id)
  shelf.rows.delete(id)
  shelf.logs.delete(id)
  shelf.replays.delete(id)
  shelf.acks.delete(id)
  shelf.journals.delete(id)
  Outbox.bury(shelf.outbox, id)
  for (const grant of grantsWhere(shelf, ({ processId }) => processId === id)) {
    shelf.grants.delete(grantKey(grant.scopeId, id))
  }
  shelf.tombstones.set(id, tombstone)
  shelf.changes.set(id, shelf.nextChange++)
}
