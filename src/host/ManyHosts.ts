/**
 * A host among others, on as many machines as there are: what `SingleHost` is on a file, on a schema of a PostgreSQL database.
 *
 * Leases decide which host runs a process. A host that dies loses its leases when they expire, and the others take over. The time is
 * the database's: hosts whose clocks differ agree on what has expired.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { InputInvalid, StoreError } from "../model/errors.ts"
import * as Liveness from "../operations/OwnerLiveness.ts"
import type { Runnable } from "../runtime/engine/Engine.ts"
import type { RunnableTool } from "../runtime/engine/Tool.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { PostgresStoreOptions } from "../store/postgres/PostgresStore.ts"
import * as PostgresStore from "../store/postgres/PostgresStore.ts"
import type { HostOptions, HostServices, RequirementsOf } from "./SingleHost.ts"
import * as SingleHost from "./SingleHost.ts"

/**
 * A host whose processes any other host on the same schema may go on with.
 *
 * Requires what its engines, tools and sessions require. Fails with `InputInvalid` (an option), or `StoreError` (the server is away
 * or too old, the schema newer than this library, a privilege missing).
 */
export const layerPostgres = <
  const E extends ReadonlyArray<Runnable<unknown>>,
  const T extends ReadonlyArray<RunnableTool<unknown>> = readonly [],
  S = never
>(
  options: PostgresStoreOptions & HostOptions<E, T, S>
): Layer.Layer<HostServices, InputInvalid | StoreError, RequirementsOf<E, T, S>> =>
  SingleHost.checking(SingleHost.knownTo(ofServer), options, (checked) =>
    Layer.unwrapScoped(
      Effect.map(PostgresStore.open(checked), ({ store, clock }) =>
        SingleHost.onStore(checked, Liveness.layer).pipe(
          Layer.provideMerge(Layer.succeed(ProcessStore, store)),
          Layer.provide(Layer.setClock(clock))
        )
      )
    )
  )

const ofServer: Readonly<Record<keyof PostgresStoreOptions, true>> = {
  url: true,
  sessionUrl: true,
  schema: true,
  connections: true,
  migrates: true,
  readOnly: true,
  mayLoseCommits: true,
  isCopying: true,
  patienceMs: true,
  time: true
}
