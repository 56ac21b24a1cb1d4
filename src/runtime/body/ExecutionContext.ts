/**
 * What a body sees of the process it runs in.
 *
 * Every operation that writes is journaled: a body that runs again is told what it came to, and does not do it again. An
 * operation is known by its name, its occurrence, and the scope it is in.
 */
import type * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type { OperationError, RuntimeError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { SessionScope } from "../../model/Provenance.ts"
import type { ClosePolicy } from "../../model/Registration.ts"
import type { ProcessHandle } from "../client/ProcessHandle.ts"
import type { AnySignal, EventDefinition, Signal } from "../engine/Signal.ts"
import type { Startable } from "../engine/Startable.ts"
import type { ProcessScope } from "./Surroundings.ts"

/** How to start a child. */
export interface ChildOptions<Payload> {
  /** Names the child within its parent: a body that runs again attaches to the child of the same name. */
  readonly name: string
  readonly payload: Payload
  /** The child's id. @default `{parent id}/{name}` */
  readonly id?: string
  /** What people know the child by. */
  readonly label?: string
  /** What the end of this process means for the child, and what being asked to stop does. @default "cancel" */
  readonly closePolicy?: ClosePolicy
  /** The session that the child's wakes are for. @default whom this process woke when its activation began */
  readonly wakeTarget?: SessionScope
}

/** How a step is recorded and tried. */
export interface StepOptions<Value, ValueWire, Failure, FailureWire> {
  /** Stores the value and reads it back. @default the value must be JSON as it is */
  readonly schema?: Schema.Schema<Value, ValueWire>
  /**
   * Stores a failure and reads it back, so that a body that runs again meets the same one.
   *
   * @default a failure is not recorded: the step is tried anew when the body runs again
   */
  readonly error?: Schema.Schema<Failure, FailureWire>
  /** When to try a failed step again, within this activation. @default never */
  readonly retry?: Schedule.Schedule<unknown, Failure>
}

/** What a body sees of the process it runs in. Once the body has ended, every operation fails with `OutsideProcess`. */
export interface ExecutionContext {
  readonly processId: ProcessId
  /** The number of this try; it rises only when the one before it left no fact behind. */
  readonly attempt: number
  /** The number of this activation; an effect on the outside world may use it as its fence. */
  readonly fencingToken: number

  /**
   * What surrounds the body: session, provenance, wake target, environment, what a model may call here, and what the host
   * supplies besides: triggers, attachments, projections, a sink for what a turn is doing.
   *
   * It is read from the registration, and from the record as it was when this activation began.
   */
  readonly surroundings: Effect.Effect<ProcessScope>

  /**
   * Runs an effect once and records what it came to; a body that runs again is given that, and the effect is not run.
   *
   * The record is fenced, the effect itself cannot be: one that ran just before a crash runs again, so it should be
   * idempotent, or be given `fencingToken`. Fails with the effect's own error; with `InputInvalid` when the value does not fit
   * its schema or is no JSON; with `ReplayDiverged` or `StepNameAmbiguous` when the code does not fit its journal.
   */
  readonly step: <Value, Failure = never, R = never, ValueWire = Value, FailureWire = Failure>(
    name: string,
    effect: Effect.Effect<Value, Failure, R>,
    options?: StepOptions<Value, ValueWire, Failure, FailureWire>
  ) => Effect.Effect<Value, Failure | OperationError, R>

  /** Names a branch, so that branches which run at once may use the same names. */
  readonly scope: <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | OperationError, R>

  /** Sleeps until an absolute time that is stored: a restart neither shortens nor prolongs it. */
  readonly sleep: (
    duration: Duration.DurationInput,
    options?: { readonly name?: string }
  ) => Effect.Effect<void, OperationError>

  /**
   * Waits for a signal. One that came before anybody waited is kept, and signals are taken in the order in which they came,
   * each by one wait.
   *
   * Fails with `WaitTimedOut` when `timeout` passes first: an absolute time, stored like a sleep. @default no timeout
   */
  readonly awaitSignal: <Name extends string, Payload>(
    signal: Signal<Name, Payload>,
    options?: { readonly timeout?: Duration.DurationInput; readonly name?: string }
  ) => Effect.Effect<Payload, OperationError>

  /** Signals another process, once however often this body runs. Fails with `ProcessAlreadyTerminal` when it has ended. */
  readonly signal: <Name extends string, Payload>(
    target: ProcessId | string,
    signal: Signal<Name, Payload>,
    payload: Payload,
    options?: { readonly id?: string; readonly name?: string }
  ) => Effect.Effect<void, OperationError>

  /** Appends an event to the log of this process, once however often this body runs. */
  readonly appendEvent: <Payload>(
    event: EventDefinition<Payload>,
    payload: Payload,
    options?: { readonly name?: string; readonly wakeTarget?: SessionScope }
  ) => Effect.Effect<ProcessEvent, OperationError>

  /** The time, as the first activation that asked here saw it. Units: epoch milliseconds, UTC. */
  readonly now: Effect.Effect<number, OperationError>
  /** A number between 0 and 1, the same whenever this body runs again. */
  readonly random: Effect.Effect<number, OperationError>

  /** Names what the body is doing, for people: it shows in the tree and in logs, and is not stored. */
  readonly phase: <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

  /**
   * Starts a child, or attaches to it when this body started it in an earlier activation. What is started may be an engine, a
   * tool, a turn of a child session, or external work: a host that has it runs it.
   *
   * While the body waits for a child, its slot is free for others. Fails with `ParentClosing` once this process was asked to
   * stop, with `LeaseLost` when another worker runs it by now, with `ProcessIdConflict` when the id belongs to something else.
   */
  readonly start: <Payload, Success, Failure, Signals extends AnySignal = never>(
    startable: Startable<Payload, Success, Failure, Signals>,
    options: ChildOptions<Payload>
  ) => Effect.Effect<ProcessHandle<Success, Failure, Signals>, RuntimeError>
}
