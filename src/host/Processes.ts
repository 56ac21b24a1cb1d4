/**
 * What a host does with processes: start them, find them again, ask them to stop.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StoreError } from "../model/errors.ts"
import type { StartError } from "../model/failures.ts"
import type { ProcessId } from "../model/ids.ts"
import { processId } from "../model/ids.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import * as Provenance from "../model/Provenance.ts"
import { Awaiter } from "../runtime/Awaiter.ts"
import { requestAbandon } from "../runtime/abandoning.ts"
import type { Engine } from "../runtime/Engine.ts"
import * as ProcessHandle from "../runtime/ProcessHandle.ts"
import { readProcess } from "../runtime/reading.ts"
import type { AnySignal } from "../runtime/Signal.ts"
import { registrationOf } from "../runtime/starting.ts"
import { Worker } from "../runtime/Worker.ts"
import * as Authority from "../store/decisions/authority.ts"
import { ExecutionStore } from "../store/ExecutionStore.ts"
import { ProcessRegistry } from "../store/ProcessRegistry.ts"

/** How to start a process. */
export interface StartOptions<Payload> {
  /** The process's address. The same id with the same engine and payload attaches to the process that is there. */
  readonly id: string
  readonly payload: Payload
  /** What people know it by. */
  readonly label?: string
  /** When it may begin. Before that it is registered, and runs nowhere. @default at once */
  readonly startAt?: Date
}

/** What a host does with processes. */
export class Processes extends Context.Tag("holdfast/host/Processes")<
  Processes,
  {
    /**
     * Starts a process, or attaches to it when it was started with the same engine and payload before.
     *
     * Durable once it answers. Fails with `InputInvalid` or `RegistrationInvalid` (fix the field they name), with
     * `ProcessIdConflict` (the id stands for something else: choose another), or with `StoreError`.
     */
    readonly start: <Payload, Success, Failure, R, Signals extends AnySignal>(
      engine: Engine<Payload, Success, Failure, R, Signals>,
      options: StartOptions<Payload>
    ) => Effect.Effect<ProcessHandle.ProcessHandle<Success, Failure, Signals>, StartError>

    /** A handle on a process that was started earlier, perhaps by another program. It reads nothing by itself. */
    readonly handle: <Payload, Success, Failure, R, Signals extends AnySignal>(
      engine: Engine<Payload, Success, Failure, R, Signals>,
      id: string
    ) => ProcessHandle.ProcessHandle<Success, Failure, Signals>

    /** Every process that has not ended, ascending by id. */
    readonly listNonTerminal: Effect.Effect<ReadonlyArray<ProcessRecord>, StoreError>
  }
>() {}

/** The host's door to the worker and registry in context. */
export const layer: Layer.Layer<Processes, never, Worker | ProcessRegistry | ExecutionStore | Awaiter> = Layer.effect(
  Processes,
  Effect.gen(function* () {
    const worker = yield* Worker
    const registry = yield* ProcessRegistry
    const awaiter = yield* Awaiter
    const executions = yield* ExecutionStore

    const support: ProcessHandle.HandleSupport = {
      awaitOutput: awaiter.awaitProcess,
      cancel: (id: ProcessId, reason) => registry.requestProcessCancel(id, reason, Authority.host),
      abandon: (id, reason) => requestAbandon(registry, id, { requestedBy: "host", authority: Authority.host, reason }),
      signal: (id, request) => executions.signal(id, request, Authority.host),
      status: (id) => readProcess(registry, id),
      awaiter
    }

    return Processes.of({
      start: (engine, options) =>
        Effect.gen(function* () {
          const { startAt, ...spec } = options
          const registered = yield* registrationOf(engine, {
            ...spec,
            ...(startAt === undefined ? {} : { startAtMs: startAt.getTime() }),
            provenance: Provenance.host
          })
          yield* worker.start(registered, Authority.host)
          return ProcessHandle.make(engine, registered.registration.id, support)
        }),
      handle: (engine, id) => ProcessHandle.make(engine, processId(id), support),
      listNonTerminal: registry.listNonTerminal
    })
  })
)
