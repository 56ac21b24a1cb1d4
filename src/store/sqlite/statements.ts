/**
 * Every SQL text that the writer prepares, by name. What other texts share is in `src/store/sql`, beside the columns.
 */

import type { Database, Statement } from "better-sqlite3"
import { chartInputTypes } from "../../model/facts.ts"
import { selectCloseRequests } from "../sql/children.ts"
import * as Columns from "../sql/columns.ts"
import { isHead, selectWakes, undelivered } from "../sql/outbox.ts"
import { tablesOfProcess } from "../sql/schema.ts"

/** The texts, by name. */
export const texts = {
  insertChild: "INSERT INTO child (pk, parent_id, close_policy) VALUES (?, ?, ?)",
  // All requests of one end. The order of the join is forced: a process without children costs one probe of the index.
  putCloseRequests: `INSERT INTO debt (pk, parent_id, action, reason, owed_at)
     SELECT child.pk, child.parent_id, child.close_policy, @reason, @at
     FROM child CROSS JOIN state ON state.pk = child.pk
     WHERE child.parent_id = @parent AND state.lifecycle = 'running' AND child.close_policy IN (@first, @second)
     ON CONFLICT DO NOTHING`,
  putCloseRequest: `INSERT INTO debt (pk, parent_id, action, reason, owed_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  removeCloseRequest: "DELETE FROM debt WHERE pk = ?",
  closeRequest: `${selectCloseRequests} WHERE debt.pk = ?`,
  hasCloseRequests: "SELECT 1 FROM debt WHERE parent_id = ? LIMIT 1",
  insertWake: `INSERT INTO wake_outbox
       (wake_id, target_scope, pk, sequence, state, is_open, attempts, next_attempt, expires_at, wake)
     VALUES (?, ?, ?, ?, 'pending', 1, 0, ?, ?, ?) ON CONFLICT DO NOTHING`,
  updateWake: `UPDATE wake_outbox SET state = ?, is_open = ?, claim_token = ?, attempts = ?, first_attempt = ?,
       next_attempt = ?, expires_at = ?, discard_reason = ? WHERE number = ?`,
  staleWakes: `${selectWakes} WHERE ${undelivered} AND state = 'enqueuing' AND next_attempt <= ? LIMIT ?`,
  staleWakeHeads: `${selectWakes} WHERE ${undelivered} AND state = 'enqueuing' AND next_attempt <= ? AND ${isHead}
     ORDER BY next_attempt, number LIMIT ?`,
  dueWakeHeads: `${selectWakes} WHERE ${undelivered} AND state = 'pending' AND next_attempt <= ? AND ${isHead}
     ORDER BY next_attempt, number LIMIT ?`,
  wake: `${selectWakes} WHERE number = ?`,
  openWake: `${selectWakes} WHERE wake_id = ? AND is_open = 1`,
  discardedWakes: `${selectWakes} WHERE wake_id = ? AND state = 'discarded' ORDER BY number`,
  hasUndelivered: `SELECT 1 FROM wake_outbox WHERE pk = ? AND ${undelivered} LIMIT 1`,
  isOvertaken: `SELECT 1 FROM wake_outbox AS own JOIN wake_outbox AS later ON later.pk = own.pk
     WHERE own.number = ? AND later.target_scope = own.target_scope AND later.sequence > own.sequence
       AND later.state = 'enqueued' LIMIT 1`,
  row: `SELECT ${Columns.rowColumns} WHERE process.process_id = ?`,
  eventTypes: "SELECT body FROM event_types WHERE hash = ?",
  events: `${Columns.selectEvents} WHERE pk = ? ORDER BY sequence`,
  replayed: `${Columns.selectEvents} WHERE pk = ? AND replay_key = ?`,
  nextChartInput: `${Columns.selectEvents} WHERE pk = ? AND sequence > ?
    AND (event_type IN (${chartInputTypes.map((type) => `'${type}'`).join(", ")}) OR event_type GLOB 'signal.*')
    ORDER BY sequence LIMIT 1`,
  firstEventAfter: `${Columns.selectEvents} WHERE pk = ? AND event_type = ? AND sequence > ? ORDER BY sequence LIMIT 1`,
  tombstone: `${Columns.selectTombstones} WHERE process_id = ?`,
  grant: `${Columns.selectGrants} WHERE scope_id = ? AND process.process_id = ?`,
  grantsOf: `${Columns.selectGrants} WHERE process.process_id = ? ORDER BY session_id, scope_id`,
  sessionGrants: `${Columns.selectGrants} WHERE session_id = ? ORDER BY process.process_id, scope_id`,
  sessionTargets: "SELECT process_id FROM state WHERE wake_session = ? ORDER BY process_id",
  changedSince: `SELECT process_id AS id, change FROM state WHERE change > ?
     UNION ALL SELECT process_id, change FROM tombstone WHERE change > ? ORDER BY change LIMIT ?`,
  lastChange: `SELECT max(coalesce((SELECT max(change) FROM state), 0), coalesce((SELECT max(change) FROM tombstone), 0))`,
  dataVersion: "PRAGMA data_version",
  storeId: "SELECT store_id FROM store",
  insertEventTypes: "INSERT INTO event_types (hash, body) VALUES (?, ?) ON CONFLICT DO NOTHING",
  insertProcess: `INSERT INTO process (process_id, registration_hash, created_at, event_types, definition, registration)
     VALUES (?, ?, ?, ?, ?, ?)`,
  insertEvent: `INSERT INTO event (pk, sequence, event_type, replay_key, occurred_at, payload, semantics, wakes)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  insertState: `INSERT INTO state
       (pk, sequence, machine_version, lifecycle, fencing_token, due_at, change, updated_at, process_id, wake_session,
        back_off, deadline, snapshot)
     VALUES (@pk, @sequence, @machine_version, @lifecycle, @fencing_token, @due_at, @change, @updated_at, @process_id,
        @wake_session, @back_off, @deadline, @snapshot)`,
  updateState: `UPDATE state SET sequence = @sequence, machine_version = @machine_version, lifecycle = @lifecycle,
       fencing_token = @fencing_token, due_at = @due_at, change = @change, updated_at = @updated_at,
       wake_session = @wake_session, back_off = @back_off, deadline = @deadline, snapshot = @snapshot
     WHERE pk = @pk`,
  updateInPlace: `UPDATE state SET sequence = ?, fencing_token = ?, change = ?, updated_at = ?, back_off = ?, snapshot = ?
     WHERE pk = ? AND machine_version = ?`,
  // Neither a lease nor a back-off is a change of the record.
  moveLease: "UPDATE state SET fencing_token = ?, due_at = ?, back_off = ? WHERE pk = ?",
  touchState: "UPDATE state SET change = ? WHERE pk = ?",
  putLease: `INSERT OR REPLACE INTO lease
       (pk, lease_token, owner_id, incarnation_id, liveness, claimed_at, expires_at, due_at, keeper)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  removeLease: "DELETE FROM lease WHERE pk = ?",
  lastOfPage: "SELECT max(pk) FROM (SELECT pk FROM lease WHERE pk > ? ORDER BY pk LIMIT ?)",
  renewLeases: `UPDATE lease SET expires_at = @expires
     WHERE pk > @after AND pk <= @last AND keeper = @keeper AND expires_at > @now
     RETURNING (SELECT process_id FROM state WHERE state.pk = lease.pk) AS processId, lease_token AS leaseToken`,
  putGrant: `INSERT OR REPLACE INTO handle_grant (scope_id, pk, session_id, descriptor) VALUES (?, ?, ?, ?)`,
  removeGrant: "DELETE FROM handle_grant WHERE scope_id = ? AND pk = ?",
  putJournal: `INSERT INTO journal (pk, key, position, sequence, operation, at, outcome)
     VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
  putProgress: "INSERT OR REPLACE INTO progress (pk, key, at, detail) VALUES (?, ?, ?, ?)",
  removeProgress: "DELETE FROM progress WHERE pk = ? AND key = ?",
  ackWake: "INSERT INTO wake_ack (pk, sequence) VALUES (?, ?) ON CONFLICT DO NOTHING",
  putTombstone: `INSERT OR REPLACE INTO tombstone
       (process_id, terminal_state, pruned_at, last_sequence, last_fence, compacted, change)
     VALUES (?, ?, ?, ?, ?, 0, ?)`,
  putDefinition: "INSERT INTO definition (kind, version, hash, body) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
  putEnvironment: "INSERT OR REPLACE INTO environment (env_ref, body) VALUES (?, ?)",
  endPromise: "INSERT INTO promise (key_id, body, token) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
  compact: "UPDATE tombstone SET compacted = 1 WHERE process_id = ?"
} as const

type Name = keyof typeof texts

/** Prepared statements by name; `prune` removes what belongs to a process, dependent rows first. */
export type Statements = { readonly [Key in Name]: Statement } & { readonly prune: ReadonlyArray<Statement> }

/** These answer the value of their one column. */
const plucked: ReadonlySet<Name> = new Set([
  "eventTypes",
  "sessionTargets",
  "lastChange",
  "dataVersion",
  "storeId",
  "lastOfPage"
])

/** Prepares them on a connection whose schema exists. */
export const prepare = (db: Database): Statements => {
  const named = Object.entries(texts).map(([name, text]) => {
    const statement = db.prepare(text)
    return [name, plucked.has(name as Name) ? statement.pluck() : statement] // the keys of `texts` are the names
  })
  return {
    ...(Object.fromEntries(named) as { readonly [Key in Name]: Statement }), // one statement was made for each name
    prune: tablesOfProcess.map((table) => db.prepare(`DELETE FROM ${table} WHERE pk = ?`))
  }
}
