/**
 * A whole host in one OS process: a store, a worker with its lease renewer and sweep, and the services of callers.
 *
 * Several such hosts may share one SQLite file: leases decide which of them runs a process.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { EnvironmentSpec } from "../model/Environment.ts"
import type { InputInvalid, StoreError } from "../model/errors.ts"
import * as Activations from "../operations/Activations.ts"
import * as Executions from "../operations/BodyWrites.ts"
import type { ChangeFeed } from "../operations/ChangeFeed.ts"
import * as Changes from "../operations/ChangeFeed.ts"
import * as Charts from "../operations/Charts.ts"
import { Limits } from "../operations/checks.ts"
import * as Environments from "../operations/Environments.ts"
import type { HandleGrants } from "../operations/HandleGrants.ts"
import * as Grants from "../operations/HandleGrants.ts"
import * as Leases from "../operations/Leases.ts"
import type { Observation } from "../operations/Observation.ts"
import * as Observing from "../operations/Observation.ts"
import type { OwnerLiveness } from "../operations/OwnerLiveness.ts"
import * as Liveness from "../operations/OwnerLiveness.ts"
import type { ProcessRegistry } from "../operations/ProcessRegistry.ts"
import * as Registry from "../operations/ProcessRegistry.ts"
import type { Retention } from "../operations/Retention.ts"
import * as Pruning from "../operations/Retention.ts"
import * as Waits from "../operations/Waits.ts"
import type { WakeOutbox } from "../operations/WakeOutbox.ts"
import * as Outbox from "../operations/WakeOutbox.ts"
import * as Arguments from "../runtime/arguments.ts"
import * as Awaiter from "../runtime/client/Awaiter.ts"
import * as ChangeHub from "../runtime/client/ChangeHub.ts"
import * as Promises from "../runtime/client/Promises.ts"
import type { Runnable } from "../runtime/engine/Engine.ts"
import * as Engines from "../runtime/engine/EngineRegistry.ts"
import type { SessionRunner } from "../runtime/engine/SessionTurn.ts"
import type { RunnableTool } from "../runtime/engine/Tool.ts"
import * as Tools from "../runtime/engine/ToolCatalog.ts"
import * as HostEnvironment from "../runtime/HostEnvironment.ts"
import type { Durability } from "../runtime/HostServices.ts"
import { requireDurable } from "../runtime/HostServices.ts"
import type { RuntimeOptions } from "../runtime/RuntimeConfig.ts"
import * as RuntimeConfig from "../runtime/RuntimeConfig.ts"
import * as ChartLog from "../runtime/worker/ChartLog.ts"
import * as Working from "../runtime/worker/Worker.ts"
import * as MemoryStore from "../store/memory/MemoryStore.ts"
import type { ProcessStore } from "../store/ProcessStore.ts"
import type { SqliteStoreOptions } from "../store/sqlite/SqliteStore.ts"
import * as SqliteStore from "../store/sqlite/SqliteStore.ts"
import * as LeaseRenewer from "../supervision/LeaseRenewer.ts"
import * as Owner from "../supervision/Owner.ts"
import * as ParentClose from "../supervision/ParentClose.ts"
import * as RecoverySweep from "../supervision/RecoverySweep.ts"
import * as TimerDriver from "../supervision/TimerDriver.ts"
import * as WakeDriver from "../supervision/WakeDriver.ts"
import * as WakeSink from "../supervision/WakeSink.ts"
import * as WorkDriver from "../supervision/WorkDriver.ts"
import * as Host from "./Host.ts"
import * as ProcessEffects from "./ProcessEffects.ts"
import * as Processes from "./Processes.ts"
import * as SessionProcesses from "./SessionProcesses.ts"

/** What every host can set: what it can run, and how. */
export interface HostOptions<
  E extends ReadonlyArray<Runnable<unknown>>,
  T extends ReadonlyArray<RunnableTool<unknown>> = readonly [],
  S = never
> extends RuntimeOptions {
  readonly engines: E
  /**
   * How wakes reach sessions. Without a sink they stay in the outbox, for a host that has one: nothing is discarded, and
   * processes that owe them are not pruned.
   *
   * @default WakeSink.layerNoop
   */
  readonly wakeSink?: Layer.Layer<WakeSink.WakeSink>
  /**
   * What this host supplies around its processes: layers of `TriggerStore`, `TurnActivitySink`, `Attachments`, `Projections`,
   * `ProtocolExtension`, merged. Bodies reach them by `ctx.surroundings`, the program by their tags.
   *
   * @default none: each service states what it does then
   */
  readonly hostServices?: Layer.Layer<never>
  /** What a model may call here. @default no tools */
  readonly tools?: T
  /** What runs turns of child sessions here. @default none: such processes wait for a host that has one */
  readonly sessions?: SessionRunner<S>
  /** What engines and tool calls take along that are started here. @default no options, no policy */
  readonly environment?: EnvironmentSpec
  /**
   * For which of several parts of a program this host starts processes, as any text but the empty one: the originator of what it
   * starts, and of all children of that, is `host:{scope}` in lists and their filters. It separates nothing: a host runs, finds and
   * stops what others on its store have started, whatever their scope.
   *
   * @default none: the originator is `host`
   */
  readonly scope?: string
  /**
   * What becomes of half a surrogate pair in a value that is kept, as text has it that was cut in the middle of a character: a
   * typed refusal that names its place, or U+FFFD in its place.
   *
   * @default "refuse"
   */
  readonly halfSurrogates?: "refuse" | "replace"
  /**
   * Whether everything that processes depend on must be durable: then a host with a store in memory is refused.
   *
   * @default "inline", which asks for nothing
   */
  readonly effects?: Durability
}

/** What a host offers. */
export type HostServices =
  | Processes.Processes
  | SessionProcesses.SessionProcesses
  | ProcessEffects.ProcessEffects
  | WorkDriver.WorkDriver
  | Promises.Promises
  | Host.Host
  | LeaseRenewer.LeaseRenewer
  | Owner.Owner
  | RecoverySweep.RecoverySweep
  | ParentClose.ParentClose
  | ProcessRegistry
  | Environments.Environments
  | HostEnvironment.HostEnvironment
  | Tools.Tools
  | Leases.Leases
  | HandleGrants
  | Waits.Waits
  | Retention
  | ChangeFeed
  | Observation
  | OwnerLiveness
  | WakeOutbox
  | ProcessStore

/** What the engines, tools and sessions of a host require. */
export type RequirementsOf<
  E extends ReadonlyArray<Runnable<unknown>>,
  T extends ReadonlyArray<RunnableTool<unknown>> = readonly [],
  S = never
> = RequiredBy<E[number]> | RequiredBy<T[number]> | S

type RequiredBy<One> = One extends Runnable<infer R> ? R : One extends RunnableTool<infer R> ? R : never

/**
 * A host whose processes outlive it, in one SQLite file.
 *
 * Requires what its engines, tools and sessions require. Fails with `InputInvalid` (an option), or `StoreError` (the file is
 * locked, damaged, newer than this library, or not writable).
 *
 * @example docs/examples/01-hello.ts
 */
export const layerSqlite = <
  const E extends ReadonlyArray<Runnable<unknown>>,
  const T extends ReadonlyArray<RunnableTool<unknown>> = readonly [],
  S = never
>(
  options: SqliteStoreOptions & HostOptions<E, T, S>
): Layer.Layer<HostServices, InputInvalid | StoreError, RequirementsOf<E, T, S>> =>
  checking(knownTo(ofFile), options, (checked) =>
    onStore(checked, Liveness.layer).pipe(Layer.provideMerge(SqliteStore.layer(checked)))
  )

/** A host whose processes end with it. For tests, and for work that need not survive. */
export const layerMemory = <
  const E extends ReadonlyArray<Runnable<unknown>>,
  const T extends ReadonlyArray<RunnableTool<unknown>> = readonly [],
  S = never
>(
  options: HostOptions<E, T, S>
): Layer.Layer<HostServices, InputInvalid, RequirementsOf<E, T, S>> =>
  checking(knownTo({}), options, (checked) =>
    onStore(checked, Liveness.layer).pipe(
      Layer.provideMerge(MemoryStore.layer),
      // Memory is always there.
      Layer.catchAll((error) => (error._tag === "StoreError" ? Layer.die(error) : Layer.fail(error)))
    )
  )

/** A host on the store in context, with a choice of liveness evidence. */
export const onStore = <
  const E extends ReadonlyArray<Runnable<unknown>>,
  const T extends ReadonlyArray<RunnableTool<unknown>> = readonly [],
  S = never
>(
  given: HostOptions<E, T, S>,
  liveness: Layer.Layer<OwnerLiveness>
): Layer.Layer<
  Exclude<HostServices, ProcessStore>,
  InputInvalid | StoreError,
  ProcessStore | RequirementsOf<E, T, S>
> => {
  return checking("any", given, (options) => {
    const { sessions, tools = [], environment, scope, effects = "inline" } = options
    // Each requires a part of the union of what all of them require.
    const engines = Engines.layer(options.engines as ReadonlyArray<Runnable<RequirementsOf<E, T, S>>>, {
      tools: tools as ReadonlyArray<RunnableTool<RequirementsOf<E, T, S>>>, // as above
      ...(sessions === undefined ? {} : { sessions })
    })
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
      Outbox.layer,
      HostEnvironment.layer(environment, scope).pipe(Layer.provideMerge(Environments.layer))
    ).pipe(Layer.provideMerge(liveness))
    const durable = Layer.effectDiscard(requireDurable(effects))
    const runtime = Layer.merge(Working.layer, Promises.layer).pipe(
      Layer.provideMerge(Awaiter.layer),
      Layer.provideMerge(ChangeHub.layer),
      // The tools' catalogue is made of tools that the engines' layer has checked.
      Layer.provideMerge(
        Layer.mergeAll(Tools.layer(tools).pipe(Layer.provideMerge(engines)), RuntimeConfig.layer(options), durable)
      ),
      Layer.provideMerge(store)
    )
    // What is appended, the chart of its process takes in the same transaction.
    Engines.check(options.engines, tools, sessions)
    const charts = Charts.layer(Engines.allCharts(options.engines), Engines.chartsOf(options.engines))
    const callers = Layer.mergeAll(Processes.layer, SessionProcesses.layer, ProcessEffects.layer, Host.layer)
    return Layer.merge(callers, ChartLog.layer).pipe(
      Layer.provideMerge(WorkDriver.layer),
      Layer.provideMerge(
        Layer.mergeAll(RecoverySweep.layer, LeaseRenewer.layer, Owner.layer, TimerDriver.layer, ParentClose.layer)
      ),
      Layer.provide(WakeDriver.layer.pipe(Layer.provide(options.wakeSink ?? WakeSink.layerNoop))),
      Layer.provideMerge(runtime),
      Layer.provideMerge(options.hostServices ?? Layer.empty),
      Layer.provide(charts),
      Layer.provide(limitsOf(options))
    )
  })
}

/** The limits in context, with what the options say of values. */
const limitsOf = ({ halfSurrogates }: Pick<HostOptions<[]>, "halfSurrogates">): Layer.Layer<Limits> =>
  Layer.effect(
    Limits,
    Effect.map(Limits, (limits) => (halfSurrogates === undefined ? limits : { ...limits, halfSurrogates }))
  )

/** The names of options that a host takes. */
type Known = Readonly<Record<string, true>>

const ofFile: Readonly<Record<keyof SqliteStoreOptions, true>> = {
  filename: true,
  synchronous: true,
  migrates: true,
  writer: true
}

/** The options of every host, and those of its store. */
export const knownTo = (ofStore: Known): Known => ({ ...ofHost, ...ofStore })

const ofHost: Readonly<Record<keyof HostOptions<[]>, true>> = {
  engines: true,
  tools: true,
  sessions: true,
  wakeSink: true,
  hostServices: true,
  environment: true,
  scope: true,
  halfSurrogates: true,
  effects: true,
  leaseTtl: true,
  leaseRenewal: true,
  sweepInterval: true,
  shutdown: true,
  maxConcurrent: true
}

/**
 * Builds a layer of options that were checked, as far as they are not where they are used. One that is not known is refused: it
 * was misspelt, and its default would be taken in silence.
 */
export const checking = <Options extends object, A, E, R>(
  known: Known | "any",
  given: Options,
  build: (options: Options) => Layer.Layer<A, E, R>
): Layer.Layer<A, E | InputInvalid, R> =>
  Layer.unwrapEffect(
    Arguments.refusing(() => {
      const options = Arguments.record("options", given)
      if (known !== "any") Arguments.known(known, options)
      // Each is checked.
      const {
        effects = "inline",
        halfSurrogates = "refuse",
        wakeSink,
        hostServices
      } = options as Partial<HostOptions<[]>>
      Arguments.oneOf("halfSurrogates", halfSurrogates, ["refuse", "replace"])
      Arguments.oneOf("effects", effects, ["inline", "durable"])
      Arguments.optional(Arguments.layer)("wakeSink", wakeSink)
      Arguments.optional(Arguments.layer)("hostServices", hostServices)
      return Effect.succeed(build(options))
    })
  )
