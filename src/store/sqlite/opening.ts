/**
 * How a database file is opened: to write, created and migrated where that is needed; or to read, where it lies or as a copy.
 *
 * ```
 * to read ─► in place ─► present schema ─────────────────────────────────────────► the file
 *               │        older ─► VACUUM INTO ─┐
 *               └ SQLite would write beside it ┴► private copy ─► migrated ──────► the copy, removed at the end
 * ```
 * Invariant: after a reader has closed it, the file has the bytes that it had, and nothing new lies beside it.
 */
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync
} from "node:fs"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqlClient from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { StoreError } from "../../model/errors.ts"

import { storeError } from "./failure.ts"
import { migrate, notHoldfast, refuseOlder, schemaVersion, versionOf } from "./schema.ts"
import { patience, realTime } from "./Writer.ts"
import * as WalMarker from "./walMarker.ts"

/** How a file is opened to write. Units: `timeoutMs` is how long another process's lock is waited for. */
export interface WriteOptions {
  readonly synchronous: "FULL" | "NORMAL"
  readonly migrates: boolean
  readonly timeoutMs: number
}

/** An open connection that only reads, and the file it reads. */
export interface Source {
  readonly db: Database.Database
  readonly filename: string
  /** Why a copy is read, as one sentence; absent when the file itself is read. */
  readonly copied?: string
}

/** Opens a file to write. A file that another process is opening at the same moment is waited for. */
export const toWrite = (
  filename: string,
  options: WriteOptions
): Effect.Effect<Database.Database, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* refuseWithoutWal(filename)
    const db = yield* open(filename, options)
    if (options.migrates) {
      yield* Effect.tapError(Effect.zipRight(migrated(filename), marking(db)), () => Effect.sync(() => closed(db)))
    }
    return db
  }).pipe(waiting(options.timeoutMs))

/** Opens a file to read. One that another process has locked for a moment is waited for. */
export const toRead = (filename: string): Effect.Effect<Source, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* refuseWithoutWal(filename)
    yield* leftAsItWas(filename)
    const version = yield* reading(() => versionInPlace(filename))
    if (version === schemaVersion) return { db: yield* connection(filename), filename }
    const copy = join(yield* privateFolder, basename(filename))
    yield* reading(() => (version === undefined ? copyFiles(filename, copy) : copyContent(filename, copy)))
    const before = yield* reading(() => withReader(copy, holdfastVersion))
    yield* migrated(copy)
    return { db: yield* connection(copy), filename: copy, copied: sentence(filename, before) }
  }).pipe(waiting(readersWaitMs))

/** Opens a file to copy it as it is, whatever its schema. One that cannot be read where it lies is copied with its `-wal`. */
export const toCopy = (filename: string): Effect.Effect<Database.Database, StoreError, Scope.Scope> =>
  Effect.gen(function* () {
    yield* refuseWithoutWal(filename)
    yield* leftAsItWas(filename)
    if ((yield* reading(() => versionInPlace(filename))) !== undefined) return yield* connection(filename)
    const copy = join(yield* privateFolder, basename(filename))
    yield* reading(() => copyFiles(filename, copy))
    yield* reading(() => withReader(copy, holdfastVersion))
    return yield* connection(copy)
  }).pipe(waiting(readersWaitMs))

/** How long another process's lock is waited for where a file is opened to read. Units: milliseconds. */
const readersWaitMs = 5_000

/** Tries again while another process has the file locked. SQLite's own wait would hold the event loop. */
const waiting =
  (timeoutMs: number) =>
  <A, R>(opening: Effect.Effect<A, StoreError, R>): Effect.Effect<A, StoreError, R> =>
    realTime(Effect.retry(opening, { while: (error) => error.reason === "busy", schedule: patience(timeoutMs) }))

/** A client of @effect/sql. It throws when it cannot open the file: that is an answer here, not a defect. */
export const client = (
  filename: string,
  { readonly }: { readonly readonly: boolean }
): Effect.Effect<SqlClient.SqlClient, StoreError, Scope.Scope> =>
  SqliteClient.make({ filename, readonly, disableWAL: readonly }).pipe(
    Effect.provide(Reactivity.layer),
    Effect.catchAllDefect((cause) => Effect.fail(storeError("open the database", cause)))
  )

const marking = (db: Database.Database): Effect.Effect<void, StoreError> =>
  Effect.try({
    try: () => WalMarker.set(db),
    catch: (cause) => {
      WalMarker.unset(db)
      return storeError("open the database", cause)
    }
  })

/** Refuses a copy that lacks the newest commits. A host that is opening the file has the marker set for moments only. */
const refuseWithoutWal = (filename: string): Effect.Effect<void, StoreError> =>
  Effect.suspend(() => {
    if (!isWritableFile(filename) || !WalMarker.isWalMissing(filename)) return Effect.void
    const looks = Effect.scoped(
      Effect.zipRight(
        leftAsItWas(filename),
        Effect.sync(() => WalMarker.isWalMissing(filename) && isMarked(filename))
      )
    )
    return Effect.flatMap(looks, (first) =>
      first
        ? realTime(Effect.delay(looks, "100 millis")).pipe(
            Effect.flatMap((still) => (still ? Effect.fail(WalMarker.refusal()) : Effect.void))
          )
        : Effect.void
    )
  })

/** A file that cannot be read says why when it is opened. */
const isMarked = (filename: string): boolean => {
  try {
    return withReader(filename, WalMarker.isSet)
  } catch {
    return false
  }
}

const migrated = (filename: string): Effect.Effect<void, StoreError> =>
  Effect.scoped(
    Effect.flatMap(client(filename, { readonly: false }), (sql) =>
      Effect.provideService(migrate, SqlClient.SqlClient, sql)
    )
  )

const open = (
  filename: string,
  { synchronous, migrates }: WriteOptions
): Effect.Effect<Database.Database, StoreError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        if (migrates) createFile(filename)
        // SQLite would open it to read, and leave a -wal beside it that the file's own user may not write.
        accessSync(filename, constants.W_OK)
        const db = new Database(filename, { timeout: 0, fileMustExist: !migrates })
        try {
          const version = versionOf(db)
          if (!migrates) refuseOlder(version)
          db.pragma("journal_mode = WAL")
          db.pragma(`synchronous = ${synchronous}`)
          db.pragma("foreign_keys = ON")
        } catch (cause) {
          closed(db)
          throw cause
        }
        return db
      },
      catch: (cause) => (cause instanceof StoreError ? cause : storeError("open the database", cause))
    }),
    (db) => Effect.sync(() => closed(db))
  )

/** Closes a connection that may write, once or again. What is killed within a checkpoint leaves the marker, which a close may move. */
const closed = (db: Database.Database): void => {
  if (db.open) WalMarker.unset(db)
  db.close()
}

/** SQLite would create a file that every user may read. It gives its -wal and -shm the mode of the file. */
const createFile = (filename: string): void => {
  makeFolder(dirname(filename))
  try {
    // Only a file that is missing is opened: to close one that a connection has open would drop that connection's locks.
    closeSync(openSync(filename, "wx", 0o600))
  } catch {
    // It exists; of whatever else is wrong, SQLite says it next.
  }
}

/** One level after the other: Node's recursive variant never returns below folders that refuse, such as /proc. */
const makeFolder = (folder: string): void => {
  if (existsSync(folder)) return
  makeFolder(dirname(folder))
  try {
    mkdirSync(folder, 0o700)
  } catch (cause) {
    // Two hosts may make it at once.
    if (!existsSync(folder)) throw cause
  }
}

/** Runs what reads a file; a file that cannot be read is no file that cannot be written. */
const reading = <A>(read: () => A): Effect.Effect<A, StoreError> =>
  Effect.try({
    try: read,
    catch: (cause) => {
      if (cause instanceof StoreError) return cause
      const { operation, reason, written, detail } = storeError("open the database", cause)
      const why = reason === "unusable" ? "the file cannot be read; check that it exists, and its permissions" : detail
      return new StoreError({ operation, reason, written, detail: why, cause })
    }
  })

const connection = (filename: string): Effect.Effect<Database.Database, StoreError, Scope.Scope> =>
  Effect.acquireRelease(
    reading(() => new Database(filename, { readonly: true, fileMustExist: true })),
    (db) => Effect.sync(() => db.close())
  )

/** Looks into a file at once: it fails as busy where another process has the file locked. */
const withReader = <A>(filename: string, use: (db: Database.Database) => A): A => {
  const db = new Database(filename, { readonly: true, fileMustExist: true, timeout: 0 })
  try {
    return use(db)
  } finally {
    db.close()
  }
}

const holdfastVersion = (db: Database.Database): number => {
  const version = versionOf(db)
  if (version === 0) throw notHoldfast()
  return version
}

/** The schema version of a file that can be read where it lies; otherwise `undefined`. */
const versionInPlace = (filename: string): number | undefined => {
  if (!isReadableInPlace(filename)) return undefined
  try {
    return withReader(filename, holdfastVersion)
  } catch (cause) {
    if (cause instanceof StoreError || storeError("", cause).reason !== "unusable") throw cause
    return undefined
  }
}

/**
 * A reader uses the -shm of the program that has the file open, or that crashed. Without one it makes the files itself, which
 * only a user may do who may write the file: to the host they would belong to another user, and it could not start.
 */
const isReadableInPlace = (filename: string): boolean =>
  existsSync(`${filename}-shm`) || (!existsSync(`${filename}-wal`) && isWritableFile(filename))

const isWritableFile = (filename: string): boolean => {
  try {
    accessSync(filename, constants.W_OK)
    return statSync(filename).isFile()
  } catch {
    return false
  }
}

/** SQLite removes its -wal and -shm when the last connection closes, but not when that is one that only reads. */
const leftAsItWas = (filename: string): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => existsSync(`${filename}-wal`)),
      (existed) => Effect.sync(() => (existed ? undefined : removeEmptyWal(filename)))
    )
  )

const removeEmptyWal = (filename: string): void => {
  try {
    // One that is not empty is the work of a host that came meanwhile.
    if (statSync(`${filename}-wal`).size > 0) return
    const db = new Database(filename, { timeout: 0, fileMustExist: true })
    try {
      db.prepare("SELECT 1 FROM sqlite_schema").get()
    } finally {
      db.close()
    }
  } catch {
    // There is none, or another program has the file open: the files are that program's.
  }
}

/** A folder of this user's, with mode 0700. It is removed with the scope, or by an exit that closes no scope. */
const privateFolder: Effect.Effect<string, StoreError, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    reading(() => {
      const folder = mkdtempSync(join(tmpdir(), "holdfast-copy-"))
      const remove = () => rmSync(folder, { recursive: true, force: true })
      process.once("exit", remove)
      return { folder, remove }
    }),
    ({ remove }) =>
      Effect.sync(() => {
        process.off("exit", remove)
        remove()
      })
  ),
  ({ folder }) => folder
)

/** What the -wal holds belongs to the content. */
const copyFiles = (from: string, to: string): void => {
  for (const suffix of ["", "-wal"]) {
    if (suffix !== "" && !existsSync(from + suffix)) continue
    copyFileSync(from + suffix, to + suffix)
    chmodSync(to + suffix, 0o600)
  }
  if (WalMarker.isWalMissing(from) && isMarked(to)) throw WalMarker.refusal()
}

/** One transaction that reads: also of a file that a host writes to meanwhile. */
const copyContent = (from: string, to: string): void => {
  withReader(from, (db) => db.prepare("VACUUM INTO ?").run(to))
}

const sentence = (filename: string, version: number): string => {
  const why =
    version === schemaVersion
      ? "cannot be opened without writing beside it"
      : `has schema version ${version}, and this version reads ${schemaVersion}`
  return `${filename} ${why}: a private copy is read, and later changes of the file are not seen`
}
