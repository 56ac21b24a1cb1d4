/**
 * A handle: the address of a process together with the types of its engine.
 */
import { randomUUID } from "node:crypto"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import type {
  InputInvalid,
  LeaseLost,
  ProcessAlreadyTerminal,
  ProcessPruned,
  ProcessUnknown,
  StoreError
} from "../../model/errors.ts"
import { OutputInvalid, ProcessAbandoned, ProcessCancelled, ProcessFailed } from "../../model/errors.ts"
import type { AwaitError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import { copyOf } from "../../model/json.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { ProcessRecord } from "../../model/ProcessRecord.ts"
import { isTerminal } from "../../model/ProcessRecord.ts"
import type { AppendRefusal } from "../../operations/decisions/append.ts"
import type { Lookup } from "../../operations/existing.ts"
import type { SignalRequest } from "../../operations/ProcessRegistry.ts"
import { recordOf } from "../../store/Decision.ts"
import * as Arguments from "../arguments.ts"
import type { Outcomes } from "../engine/outcomes.ts"
import type { AnySignal, PayloadOf, Signal } from "../engine/Signal.ts"
import { known } from "../engine/Signal.ts"
import type { Awaiter } from "./Awaiter.ts"

/** A process, addressed with the types of its engine. It stays valid across restarts: make it again from the id. */
export interface ProcessHandle<Success, Failure, Signals extends AnySignal = never> {
  readonly id: ProcessId
  /**
   * Waits for the end.
   *
   * Fails with the engine's own error, with `ProcessFailed` for every other failure, with `ProcessCancelled`, or with
   * `ProcessAbandoned` when its outcome is unknown. It has no time limit of its own.
   */
  readonly await: Effect.Effect<Success, Failure | AwaitError>
  /**
   * Asks the process to stop; answers at once with the present record, usually still running. One that has ended notes the
   * request and stays as it is: a program cannot know in time, and the record says how it ended.
   *
   * From within a body it fails with `LeaseLost` once another worker runs that body's process.
   */
  readonly cancel: (reason?: string) => Effect.Effect<ProcessRecord, LeaseLost | InputInvalid | Lookup>
  /**
   * Allows the process to be given up, its outcome unknown, once its lease is free; the first request counts.
   *
   * Fails with `ProcessAlreadyTerminal`; from within a body also as `cancel` does.
   */
  readonly abandon: (
    reason?: string
  ) => Effect.Effect<ProcessRecord, ProcessAlreadyTerminal | LeaseLost | InputInvalid | Lookup>
  /**
   * Sends a signal; durable once it answers, and kept until the body waits for it.
   *
   * With an `id`, a retry is the same signal. Fails with `InputInvalid` (the payload does not fit), with `EventRejected` (the
   * process was started by code that does not declare it), or with `ProcessAlreadyTerminal`.
   */
  readonly signal: <S extends Signals>(
    signal: S,
    payload: PayloadOf<S>,
    options?: { readonly id?: string }
  ) => Effect.Effect<void, SignalError>
  /** The present record. */
  readonly status: Effect.Effect<ProcessRecord, ProcessUnknown | Lookup>
  /** Its events from the first one on, until it has ended. */
  readonly events: Stream.Stream<ProcessEvent, ProcessUnknown | ProcessPruned | StoreError>
  /** Its record now and after every change, until it has ended; changes that follow each other quickly may come as one. */
  readonly changes: Stream.Stream<ProcessRecord, ProcessUnknown | ProcessPruned | StoreError>
}

/** Why a signal was not taken. */
export type SignalError = AppendRefusal | InputInvalid | Lookup

/** How a handle acts: on a host, or within a body. */
export interface HandleActions {
  readonly awaitOutput: (id: ProcessId) => Effect.Effect<AwaitOutput, AwaitError>
  readonly cancel: (
    id: ProcessId,
    reason: string | null
  ) => Effect.Effect<ProcessRecord, LeaseLost | InputInvalid | Lookup>
  readonly abandon: (
    id: ProcessId,
    reason: string | undefined
  ) => Effect.Effect<ProcessRecord, ProcessAlreadyTerminal | LeaseLost | InputInvalid | Lookup>
  readonly signal: (id: ProcessId, signal: SignalRequest) => Effect.Effect<unknown, SignalError>
  readonly status: (id: ProcessId) => Effect.Effect<ProcessRecord, ProcessUnknown | Lookup>
  readonly nextEvents: (typeof Awaiter.Service)["nextEvents"]
  /** The record as soon as its log is longer than that, and how long it is then. */
  readonly nextRecord: (
    id: ProcessId,
    sequence: number
  ) => Effect.Effect<Seen, ProcessUnknown | ProcessPruned | StoreError>
  /** Takes values under the limits of the host; a body has them in its context. */
  readonly limited: <A, E>(taking: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

/** A record, and how long the log was then. */
export interface Seen {
  readonly record: ProcessRecord
  readonly sequence: number
}

/** Reads the next record from an awaiter. */
export const nextRecord =
  ({ nextRow }: Pick<typeof Awaiter.Service, "nextRow">): HandleActions["nextRecord"] =>
  (id, sequence) =>
    Effect.map(nextRow(id, sequence), (row) => ({ record: recordOf(row), sequence: row.sequence }))

/** Makes a handle on a process whose ends read as `outcomes` say: an engine's, or a tool's. */
export const make = <Success, Failure, Signals extends AnySignal = never>(
  outcomes: Outcomes<Success, Failure>,
  id: ProcessId,
  actions: HandleActions
): ProcessHandle<Success, Failure, Signals> => ({
  id,
  await: Effect.flatMap(actions.awaitOutput(id), (output) => decoded(outcomes, id, copyOf(output))),
  cancel: (reason) => actions.cancel(id, reason ?? null),
  abandon: (reason) => actions.abandon(id, reason),
  signal: (signal, payload, options = {}) =>
    Arguments.refusing(() => {
      const typed = known("signal", signal as unknown as Signal<string, typeof payload>) // the same, with the payload it was declared with
      const { id: signalId } = Arguments.options("options", { id: true }, options)
      const name = signalId === undefined ? randomUUID() : Arguments.text("id of a signal", signalId)
      return Effect.asVoid(
        Effect.flatMap(actions.limited(typed.encode(payload)), (wire) =>
          actions.signal(id, { name: typed.signal, payload: wire, signalId: name })
        )
      )
    }),
  status: actions.status(id),
  events: Stream.unfoldChunkEffect(0, (after) =>
    Effect.map(actions.nextEvents(id, after), (events) => {
      const last = events.at(-1)
      return last === undefined
        ? Option.none()
        : Option.some([Chunk.unsafeFromArray(copyOf(events)), last.sequence] as const)
    })
  ),
  changes: Stream.unfoldEffect<number | undefined, ProcessRecord, ProcessUnknown | ProcessPruned | StoreError, never>(
    -1,
    (since) =>
      since === undefined
        ? Effect.succeed(Option.none())
        : Effect.map(actions.nextRecord(id, since), ({ record, sequence }) =>
            Option.some([copyOf(record), isTerminal(record) ? undefined : sequence])
          )
  )
})

const decoded = <Success, Failure>(
  outcomes: Outcomes<Success, Failure>,
  processId: ProcessId,
  output: AwaitOutput
): Effect.Effect<Success, Failure | AwaitError> => {
  switch (output._tag) {
    case "Success":
      return Effect.mapError(
        outcomes.decodeSuccess(output.value),
        (error) => new OutputInvalid({ processId, problem: error.message })
      )
    case "Failure":
      // Only a failure of the body's own carries its error; the runtime's failures must not pass for one.
      if (output.class !== "execution" || output.raw === undefined) {
        return Effect.fail(new ProcessFailed({ processId, output }))
      }
      return Effect.matchEffect(outcomes.decodeFailure(output.raw), {
        onSuccess: (failure) => Effect.fail(failure),
        onFailure: () => Effect.fail(new ProcessFailed({ processId, output }))
      })
    case "Cancelled":
      return Effect.fail(new ProcessCancelled({ processId, reason: output.message }))
    case "Abandoned":
      return Effect.fail(new ProcessAbandoned({ processId, output }))
  }
}
