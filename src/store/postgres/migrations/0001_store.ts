/**
 * The first schema in PostgreSQL: the tables of the store in SQLite, under the same names.
 *
 * Rows are keyed by a number (`pk`), handed out in order of registration. Text is compared bytewise (`COLLATE "C"`), as everywhere
 * in the library. JSON is text: what is stored comes back as it was written. No foreign keys: they cost a lookup and a lock for
 * each row that is written, and the one writer of these tables is this library.
 */

/** Creates the tables and indexes of version 1. */
export const statements: ReadonlyArray<string> = [
  `CREATE TABLE store (store_id text PRIMARY KEY, change_base bigint NOT NULL)`,
  `INSERT INTO store VALUES (replace(gen_random_uuid()::text, '-', ''), 0)`,

  `CREATE TABLE event_types (hash text COLLATE "C" PRIMARY KEY, body text NOT NULL)`,

  `CREATE SEQUENCE process_pk AS bigint`,
  `CREATE TABLE process (
    pk bigint PRIMARY KEY,
    process_id text COLLATE "C" NOT NULL CONSTRAINT process_id_once UNIQUE,
    registration_hash text NOT NULL,
    created_at bigint NOT NULL,
    event_types text NOT NULL,
    definition text,
    registration text NOT NULL
  )`,

  `CREATE TABLE state (
    pk bigint PRIMARY KEY,
    sequence bigint NOT NULL,
    machine_version text NOT NULL,
    lifecycle text COLLATE "C" NOT NULL,
    fencing_token bigint NOT NULL,
    due_at bigint,
    change bigint NOT NULL,
    updated_at bigint NOT NULL,
    process_id text COLLATE "C" NOT NULL UNIQUE,
    wake_session text COLLATE "C",
    back_off text,
    deadline bigint,
    snapshot text NOT NULL
  ) WITH (autovacuum_vacuum_scale_factor = 0.02)`,
  `CREATE INDEX state_running ON state (process_id) WHERE lifecycle = 'running'`,
  `CREATE INDEX state_unsuccessful ON state (lifecycle, process_id)
    WHERE lifecycle IN ('failed', 'cancelled', 'abandoned')`,
  `CREATE INDEX state_wake_session ON state (wake_session) WHERE wake_session IS NOT NULL`,
  `CREATE INDEX state_deadline ON state (deadline) WHERE deadline IS NOT NULL`,
  `CREATE INDEX state_due ON state (due_at) WHERE due_at IS NOT NULL`,
  `CREATE UNIQUE INDEX state_change ON state (change)`,

  `CREATE TABLE event (
    pk bigint NOT NULL,
    sequence bigint NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    replay_key text COLLATE "C",
    occurred_at bigint NOT NULL,
    payload text NOT NULL,
    semantics text,
    wakes integer,
    PRIMARY KEY (pk, sequence)
  )`,
  `CREATE INDEX event_wake ON event (pk, sequence) WHERE wakes IS NOT NULL`,
  `CREATE UNIQUE INDEX event_replay ON event (pk, replay_key) WHERE replay_key IS NOT NULL`,

  `CREATE TABLE lease (
    pk bigint PRIMARY KEY,
    lease_token text NOT NULL,
    owner_id text COLLATE "C" NOT NULL,
    incarnation_id text COLLATE "C" NOT NULL,
    liveness text NOT NULL,
    claimed_at bigint NOT NULL,
    expires_at bigint NOT NULL,
    due_at bigint,
    keeper text COLLATE "C"
  ) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02)`,

  `CREATE TABLE journal (
    pk bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    sequence bigint NOT NULL,
    operation text NOT NULL,
    at bigint NOT NULL,
    outcome text NOT NULL,
    PRIMARY KEY (pk, position)
  )`,

  `CREATE TABLE progress (
    pk bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    at bigint NOT NULL,
    detail text NOT NULL,
    PRIMARY KEY (pk, key)
  )`,

  `CREATE TABLE wake_ack (pk bigint NOT NULL, sequence bigint NOT NULL, PRIMARY KEY (pk, sequence))`,

  `CREATE TABLE wake_outbox (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    wake_id text COLLATE "C" NOT NULL,
    target_scope text COLLATE "C" NOT NULL,
    pk bigint NOT NULL,
    sequence bigint NOT NULL,
    state text COLLATE "C" NOT NULL,
    is_open integer NOT NULL,
    claim_token text,
    attempts bigint NOT NULL,
    first_attempt bigint,
    next_attempt bigint NOT NULL,
    expires_at bigint NOT NULL,
    discard_reason text,
    wake text NOT NULL
  )`,
  `CREATE UNIQUE INDEX wake_outbox_open ON wake_outbox (wake_id) WHERE is_open = 1`,
  `CREATE INDEX wake_outbox_wake ON wake_outbox (wake_id)`,
  `CREATE INDEX wake_outbox_process ON wake_outbox (pk)`,
  `CREATE INDEX wake_outbox_group ON wake_outbox (target_scope, pk, sequence) WHERE state IN ('pending', 'enqueuing')`,
  `CREATE INDEX wake_outbox_due ON wake_outbox (next_attempt) WHERE state IN ('pending', 'enqueuing')`,

  `CREATE TABLE handle_grant (
    scope_id text COLLATE "C" NOT NULL,
    pk bigint NOT NULL,
    session_id text COLLATE "C" NOT NULL,
    descriptor text NOT NULL,
    PRIMARY KEY (scope_id, pk)
  )`,
  `CREATE INDEX handle_grant_process ON handle_grant (pk, session_id, scope_id)`,
  `CREATE INDEX handle_grant_session ON handle_grant (session_id)`,

  `CREATE TABLE tombstone (
    process_id text COLLATE "C" PRIMARY KEY,
    terminal_state text NOT NULL,
    pruned_at bigint NOT NULL,
    last_sequence bigint NOT NULL,
    last_fence bigint NOT NULL,
    compacted integer NOT NULL,
    change bigint NOT NULL
  )`,
  `CREATE INDEX tombstone_change ON tombstone (change)`,
  `CREATE INDEX tombstone_pruned_at ON tombstone (pruned_at) WHERE compacted = 0`,

  `CREATE TABLE child (pk bigint PRIMARY KEY, parent_id text COLLATE "C" NOT NULL, close_policy text NOT NULL)`,
  `CREATE INDEX child_parent ON child (parent_id)`,

  `CREATE TABLE debt (
    pk bigint PRIMARY KEY,
    parent_id text COLLATE "C" NOT NULL,
    action text NOT NULL,
    reason text NOT NULL,
    owed_at bigint NOT NULL
  )`,
  `CREATE INDEX debt_parent ON debt (parent_id)`,

  `CREATE TABLE environment (env_ref text COLLATE "C" PRIMARY KEY, body text NOT NULL)`,
  `CREATE TABLE promise (key_id text COLLATE "C" PRIMARY KEY, body text NOT NULL, token text NOT NULL)`,
  `CREATE TABLE definition (
    kind text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    hash text COLLATE "C" NOT NULL,
    body text NOT NULL,
    PRIMARY KEY (kind, version, hash)
  )`
]
