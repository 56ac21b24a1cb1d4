/**
 * What the tests of the SQLite store share: a temporary file, stores on it with all that is built on them, a raw connection.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
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
import type { SqliteStoreOptions } from "../../src/store/sqlite/SqliteStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"

/** A folder that is gone afterwards. */
export const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "holdfast-sqlite-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
)

/** A file name in a folder that is gone afterwards. */
export const temporaryFile = Effect.map(temporaryFolder, (folder) => join(folder, "store.db"))

/** Opens a store with everything that is built on it. */
export const open = (filename: string, options: Omit<SqliteStoreOptions, "filename"> = {}) =>
  Effect.gen(function* () {
    const store = yield* SqliteStore.make({ filename, synchronous: "NORMAL", ...options })
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

/** The fields of an error as plain data, so that some of them can be compared. */
export const fieldsOf = (error: object): Readonly<Record<string, unknown>> => ({ ...error })
