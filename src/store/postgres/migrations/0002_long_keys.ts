/**
 * The second schema: a replay key, or the name of a step, of any length.
 *
 * A row of an index has at most 2,704 bytes. Such keys are made of ids and names, and of several of them: they are looked up by two
 * hashes, which together no two keys of a process share. Ids themselves are bounded (`maxIdBytes`).
 */

/** Brings a schema of version 1 to version 2. */
export const statements: ReadonlyArray<string> = [
  "DROP INDEX event_replay",
  `CREATE UNIQUE INDEX event_replay ON event (pk, hashtextextended(replay_key, 0), hashtextextended(replay_key, 1))
    WHERE replay_key IS NOT NULL`,
  "ALTER TABLE progress DROP CONSTRAINT progress_pkey",
  "CREATE UNIQUE INDEX progress_key ON progress (pk, hashtextextended(key, 0), hashtextextended(key, 1))",
  // A process has few grants: its number finds them.
  "DROP INDEX handle_grant_process",
  "CREATE INDEX handle_grant_process ON handle_grant (pk)"
]
