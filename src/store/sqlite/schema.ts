/**
 * Brings a database file to the present schema, or refuses one that a newer library wrote.
 */
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import type { Database } from "better-sqlite3"
import * as Effect from "effect/Effect"
import { StoreError } from "../../model/errors.ts"
import { newerSchema, unusable } from "../sql/schema.ts"
import { storeError } from "./failure.ts"
import * as Processes from "./migrations/0001_processes.ts"
import * as Wakes from "./migrations/0002_wakes.ts"
import * as Children from "./migrations/0003_children.ts"
import * as Environments from "./migrations/0004_environments.ts"
import * as Progress from "./migrations/0005_progress.ts"
import * as Definitions from "./migrations/0006_definitions.ts"

const table = "holdfast_migrations"

const migrations: ReadonlyArray<Migrator.ResolvedMigration> = [
  [1, "processes", Effect.succeed(Processes.migration)],
  [2, "wakes", Effect.succeed(Wakes.migration)],
  [3, "children", Effect.succeed(Children.migration)],
  [4, "environments", Effect.succeed(Environments.migration)],
  [5, "progress", Effect.succeed(Progress.migration)],
  [6, "definitions", Effect.succeed(Definitions.migration)]
]

/** The newest schema this library knows. */
export const schemaVersion: number = Math.max(...migrations.map(([version]) => version))

/**
 * Migrates to {@link schemaVersion}.
 *
 * Fails with `StoreError`: `newer_schema` when a newer library wrote the file (use that one, or another file), or what the
 * database answered.
 */
export const migrate: Effect.Effect<void, StoreError, SqlClient.SqlClient> = Effect.gen(function* () {
  const before = yield* presentVersion
  if (before > schemaVersion) return yield* newerSchema(before, schemaVersion)
  if (before === schemaVersion) return
  yield* Migrator.make({})({ loader: Effect.succeed(migrations), table }).pipe(
    Effect.catchAllDefect((cause) => Effect.fail(cause)),
    Effect.mapError((cause) => storeError("migrate the schema", cause))
  )
  // The migrator takes any refused write for another migrator at work, so the version is read again.
  const after = yield* presentVersion
  if (after !== schemaVersion) {
    return yield* new StoreError({
      operation: "migrate the schema",
      reason: "busy",
      written: "no",
      detail: `another process is migrating it (it is at version ${after}, not ${schemaVersion}): try again`
    })
  }
})

/**
 * The schema version of a file; 0 where holdfast has created nothing yet. Refuses a file of a newer library, before anything
 * in it is touched. Throws what the database throws.
 */
export const versionOf = (db: Database): number => {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?").get(table) === undefined) return 0
  const version = db.prepare(`SELECT max(migration_id) FROM ${table}`).pluck().get() as number | null
  if ((version ?? 0) > schemaVersion) throw newerSchema(version ?? 0, schemaVersion)
  return version ?? 0
}

/** Refuses a file that only a migration makes usable: its host may be of the version before. */
export const refuseOlder = (version: number): void => {
  if (version === schemaVersion) return
  throw version === 0
    ? notHoldfast()
    : unusable(
        `it has schema version ${version}, and this version writes ${schemaVersion}: the first host of this version that ` +
          `opens it migrates it; until then, use the command line of the version that its host has`
      )
}

/** What a file is refused with that holds nothing of holdfast's. */
export const notHoldfast = (): StoreError => unusable("it is no holdfast database")

const presentVersion: Effect.Effect<number, StoreError, SqlClient.SqlClient> = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const [exists] = yield* sql`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ${table}`
  if (exists === undefined) return 0
  const [row] = yield* sql<{ readonly version: number | null }>`SELECT max(migration_id) AS version FROM ${sql(table)}`
  return row?.version ?? 0
}).pipe(Effect.mapError((cause) => storeError("read the schema version", cause)))
