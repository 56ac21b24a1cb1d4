/**
 * Backs a database file up by SQLite's online backup, also while hosts write to it.
 *
 * Invariant: the destination is a whole file of one moment, or it is not there. What is there already is never replaced.
 */

import { randomUUID } from "node:crypto"
import { closeSync, existsSync, linkSync, openSync, rmSync } from "node:fs"
import type Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import { StoreError } from "../../model/errors.ts"
import { storeError } from "./failure.ts"
import * as Opening from "./opening.ts"
import * as WalMarker from "./walMarker.ts"

/** What a backup copied. */
export interface BackupReport {
  readonly bytes: number
}

/**
 * Copies what a file holds at this moment, its `-wal` included, into a new file of mode 0600. The file is only read.
 *
 * Fails with `StoreError`: the file cannot be read or is none of holdfast's, the destination exists or cannot be written.
 */
export const backup = (filename: string, destination: string): Effect.Effect<BackupReport, StoreError> =>
  Effect.scoped(
    Effect.gen(function* () {
      if (existsSync(destination)) return yield* exists(destination)
      const db = yield* Opening.toCopy(filename)
      const partial = `${destination}.${randomUUID()}.partial`
      yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(partial, { force: true })))
      const bytes = yield* Effect.tryPromise({
        try: async () => {
          closeSync(openSync(partial, "wx", 0o600))
          await inOneStep(db, partial)
          WalMarker.clear(partial)
          // Unlike a rename, a link never replaces what another program has made meanwhile.
          linkSync(partial, destination)
          return (
            (db.pragma("page_count", { simple: true }) as number) * (db.pragma("page_size", { simple: true }) as number)
          )
        },
        catch: (cause) =>
          existsSync(destination) ? exists(destination) : storeError(`back the database up to ${destination}`, cause)
      })
      return { bytes }
    })
  )

/** A backup in steps begins anew whenever another program commits: beside a busy host it would never end. */
const inOneStep = (db: Database.Database, destination: string) => db.backup(destination, { progress: () => allPages })

const allPages = 0x7fff_ffff

const exists = (destination: string): StoreError =>
  new StoreError({
    operation: "back the database up",
    reason: "unusable",
    written: "no",
    detail: `${destination} exists, and a backup replaces nothing: name another file`
  })
