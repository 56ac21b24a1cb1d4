/**
 * Rows in SQLite: loading what a decision needs, and writing what it changed, on the writer's own connection.
 *
 * A cache keeps the rows this process works with. It is trusted only while no other process has committed to the file
 * (`PRAGMA data_version`), and takes what a transaction wrote only after its commit.
 */
import type { Database } from "better-sqlite3"
import type { ProcessId } from "../../model/ids.ts"
import { eventTypesHash } from "../../model/Registration.ts"
import type { Change, Plan, ProcessRow, View, Write } from "../Decision.ts"
import type { WakeTimes } from "../Outbox.ts"
import type { RenewedPage, RenewPage } from "../ProcessStore.ts"
import type { EventColumns, GrantColumns, RowColumns, TombstoneColumns } from "../sql/columns.ts"
import * as Columns from "../sql/columns.ts"
import * as ChangesElsewhere from "./ChangesElsewhere.ts"
import * as Children from "./children.ts"
import type { Outbox } from "./outbox.ts"
import * as Outboxes from "./outbox.ts"
import type { Stored } from "./RowCache.ts"
import * as RowCaches from "./RowCache.ts"
import type { Statements } from "./statements.ts"
import { prepare } from "./statements.ts"

/** Loads and writes rows inside the writer's transactions. */
export interface Rows {
  readonly view: (plan: Plan, nowMs: number) => View
  readonly write: (changes: ReadonlyArray<Change>, writes: ReadonlyArray<Write>) => void
  readonly renewLeases: (page: RenewPage, nowMs: number) => RenewedPage
  readonly storeId: string
  /** Grows with every close request that is written, also with one that is undone. */
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
  readonly externalChanges: () => ReadonlyArray<ProcessId>
}

/** How many leases one transaction renews: half of what it may, so that a page holds the loop for a few milliseconds. */
export const renewalPage = 500

/** How many rows that have not ended the cache keeps. */
export const cacheSize = 4_096

/** Prepares the statements. The schema must exist. */
export const make = (db: Database, times: WakeTimes): Rows => {
  const sql = prepare(db)
  const children = Children.make(sql)
  const outbox = Outboxes.make(sql, times)
  const cache = RowCaches.make(cacheSize)
  const types: Columns.EventTypesCache = new Map()
  const written: Array<Change> = []
  let version = dataVersion(sql)
  let nextChange = lastChange(sql) + 1
  const elsewhere = ChangesElsewhere.make(sql, version, nextChange - 1)

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
    children.follow(pk, change)
    cache.touch(id, { pk, row })
    written.push(change)
  }

  const writeState = (pk: number, change: Change): void => {
    const { row, before } = change
    if (Columns.changesRecord(change)) {
      const columns = { pk, change: nextChange++, ...Columns.stateColumnsOf(row) }
      if (before === undefined) sql.insertState.run({ ...columns, process_id: row.base.registration.id })
      else if (!(Columns.staysInPlace(before, row) && updatedInPlace(columns))) sql.updateState.run(columns)
    } else if (Columns.movesLease(change)) {
      const { held, fencingToken } = row.lease
      const backOff = row.backOff === undefined ? null : JSON.stringify(row.backOff)
      sql.moveLease.run(fencingToken, held === undefined ? row.dueAtMs : null, backOff, pk)
    }
  }

  /** Writes what is in no index; whether it did: a row that an earlier version wrote may be in other places than this one knows. */
  const updatedInPlace = (columns: Columns.StateColumns & { readonly pk: number; readonly change: number }): boolean =>
    sql.updateInPlace.run(
      columns.sequence,
      columns.fencing_token,
      columns.change,
      columns.updated_at,
      columns.back_off,
      columns.snapshot,
      columns.pk,
      columns.machine_version
    ).changes > 0

  const writeLease = (pk: number, { row, before }: Change): void => {
    const { held } = row.lease
    if (held === undefined) {
      if (before?.lease.held !== undefined) sql.removeLease.run(pk)
    } else if (held !== before?.lease.held || row.dueAtMs !== before.dueAtMs) {
      const { ownerId, incarnationId, liveness } = held.owner
      const { leaseToken, claimedAtMs, expiresAtMs, renewerId = null } = held
      const evidence = JSON.stringify(liveness)
      sql.putLease.run(
        pk,
        leaseToken,
        ownerId,
        incarnationId,
        evidence,
        claimedAtMs,
        expiresAtMs,
        row.dueAtMs,
        renewerId
      )
    }
  }

  const writeSide = sideWrites(sql, outbox, {
    children,
    // A decision has loaded the rows that its side writes name.
    pkOf: (id) => (load(id) as Stored).pk,
    takeChange: () => nextChange++,
    forget: cache.forget
  })

  /** Extends the leases of one renewer, in the database and in the cache. */
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

  const forgetIfStale = (): void => {
    const present = dataVersion(sql)
    if (present === version) return
    version = present
    cache.clear()
    nextChange = lastChange(sql) + 1
  }

  return {
    storeId: sql.storeId.get() as string,
    closeRequestsWritten: children.closeRequestsWritten,
    view: viewsOf(sql, outbox, load),
    write: (changes, writes) => {
      for (const change of changes) writeOne(change)
      for (const write of writes) writeSide(write)
    },
    renewLeases,
    begin: () => {
      forgetIfStale()
      elsewhere.look(version)
      cache.begin()
    },
    committed: () => {
      for (const { row } of cache.commit()) {
        const { eventTypes } = row.base.registration
        types.set(eventTypesHash(eventTypes), eventTypes)
      }
      elsewhere.skipTo(nextChange - 1)
      return written.splice(0, written.length)
    },
    rolledBack: () => {
      written.length = 0
      // A commit that failed may be on the disk: the cache may be behind the file, and the next poll reports what it finds.
      cache.clear()
      elsewhere.lookAgain()
      nextChange = lastChange(sql) + 1
    },
    cached: (id) => {
      try {
        forgetIfStale()
      } catch {
        // The read that follows meets the same failure, and says so.
        return undefined
      }
      return cache.committed(id)?.row
    },
    externalChanges: () => {
      elsewhere.look(dataVersion(sql))
      return elsewhere.take()
    }
  }
}

/** Changes only when another connection has committed. */
const dataVersion = (sql: Statements): number => sql.dataVersion.get() as number

const lastChange = (sql: Statements): number => sql.lastChange.get() as number

/** Makes what a decision sees, on the writer's own connection; `load` knows the rows that the present transaction has touched. */
const viewsOf =
  (
    sql: Statements,
    outbox: Outbox,
    load: (id: ProcessId) => Stored | undefined
  ): ((plan: Plan, nowMs: number) => View) =>
  (plan, nowMs) => ({
    nowMs,
    ...Children.viewOf(sql, (id) => load(id)?.pk),
    row: (id) => load(id)?.row,
    tombstone: (id) => {
      const columns = sql.tombstone.get(id) as TombstoneColumns | undefined
      return columns && Columns.tombstoneOf(columns)
    },
    replayed: (id, key) => {
      const stored = load(id)
      return stored && eventAt(id, sql.replayed.get(stored.pk, key))
    },
    firstEventAfter: (id, eventType, sequence) => {
      const stored = load(id)
      return stored && eventAt(id, sql.firstEventAfter.get(stored.pk, eventType, sequence))
    },
    nextChartInput: (id, sequence) => {
      const stored = load(id)
      return stored && eventAt(id, sql.nextChartInput.get(stored.pk, sequence))
    },
    grant: (scopeId, id) => grants(sql.grant.all(scopeId, id))[0],
    grantsOf: (id) => grants(sql.grantsOf.all(id)),
    sessionGrants: () => (plan.session === undefined ? [] : grants(sql.sessionGrants.all(plan.session))),
    sessionTargets: () =>
      plan.session === undefined ? [] : (sql.sessionTargets.all(plan.session) as ReadonlyArray<ProcessId>),
    outbox: outbox.viewOf(nowMs, (id) => load(id)?.pk)
  })

const eventAt = (id: ProcessId, columns: unknown) =>
  columns === undefined ? undefined : Columns.eventOf(id, columns as EventColumns)

const grants = (columns: ReadonlyArray<unknown>) => (columns as ReadonlyArray<GrantColumns>).map(Columns.grantOf)

/** What side writes need of the rows. */
interface RowAccess {
  readonly children: Children.Children
  readonly pkOf: (id: ProcessId) => number
  /** Takes the next number of the change feed. */
  readonly takeChange: () => number
  /** The process is gone: the cache must not answer it any more. */
  readonly forget: (id: ProcessId) => void
}

/** Makes side writes, in the transaction of the decision that asked for them. */
const sideWrites =
  (sql: Statements, outbox: Outbox, { children, pkOf, takeChange, forget }: RowAccess): ((write: Write) => void) =>
  (write) => {
    switch (write._tag) {
      case "PutGrant": {
        const { scopeId, processId, sessionId, descriptor } = write.grant
        sql.putGrant.run(scopeId, pkOf(processId), sessionId, JSON.stringify(descriptor))
        return
      }
      case "RemoveGrant":
        sql.removeGrant.run(write.scopeId, pkOf(write.processId))
        return
      case "AckWake": {
        const pk = pkOf(write.processId)
        if (sql.ackWake.run(pk, write.sequence).changes > 0) sql.touchState.run(takeChange(), pk)
        return
      }
      case "PutJournal": {
        const { processId, entry } = write
        const { key, position, sequence, operation, atMs, outcome } = entry
        sql.putJournal.run(pkOf(processId), key, position, sequence, operation, atMs, outcome)
        return
      }
      case "PutProgress": {
        const { key, atMs, detail } = write.progress
        sql.putProgress.run(pkOf(write.processId), key, atMs, detail)
        return
      }
      case "RemoveProgress":
        sql.removeProgress.run(pkOf(write.processId), write.key)
        return
      case "Prune": {
        const { processId, terminalState, prunedAtMs, lastSequence, lastFence } = write.tombstone
        const pk = pkOf(processId)
        for (const statement of sql.prune) statement.run(pk)
        sql.putTombstone.run(processId, terminalState, prunedAtMs, lastSequence, lastFence, takeChange())
        forget(processId)
        return
      }
      case "PutCloseRequest":
        children.write(pkOf(write.request.childId), write)
        return
      case "RemoveCloseRequest":
        children.write(pkOf(write.childId), write)
        return
      case "PutWake":
        outbox.put(write.row)
        return
      case "Compact":
        sql.compact.run(write.processId)
        return
      case "PutDefinition":
        sql.putDefinition.run(write.kind, write.version, write.hash, write.body)
        return
      case "PutEnvironment":
        sql.putEnvironment.run(write.ref, write.body)
        return
      case "EndPromise":
        sql.endPromise.run(write.keyId, write.body, write.token)
    }
  }
