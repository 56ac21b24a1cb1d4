/**
 * Databases and worlds for orders of events around a body.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { JournalEntry } from "../../src/model/JournalEntry.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import * as PostgresStore from "../../src/store/postgres/PostgresStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import * as Worlds from "../../src/testing/bodies/World.ts"

import { temporaryFolder } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"

export type { Life, World } from "../../src/testing/bodies/World.ts"

/** A database in a file of its own; every host opens it anew. */
const inFile: Worlds.Database = Effect.map(temporaryFolder, (folder) =>
  Layer.orDie(SqliteStore.layer({ filename: `${folder}/bodies.db`, synchronous: "NORMAL" }))
)

/** A schema of a server. The time is the world's. */
const onServer: Worlds.Database = Object.assign(
  Effect.map(Postgres.freshSchema, (where) => Layer.orDie(PostgresStore.layer({ ...where, time: "host" }))),
  { isBusy: Postgres.isBusy }
)

/** The databases that bodies are tried on. */
export const databases: Readonly<Record<"memory" | "sqlite" | "postgres", Worlds.Database>> = {
  memory: Worlds.inMemory,
  sqlite: inFile,
  postgres: onServer
}

/** Makes an empty world in memory. */
export const make: Effect.Effect<Worlds.World, never, Scope.Scope> = Worlds.make(Worlds.inMemory)

/** Makes an empty world in memory whose hosts read each entry of a journal in another way. */
export const readingAs = (
  read: (entry: JournalEntry) => JournalEntry
): Effect.Effect<Worlds.World, never, Scope.Scope> =>
  Worlds.make(
    Effect.map(MemoryStore.make, (store) =>
      Worlds.sharing({
        ...store,
        execution: {
          ...store.execution,
          journal: (id, page) => Effect.map(store.execution.journal(id, page), (entries) => entries.map(read))
        }
      })
    )
  )
