/**
 * The journaled operations of a body: steps, sleeps, waits, signals, events, time and chance.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { InputInvalid, WaitTimedOut } from "../../model/errors.ts"
import type { OperationError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import * as Ids from "../../model/ids.ts"
import { jsonProblem } from "../../model/json.ts"
import type { Lease } from "../../model/Lease.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { SessionScope } from "../../model/Provenance.ts"
import type { Awaited, Waited } from "../../operations/decisions/execution.ts"
import type { EventDefinition, Signal } from "../engine/Signal.ts"
import { whileUnavailable } from "../retry.ts"
import type { Activation } from "./Activation.ts"
import { fenced } from "./Activation.ts"
import type { Journal, Opened } from "./Journal.ts"
import type { Ended } from "./PendingWaits.ts"

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

/** The operations that are journaled. Once the body has ended, each fails with `OutsideProcess`. */
export interface BodyOperations {
  /**
   * Runs an effect once and records its outcome; a body that runs again gets that, and the effect is not run.
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
   * Waits for a signal. An early one is kept, and signals are consumed in the order in which they came, each by one wait.
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
}

/** Makes the operations of one activation. */
export const make = (activation: Activation, journal: Journal): BodyOperations => {
  const { id: processId, waits, slot } = activation
  const store = activation.services.writes
  const outage = () => Effect.logWarning(`${processId} waits for its store`)

  /** Every one of these writes may be repeated: an unavailable store delays it, and loses nothing. */
  const write = <A, E extends { readonly _tag: string }>(attempt: (lease: Lease) => Effect.Effect<A, E>) =>
    whileUnavailable(fenced(activation, attempt), outage)

  const record = (opened: Opened, outcome: unknown) => write((lease) => store.record(lease, { ...opened, outcome }))

  const recorded = (operation: "now" | "random", effect: Effect.Effect<number>) =>
    journal.operate(
      operation,
      operation,
      (outcome) => Effect.succeed(outcome as number), // written below
      (opened) => Effect.tap(effect, (value) => record(opened, value))
    )

  const step: BodyOperations["step"] = (name, effect, options = {}) =>
    waits.busy(
      journal.operate(
        "step",
        name,
        (outcome) => replayed(name, outcome, options),
        (opened) =>
          (options.retry === undefined ? effect : Effect.retry(effect, options.retry)).pipe(
            Effect.matchEffect({
              onSuccess: (value) =>
                Effect.as(
                  Effect.flatMap(encoded(`value of step \`${name}\``, options.schema, value), (ok) =>
                    record(opened, { ok })
                  ),
                  value
                ),
              onFailure: (failure) =>
                options.error === undefined
                  ? Effect.fail(failure)
                  : Effect.zipRight(
                      Effect.flatMap(encoded(`error of step \`${name}\``, options.error, failure), (error) =>
                        record(opened, { error })
                      ),
                      Effect.fail(failure)
                    )
            })
          )
      )
    )

  /** Waits for the end of a wait that was entered, unless it has ended already. */
  const ended = ({ waitKey, ended: known }: Waited): Effect.Effect<Ended> =>
    known === undefined ? slot.releaseWhile(waits.await(waitKey)) : Effect.succeed(known)

  const wait = (opened: Opened, awaited: Awaited) =>
    Effect.flatMap(
      write((lease) => store.enterWait(lease, opened, awaited)),
      ended
    )

  const rejoin = (outcome: unknown) =>
    Effect.flatMap(
      whileUnavailable(store.waitOf(processId, (outcome as { readonly wait_key: string }).wait_key), outage), // written by the store
      ended
    )

  return {
    step,
    scope: journal.scope,
    sleep: (duration, { name = "sleep" } = {}) =>
      Effect.asVoid(
        journal.operate("sleep", name, rejoin, (opened) =>
          Effect.flatMap(deadlineAfter(duration), (deadlineMs) => wait(opened, { _tag: "Timer", deadlineMs }))
        )
      ),
    awaitSignal: (signal, { timeout, name = signal.name } = {}) =>
      Effect.flatMap(
        journal.operate("await_signal", name, rejoin, (opened) => {
          const awaited = { _tag: "Signal", name: signal.signal } as const
          return timeout === undefined
            ? wait(opened, awaited)
            : Effect.flatMap(deadlineAfter(timeout), (deadlineMs) => wait(opened, { ...awaited, deadlineMs }))
        }),
        (end): Effect.Effect<Effect.Effect.Success<ReturnType<typeof signal.decode>>, WaitTimedOut | InputInvalid> =>
          end.signal === undefined
            ? Effect.fail(new WaitTimedOut({ processId, signal: signal.signal }))
            : signal.decode(end.signal.payload)
      ),
    signal: (target, signal, payload, { id, name = `${target} ${signal.name}` } = {}) =>
      waits.busy(
        journal.operate(
          "signal",
          name,
          () => Effect.void,
          (opened) =>
            Effect.flatMap(signal.encode(payload), (encoded) => {
              const to = Ids.processId(target)
              const replayKey = Ids.signalReplayKey(to, signal.signal, id ?? `${processId}:${opened.key}`)
              const request = { eventType: signal.name, payload: encoded, replayKey }
              return Effect.asVoid(write((lease) => store.signalFrom(lease, to, request, opened)))
            })
        )
      ),
    appendEvent: (event, payload, { name = event.name, wakeTarget } = {}) =>
      waits.busy(
        journal.operate(
          "append_event",
          name,
          (outcome) =>
            whileUnavailable(store.eventAt(processId, (outcome as { readonly sequence: number }).sequence), outage), // written by the store
          (opened) =>
            Effect.flatMap(event.encode(payload), (encoded) => {
              const replayKey = `process:${processId}:journal:${opened.key}`
              const request = {
                eventType: event.name,
                payload: encoded,
                replayKey,
                ...(wakeTarget === undefined ? {} : { wakeTargetScope: wakeTarget })
              }
              return Effect.map(
                write((lease) => store.append(lease, request, opened)),
                ({ event: appended }) => appended
              )
            })
        )
      ),
    now: recorded("now", Clock.currentTimeMillis),
    random: recorded("random", Random.next)
  }
}

const deadlineAfter = (duration: Duration.DurationInput): Effect.Effect<number> =>
  Effect.map(Clock.currentTimeMillis, (nowMs) =>
    Math.min(nowMs + Math.ceil(Duration.toMillis(duration)), Number.MAX_SAFE_INTEGER)
  )

/** Encodes a value that is to be stored. */
const encoded = <Value, Wire>(
  what: string,
  schema: Schema.Schema<Value, Wire> | undefined,
  value: Value
): Effect.Effect<unknown, InputInvalid> =>
  Effect.flatMap(
    schema === undefined
      ? Effect.succeed(value as unknown)
      : Effect.mapError(
          Schema.encode(schema)(value),
          (error) => new InputInvalid({ field: what, problem: error.message })
        ),
    (wire) => {
      const json = wire === undefined ? null : wire
      const problem = jsonProblem(json)
      return problem === undefined
        ? Effect.succeed(json)
        : Effect.fail(
            new InputInvalid({
              field: `${what}${problem.path}`,
              problem: `${problem.problem}, not JSON: give the step a schema`
            })
          )
    }
  )

/** The outcome of a step that an earlier activation recorded. */
const replayed = <Value, ValueWire, Failure, FailureWire>(
  name: string,
  outcome: unknown,
  { schema, error }: StepOptions<Value, ValueWire, Failure, FailureWire>
): Effect.Effect<Value, Failure | InputInvalid> => {
  const stored = outcome as { readonly ok: unknown } | { readonly error: unknown } // written by `step`
  const unreadable = (problem: string) =>
    new InputInvalid({ field: `recorded outcome of step \`${name}\``, problem: `does not fit its schema: ${problem}` })
  if ("ok" in stored) {
    return schema === undefined
      ? Effect.succeed(stored.ok as Value) // it was JSON when it was recorded
      : Effect.mapError(Schema.decodeUnknown(schema)(stored.ok), (issue) => unreadable(issue.message))
  }
  return error === undefined
    ? Effect.fail(unreadable("a failure was recorded, and the step has no error schema"))
    : Effect.flatMap(
        Effect.mapError(Schema.decodeUnknown(error)(stored.error), (issue) => unreadable(issue.message)),
        (failure) => Effect.fail(failure)
      )
}
