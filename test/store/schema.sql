-- The schema of a fresh SQLite store. Written by `npm run codegen`.

CREATE TABLE child (
  pk INTEGER PRIMARY KEY REFERENCES process (pk),
  parent_id TEXT NOT NULL,
  close_policy TEXT NOT NULL
) STRICT;

CREATE TABLE debt (
  pk INTEGER PRIMARY KEY REFERENCES process (pk),
  parent_id TEXT NOT NULL,
  action TEXT NOT NULL,
  reason TEXT NOT NULL,
  owed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE environment (
  env_ref TEXT PRIMARY KEY,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
  pk INTEGER NOT NULL REFERENCES process (pk),
  sequence INTEGER NOT NULL,
  event_type TEXT NOT NULL,
  replay_key TEXT,
  occurred_at INTEGER NOT NULL,
  payload TEXT NOT NULL,
  semantics TEXT,
  wakes INTEGER,
  PRIMARY KEY (pk, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE event_types (
  hash TEXT PRIMARY KEY,
  body TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE handle_grant (
  scope_id TEXT NOT NULL,
  pk INTEGER NOT NULL REFERENCES process (pk),
  session_id TEXT NOT NULL,
  descriptor TEXT NOT NULL,
  PRIMARY KEY (scope_id, pk)
) STRICT, WITHOUT ROWID;

CREATE TABLE "holdfast_migrations" (
  migration_id integer PRIMARY KEY NOT NULL,
  created_at datetime NOT NULL DEFAULT current_timestamp,
  name VARCHAR(255) NOT NULL
);

CREATE TABLE journal (
  pk INTEGER NOT NULL REFERENCES process (pk),
  key TEXT NOT NULL,
  position INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  operation TEXT NOT NULL,
  at INTEGER NOT NULL,
  outcome TEXT NOT NULL,
  PRIMARY KEY (pk, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE lease (
  pk INTEGER PRIMARY KEY REFERENCES process (pk),
  lease_token TEXT NOT NULL,
  owner_id TEXT NOT NULL,
  incarnation_id TEXT NOT NULL,
  liveness TEXT NOT NULL,
  claimed_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  due_at INTEGER,
  keeper TEXT
) STRICT;

CREATE TABLE process (
  pk INTEGER PRIMARY KEY AUTOINCREMENT,
  process_id TEXT NOT NULL UNIQUE,
  registration_hash TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  event_types TEXT NOT NULL REFERENCES event_types (hash),
  definition TEXT,
  registration TEXT NOT NULL
) STRICT;

CREATE TABLE progress (
  pk INTEGER NOT NULL REFERENCES process (pk),
  key TEXT NOT NULL,
  at INTEGER NOT NULL,
  detail TEXT NOT NULL,
  PRIMARY KEY (pk, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE promise (
  key_id TEXT PRIMARY KEY,
  body TEXT NOT NULL,
  token TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE state (
  pk INTEGER PRIMARY KEY REFERENCES process (pk),
  sequence INTEGER NOT NULL,
  machine_version TEXT NOT NULL,
  lifecycle TEXT NOT NULL,
  fencing_token INTEGER NOT NULL,
  due_at INTEGER,
  change INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  process_id TEXT NOT NULL,
  wake_session TEXT,
  back_off TEXT,
  deadline INTEGER,
  snapshot TEXT NOT NULL
) STRICT;

CREATE TABLE store (
  store_id TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;

CREATE TABLE tombstone (
  process_id TEXT PRIMARY KEY,
  terminal_state TEXT NOT NULL,
  pruned_at INTEGER NOT NULL,
  last_sequence INTEGER NOT NULL,
  last_fence INTEGER NOT NULL,
  compacted INTEGER NOT NULL,
  change INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE wake_ack (
  pk INTEGER NOT NULL REFERENCES process (pk),
  sequence INTEGER NOT NULL,
  PRIMARY KEY (pk, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE wake_outbox (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  wake_id TEXT NOT NULL,
  target_scope TEXT NOT NULL,
  pk INTEGER NOT NULL REFERENCES process (pk),
  sequence INTEGER NOT NULL,
  state TEXT NOT NULL,
  is_open INTEGER NOT NULL,
  claim_token TEXT,
  attempts INTEGER NOT NULL,
  first_attempt INTEGER,
  next_attempt INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  discard_reason TEXT,
  wake TEXT NOT NULL
) STRICT;

CREATE INDEX child_parent ON child (parent_id);

CREATE INDEX debt_parent ON debt (parent_id);

CREATE UNIQUE INDEX event_replay ON event (pk, replay_key) WHERE replay_key IS NOT NULL;

CREATE INDEX event_wake ON event (pk, sequence) WHERE wakes IS NOT NULL;

CREATE INDEX handle_grant_process ON handle_grant (pk, session_id, scope_id);

CREATE INDEX handle_grant_session ON handle_grant (session_id);

CREATE UNIQUE INDEX state_change ON state (change);

CREATE INDEX state_deadline ON state (deadline) WHERE deadline IS NOT NULL;

CREATE INDEX state_due ON state (due_at) WHERE due_at IS NOT NULL;

CREATE INDEX state_running ON state (process_id) WHERE lifecycle = 'running';

CREATE INDEX state_unsuccessful ON state (lifecycle, process_id)
WHERE lifecycle IN ('failed', 'cancelled', 'abandoned');

CREATE INDEX state_wake_session ON state (wake_session) WHERE wake_session IS NOT NULL;

CREATE INDEX tombstone_change ON tombstone (change);

CREATE INDEX tombstone_pruned_at ON tombstone (pruned_at) WHERE compacted = 0;

CREATE INDEX wake_outbox_due ON wake_outbox (next_attempt) WHERE state IN ('pending', 'enqueuing');

CREATE INDEX wake_outbox_group ON wake_outbox (target_scope, pk, sequence) WHERE state IN ('pending', 'enqueuing');

CREATE UNIQUE INDEX wake_outbox_open ON wake_outbox (wake_id) WHERE is_open = 1;

CREATE INDEX wake_outbox_process ON wake_outbox (pk);

CREATE INDEX wake_outbox_wake ON wake_outbox (wake_id);
