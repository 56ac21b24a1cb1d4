/**
 * The marker by which a file says that it was copied without its `-wal`, which holds the newest commits.
 *
 * ```
 * a host opens, or the -wal is long ─► marker set ─► checkpoint: the file alone has it ─► marker unset: a commit in the -wal
 * ```
 * Only the file alone shows it: whatever reads it with its `-wal` sees none, but for the moment of a checkpoint. SQLite's own
 * checkpoints would take it away, so a writer makes them itself. One that a reader holds up leaves the file without it.
 */
import { closeSync, fsyncSync, openSync, statSync, writeSync } from "node:fs"
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

/** How soon one is tried again whose checkpoint a reader held up; each pause is twice the one before. Units: pages. */
const firstPause = 50

/** The checkpoints of a writer's connection. */
export interface Checkpoints {
  /** To be called inside each transaction: it takes back a marker that could not be taken back before. */
  readonly begun: () => void
  /** To be called after each commit. It never fails: what another program's lock refuses is tried again after the next one. */
  readonly committed: () => void
}

/** Makes the checkpoints of a connection in place of SQLite. */
export const checkpoints = (db: Database.Database): Checkpoints => {
  db.pragma("wal_autocheckpoint = 0")
  const lengthOf = db.prepare("PRAGMA wal_checkpoint(NOOP)")
  const length = (): number => (lengthOf.get() as { readonly log: number }).log // what this pragma answers
  let last = 0
  let dueAt = longWal
  let pause = firstPause
  let isLeft = false
  return {
    begun: () => {
      if (isLeft) db.pragma("user_version = 0")
    },
    committed: () => {
      isLeft = false
      try {
        const now = length()
        // It begins anew after all of it has been moved.
        if (now < last) dueAt = longWal
        last = now
        if (now < dueAt) return
        checkpointed(db, "PASSIVE")
        const rest = length()
        const isWhole = rest < longWal
        dueAt = isWhole ? longWal : rest + pause
        pause = isWhole ? firstPause : Math.min(2 * pause, longWal)
      } catch {
        isLeft = !unset(db)
      }
    }
  }
}

/** Takes the marker back where a failure left it. Answers whether it is gone: it is not while another program has the lock. */
export const unset = (db: Database.Database): boolean => {
  try {
    if (isSet(db)) db.pragma("user_version = 0")
    return true
  } catch {
    return false
  }
}

/** Takes the marker out of a file that no connection has open, such as a copy that SQLite has made in the midst of a checkpoint. */
export const clear = (filename: string): void => {
  const file = openSync(filename, "r+")
  try {
    writeSync(file, Buffer.alloc(4), 0, 4, placeInHeader)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** Where `user_version` is in a database file. Units: bytes. */
const placeInHeader = 60

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
      "with holdfast backup. If another program, such as sqlite3, has closed it after a crash, it is whole: " +
      "PRAGMA user_version = 0 opens it"
  })
