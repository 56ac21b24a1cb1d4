/**
 * Databases and worlds for orders of events around a body.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { StoreError } from "../../src/model/errors.ts"
import { LeaseLost } from "../../src/model/errors.ts"
import type { ProcessId } from "../../src/model/ids.ts"
import { refuse } from "../../src/store/Decision.ts"
import * as MemoryStore from "../../src/store/memory/MemoryStore.ts"
import type { ProcessStore } from "../../src/store/ProcessStore.ts"
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

/** Changes what hosts are given as their store. */
export type Changed = (store: typeof ProcessStore.Service) => typeof ProcessStore.Service

/** Makes an empty world in memory whose hosts have the store so. */
export const makeWith = (changed: Changed): Effect.Effect<Worlds.World, never, Scope.Scope> =>
  Worlds.make(Effect.map(MemoryStore.make, (store) => Worlds.sharing(changed(store))))

/** As many writes to a process as `left` has are refused as if its lease were lost, though it is held. */
export const losing =
  (left: { writes: number }): Changed =>
  (store) => ({
    ...store,
    transact: (plan, decide) =>
      Effect.suspend(() =>
        left.writes > 0 && left.writes-- > 0
          ? store.transact(plan, () =>
              refuse(new LeaseLost({ processId: plan.lock[0] as ProcessId, fencingToken: 1, currentFence: 1 }) as never)
            ) // a refusal that it may have
          : store.transact(plan, decide)
      )
  })

/** Something happens between the commit that takes a lease again and the answer to it. Processes are changed elsewhere all the time. */
export const beforeReacquired =
  (happens: Effect.Effect<void, StoreError>): Changed =>
  (store) => ({
    ...store,
    externalChanges: Effect.map(
      Effect.orElseSucceed(store.listNonTerminal, () => []),
      (rows) => rows.map(({ base }) => base.registration.id)
    ),
    transact: (plan, decide) =>
      Effect.tap(store.transact(plan, decide), (answer) =>
        typeof answer === "object" && answer !== null && "leaseToken" in answer ? happens : Effect.void
      )
  })
