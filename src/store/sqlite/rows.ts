/**
 * Rows in SQLite: loading what a decision needs, and writing what it changed, on the writer's own connection.
 *
 * A cache keeps the rows this process works with. It is trusted only while no other process has committed to the file
 * (`PRAGMA data_version`), and takes over what a transaction wrote only after its commit.
 */
import type { Database } from "better-sqlite3"
import { lifecycleOf, nextDeadline } from "../../../machines/process/lifecycle.ts"
import { processMachine } from "../../../machines/process/machine.ts"
import * as Step from "../../../machines/xstate/step.ts"
import type { ProcessId } from "../../model/ids.ts"
import { eventTypesHash } from "../../model/Registration.ts"
import type { Change, Plan, ProcessRow, View, Write } from "../Decision.ts"
import type { WakeTimes } from "../Outbox.ts"
import type { RenewedPage, RenewPage } from "../ProcessStore.ts"
import * as Children from "./children.ts"
import type { EventColumns, RowColumns } from "./columns.ts"
import * as Columns from "./columns.ts"
import * as Outboxes from "./outbox.ts"
import * as RowCaches from "./RowCache.ts"
import * as Beside from "./sideWrites.ts"
import type { Statements } from "./statements.ts"
import { prepare } from "./statements.ts"
import type { Stored } from "./views.ts"
import * as Views from "./views.ts"

/** Loads and writes rows inside the writer's transactions. */
export interface Rows {
  readonly view: (plan: Plan, nowMs: number) => View
  readonly write: (changes: ReadonlyArray<Change>, writes: ReadonlyArray<Write>) => void
  readonly renewLeases: (page: RenewPage, nowMs: number) => RenewedPage
  readonly storeId: string
  /** Grows with every debt that is written, also with one that is undone. */
  readonly closeRequestsWritten: () => number
  /** A transaction begins: forget the cache if another process has committed since. */
  readonly begin: () => void
  /** Everything written since `begin` holds; answers it in order. */
  readonly committed: () => ReadonlyArray<Change>
  /** Nothing written since `begin` is certain. */
  readonly rolledBack: () => void
  /** The present row as this process knows it, if the cache may be trusted. */
  readonly cached: (id: ProcessId) => ProcessRow | undefined
  /** Ids changed since this was last asked, if another process committed meanwhile. */
  readonly changedElsewhere: () => ReadonlyArray<ProcessId>
}

/** How many changed rows one poll looks at. */
const pollPage = 1_000

/** How many leases one transaction renews: half of what it may, so that a page holds the loop for a few milliseconds. */
export const renewalPage = 500

/** How many rows that have not ended the cache keeps. */
export const cacheSize = 4_096

/** Prepares the statements. The schema must exist. */
export const make = (db: Database, times: WakeTimes): Rows => {
  const sql = prepare(db)
  const kin = Children.make(sql)
  const outbox = Outboxes.make(db, times)
  const cache = RowCaches.make(cacheSize)
  const types: Columns.EventTypesCache = new Map()
  const written: Array<Change> = []
  let version = dataVersion(sql)
  let polledVersion = version
  let nextChange = lastChange(sql) + 1
  let firstChange = nextChange
  let polledChange = nextChange - 1
  const own = new Set<number>()

  const load = (id: ProcessId): Stored | undefined => {
    const known = cache.get(id)
    if (known !== undefined) return known
    const columns = sql.row.get(id) as RowColumns | undefined
    if (columns === undefined) return undefined
    const base = Columns.baseOf(columns, types, (hash) => sql.eventTypes.get(hash) as string)
    const stored = {
      pk: columns.pk,
      row: Columns.rowOf(columns, base, () =>
        (sql.events.all(columns.pk) as ReadonlyArray<EventColumns>).map((event) => Columns.eventOf(id, event))
      )
    }
    cache.keep(id, stored)
    return stored
  }

  const insert = (change: Change): number => {
    const { registration, registrationHash, createdAtMs } = change.row.base
    const hash = eventTypesHash(registration.eventTypes)
    if (!types.has(hash)) {
      sql.insertEventTypes.run(hash, JSON.stringify(registration.eventTypes))
    }
    const { lastInsertRowid } = sql.insertProcess.run(
      registration.id,
      registrationHash,
      createdAtMs,
      hash,
      Columns.definitionText(registration.identity.definition),
      Columns.registrationText(registration)
    )
    return Number(lastInsertRowid)
  }

  const writeOne = (change: Change): void => {
    const { row, before, events, wakes = [] } = change
    const id = row.base.registration.id
    const pk = before === undefined ? insert(change) : (load(id) as Stored).pk // it was loaded for the decision
    for (const event of events) {
      sql.insertEvent.run(
        pk,
        event.sequence,
        event.eventType,
        event.replayKey ?? null,
        event.occurredAtMs,
        JSON.stringify(event.payload),
        Columns.semanticsText(event),
        event.semantics.wake === undefined ? null : 1
      )
    }
    for (const wake of wakes) outbox.add(pk, wake)
    writeState(pk, change)
    writeLease(pk, change)
    kin.follow(pk, change)
    cache.touch(id, { pk, row })
    written.push(change)
  }

  const writeState = (pk: number, { row, before, events }: Change): void => {
    const { held, fencingToken } = row.lease
    // A row that somebody holds is no work: its lease says when it becomes work again.
    const due = held === undefined ? row.dueAtMs : null
    const isNew = before === undefined
    if (
      isNew ||
      events.length > 0 ||
      row.snapshot !== before.snapshot ||
      row.dueAtMs !== before.dueAtMs ||
      row.backOff !== before.backOff
    ) {
      const { context } = row.snapshot
      const statement = isNew ? sql.insertState : sql.updateState
      statement.run({
        pk,
        sequence: row.sequence,
        version: processMachine.version,
        lifecycle: lifecycleOf(row.snapshot),
        fence: fencingToken,
        due,
        change: nextChange++,
        updated: context.updatedAtMs,
        wake: context.wakeTarget?.sessionId ?? null,
        backOff: row.backOff === undefined ? null : JSON.stringify(row.backOff),
        deadline: nextDeadline(row.snapshot),
        snapshot: JSON.stringify(Step.persist(row.snapshot)),
        ...(isNew ? { id: row.base.registration.id } : {})
      })
    } else if (
      fencingToken !== before.lease.fencingToken ||
      (held === undefined) !== (before.lease.held === undefined)
    ) {
      sql.moveLease.run(fencingToken, due, pk)
    }
  }

  const writeLease = (pk: number, { row, before }: Change): void => {
    const { held } = row.lease
    if (held === undefined) {
      if (before?.lease.held !== undefined) sql.removeLease.run(pk)
    } else if (held !== before?.lease.held || row.dueAtMs !== before.dueAtMs) {
      const { ownerId, incarnationId, liveness } = held.owner
      const { leaseToken, claimedAtMs, expiresAtMs, renewerId: keeper = null } = held
      const evidence = JSON.stringify(liveness)
      sql.putLease.run(pk, leaseToken, ownerId, incarnationId, evidence, claimedAtMs, expiresAtMs, row.dueAtMs, keeper)
    }
  }

  const writeBeside = Beside.make(sql, outbox, {
    kin,
    // Decisions write beside rows that they have loaded.
    pkOf: (id) => (load(id) as Stored).pk,
    takeChange: () => nextChange++,
    forget: cache.forget
  })

  /** Extends leases by their keeper; the rows that are known here follow. */
  const renewLeases = ({ renewerId: keeper, ttlMs, after = 0 }: RenewPage, nowMs: number): RenewedPage => {
    const last = sql.lastOfPage.get(after, renewalPage) as number | null
    const expiresAtMs = nowMs + ttlMs
    if (last === null) return { renewed: [], expiresAtMs }
    const renewed = sql.renewLeases.all({
      keeper,
      after,
      last,
      now: nowMs,
      expires: expiresAtMs
    }) as RenewedPage["renewed"]
    for (const { processId } of renewed) {
      const known = cache.get(processId)
      const held = known?.row.lease.held
      if (known === undefined || held === undefined) continue
      const lease = { ...known.row.lease, held: { ...held, expiresAtMs } }
      cache.touch(processId, { pk: known.pk, row: { ...known.row, lease } })
    }
    return { renewed, expiresAtMs, next: last }
  }

  const forgetForeign = (): void => {
    const present = dataVersion(sql)
    if (present === version) return
    version = present
    cache.clear()
    nextChange = lastChange(sql) + 1
    firstChange = nextChange
  }

  return {
    storeId: sql.storeId.get() as string,
    closeRequestsWritten: kin.closeRequestsWritten,
    view: Views.make(sql, outbox, load),
    write: (changes, writes) => {
      for (const change of changes) writeOne(change)
      for (const write of writes) writeBeside(write)
    },
    renewLeases,
    begin: () => {
      forgetForeign()
      cache.begin()
    },
    committed: () => {
      for (const { row } of cache.commit()) {
        const { eventTypes } = row.base.registration
        types.set(eventTypesHash(eventTypes), eventTypes)
      }
      // Nobody else committed since the last poll, so there is nothing before this commit that a poll should find.
      if (version === polledVersion) polledChange = nextChange - 1
      else if (own.size < cacheSize) for (let change = firstChange; change < nextChange; change++) own.add(change)
      firstChange = nextChange
      return written.splice(0, written.length)
    },
    rolledBack: () => {
      written.length = 0
      // A commit that failed may be on the disk: the cache may be behind the file, and the next poll tells what it finds.
      cache.clear()
      polledVersion = -1
      nextChange = lastChange(sql) + 1
      firstChange = nextChange
    },
    cached: (id) => {
      try {
        forgetForeign()
      } catch {
        // The read that follows meets the same failure, and says so.
        return undefined
      }
      return cache.committed(id)?.row
    },
    changedElsewhere: () => {
      const present = dataVersion(sql)
      if (present === polledVersion) return []
      polledVersion = present
      const changed = sql.changedSince.all(polledChange, polledChange, pollPage) as ReadonlyArray<{
        readonly id: ProcessId
        readonly change: number
      }>
      polledChange = changed.at(-1)?.change ?? polledChange
      // A long absence is caught up in pages, one a poll.
      if (changed.length === pollPage) polledVersion = -1
      const elsewhere = changed.filter(({ change }) => !own.has(change))
      own.clear()
      return elsewhere.map(({ id }) => id)
    }
  }
}

/** Changes only when another connection has committed. */
const dataVersion = (sql: Statements): number => sql.dataVersion.get() as number

const lastChange = (sql: Statements): number => sql.lastChange.get() as number
