/**
 * The marker by which a file says that it was copied without its `-wal`, which holds the newest commits.
 *
 * ```
 * a host opens, or the -wal is long ─► marker set ─► checkpoint: the file alone has it ─► marker unset: a commit in the -wal
 * ```
 * Invariant: whatever reads the file with its `-wal` sees no marker, so only a copy of the file alone shows it. SQLite's own
 * checkpoints would take the marker away: a writer makes them itself. One that a reader holds up leaves the file without it.
 */
import { statSync } from "node:fs"
import type Database from "better-sqlite3"
import { StoreError } from "../../model/errors.ts"

/** `user_version` in the header, which nothing else uses: older libraries leave it as it is. */
const marked = 0x4866

/** Sets the marker in the file alone. Throws what the database throws; then {@link unset} is due. */
export const set = (db: Database.Database): void => checkpointed(db, "TRUNCATE")

const checkpointed = (db: Database.Database, how: "TRUNCATE" | "PASSIVE"): void => {
  db.pragma(`user_version = ${marked}`)
  db.pragma(`wal_checkpoint(${how})`)
  db.pragma("user_version = 0")
}

/** The length of a `-wal` at which SQLite moves it into the file, and this library too. Units: pages, of 4 kB. */
const longWal = 1_000

/**
 * Makes the checkpoints of a writer's connection, in place of SQLite: to be called after each commit.
 *
 * It never fails: what the database refuses is tried again once the `-wal` is longer.
 */
export const checkpoints = (db: Database.Database): (() => void) => {
  db.pragma("wal_autocheckpoint = 0")
  const lengthOf = db.prepare("PRAGMA wal_checkpoint(NOOP)")
  const length = (): number => (lengthOf.get() as { readonly log: number }).log // what this pragma answers
  let dueAt = longWal
  return () => {
    try {
      if (length() < dueAt) return
      checkpointed(db, "PASSIVE")
    } catch {
      unset(db)
    }
    // Where a reader held it up, the rest waits until it is worth the trouble.
    dueAt = lengthAfter(length) + longWal
  }
}

const lengthAfter = (length: () => number): number => {
  try {
    return length()
  } catch {
    return 0
  }
}

/** Takes the marker back where a failure left it, so that a file that is closed as it should be never shows it. */
export const unset = (db: Database.Database): void => {
  try {
    if (isSet(db)) db.pragma("user_version = 0")
  } catch {
    // Another program has the lock, and with it the file: it unsets the marker when it opens the file the next time.
  }
}

/** Whether what a connection sees has the marker. */
export const isSet = (db: Database.Database): boolean => db.pragma("user_version", { simple: true }) === marked

/** Whether no `-wal` lies beside a file, or one that a reader left there. */
export const isWalMissing = (filename: string): boolean => {
  const wal = statSync(`${filename}-wal`, { throwIfNoEntry: false })
  const shm = statSync(`${filename}-shm`, { throwIfNoEntry: false })
  return wal === undefined || (wal.size === 0 && shm === undefined)
}

/** What such a copy is refused with. */
export const refusal = (): StoreError =>
  new StoreError({
    operation: "open the database",
    reason: "unusable",
    written: "no",
    detail:
      "it was copied without its -wal file, which holds the newest commits: put that file beside it, or copy a database " +
      "with holdfast backup"
  })
