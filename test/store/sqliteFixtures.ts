/**
 * What the tests of the SQLite store share: a temporary file, stores on it with all that is built on them, a raw connection.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as Migrator from "@effect/sql/Migrator"
import * as SqlClient from "@effect/sql/SqlClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import Database from "better-sqlite3"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ProcessId } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import * as Activations from "../../src/operations/Activations.ts"
import { external } from "../../src/operations/decisions/authority.ts"
import * as Leases from "../../src/operations/Leases.ts"
import * as OwnerEvidence from "../../src/operations/OwnerLiveness.ts"
import { OwnerLiveness } from "../../src/operations/OwnerLiveness.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as Processes from "../../src/store/sqlite/migrations/0001_processes.ts"
import * as Wakes from "../../src/store/sqlite/migrations/0002_wakes.ts"
import * as Children from "../../src/store/sqlite/migrations/0003_children.ts"
import type { SqliteStoreOptions } from "../../src/store/sqlite/SqliteStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"

export { damagedFile, damagedFolder, temporaryFile, temporaryFolder } from "../support/folders.ts"

/** What arrives together is one group, however slow the machine is. */
export const wholeGroups = { maxBatchMs: 3_600_000 }

/** Opens a store with everything that is built on it. */
export const open = (filename: string, options: Omit<SqliteStoreOptions, "filename"> = {}) =>
  Effect.gen(function* () {
    const store = yield* SqliteStore.make({
      filename,
      synchronous: "NORMAL",
      ...options,
      writer: { ...wholeGroups, ...options.writer }
    })
    const registry = yield* Effect.provideService(Registry.make, ProcessStore, store)
    const activations = yield* Effect.provideService(Activations.make, ProcessStore, store)
    const leases = yield* Leases.make.pipe(
      Effect.provideService(ProcessStore, store),
      Effect.provideService(OwnerLiveness, OwnerEvidence.make(OwnerEvidence.unknowing))
    )
    return {
      store,
      registry,
      activations,
      leases,
      register: (id: string) => registry.registerProcess(registrationOf(processId(id), "rerunnable")),
      note: (id: string, payload: unknown, replayKey?: string) =>
        Effect.map(
          registry.appendEvent(
            processId(id),
            { eventType: "note", payload, ...(replayKey === undefined ? {} : { replayKey }) },
            external
          ),
          ({ event }) => event
        ),
      sequences: (id: ProcessId) => Effect.map(store.eventsAfter(id, 0), (log) => log.map((event) => event.sequence)),
      /** Runs what needs a store on this one. */
      on: <A, E>(effect: Effect.Effect<A, E, ProcessStore>) => Effect.provideService(effect, ProcessStore, store)
    }
  })

/** A connection of somebody else's. */
export const raw = (filename: string): Effect.Effect<Database.Database, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => new Database(filename)),
    (db) => Effect.sync(() => db.close())
  )

/** Writes what a file of the present schema holds into a new file of schema version 3, as an older library leaves it. */
export const writeAsVersion3 = (filename: string, older: string): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const sql = yield* SqliteClient.make({ filename: older })
    yield* Migrator.make({})({
      loader: Effect.succeed([
        [1, "processes", Effect.succeed(Processes.migration)],
        [2, "wakes", Effect.succeed(Wakes.migration)],
        [3, "children", Effect.succeed(Children.migration)]
      ]),
      table: "holdfast_migrations"
    }).pipe(Effect.provideService(SqlClient.SqlClient, sql))
    const db = yield* raw(older)
    db.pragma("foreign_keys = OFF")
    db.prepare("ATTACH ? AS present").run(filename)
    const tables = db
      .prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
      .pluck()
      .all() as ReadonlyArray<string>
    for (const table of tables.filter((name) => name !== "holdfast_migrations")) {
      db.exec(`DELETE FROM main.${table}; INSERT INTO main.${table} SELECT * FROM present.${table}`)
    }
  }).pipe(Effect.provide(Reactivity.layer), Effect.scoped)

/** The files of a folder with their content. A -shm is an index that readers share, so only its name counts. */
export const contentOf = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map((name) => [name, name.endsWith("-shm") ? "" : readFileSync(join(folder, name)).toString("base64")])
  )

/** The fields of an error as plain data, so that some of them can be compared. */
export const fieldsOf = (error: object): Readonly<Record<string, unknown>> => ({ ...error })
