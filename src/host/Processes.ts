/**
 * What a host does with processes: start them, find them again, ask them to stop.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import type { CompletionRefused, InputInvalid, StoreError } from "../model/errors.ts"
import type { StartError } from "../model/failures.ts"
import type { ProcessId } from "../model/ids.ts"
import { processId } from "../model/ids.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import * as Provenance from "../model/Provenance.ts"
import type { Registered } from "../model/Registration.ts"
import * as Authority from "../operations/decisions/authority.ts"
import type { CompletionRefusal } from "../operations/decisions/completion.ts"
import type { Lookup } from "../operations/ProcessRegistry.ts"
import { ProcessRegistry, readProcess, requestAbandon } from "../operations/ProcessRegistry.ts"
import { Awaiter } from "../runtime/client/Awaiter.ts"
import * as ProcessHandle from "../runtime/client/ProcessHandle.ts"
import type { Engine } from "../runtime/engine/Engine.ts"
import * as Outputs from "../runtime/engine/outcomes.ts"
import {
  externalRegistrationOf,
  registrationOf,
  toolRegistrationOf,
  turnRegistrationOf
} from "../runtime/engine/registrations.ts"
import type { TurnOutcome, TurnSpec } from "../runtime/engine/SessionTurn.ts"
import * as SessionTurn from "../runtime/engine/SessionTurn.ts"
import type { AnySignal } from "../runtime/engine/Signal.ts"
import type { Tool } from "../runtime/engine/Tool.ts"
import { HostEnvironment } from "../runtime/HostEnvironment.ts"
import { Worker } from "../runtime/worker/Worker.ts"

/** What every start may say. */
interface StartDetails {
  /** What people know it by. */
  readonly label?: string
  /** The session that its wakes are for, and those of its children unless they name another. @default it wakes nobody */
  readonly wakeTarget?: Provenance.SessionScope
}

/** How to start a process. */
export interface StartOptions<Payload> extends StartDetails {
  /** The process's address. The same id with the same engine and payload attaches to the process that is there. */
  readonly id: string
  readonly payload: Payload
  /** When it may begin. Before that it is registered, and runs nowhere. @default at once */
  readonly startAt?: Date
}

/** How to start a tool call. */
export interface ToolStartOptions<Args> extends StartDetails {
  readonly callId: string
  readonly args: Args
  /** @default the id of the call */
  readonly id?: string
}

/** How to start one turn of a child session. */
export interface SessionTurnStartOptions extends StartDetails, TurnSpec {
  readonly id: string
}

/** How to register external work. */
export interface ExternalStartOptions extends StartDetails {
  readonly id: string
  /** What the outside system is told; any JSON. Its `label`, `name` or `title` is the process's label where none is given. */
  readonly metadata: unknown
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

    /** Starts a tool call. Its process has the id of the call, unless another is given. Fails as `start` does. */
    readonly startTool: <Args, Success, Failure, R>(
      tool: Tool<Args, Success, Failure, R>,
      options: ToolStartOptions<Args>
    ) => Effect.Effect<ProcessHandle.ProcessHandle<Success, Failure>, StartError>

    /** Starts one turn of a child session, on whichever host has a runner of sessions. Fails as `start` does. */
    readonly startSessionTurn: (
      options: SessionTurnStartOptions
    ) => Effect.Effect<ProcessHandle.ProcessHandle<TurnOutcome, never>, StartError>

    /** Registers work that an outside system does; it never runs here. Fails as `start` does. */
    readonly startExternal: (
      options: ExternalStartOptions
    ) => Effect.Effect<ProcessHandle.ProcessHandle<unknown, never>, StartError>

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

    /** Every process that has not ended, ascending by id. */
    readonly listNonTerminal: Effect.Effect<ReadonlyArray<ProcessRecord>, StoreError>
  }
>() {}

/** The host's door to the worker and registry in context. */
export const layer: Layer.Layer<Processes, never, Worker | HostEnvironment | ProcessRegistry | Awaiter> = Layer.effect(
  Processes,
  Effect.gen(function* () {
    const worker = yield* Worker
    const registry = yield* ProcessRegistry
    const awaiter = yield* Awaiter
    const { capture } = yield* HostEnvironment

    const support: ProcessHandle.HandleSupport = {
      awaitOutput: awaiter.awaitProcess,
      cancel: (id: ProcessId, reason) => registry.requestProcessCancel(id, reason, Authority.host),
      abandon: (id, reason) => requestAbandon(registry, id, { requestedBy: "host", authority: Authority.host, reason }),
      signal: (id, signal) => registry.signal(id, signal, Authority.host),
      status: (id) => readProcess(registry, id),
      awaiter
    }

    const started = <Success, Failure, Signals extends AnySignal = never>(
      registered: Registered,
      outcomes: Outputs.Outcomes<Success, Failure>
    ) =>
      Effect.as(
        worker.start(registered, Authority.host),
        ProcessHandle.make<Success, Failure, Signals>(outcomes, registered.registration.id, support)
      )

    return Processes.of({
      start: (engine, { startAt, ...spec }) =>
        Effect.flatMap(capture, (envRef) =>
          Effect.flatMap(
            registrationOf(engine, {
              ...spec,
              ...(startAt === undefined ? {} : { startAtMs: startAt.getTime() }),
              envRef,
              provenance: Provenance.host
            }),
            (registered) =>
              started<
                Effect.Effect.Success<ReturnType<typeof engine.decodeSuccess>>,
                Effect.Effect.Success<ReturnType<typeof engine.decodeFailure>>,
                (typeof engine.signals)[number]
              >(registered, engine)
          )
        ),
      startTool: (tool, { callId, args, ...facts }) =>
        Effect.gen(function* () {
          const call = yield* tool.call(callId, args)
          const provenance = Provenance.host
          return yield* started(yield* toolRegistrationOf(tool, call, yield* capture, { ...facts, provenance }), tool)
        }),
      startSessionTurn: (options) =>
        Effect.flatMap(turnRegistrationOf(options, { ...options, provenance: Provenance.host }), (registered) =>
          started(registered, SessionTurn.outcomes)
        ),
      startExternal: ({ metadata, ...facts }) =>
        Effect.flatMap(externalRegistrationOf(metadata, { ...facts, provenance: Provenance.host }), (registered) =>
          started(registered, anyValue)
        ),
      completeExternal: (id, output) => registry.completeProcess(processId(id), output, { _tag: "ExternalOwner" }),
      handle: (engine, id) => ProcessHandle.make(engine, processId(id), support),
      listNonTerminal: registry.listNonTerminal
    })
  })
)

const anyValue = Outputs.outcomesOf<unknown, unknown, never, never>(Schema.Unknown, undefined)
