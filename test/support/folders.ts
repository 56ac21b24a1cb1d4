/**
 * Folders for tests, which go with the scope of their test. Every file of a store that is left in one is verified before it goes:
 * what no test looked at must be what its logs fold to, too.
 */
import { closeSync, mkdtempSync, openSync, readdirSync, readSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import Database from "better-sqlite3"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { verify } from "../../src/operations/verify.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"

/** A folder whose files nothing holds any more when the scope closes. */
export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-"))),
  (folder) => remove(folder)
)

/** A folder for files that a test damages on purpose, or leaves half written: none of them is verified. */
export const damagedFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-damaged-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** A file name in such a folder. */
export const temporaryFile: Effect.Effect<string, never, Scope.Scope> = Effect.map(temporaryFolder, (folder) =>
  join(folder, "store.db")
)

/** The name of a file that a test damages on purpose. */
export const damagedFile: Effect.Effect<string, never, Scope.Scope> = Effect.map(damagedFolder, (folder) =>
  join(folder, "store.db")
)

/** Verifies the stores in a folder, and removes it in any case. Dies of the first that is not what its logs fold to. */
export const remove = (folder: string): Effect.Effect<void> =>
  Effect.ensuring(
    Effect.suspend(() => Effect.forEach(storesIn(folder), verified, { discard: true })),
    Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

const verified = (filename: string): Effect.Effect<void> =>
  verify().pipe(
    Effect.provide(SqliteStore.layerReadOnly({ filename })),
    Effect.withClock(Clock.make()),
    Effect.orDieWith((error) => new Error(`${filename} cannot be verified: ${error.message}`)),
    Effect.flatMap(({ differences }) =>
      differences.length === 0
        ? Effect.void
        : Effect.dieMessage(`${filename} is not what its logs fold to: ${JSON.stringify(differences.slice(0, 3))}`)
    )
  )

const storesIn = (folder: string): ReadonlyArray<string> =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : storesIn(path)
    return entry.isFile() && isDatabase(path) && isStore(path) ? [path] : []
  })

const magic = "SQLite format 3\0"

const isDatabase = (filename: string): boolean => {
  const bytes = Buffer.alloc(magic.length)
  const file = openSync(filename, "r")
  try {
    readSync(file, bytes)
  } finally {
    closeSync(file)
  }
  return bytes.toString("latin1") === magic
}

const isStore = (filename: string): boolean => {
  const db = new Database(filename, { readonly: true })
  try {
    return db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'holdfast_migrations'").get() !== undefined
  } finally {
    db.close()
  }
}
