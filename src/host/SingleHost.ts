/**
 * A whole host in one OS process: a store, a worker with its keeper and sweep, and the door to them.
 *
 * Several such hosts may share one SQLite file: leases decide which of them runs a process.
 */
import * as Layer from "effect/Layer"
import type { InputInvalid, StoreError } from "../model/errors.ts"
import * as Awaiter from "../runtime/Awaiter.ts"
import * as ChangeHub from "../runtime/ChangeHub.ts"
import type { Runnable } from "../runtime/Engine.ts"
import * as Engines from "../runtime/Engines.ts"
import type { RuntimeOptions } from "../runtime/RuntimeConfig.ts"
import * as RuntimeConfig from "../runtime/RuntimeConfig.ts"
import * as Worker from "../runtime/Worker.ts"
import * as Activations from "../store/activations.ts"
import type { ChangeFeed } from "../store/ChangeFeed.ts"
import * as Changes from "../store/changes.ts"
import * as Executions from "../store/executions.ts"
import * as Grants from "../store/grants.ts"
import type { HandleGrants } from "../store/HandleGrants.ts"
import type { LeaseStore } from "../store/LeaseStore.ts"
import * as Leases from "../store/leases.ts"
import * as Liveness from "../store/liveness.ts"
import * as MemoryStore from "../store/memory/MemoryStore.ts"
import type { Observation } from "../store/Observation.ts"
import type { OwnerLiveness } from "../store/OwnerLiveness.ts"
import * as Observing from "../store/observing.ts"
import * as Outbox from "../store/outbox.ts"
import type { ProcessRegistry } from "../store/ProcessRegistry.ts"
import type { ProcessStore } from "../store/ProcessStore.ts"
import * as Pruning from "../store/pruning.ts"
import type { Retention } from "../store/Retention.ts"
import * as Registry from "../store/registry.ts"
import type { SqliteStoreOptions } from "../store/sqlite/SqliteStore.ts"
import * as SqliteStore from "../store/sqlite/SqliteStore.ts"
import type { WaitStore } from "../store/WaitStore.ts"
import type { WakeOutbox } from "../store/WakeOutbox.ts"
import * as Waits from "../store/waits.ts"
import * as Debts from "../supervision/Debts.ts"
import * as LeaseKeeper from "../supervision/LeaseKeeper.ts"
import * as Owner from "../supervision/Owner.ts"
import * as RecoverySweep from "../supervision/RecoverySweep.ts"
import * as TimerDriver from "../supervision/TimerDriver.ts"
import * as WakeDriver from "../supervision/WakeDriver.ts"
import * as WakeSink from "../supervision/WakeSink.ts"
import * as Host from "./Host.ts"
import * as Processes from "./Processes.ts"

/** What every host is told: what it can run, and how. */
export interface HostOptions<E extends ReadonlyArray<Runnable<unknown>>> extends RuntimeOptions {
  readonly engines: E
  /**
   * How wakes reach sessions. Without a sink they stay in the outbox, for a host that has one: nothing is discarded, and
   * processes that owe them are not pruned.
   *
   * @default WakeSink.layerNoop
   */
  readonly wakeSink?: Layer.Layer<WakeSink.WakeSink>
}

/** What a host offers. */
export type HostServices =
  | Processes.Processes
  | Host.Host
  | LeaseKeeper.LeaseKeeper
  | Owner.Owner
  | RecoverySweep.RecoverySweep
  | Debts.Debts
  | ProcessRegistry
  | LeaseStore
  | HandleGrants
  | WaitStore
  | Retention
  | ChangeFeed
  | Observation
  | OwnerLiveness
  | WakeOutbox
  | ProcessStore

/** What the engines of a host require. */
export type RequirementsOf<E extends ReadonlyArray<Runnable<unknown>>> = [E[number]] extends [never]
  ? never
  : E[number] extends Runnable<infer R>
    ? R
    : never

/**
 * A host whose processes outlive it, in one SQLite file.
 *
 * Requires what its engines require. Fails with `InputInvalid` (an option), or `StoreError` (the file is locked, damaged,
 * newer than this library, or not writable).
 *
 * @example docs/examples/01-hello.ts
 */
export const layerSqlite = <const E extends ReadonlyArray<Runnable<unknown>>>(
  options: SqliteStoreOptions & HostOptions<E>
): Layer.Layer<HostServices, InputInvalid | StoreError, RequirementsOf<E>> =>
  onStore(options, Liveness.layer).pipe(Layer.provideMerge(SqliteStore.layer(options)))

/** A host whose processes end with it. For tests, and for work that need not survive. */
export const layerMemory = <const E extends ReadonlyArray<Runnable<unknown>>>(
  options: HostOptions<E>
): Layer.Layer<HostServices, InputInvalid, RequirementsOf<E>> =>
  onStore(options, Liveness.layer).pipe(Layer.provideMerge(MemoryStore.layer))

/** A host on the store in context, with a choice of liveness evidence. */
export const onStore = <const E extends ReadonlyArray<Runnable<unknown>>>(
  options: HostOptions<E>,
  liveness: Layer.Layer<OwnerLiveness>
): Layer.Layer<Exclude<HostServices, ProcessStore>, InputInvalid, ProcessStore | RequirementsOf<E>> => {
  const engines = Engines.layer(options.engines as ReadonlyArray<Runnable<RequirementsOf<E>>>) // the union of what each requires
  const store = Layer.mergeAll(
    Registry.layer,
    Leases.layer,
    Activations.layer,
    Executions.layer,
    Grants.layer,
    Waits.layer,
    Pruning.layer,
    Changes.layer,
    Observing.layer,
    Outbox.layer
  ).pipe(Layer.provideMerge(liveness))
  const runtime = Worker.layer.pipe(
    Layer.provideMerge(Awaiter.layer),
    Layer.provideMerge(ChangeHub.layer),
    Layer.provideMerge(Layer.mergeAll(engines, RuntimeConfig.layer(options))),
    Layer.provideMerge(store)
  )
  return Layer.mergeAll(Processes.layer, Host.layer).pipe(
    Layer.provideMerge(
      Layer.mergeAll(RecoverySweep.layer, LeaseKeeper.layer, Owner.layer, TimerDriver.layer, Debts.layer)
    ),
    Layer.provide(WakeDriver.layer.pipe(Layer.provide(options.wakeSink ?? WakeSink.layerNoop))),
    Layer.provideMerge(runtime)
  )
}
