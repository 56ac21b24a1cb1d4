/**
 * Bodies and handles of Promises: what a body sees of its process, how it becomes a body that the runtime runs, and a process's
 * address whose answers are Promises and whose streams are async iterables.
 *
 * Invariant: an activation ends only when its Promise has settled, and keeps its lease until then, so that no other worker runs
 * the process meanwhile. A caller that stops waiting stops only that; the process goes on.
 */

import * as Chunk from "effect/Chunk"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Runtime from "effect/Runtime"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { EnvironmentSpec } from "../../model/Environment.ts"
import * as Errors from "../../model/errors.ts"
import type { RuntimeError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { ProcessRecord } from "../../model/ProcessRecord.ts"
import type { SessionScope } from "../../model/Provenance.ts"
import type { ChildOptions, ExecutionContext } from "../../runtime/body/ExecutionContext.ts"
import type { Surroundings } from "../../runtime/body/Surroundings.ts"
import type { ProcessHandle } from "../../runtime/client/ProcessHandle.ts"
import type { AnySignal, EventDefinition, PayloadOf, Signal } from "../../runtime/engine/Signal.ts"
import type { Startable } from "../../runtime/engine/Startable.ts"
import type { Trigger } from "../../runtime/HostServices.ts"

/** How a step is recorded and tried. */
export interface BodyStepOptions<Value, ValueWire, Failure, FailureWire> {
  /** Stores the value and reads it back. @default the value must be JSON as it is */
  readonly schema?: Schema.Schema<Value, ValueWire>
  /**
   * Stores an error of this type and reads it back, so that a body that runs again meets the same one. Any other error is
   * then a defect: it is neither recorded nor tried again.
   *
   * @default no error is recorded: the step is tried anew when the body runs again
   */
  readonly error?: Schema.Schema<Failure, FailureWire>
  /** How often to try a failed step again, after which pause; each pause is twice the one before. @default never */
  readonly retry?: { readonly times: number; readonly delay: Duration.DurationInput }
}

/**
 * What a body sees of the process it runs in: the operations of `ExecutionContext` as Promises.
 *
 * What is not explained here is as there. The operations reject with the library's own errors, and with the reason of
 * `abortSignal` once the body was interrupted; such a rejection should be let through.
 */
export interface BodyContext {
  readonly processId: ProcessId
  readonly attempt: number
  readonly fencingToken: number
  /** Aborted when the body is interrupted: by a cancel, a stopping host, a lost lease, or a passivation. */
  readonly abortSignal: AbortSignal
  /**
   * Runs a function once and records its outcome; a body that runs again gets that, and the function is not called.
   * The signal it is handed is aborted when the body is interrupted.
   */
  readonly step: <Value, ValueWire = Value, Failure = never, FailureWire = Failure>(
    name: string,
    run: (signal: AbortSignal) => Value | Promise<Value>,
    options?: BodyStepOptions<Value, ValueWire, Failure, FailureWire>
  ) => Promise<Value>
  /** Names a branch: what it does through the context it is handed may use names that other branches use at the same time. */
  readonly scope: <A>(name: string, run: (context: BodyContext) => A | Promise<A>) => Promise<A>
  readonly sleep: (duration: Duration.DurationInput, options?: { readonly name?: string }) => Promise<void>
  readonly awaitSignal: <Name extends string, Payload>(
    signal: Signal<Name, Payload>,
    options?: { readonly timeout?: Duration.DurationInput; readonly name?: string }
  ) => Promise<Payload>
  readonly signal: <Name extends string, Payload>(
    target: ProcessId | string,
    signal: Signal<Name, Payload>,
    payload: Payload,
    options?: { readonly id?: string; readonly name?: string }
  ) => Promise<void>
  readonly appendEvent: <Payload>(
    event: EventDefinition<Payload>,
    payload: Payload,
    options?: { readonly name?: string; readonly wakeTarget?: SessionScope }
  ) => Promise<ProcessEvent>
  readonly now: () => Promise<number>
  readonly random: () => Promise<number>
  readonly phase: <A>(name: string, run: () => A | Promise<A>) => Promise<A>
  readonly surroundings: () => Promise<BodySurroundings>
  readonly start: <Payload, Success, Failure, Signals extends AnySignal = never>(
    startable: Startable<Payload, Success, Failure, Signals>,
    options: ChildOptions<Payload>
  ) => Promise<Handle<Success, Signals>>
}

/** What surrounds a body. Each default, where the host supplies nothing, is that of the service. */
export interface BodySurroundings extends Pick<Surroundings, "sessionScope" | "causedBy" | "turn" | "tools"> {
  readonly protocol: Surroundings["hostServices"]["protocol"]
  /** The environment the process was started under. */
  readonly environment: () => Promise<EnvironmentSpec>
  /** Registers a trigger in the name of the process. */
  readonly registerTrigger: (trigger: Pick<Trigger, "id" | "definition">) => Promise<"kept" | "refused">
  /** Reports to people who watch what the body is doing. It is not stored. */
  readonly report: (kind: string, detail: unknown) => Promise<void>
  /** The bytes under a reference; `undefined` when there are none. */
  readonly attachment: (ref: string) => Promise<Uint8Array | undefined>
  /** Replaces references by the values they name. */
  readonly materialize: (value: unknown) => Promise<unknown>
}

/** Carries out an effect in a runtime; when one of the signals is aborted, it is interrupted. */
export type Promised = (
  runtime: Runtime.Runtime<never>,
  signals: ReadonlyArray<AbortSignal | undefined>
) => <A, E>(effect: Effect.Effect<A, E>) => Promise<A>

/**
 * Turns a function into a body.
 *
 * A rejection with an error of the engine's schema, or with one of the library's, is a failure. Any other is a defect: the
 * process fails with class `internal`.
 */
export const bodyOf =
  <Payload, Success, Failure, FailureWire>(
    run: (payload: Payload, context: BodyContext) => Success | Promise<Success>,
    error: Schema.Schema<Failure, FailureWire> | undefined,
    promised: Promised
  ) =>
  (payload: Payload, context: ExecutionContext): Effect.Effect<Success, Failure | RuntimeError> =>
    Effect.flatMap(Effect.runtime<never>(), (runtime) => {
      const over = new AbortController()
      const underWay = new Set<Promise<unknown>>()
      const reachIn = (within: Runtime.Runtime<never>, abortSignal: AbortSignal): Reach => {
        const perform: Perform = (effect, options) => {
          const answer = promised(within, [over.signal, abortSignal, options?.signal])(effect)
          const settled: Promise<unknown> = answer.then(ignore, ignore).finally(() => underWay.delete(settled))
          underWay.add(settled)
          return answer
        }
        return { wait: perform, act: perform, release: promised(within, []) }
      }
      // What the body began and did not wait for ends with it.
      const end = Effect.promise(() => {
        over.abort(new Errors.OutsideProcess({ processId: context.processId }))
        return Promise.all(underWay)
      })
      return fromPromise((signal) => run(payload, contextOf(context, signal, runtime, reachIn))).pipe(
        Effect.catchAll((thrown) => (isFailure(thrown, error) ? Effect.fail(thrown) : Effect.die(thrown))),
        Effect.ensuring(end)
      )
    })

const contextOf = (
  context: ExecutionContext,
  abortSignal: AbortSignal,
  runtime: Runtime.Runtime<never>,
  reachIn: (within: Runtime.Runtime<never>, abortSignal: AbortSignal) => Reach
): BodyContext => {
  const reach = reachIn(runtime, abortSignal)
  const perform = reach.act
  return {
    processId: context.processId,
    attempt: context.attempt,
    fencingToken: context.fencingToken,
    abortSignal,
    step: (name, run, { schema, error, retry } = {}) =>
      perform(
        context.step(
          name,
          Effect.catchAll(fromPromise(run), (thrown) =>
            error === undefined || Schema.is(error)(thrown)
              ? Effect.fail(thrown as Schema.Schema.Type<NonNullable<typeof error>>) // of that type, or no type was asked for
              : Effect.die(thrown)
          ),
          {
            ...(schema === undefined ? {} : { schema }),
            ...(error === undefined ? {} : { error }),
            ...(retry === undefined
              ? {}
              : { retry: Schedule.intersect(Schedule.exponential(retry.delay), Schedule.recurs(retry.times)) })
          }
        )
      ),
    scope: (name, run) =>
      perform(
        context.scope(
          name,
          Effect.flatMap(Effect.runtime<never>(), (inner) =>
            fromPromise(() => run(contextOf(context, abortSignal, inner, reachIn)))
          )
        )
      ),
    sleep: (duration, options) => perform(context.sleep(duration, options)),
    awaitSignal: (signal, options) => perform(context.awaitSignal(signal, options)),
    signal: (target, signal, payload, options) => perform(context.signal(target, signal, payload, options)),
    appendEvent: (event, payload, options) => perform(context.appendEvent(event, payload, options)),
    now: () => perform(context.now),
    random: () => perform(context.random),
    phase: (name, run) => perform(context.phase(name, fromPromise(run))),
    surroundings: () =>
      perform(
        Effect.map(context.surroundings, ({ sessionScope, causedBy, turn, tools, hostServices, ...around }) => ({
          sessionScope,
          causedBy,
          turn,
          tools,
          protocol: hostServices.protocol,
          environment: () => perform(around.environment),
          registerTrigger: (trigger) => perform(around.registerTrigger(trigger)),
          report: (kind, detail) => perform(around.report(kind, detail)),
          attachment: (ref) => perform(hostServices.attachments.get(ref)),
          materialize: (value) => perform(hostServices.projections.materialize(value))
        }))
      ),
    start: (startable, options) =>
      perform(Effect.map(context.start(startable, options), (child) => handleOf(child, reach)))
  }
}

/** Waits for a function's Promise. An interruption aborts its signal, and is over once the Promise has settled. */
const fromPromise = <A>(run: (signal: AbortSignal) => A | Promise<A>): Effect.Effect<A, unknown> =>
  Effect.async((resume) => {
    const controller = new AbortController()
    const promise = (async () => run(controller.signal))()
    const settled = promise.then(
      (value) => resume(Effect.succeed(value)),
      (thrown: unknown) => resume(Effect.fail(thrown))
    )
    return Effect.promise(() => {
      controller.abort()
      return settled
    })
  })

const isFailure = <Failure, FailureWire>(
  thrown: unknown,
  error: Schema.Schema<Failure, FailureWire> | undefined
): thrown is Failure | RuntimeError =>
  (error !== undefined && Schema.is(error)(thrown)) || Object.values(Errors).some((type) => thrown instanceof type)

const ignore = (): void => {}

/** How long to wait: until the signal is aborted. Then the Promise rejects with the signal's reason. */
export interface WaitOptions {
  /** @default waits until there is an answer */
  readonly signal?: AbortSignal
}

/** A process, addressed with the types of its engine. It stays valid across restarts: make it again from the id. */
export interface Handle<Success, Signals extends AnySignal = never> {
  readonly id: ProcessId
  /**
   * Waits for the end.
   *
   * Rejects with the engine's own error, with `ProcessFailed` for every other failure, with `ProcessCancelled`, or with
   * `ProcessAbandoned` when its outcome is unknown. Aborting `signal` stops the waiting, not the process.
   */
  readonly result: (options?: WaitOptions) => Promise<Success>
  /** Asks the process to stop; answers at once with the present record, usually still running. */
  readonly cancel: (reason?: string) => Promise<ProcessRecord>
  /**
   * Sends a signal; durable once it answers, and kept until the body waits for it. With an `id`, a retry is the same signal.
   *
   * Rejects with `InputInvalid` (the payload does not fit), with `EventRejected` (the process was started by code that does
   * not declare it), or with `ProcessAlreadyTerminal`.
   */
  readonly signal: <S extends Signals>(
    signal: S,
    payload: PayloadOf<S>,
    options?: { readonly id?: string }
  ) => Promise<void>
  /** The present record. Rejects with `ProcessUnknown` or `ProcessPruned`. */
  readonly status: () => Promise<ProcessRecord>
  /** Its events from the first one on, until it has ended. Every loop over it begins anew. */
  readonly events: (options?: WaitOptions) => AsyncIterable<ProcessEvent>
}

/** Carries out an effect as a Promise, which rejects with what the effect failed with, never with a wrapper. */
export type Perform = <A, E>(effect: Effect.Effect<A, E>, options?: WaitOptions) => Promise<A>

/** How a handle reaches its host. */
export interface Reach {
  /** For what only waits: it is given up when the host stops, or the body ends. */
  readonly wait: Perform
  /** For what acts: a host that stops carries it through. */
  readonly act: Perform
  /** For letting go of what a wait holds, also after the host was stopped. */
  readonly release: (effect: Effect.Effect<void>) => Promise<void>
}

/** Turns a handle into one of Promises. */
export const handleOf = <Success, Failure, Signals extends AnySignal>(
  handle: ProcessHandle<Success, Failure, Signals>,
  reach: Reach
): Handle<Success, Signals> => ({
  id: handle.id,
  result: (options) => reach.wait(handle.await, options),
  cancel: (reason) => reach.act(handle.cancel(reason)),
  signal: (signal, payload, options) => reach.act(handle.signal(signal, payload, options)),
  status: () => reach.act(handle.status),
  events: (options) => ({ [Symbol.asyncIterator]: () => iterate(handle.events, reach, options) })
})

/** Pulls a stream as its reader asks for more; leaving the loop closes it. */
async function* iterate<A, E>(
  stream: Stream.Stream<A, E>,
  { wait, release }: Reach,
  options: WaitOptions | undefined
): AsyncGenerator<A, void, undefined> {
  const scope = await wait(Scope.make(), options)
  try {
    const pull = await wait(Scope.extend(Stream.toPull(stream), scope), options)
    const next = Effect.matchEffect(pull, {
      onSuccess: (chunk) => Effect.succeed(Option.some(chunk)),
      // A stream's end is a failure without an error.
      onFailure: Option.match({
        onNone: () => Effect.succeed(Option.none<Chunk.Chunk<A>>()),
        onSome: (error) => Effect.fail(error)
      })
    })
    for (;;) {
      const chunk = await wait(next, options)
      if (Option.isNone(chunk)) return
      yield* Chunk.toReadonlyArray(chunk.value)
    }
  } finally {
    await release(Scope.close(scope, Exit.void))
  }
}
