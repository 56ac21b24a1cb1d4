/**
 * The journaled operations of a body: steps, sleeps, waits, signals, events, time and chance.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type { LeaseLost, StoreError } from "../../model/errors.ts"
import { InputInvalid, WaitTimedOut } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import * as Ids from "../../model/ids.ts"
import { jsonProblem } from "../../model/json.ts"
import type { Lease } from "../../model/Lease.ts"
import type { BodyWrites } from "../../operations/BodyWrites.ts"
import type { Awaited, Waited } from "../../operations/decisions/execution.ts"
import { insisting } from "../retry.ts"
import type { ExecutionContext, StepOptions } from "./ExecutionContext.ts"
import type { Journal, Opened } from "./Journal.ts"
import type { Ended, Parking } from "./PendingWaits.ts"

/** What the operations of one activation need. */
export interface OperationSupport {
  readonly processId: ProcessId
  readonly store: typeof BodyWrites.Service
  readonly journal: Journal
  readonly parking: Parking
  /** Writes under the present lease; one that only expired is taken again. */
  readonly fenced: <A, E extends { readonly _tag: string }>(
    write: (lease: Lease) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E | LeaseLost | StoreError>
  /** Lends the body's slot to others while an effect waits. */
  readonly lend: <A, E, R>(wait: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/** The operations that are journaled. */
export type Operations = Pick<
  ExecutionContext,
  "step" | "scope" | "sleep" | "awaitSignal" | "signal" | "appendEvent" | "now" | "random"
>

/** Makes them for one activation. */
export const make = (support: OperationSupport): Operations => {
  const { processId, store, journal, parking, lend } = support
  const waits = () => Effect.logWarning(`${processId} waits for its store`)

  /** A store that is out for a while holds an operation up and loses nothing: every one of them may be written again. */
  const write = <A, E extends { readonly _tag: string }>(attempt: (lease: Lease) => Effect.Effect<A, E>) =>
    insisting(support.fenced(attempt), waits)

  const record = (opened: Opened, outcome: unknown) => write((lease) => store.record(lease, { ...opened, outcome }))

  const recorded = (operation: "now" | "random", effect: Effect.Effect<number>) =>
    journal.operate(
      operation,
      operation,
      (outcome) => Effect.succeed(outcome as number), // written below
      (opened) => Effect.tap(effect, (value) => record(opened, value))
    )

  const step: Operations["step"] = (name, effect, options = {}) =>
    parking.busy(
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

  /** Waits for the end of a wait that was entered; one that ended already is not waited for. */
  const ended = ({ waitKey, ended: known }: Waited): Effect.Effect<Ended> =>
    known === undefined ? lend(parking.park(waitKey)) : Effect.succeed(known)

  const wait = (opened: Opened, awaited: Awaited) =>
    Effect.flatMap(
      write((lease) => store.enterWait(lease, opened, awaited)),
      ended
    )

  const rejoin = (outcome: unknown) =>
    Effect.flatMap(
      insisting(store.waitOf(processId, (outcome as { readonly wait_key: string }).wait_key), waits), // written by the store
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
      parking.busy(
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
      parking.busy(
        journal.operate(
          "append_event",
          name,
          (outcome) => insisting(store.eventAt(processId, (outcome as { readonly sequence: number }).sequence), waits), // written by the store
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

/** What a step came to in an earlier activation. */
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
