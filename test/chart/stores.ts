/**
 * Tests of charts on each store: in memory, on a file, and on a database.
 */
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import type { ProcessStore } from "../../src/store/ProcessStore.ts"
import * as SqliteStore from "../../src/store/sqlite/SqliteStore.ts"
import { bounded, temporaryFolder } from "../support/hosts.ts"
import * as Postgres from "../support/postgres.ts"
import { isLong } from "../support/samples.ts"

/** A short run has about every second test on a database, too, and the same ones each time; a long one has all. */
const isOnDatabase = (title: string): boolean =>
  Postgres.hasPostgres && (isLong || [...title].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 2 === 1)

/** Runs a test on each store. */
export const onEachStore = <E>(
  title: string,
  test: () => Effect.Effect<unknown, E, ProcessStore | Scope.Scope>
): void => {
  const stores = {
    "in memory": MemoryStore.layer,
    "on a file": Layer.unwrapScoped(
      Effect.map(temporaryFolder, (folder) => SqliteStore.layer({ filename: `${folder}/charts.db` }))
    ),
    ...(isOnDatabase(title) ? { "on a database": Postgres.layer() } : {})
  } as const
  for (const [name, store] of Object.entries(stores)) {
    it.live(`${title}, ${name}`, () =>
      bounded(Effect.scoped(Effect.provide(test(), store as typeof MemoryStore.layer)))
    )
  }
}
