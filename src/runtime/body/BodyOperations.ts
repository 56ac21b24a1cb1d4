/**
 * The journaled operations of a body: steps, sleeps, waits, signals, events, time and chance.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Random from "effect/Random"
import type { InputInvalid } from "../../model/errors.ts"
import { WaitTimedOut } from "../../model/errors.ts"
import type { OperationError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import * as Ids from "../../model/ids.ts"
import { waitKeyOf } from "../../model/JournalEntry.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { SessionScope } from "../../model/Provenance.ts"
import type { Awaited } from "../../operations/decisions/execution.ts"
import * as Arguments from "../arguments.ts"
import { durationMs, refusing } from "../arguments.ts"
import type { EventDefinition, Signal } from "../engine/Signal.ts"
import { knownEvent, known as knownSignal } from "../engine/Signal.ts"
import type { Activation } from "./Activation.ts"
import { answered, stateOf } from "./Activation.ts"
import type { WaitEnd } from "./End.ts"
import type { Journal } from "./Journal.ts"
import type { Operate } from "./operate.ts"
import type { Step } from "./step.ts"
import * as Steps from "./step.ts"

/**
 * The operations that are journaled. Once the body has ended, each fails with `OutsideProcess`; inside a step with `InsideStep`.
 *
 * An argument of the wrong kind fails with `InputInvalid`, which names it.
 */
export interface BodyOperations {
  /**
   * Runs an effect once and records what it came to, value or failure: a body that runs again gets that, and the effect is not
   * run.
   *
   * The record is fenced, the effect itself cannot be: one that ran just before a crash runs again, so it should be
   * idempotent, or be given `fencingToken`. What the body gets was encoded and decoded, the first time too. Fails with the
   * effect's own error, read by `error`; with `InputInvalid` when the outcome cannot be recorded; with `ReplayDiverged` or
   * `StepNameAmbiguous` when the code does not fit its journal.
   */
  readonly step: Step

  /** Names a branch, so that branches which run at once may use the same names. */
  readonly scope: <A, E, R>(name: string, effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | OperationError, R>

  /** Sleeps until an absolute time that is stored: a restart neither shortens nor prolongs it. */
  readonly sleep: (
    duration: Duration.DurationInput,
    options?: { readonly name?: string }
  ) => Effect.Effect<void, OperationError>

  /**
   * Waits for a signal. An early one is kept, and signals are consumed in the order in which they came, each by one wait. A wait
   * that the body lets go of, as a lost race does, takes no signal.
   *
   * Fails with `WaitTimedOut` when `timeout` passes first: an absolute time, stored like a sleep. @default no timeout
   */
  readonly awaitSignal: <Name extends string, Payload>(
    signal: Signal<Name, Payload>,
    options?: AwaitSignalOptions
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
  /**
   * Answers whether the body runs new code here: `false` for a process that was past this place before the name was added, and
   * the same whenever it runs again. So a deploy can change a body without a new version.
   */
  readonly patched: (name: string) => Effect.Effect<boolean, OperationError>
}

/** How a signal is waited for. */
export interface AwaitSignalOptions {
  readonly timeout?: Duration.DurationInput
  /** Names the wait in the journal. @default the name of the signal */
  readonly name?: string
  /** The wait takes a signal before those that are open already. @default false */
  readonly ahead?: boolean
}

const waitOptions = { timeout: true, name: true, ahead: true } as const satisfies Readonly<
  Record<keyof AwaitSignalOptions, true>
>

/** Makes the operations of one activation. */
export const make = (activation: Activation, journal: Journal, operate: Operate): BodyOperations => {
  const { id: processId, ends } = activation
  const store = activation.services.writes

  /** What needs no end of its own: it is known at once, and journaled with the next write. */
  const known = <A>(operation: "now" | "random" | "patched", name: string, value: Effect.Effect<A>) =>
    Effect.withFiberRuntime<A, OperationError>((fiber) => {
      const place = journal.enter(fiber, operation, name)
      if (Either.isLeft(place)) return Effect.fail(place.left)
      const { key } = place.right
      const recorded = journal.recorded(key, operation)
      if (Either.isLeft(recorded)) return Effect.fail(recorded.left)
      if (recorded.right !== undefined) return Effect.succeed(recorded.right.outcome as A) // written below
      // What a finaliser asks here would be in the journal of an activation that has nothing to clean up.
      if (stateOf(activation) === "leaving") return Effect.interrupt
      return Effect.tap(value, (outcome) => journal.keep(key, operation, outcome))
    })

  const wait = (
    operation: "sleep" | "await_signal",
    name: string,
    awaited: Effect.Effect<Awaited, OperationError>,
    signal?: string
  ) => {
    /** The signal that had come before the wait was entered: the store answers it with the wait. */
    let early: ProcessEvent | undefined
    return operate<WaitEnd, OperationError, never>(operation, name, {
      ...(signal === undefined ? {} : { signal }),
      perform: (key, { waiting, refused }) =>
        Effect.matchEffect(awaited, {
          onFailure: refused,
          onSuccess: (what) =>
            Effect.map(
              journal.write(key, operation, (lease, opened) => store.enterWait(lease, opened, what)),
              ({ answer, entry, settle }) => {
                const waitKey = answer?.waitKey ?? waitKeyOf(entry)
                early = answer?.ended?.signal
                // The store answered, or the entry was read back.
                return { ...waiting(waitKey as string), onWaiting: settle }
              }
            )
        }),
      takeUp: (end) => {
        if (end._tag !== "WaitEnded") return Effect.dieMessage("a wait has another end")
        const { outcome, signal } = end.ended
        if (outcome._tag !== "Signal" || signal !== undefined) return Effect.succeed(end.ended)
        if (early?.sequence === outcome.sequence) return Effect.succeed({ outcome, signal: early })
        const read = answered(activation, store.eventAt(processId, outcome.sequence))
        return Effect.map(read, (event) => ({ outcome, signal: event }))
      }
    })
  }

  return {
    step: Steps.make(activation, journal, operate),
    scope: (name, effect) =>
      refusing(() =>
        journal.scope(Arguments.text("name of `scope`", name), Arguments.effect("effect of `scope`", effect))
      ),
    sleep: (duration, options) =>
      refusing(() => {
        const { name } = Arguments.fields("options of `sleep`", { name: true }, options)
        return Effect.asVoid(
          wait(
            "sleep",
            named("sleep", name, "sleep"),
            Effect.map(deadlineAfter("duration of `sleep`", duration), (deadlineMs) => ({ _tag: "Timer", deadlineMs }))
          )
        )
      }),
    awaitSignal: (signal, options) =>
      refusing(() => {
        const { name: event, signal: signalName } = knownSignal("signal of `awaitSignal`", signal)
        const { timeout, name, ahead } = Arguments.fields("options of `awaitSignal`", waitOptions, options)
        if (ahead !== undefined) Arguments.truth("ahead of `awaitSignal`", ahead)
        const awaited = { _tag: "Signal", name: signalName, ...(ahead === undefined ? {} : { ahead }) } as const
        return Effect.flatMap(
          wait(
            "await_signal",
            named("awaitSignal", name, event),
            timeout === undefined
              ? Effect.succeed(awaited)
              : Effect.map(deadlineAfter("timeout of `awaitSignal`", timeout), (deadlineMs) => ({
                  ...awaited,
                  deadlineMs
                })),
            signalName
          ),
          (end): Effect.Effect<Effect.Effect.Success<ReturnType<typeof signal.decode>>, OperationError> =>
            end.signal === undefined
              ? Effect.fail(new WaitTimedOut({ processId, signal: signalName }))
              : signal.decode(end.signal.payload)
        )
      }),
    signal: (target, signal, payload, options) =>
      refusing(() => {
        const to = Ids.processId(Arguments.text("target of `signal`", target))
        const { name: event, signal: signalName } = knownSignal("signal of `signal`", signal)
        const { id, name } = Arguments.fields("options of `signal`", { id: true, name: true }, options)
        if (id !== undefined) Arguments.text("id of `signal`", id)
        return operate.once("signal", named("signal", name, `${to} ${event}`), {
          attempt: (key) =>
            Effect.map(signal.encode(payload), (encoded) => {
              const replayKey = Ids.signalReplayKey(to, signalName, id ?? `${processId}:${journal.branched(key)}`)
              const request = { eventType: event, payload: encoded, replayKey }
              return (lease, opened) => store.signalFrom(lease, to, request, opened)
            }),
          takeUp: () => Effect.void
        })
      }),
    appendEvent: (event, payload, options) =>
      refusing(() => {
        const { name: eventType } = knownEvent("event of `appendEvent`", event)
        const known = { name: true, wakeTarget: true } as const
        const { name, wakeTarget } = Arguments.fields("options of `appendEvent`", known, options)
        if (wakeTarget !== undefined) Arguments.sessionScope("wakeTarget of `appendEvent`", wakeTarget)
        return operate.once("append_event", named("appendEvent", name, eventType), {
          attempt: (key) =>
            Effect.map(event.encode(payload), (encoded) => {
              const request = {
                eventType,
                payload: encoded,
                replayKey: Ids.journalReplayKey(processId, journal.branched(key)),
                ...(wakeTarget === undefined ? {} : { wakeTargetScope: wakeTarget })
              }
              return (lease, opened) => store.append(lease, request, opened)
            }),
          takeUp: (outcome) =>
            answered(activation, store.eventAt(processId, (outcome as { readonly sequence: number }).sequence)) // written by the store
        })
      }),
    now: known("now", "now", Clock.currentTimeMillis),
    random: known("random", "random", Random.next),
    patched: (name) =>
      refusing(() =>
        known(
          "patched",
          `patched ${Arguments.text("name of `patched`", name)}`,
          Effect.sync(() => ends.isCaughtUp() && !journal.hasMore())
        )
      )
  }
}

/** The name of an operation in the journal: what its options say, if they do. */
const named = (operation: string, given: string | undefined, otherwise: string): string =>
  given === undefined ? otherwise : Arguments.text(`name of \`${operation}\``, given)

const deadlineAfter = (field: string, duration: Duration.DurationInput): Effect.Effect<number, InputInvalid> =>
  refusing(() => {
    const ms = durationMs(field, duration)
    return Effect.map(Clock.currentTimeMillis, (nowMs) => Math.min(nowMs + Math.ceil(ms), Number.MAX_SAFE_INTEGER))
  })
