/**
 * What a host does with processes: start them, find them again, ask them to stop.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AnyStateMachine, InputFrom } from "xstate"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import type { CompletionRefused, ProcessAlreadyTerminal, ResumeRefused, StoreError } from "../model/errors.ts"
import { InputInvalid } from "../model/errors.ts"
import type { StartError } from "../model/failures.ts"
import type { ProcessId } from "../model/ids.ts"
import { processId } from "../model/ids.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import type * as Provenance from "../model/Provenance.ts"
import * as Checks from "../operations/checks.ts"
import * as Authority from "../operations/decisions/authority.ts"
import type { CompletionRefusal } from "../operations/decisions/completion.ts"
import type { Lookup } from "../operations/existing.ts"
import type { MigrateOptions, MigrationReport } from "../operations/migration.ts"
import { migrateAll } from "../operations/migration.ts"
import { ProcessRegistry, readProcess, requestAbandon } from "../operations/ProcessRegistry.ts"
import type { Resumed, ResumeOptions } from "../operations/resume.ts"
import { resumeFrom } from "../operations/resume.ts"
import * as Arguments from "../runtime/arguments.ts"
import { Awaiter } from "../runtime/client/Awaiter.ts"
import * as MachineHandles from "../runtime/client/MachineHandle.ts"
import * as ProcessHandle from "../runtime/client/ProcessHandle.ts"
import type { Runnable } from "../runtime/engine/Engine.ts"
import type { MachineStartable } from "../runtime/engine/MachineView.ts"
import { isMachine } from "../runtime/engine/MachineView.ts"
import type { AnySignal } from "../runtime/engine/Signal.ts"
import type { Startable, StartSpec } from "../runtime/engine/Startable.ts"
import * as Startables from "../runtime/engine/Startable.ts"
import { registrationOf } from "../runtime/engine/Startable.ts"
import { HostEnvironment } from "../runtime/HostEnvironment.ts"
import { Worker } from "../runtime/worker/Worker.ts"
import { ProcessStore } from "../store/ProcessStore.ts"

/** How to start a process. */
export interface StartOptions<Payload> {
  /** The process's address. The same id with the same registration attaches to the process that is there. */
  readonly id: string
  readonly payload: Payload
  /** What people know it by. */
  readonly label?: string
  /** When it may begin. Before that it is registered, and runs nowhere. @default at once */
  readonly startAt?: Date
  /** The session that its wakes are for, and those of its children unless they name another. @default it wakes no session */
  readonly wakeTarget?: Provenance.SessionScope
}

/** Starts a process. One of a machine answers a handle that has the machine's events and states. */
export interface Start {
  <Machine extends AnyStateMachine>(
    machine: MachineStartable<Machine>,
    options: StartOptions<InputFrom<Machine>>
  ): Effect.Effect<MachineHandles.MachineHandle<Machine>, StartError>
  <Payload, Success, Failure, Signals extends AnySignal = never>(
    startable: Startable<Payload, Success, Failure, Signals>,
    options: StartOptions<Payload>
  ): Effect.Effect<ProcessHandle.ProcessHandle<Success, Failure, Signals>, StartError>
}

/** Makes a handle. One on a process of a machine has the machine's events and states. */
export interface HandleOf {
  <Machine extends AnyStateMachine>(
    machine: MachineStartable<Machine>,
    id: string
  ): MachineHandles.MachineHandle<Machine>
  <Payload, Success, Failure, Signals extends AnySignal = never>(
    startable: Startable<Payload, Success, Failure, Signals>,
    id: string
  ): ProcessHandle.ProcessHandle<Success, Failure, Signals>
}

/** What a host does with processes. */
export class Processes extends Context.Tag("holdfast/host/Processes")<
  Processes,
  {
    /**
     * Starts an engine, a tool, a turn of a child session or external work as a process, or attaches to the process that was
     * started with the same payload before. A host that has it runs it; external work runs on none.
     *
     * Durable once it answers. Fails with `InputInvalid` or `RegistrationInvalid` (fix the field they name), with
     * `ProcessIdConflict` (the id belongs to something else: choose another), or with `StoreError`.
     */
    readonly start: Start

    /** A handle on a process that was started earlier, perhaps by another program. It reads nothing by itself. Throws `InputInvalid`. */
    readonly handle: HandleOf

    /**
     * Ends external work, on the authority of the outside system that did it. The same output again is a replay.
     *
     * Fails with `CompletionRefused` for work that is not externally owned, with `ProcessAlreadyTerminal` or `EventRejected`
     * when it ended otherwise.
     */
    readonly completeExternal: (
      id: string,
      output: AwaitOutput
    ) => Effect.Effect<ProcessRecord, CompletionRefusal | CompletionRefused | InputInvalid | Lookup>

    /**
     * Resumes a process that rests, as one whose code has changed does, from an entry of its journal: the body runs again as if it
     * had not got there yet. `dryRun` answers what that would leave behind.
     *
     * Fails with `ResumeRefused` (a worker holds it, or say what is done again) or `ProcessAlreadyTerminal`.
     */
    readonly resume: (
      id: string,
      options: ResumeOptions
    ) => Effect.Effect<Resumed, ResumeRefused | ProcessAlreadyTerminal | InputInvalid | Lookup>

    /**
     * Takes over the processes of earlier versions of a machine, as its `migrate` says, without waiting for their next event.
     *
     * Fails with `InputInvalid` for an engine that is no machine, and for an option that is unknown or of no meaning.
     */
    readonly migrate: (
      engine: Pick<Runnable<never>, "chart">,
      options?: MigrateOptions
    ) => Effect.Effect<MigrationReport, InputInvalid | StoreError>

    /** Every process that has not ended, ascending by id. */
    readonly listNonTerminal: Effect.Effect<ReadonlyArray<ProcessRecord>, StoreError>
  }
>() {}

/** The host's door to the worker and registry in context. */
export const layer: Layer.Layer<Processes, never, Worker | HostEnvironment | ProcessRegistry | ProcessStore | Awaiter> =
  Layer.effect(
    Processes,
    Effect.gen(function* () {
      const worker = yield* Worker
      const registry = yield* ProcessRegistry
      const awaiter = yield* Awaiter
      const store = yield* ProcessStore
      const limits = yield* Checks.Limits
      const { capture, provenance } = yield* HostEnvironment
      /** What callers hand over is taken under the limits of this host. */
      const limited = <A, E>(taking: Effect.Effect<A, E>): Effect.Effect<A, E> =>
        Effect.withFiberRuntime((fiber) =>
          Context.get(fiber.currentContext as Context.Context<Checks.Limits>, Checks.Limits) === limits // it has a default
            ? taking
            : Effect.provideService(taking, Checks.Limits, limits)
        )

      const actions: MachineHandles.MachineActions = {
        awaitOutput: awaiter.awaitProcess,
        cancel: (id: ProcessId, reason) => registry.requestProcessCancel(id, reason, Authority.host),
        abandon: (id, reason) =>
          requestAbandon(registry, id, { requestedBy: "host", authority: Authority.host, reason }),
        limited,
        signal: (id, signal) => registry.signal(id, signal, Authority.host),
        status: (id) => readProcess(registry, id),
        nextEvents: awaiter.nextEvents,
        nextRecord: ProcessHandle.nextRecord(awaiter),
        awaiter,
        store
      }
      const handleOf = (startable: AnyStartable, id: ProcessId) =>
        isMachine(startable) ? MachineHandles.make(startable, id, actions) : ProcessHandle.make(startable, id, actions)
      const start = (startable: AnyStartable, options: StartOptions<unknown>) =>
        Arguments.refusing(() =>
          Effect.flatMap(
            limited(registrationOf(Startables.startable(startable), specOf(options, provenance), capture)),
            (registered) =>
              Effect.map(worker.start(registered, Authority.host), () =>
                handleOf(startable, registered.registration.id)
              )
          )
        )
      const handle = (startable: AnyStartable, id: string) =>
        handleOf(Startables.startable(startable), processId(Arguments.text("id", id)))

      return Processes.of({
        start: start as Start, // the types of the handle are those of what is started
        completeExternal: (id, output) => registry.completeProcess(processId(id), output, { _tag: "ExternalOwner" }),
        handle: handle as HandleOf, // as above
        migrate: (engine, options) =>
          Arguments.refusing((): Effect.Effect<MigrationReport, InputInvalid | StoreError> => {
            const { chart } = Arguments.record("engine", engine)
            const problem = "is no machine, as Engine.fromMachine makes one"
            return chart === undefined
              ? Effect.fail(new InputInvalid({ field: "engine", problem }))
              : Effect.provideService(migrateAll(chart.under(limits), options), ProcessStore, store)
          }),
        resume: (id, options) => Effect.provideService(resumeFrom(id, options), ProcessStore, store),
        listNonTerminal: registry.listNonTerminal
      })
    })
  )

/** What can be started, its types aside. */
type AnyStartable = Startable<unknown, unknown, unknown, AnySignal>

const startOptions = {
  id: true,
  payload: true,
  label: true,
  startAt: true,
  wakeTarget: true
} as const satisfies Readonly<Record<keyof StartOptions<unknown>, true>>

const specOf = <Payload>(options: StartOptions<Payload>, provenance: Provenance.Provenance): StartSpec<Payload> => {
  const { id, payload, label, startAt, wakeTarget } = Arguments.options("options", startOptions, options)
  return {
    id: Arguments.text("id", id),
    payload,
    provenance,
    ...(label === undefined ? {} : { label: Arguments.text("label", label) }),
    ...(startAt === undefined ? {} : { startAtMs: Arguments.timeMs("startAt", startAt) }),
    ...(wakeTarget === undefined ? {} : { wakeTarget: Arguments.sessionScope("wakeTarget", wakeTarget) })
  }
}
