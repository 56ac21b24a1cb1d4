/**
 * The statements that write, one for each table and way of writing: each takes any number of rows, as one JSON array.
 */
import { tablesOfProcess } from "../sql/schema.ts"
import type { Statement } from "./Session.ts"
import { mayBeSpecial, parameter } from "./text.ts"

/** Rows to write, as the columns of a {@link Way} name them. */
export type Rows = ReadonlyArray<Readonly<Record<string, unknown>>>

interface Way {
  readonly columns: Readonly<Record<string, "text" | "bigint" | "integer">>
  /** What follows; the rows are `asked`. */
  readonly write: string
}

const insert = (table: string, columns: Way["columns"], onConflict = ""): Way => {
  const names = Object.keys(columns).join(", ")
  return { columns, write: `INSERT INTO ${table} (${names}) SELECT ${names} FROM asked ${onConflict}` }
}

/** Inserts, or replaces what has the same key: the first columns. In the order of the keys, so that two writers never wait in a circle. */
const upsert = (table: string, keys: number, columns: Way["columns"]): Way => {
  const names = Object.keys(columns)
  const key = names.slice(0, keys).join(", ")
  const updates = names.slice(keys).map((name) => `${name} = EXCLUDED.${name}`)
  return insert(table, columns, `ORDER BY ${key} ON CONFLICT (${key}) DO UPDATE SET ${updates.join(", ")}`)
}

const remove = (table: string, columns: Way["columns"]): Way => ({
  columns,
  write: `DELETE FROM ${table} USING asked WHERE ${Object.keys(columns)
    .map((name) => `${table}.${name} = asked.${name}`)
    .join(" AND ")}`
})

const once = "ON CONFLICT DO NOTHING"

const stateColumns = {
  pk: "bigint",
  sequence: "bigint",
  machine_version: "text",
  lifecycle: "text",
  fencing_token: "bigint",
  due_at: "bigint",
  change: "bigint",
  updated_at: "bigint",
  wake_session: "text",
  back_off: "text",
  deadline: "bigint",
  snapshot: "text"
} as const

/** The ways of writing, in the order in which a transaction goes through them. */
const ways = {
  putEventTypes: insert("event_types", { hash: "text", body: "text" }, `ORDER BY hash ${once}`),
  putProcess: insert("process", {
    pk: "bigint",
    process_id: "text",
    registration_hash: "text",
    created_at: "bigint",
    event_types: "text",
    definition: "text",
    registration: "text"
  }),
  putState: insert("state", { ...stateColumns, process_id: "text" }),
  // Neither a lease nor a back-off is a change of the record.
  updateState: {
    columns: stateColumns,
    write: `UPDATE state SET sequence = asked.sequence, machine_version = asked.machine_version,
      lifecycle = asked.lifecycle, fencing_token = asked.fencing_token, due_at = asked.due_at,
      change = coalesce(asked.change, state.change), updated_at = asked.updated_at,
      wake_session = asked.wake_session, back_off = asked.back_off, deadline = asked.deadline,
      snapshot = asked.snapshot
      FROM asked WHERE state.pk = asked.pk`
  },
  putEvent: insert("event", {
    pk: "bigint",
    sequence: "bigint",
    event_type: "text",
    replay_key: "text",
    occurred_at: "bigint",
    payload: "text",
    semantics: "text",
    wakes: "integer"
  }),
  putLease: upsert("lease", 1, {
    pk: "bigint",
    lease_token: "text",
    owner_id: "text",
    incarnation_id: "text",
    liveness: "text",
    claimed_at: "bigint",
    expires_at: "bigint",
    due_at: "bigint",
    keeper: "text"
  }),
  removeLease: remove("lease", { pk: "bigint" }),
  putChild: insert("child", { pk: "bigint", parent_id: "text", close_policy: "text" }),
  putJournal: insert(
    "journal",
    {
      pk: "bigint",
      key: "text",
      position: "bigint",
      sequence: "bigint",
      operation: "text",
      at: "bigint",
      outcome: "text"
    },
    once
  ),
  putProgress: insert(
    "progress",
    { pk: "bigint", key: "text", at: "bigint", detail: "text" },
    `ORDER BY pk, key ON CONFLICT (pk, hashtextextended(key, 0), hashtextextended(key, 1))
      DO UPDATE SET at = EXCLUDED.at, detail = EXCLUDED.detail`
  ),
  removeProgress: remove("progress", { pk: "bigint", key: "text" }),
  ackWake: {
    columns: { pk: "bigint", sequence: "bigint", change: "bigint" },
    write: `, fresh AS (INSERT INTO wake_ack (pk, sequence) SELECT pk, sequence FROM asked ${once} RETURNING pk, sequence)
      UPDATE state SET change = greatest(state.change, asked.change) FROM fresh JOIN asked USING (pk, sequence) WHERE state.pk = fresh.pk`
  },
  putGrant: upsert("handle_grant", 2, {
    scope_id: "text",
    pk: "bigint",
    session_id: "text",
    descriptor: "text"
  }),
  removeGrant: remove("handle_grant", { scope_id: "text", pk: "bigint" }),
  addWake: insert(
    "wake_outbox",
    {
      wake_id: "text",
      target_scope: "text",
      pk: "bigint",
      sequence: "bigint",
      state: "text",
      is_open: "integer",
      attempts: "bigint",
      next_attempt: "bigint",
      expires_at: "bigint",
      wake: "text"
    },
    once
  ),
  putWake: {
    columns: {
      number: "bigint",
      state: "text",
      is_open: "integer",
      claim_token: "text",
      attempts: "bigint",
      first_attempt: "bigint",
      next_attempt: "bigint",
      expires_at: "bigint",
      discard_reason: "text"
    },
    write: `UPDATE wake_outbox SET state = asked.state, is_open = asked.is_open, claim_token = asked.claim_token,
      attempts = asked.attempts, first_attempt = asked.first_attempt, next_attempt = asked.next_attempt,
      expires_at = asked.expires_at, discard_reason = asked.discard_reason
      FROM asked WHERE wake_outbox.number = asked.number`
  },
  removeCloseRequest: remove("debt", { pk: "bigint" }),
  putCloseRequest: insert(
    "debt",
    { pk: "bigint", parent_id: "text", action: "text", reason: "text", owed_at: "bigint" },
    once
  ),
  // All requests of an end, or of a request to stop: which children there are is known here only.
  closeChildren: {
    columns: { parent: "text", reason: "text", at: "bigint", ended: "integer" },
    write: `INSERT INTO debt (pk, parent_id, action, reason, owed_at)
      SELECT child.pk, child.parent_id, child.close_policy, asked.reason, asked.at
      FROM asked JOIN child ON child.parent_id = asked.parent JOIN state USING (pk)
      WHERE state.lifecycle = 'running'
        AND (child.close_policy = 'cancel' OR (child.close_policy = 'abandon' AND asked.ended = 1))
      ORDER BY child.pk ${once}`
  },
  putTombstone: upsert("tombstone", 1, {
    process_id: "text",
    terminal_state: "text",
    pruned_at: "bigint",
    last_sequence: "bigint",
    last_fence: "bigint",
    compacted: "integer",
    change: "bigint"
  }),
  compact: {
    columns: { process_id: "text" },
    write: "UPDATE tombstone SET compacted = 1 FROM asked WHERE tombstone.process_id = asked.process_id"
  },
  putDefinition: insert("definition", { kind: "text", version: "text", hash: "text", body: "text" }, once),
  putEnvironment: upsert("environment", 1, { env_ref: "text", body: "text" }),
  endPromise: insert("promise", { key_id: "text", body: "text", token: "text" }, once)
} satisfies Readonly<Record<string, Way>>

/** A way of writing. */
export type Writing = keyof typeof ways

/** Every way of writing, in the order in which a transaction goes through them. */
export const writings: ReadonlyArray<Writing> = Object.keys(ways) as Array<Writing> // the keys of the table above

const textOf = ({ columns, write }: Way): string =>
  `WITH asked AS (SELECT * FROM json_to_recordset($1::json) AS asked (${Object.entries(columns)
    .map(([column, type]) => `${column} ${type}`)
    .join(", ")})) ${write}`

const texts = new Map(Object.entries(ways).map(([name, way]) => [name, textOf(way)]))

/** The statement that writes these rows. */
export const statementOf = (writing: Writing, rows: Rows): Statement => ({
  name: writing,
  text: texts.get(writing) ?? "",
  values: [jsonOf(rows)]
})

/** The statement that inserts rows as another store has them, the numbers of identity columns included. */
export const copying = (table: string, columns: Way["columns"], rows: Rows): Statement => {
  const names = Object.keys(columns).join(", ")
  const write = `INSERT INTO ${table} (${names}) OVERRIDING SYSTEM VALUE SELECT ${names} FROM asked`
  return { name: "", text: textOf({ columns, write }), values: [jsonOf(rows)] }
}

const jsonOf = (rows: Rows): string => {
  const json = JSON.stringify(rows)
  return mayBeSpecial(json) ? JSON.stringify(rows.map(encodedRow)) : json
}

const encodedRow = (row: Rows[number]): Rows[number] =>
  Object.fromEntries(Object.entries(row).map(([column, value]) => [column, parameter(value)]))

/** The statements that remove all that belongs to these processes. */
export const pruning = (pks: ReadonlyArray<number>): ReadonlyArray<Statement> =>
  tablesOfProcess.map((table) => ({
    name: `prune_${table}`,
    text: `DELETE FROM ${table} WHERE pk = ANY($1::bigint[])`,
    values: [pks]
  }))
