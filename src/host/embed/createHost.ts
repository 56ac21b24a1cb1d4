/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The same host for programs that do not use Effect: Promises, AbortSignals and async iterables, with the same types.
 *
 * Invariant: what a Promise rejects with is the library's own error, or what the body threw, never a wrapper around it. This
 * is the one file that starts fibers from outside of Effect.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Runtime from "effect/Runtime"
import type { AnyStateMachine, InputFrom } from "xstate"
import type { HostFailure } from "../../../machines/host.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import { InputInvalid, type StoreError } from "../../model/errors.ts"
import type { ProcessRecord } from "../../model/ProcessRecord.ts"
import { ChangeFeed } from "../../operations/ChangeFeed.ts"
import type { MigrateOptions, MigrationReport } from "../../operations/migration.ts"
import { Observation } from "../../operations/Observation.ts"
import { Retention } from "../../operations/Retention.ts"
import type { Resumed, ResumeOptions } from "../../operations/resume.ts"
import { WakeOutbox } from "../../operations/WakeOutbox.ts"
import * as Arguments from "../../runtime/arguments.ts"
import type { MachineHandle as EffectMachineHandle } from "../../runtime/client/MachineHandle.ts"
import type { ProcessHandle } from "../../runtime/client/ProcessHandle.ts"
import { Promises } from "../../runtime/client/Promises.ts"
import type { EngineOptions, Runnable } from "../../runtime/engine/Engine.ts"
import * as Engine from "../../runtime/engine/Engine.ts"
import type { MachineEngine } from "../../runtime/engine/fromMachine.ts"
import * as Machines from "../../runtime/engine/fromMachine.ts"
import { optionsOf } from "../../runtime/engine/MachineOptions.ts"
import type { MachineStartable } from "../../runtime/engine/MachineView.ts"
import { isMachine } from "../../runtime/engine/MachineView.ts"
import type { AnySignal } from "../../runtime/engine/Signal.ts"
import type { Startable } from "../../runtime/engine/Startable.ts"
import type { RunnableTool } from "../../runtime/engine/Tool.ts"
import type { SqliteStoreOptions } from "../../store/sqlite/SqliteStore.ts"
import type { TreeNode } from "../../supervision/Supervisor.ts"
import type { HostEvent, HostState } from "../Host.ts"
import { Host } from "../Host.ts"
import type { StartOptions } from "../Processes.ts"
import { Processes } from "../Processes.ts"
import { SessionProcesses } from "../SessionProcesses.ts"
import type { HostOptions, HostServices } from "../SingleHost.ts"
import * as SingleHost from "../SingleHost.ts"
import { onAbort } from "./aborts.ts"
import type { BodyContext, Promised } from "./body.ts"
import { bodyOf } from "./body.ts"
import type { Handle, Perform, WaitOptions } from "./handle.ts"
import { handleOf, iterable, rejecting, signalOf } from "./handle.ts"
import type { MachineHandle, PromiseMachineOptions } from "./machine.ts"
import { machineHandleOf, withEffects } from "./machine.ts"
import type { PromisedService } from "./services.ts"
import { promisedService } from "./services.ts"

export { fromDurable } from "../../runtime/engine/durable.ts"
export type { Abortable, BodyContext, BodyStepOptions, BodySurroundings, Branches, Winner } from "./body.ts"
export type { Handle, WaitOptions } from "./handle.ts"
export type { MachineHandle, PromisedAction, PromisedActor, PromisedPerform, PromiseMachineOptions } from "./machine.ts"
export type { PromisedService } from "./services.ts"

/** The host was stopped: it takes no more calls, and ends every wait. Its processes go on elsewhere. */
export class HostStopped extends Data.TaggedError("HostStopped") {
  override get message(): string {
    return "the host was stopped"
  }
}

/** One line of a host's log. Units: epoch milliseconds, UTC. */
export interface LogLine {
  readonly level: string
  readonly message: string
  readonly atMs: number
  readonly fields: Readonly<Record<string, unknown>>
}

/** How to make a host: where its processes are kept, what it can run, and how. */
export type CreateHostOptions<
  E extends ReadonlyArray<Runnable<never>>,
  T extends ReadonlyArray<RunnableTool<never>> = readonly []
> = HostOptions<E, T> & {
  /** Where its log goes; `false` drops it. @default the console */
  readonly log?: false | ((line: LogLine) => void)
} & (
    | (SqliteStoreOptions & { readonly memory?: never })
    | {
        /** Its processes end with the host. */
        readonly memory: true
        readonly filename?: never
      }
  )

/** A running host. */
export interface EmbeddedHost {
  /**
   * Starts a process, or attaches to the one that was started with the same payload before.
   *
   * Durable once it answers. Rejects with `InputInvalid` or `RegistrationInvalid` (fix the field they name), with
   * `ProcessIdConflict` (the id belongs to something else: choose another), or with `StoreError`.
   */
  readonly start: {
    <Machine extends AnyStateMachine>(
      machine: MachineStartable<Machine>,
      options: StartOptions<InputFrom<Machine>>
    ): Promise<MachineHandle<Machine>>
    <Payload, Success, Failure, Signals extends AnySignal = never>(
      startable: Startable<Payload, Success, Failure, Signals>,
      options: StartOptions<Payload>
    ): Promise<Handle<Success, Signals>>
  }
  /** A handle on a process that was started earlier, perhaps by another program. It reads nothing by itself. */
  readonly handle: {
    <Machine extends AnyStateMachine>(machine: MachineStartable<Machine>, id: string): MachineHandle<Machine>
    <Payload, Success, Failure, Signals extends AnySignal = never>(
      startable: Startable<Payload, Success, Failure, Signals>,
      id: string
    ): Handle<Success, Signals>
  }
  /** Ends external work, on the authority of the outside system that did it. See `Processes.completeExternal`. */
  readonly completeExternal: (id: string, output: AwaitOutput) => Promise<ProcessRecord>
  /** Resumes a process that rests from an entry of its journal: see `Processes.resume`. Rejects with `ResumeRefused`. */
  readonly resume: (id: string, options: ResumeOptions) => Promise<Resumed>
  /** Takes over the processes of earlier versions of a machine: see `Processes.migrate`. */
  readonly migrate: (engine: Pick<Runnable<never>, "chart">, options?: MigrateOptions) => Promise<MigrationReport>
  /** Every process that has not ended, ascending by id. */
  readonly listNonTerminal: () => Promise<ReadonlyArray<ProcessRecord>>
  /** What happens to the processes of the store, for what projects them or alerts: see `Host.events`. */
  readonly events: (options?: WaitOptions) => AsyncIterable<HostEvent>
  /** What agent sessions do with processes: start them with a handle, wait for, signal and stop what they may address. */
  readonly sessions: PromisedService<typeof SessionProcesses.Service>
  /** Promises that survive the program: resolved by one caller, awaited by another. */
  readonly promises: PromisedService<typeof Promises.Service>
  /** The change feed: what changed since a cursor. */
  readonly feed: PromisedService<typeof ChangeFeed.Service>
  /** Wakes on their way to sessions. */
  readonly outbox: PromisedService<typeof WakeOutbox.Service>
  /** Removes what ended long ago. */
  readonly retention: PromisedService<typeof Retention.Service>
  /** What people and models are shown of processes. */
  readonly observation: PromisedService<typeof Observation.Service>
  /** Runs an effect with the services of the host, such as `Verify.verify()`; it is given up when the host stops. */
  readonly run: <A, E>(effect: Effect.Effect<A, E, HostServices>, options?: WaitOptions) => Promise<A>
  /** The state of the host. */
  readonly state: () => Promise<HostState>
  /** The present supervision tree. */
  readonly tree: () => Promise<TreeNode>
  /** Waits until the host fails: until its tree could not be kept up. What it ran was handed back by then. */
  readonly awaitFailure: (options?: WaitOptions) => Promise<HostFailure>
  /**
   * Stops the host: calls under way are carried through, waits reject with `HostStopped`, bodies are interrupted and handed
   * back, and the file is closed. Answers once all of that is done; calling it again answers the same.
   */
  readonly stop: () => Promise<void>
  /** `await using host = await createHost(…)` stops it at the end of the block, where the language has that. */
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/** What an engine with a body of Promises declares: what every engine does, and that body. */
export interface PromiseEngineOptions<
  Payload,
  PayloadWire,
  Success,
  SuccessWire,
  Failure,
  FailureWire,
  Signals extends AnySignal
> extends Omit<EngineOptions<Payload, PayloadWire, Success, SuccessWire, Failure, FailureWire, never, Signals>, "run"> {
  readonly run: (payload: Payload, context: BodyContext) => Success | Promise<Success>
}

/**
 * Declares an engine whose body is an async function.
 *
 * A rejection with an error of the `error` schema is the engine's own failure; one with the library's errors means what it
 * means there; any other is a defect, and the process fails with class `internal`. See `Engine.make` for the rest.
 *
 * @example docs/examples/07-promises.ts
 */
export const engine = <
  Payload,
  PayloadWire,
  Success,
  SuccessWire,
  Failure = never,
  FailureWire = never,
  const Signals extends AnySignal = never
>(
  kind: string,
  options: PromiseEngineOptions<Payload, PayloadWire, Success, SuccessWire, Failure, FailureWire, Signals>
): Engine.Engine<Payload, Success, Failure, never, Signals> => {
  const { run, ...rest } = Arguments.record(
    `options of engine \`${Arguments.text("kind of an engine", kind)}\``,
    options
  )
  Arguments.callable(`run of engine \`${kind}\``, run)
  return Engine.make(kind, { ...rest, run: bodyOf(run, rest.error, promised) })
}

/**
 * Makes an engine of a machine whose actions and actors are async functions: see `Engine.fromMachine` for the rest.
 *
 * An action may throw anything: it failed. An actor is a body, as that of `engine` is.
 */
export const fromMachine = <Machine extends AnyStateMachine>(
  machine: Machine,
  options: PromiseMachineOptions<Machine>
): MachineEngine<Machine, never> =>
  Machines.fromMachine<Machine, never, never>(
    machine,
    withEffects(optionsOf(machine, options), promised) as never // checked by its own type
  )

/**
 * Makes a host and starts it.
 *
 * Rejects with `InputInvalid` (an option), or `StoreError` (the file is locked, damaged, newer than this library, or not
 * writable). The host keeps the program alive until it is stopped.
 *
 * @example docs/examples/07-promises.ts
 */
export const createHost = async <
  const E extends ReadonlyArray<Runnable<never>>,
  const T extends ReadonlyArray<RunnableTool<never>> = readonly []
>(
  given: CreateHostOptions<E, T>
): Promise<EmbeddedHost> => {
  const options = Arguments.record("options", given)
  if (options.log !== undefined && options.log !== false) Arguments.callable("log", options.log)
  const managed = ManagedRuntime.make(Layer.provide(layerOf(options), loggerOf(options.log)))
  const built = await Effect.runPromiseExit(managed.runtimeEffect)
  if (Exit.isFailure(built)) {
    await Effect.runPromiseExit(managed.disposeEffect)
    throw Cause.squash(built.cause)
  }
  const runtime = built.value
  const processes = Context.get(runtime.context, Processes)
  const host = Context.get(runtime.context, Host)

  const stopped = new AbortController()
  const acts = new Set<Promise<unknown>>()
  const wait: Perform = (effect, waiting) =>
    rejecting(() => promised(runtime, [stopped.signal, signalOf(waiting)])(effect))
  const act: Perform = (effect) => {
    if (stopped.signal.aborted) return Promise.reject(stopped.signal.reason)
    const answer = promised(runtime, [])(effect)
    acts.add(answer)
    return answer.finally(() => acts.delete(answer))
  }
  const reach = { wait, act, release: promised(runtime, []) }
  const offer = <Id, Service extends object>(tag: Context.Tag<Id & HostServices, Service>): PromisedService<Service> =>
    promisedService(Context.get(runtime.context, tag), (name) => (waiting.has(name) ? wait : act))

  /** A handle is of the types of what is started, a machine's has more. */
  const handled =
    (startable: AnyStartable) =>
    (handle: ProcessHandle<unknown, unknown, AnySignal>): Handle<unknown, AnySignal> =>
      isMachine(startable)
        ? machineHandleOf(handle as unknown as EffectMachineHandle<AnyStateMachine>, reach) // `Processes` makes a machine's so
        : handleOf(handle, reach)

  const end = async (): Promise<void> => {
    stopped.abort(new HostStopped())
    await Promise.allSettled(acts)
    const exit = await Effect.runPromiseExit(managed.disposeEffect)
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  }
  let ending: Promise<void> | undefined
  const stop = (): Promise<void> => {
    ending ??= end()
    return ending
  }

  return {
    start: (startable: AnyStartable, spec: StartOptions<unknown>) =>
      act(Effect.map(processes.start(startable, spec), handled(startable))) as Promise<never>, // as `handled` says
    handle: (startable: AnyStartable, id: string) => handled(startable)(processes.handle(startable, id)) as never, // as above
    completeExternal: (id, output) => act(processes.completeExternal(id, output)),
    resume: (id, options) => act(processes.resume(id, options)),
    migrate: (engine, options) => act(processes.migrate(engine, options)),
    listNonTerminal: () => act(processes.listNonTerminal),
    events: (waiting) => iterable(host.events, reach, waiting),
    sessions: offer(SessionProcesses),
    promises: offer(Promises),
    feed: offer(ChangeFeed),
    outbox: offer(WakeOutbox),
    retention: offer(Retention),
    observation: offer(Observation),
    run: (effect, waiting) => wait(Effect.provide(effect, runtime.context), waiting),
    state: () => act(host.state),
    tree: () => act(host.tree),
    awaitFailure: (waiting) => wait(host.awaitFailure, waiting),
    stop,
    [Symbol.asyncDispose]: stop
  }
}

type AnyStartable = Startable<unknown, unknown, unknown, AnySignal>

/** The operations of services that wait for what others do: a host that stops gives them up. */
const waiting: ReadonlySet<string> = new Set(["await", "awaitHandle"])

const layerOf = <const E extends ReadonlyArray<Runnable<never>>, const T extends ReadonlyArray<RunnableTool<never>>>(
  options: CreateHostOptions<E, T>
): Layer.Layer<HostServices, InputInvalid | StoreError> => {
  // Engines and tools require nothing, which their element types say and the layer's conditional type cannot see.
  type Provided = Layer.Layer<HostServices, InputInvalid | StoreError>
  const refuse = (field: string, problem: string): Provided => Layer.fail(new InputInvalid({ field, problem }))
  const { log: _log, memory, ...others } = options as Omit<typeof options, "memory"> & { readonly memory?: boolean } // it may be anything
  const { filename } = others
  if (memory !== undefined && typeof memory !== "boolean") return refuse("memory", "must be true, or be left out")
  if (memory === true && filename !== undefined) {
    return refuse("filename", "is there beside `memory: true`, which keeps nothing: leave one of them out")
  }
  if (memory === true) return SingleHost.layerMemory(others) as Provided // see above
  return typeof filename === "string"
    ? (SingleHost.layerSqlite({ ...others, filename }) as Provided) // see above
    : refuse("filename", "is missing; say `memory: true` to keep nothing")
}

const loggerOf = (log: false | ((line: LogLine) => void) | undefined): Layer.Layer<never> => {
  if (log === undefined) return Layer.empty
  if (log === false) return Logger.remove(Logger.defaultLogger)
  return Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ logLevel, message, date, annotations }) =>
      log({
        level: logLevel.label.toLowerCase(),
        message: (Array.isArray(message) ? message : [message]).map(String).join(" "),
        atMs: date.getTime(),
        fields: Object.fromEntries(HashMap.toEntries(annotations))
      })
    )
  )
}

/**
 * Begins nothing once a signal is aborted; rejects with that signal's reason when it interrupted what had begun, and with
 * `InputInvalid` when the signal of a program is none.
 */
const promised: Promised =
  (runtime, signals) =>
  <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
    const promise = new Promise<A>((resolve, reject) => {
      const heeded = signals.flatMap((signal) =>
        signal === undefined ? [] : [Arguments.abortSignal("signal", signal)]
      )
      const aborted = (): AbortSignal | undefined => heeded.find((signal) => signal.aborted)
      // An interrupted caller may have stopped listening; that is no unhandled rejection. In a microtask: while this runs,
      // there is no promise yet.
      const rejectAborted = (signal: AbortSignal): void => {
        queueMicrotask(() => {
          promise.catch(ignore)
          reject(signal.reason)
        })
      }
      const before = aborted()
      if (before !== undefined) return rejectAborted(before)
      const fiber = Runtime.runFork(runtime)(effect)
      const interrupt = (): void => fiber.unsafeInterruptAsFork(FiberId.none)
      const heard = heeded.map((signal) => onAbort(signal, interrupt))
      fiber.addObserver((exit) => {
        for (const letGo of heard) letGo()
        if (Exit.isSuccess(exit)) return resolve(exit.value)
        const by = Cause.isInterrupted(exit.cause) ? aborted() : undefined
        return by === undefined ? reject(Cause.squash(exit.cause)) : rejectAborted(by)
      })
    })
    return promise
  }

const ignore = (): void => {}
