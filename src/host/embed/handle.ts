/**
 * A process's address whose answers are Promises and whose streams are async iterables.
 *
 * Invariant: a caller that stops waiting stops only that; the process goes on.
 */
import * as Chunk from "effect/Chunk"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { ProcessRecord } from "../../model/ProcessRecord.ts"
import * as Arguments from "../../runtime/arguments.ts"
import type { ProcessHandle } from "../../runtime/client/ProcessHandle.ts"
import { failing } from "../../runtime/engine/outcomes.ts"
import type { AnySignal, PayloadOf } from "../../runtime/engine/Signal.ts"

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
  /**
   * Asks the process to stop; answers at once with the present record, usually still running. One that has ended notes the
   * request and stays as it is.
   */
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
  events: (options) => iterable(handle.events, reach, options)
})

/** Waits for a function's Promise to settle. */
export const fromPromise = <A>(run: () => Promise<A> | A): Effect.Effect<A, unknown> =>
  Effect.async((resume) => {
    ;(async () => run())().then(
      (value) => resume(Effect.succeed(value)),
      (thrown: unknown) => resume(failing(thrown))
    )
  })

/** The signal that lets go of a wait. Throws `InputInvalid` for options that have more, since no wait would heed that. */
export const signalOf = (options: WaitOptions | undefined): AbortSignal | undefined =>
  Arguments.fields("options", { signal: true }, options).signal

/** Asks for something; a throw is a rejection as any other. */
export const rejecting = <A>(ask: () => Promise<A>): Promise<A> => {
  try {
    return ask()
  } catch (thrown) {
    return Promise.reject(thrown)
  }
}

/** Lets work that hears of an abort settle: what it throws after an abort is its end, and no failure. */
export const hearing = <A>(effect: Effect.Effect<A, unknown>, signal: AbortSignal): Effect.Effect<A, unknown> =>
  Effect.uninterruptible(Effect.catchAll(effect, (thrown) => (signal.aborted ? Effect.interrupt : failing(thrown))))

/** How often to try again, after which pause; each pause is twice the one before. */
export interface Retry {
  readonly times: number
  readonly delay: Duration.DurationInput
}

/** The tries of a retry. Throws `InputInvalid`, which names what is no retry. */
export const tries = (field: string, retry: Retry): Schedule.Schedule<unknown, unknown> => {
  const { times, delay } = Arguments.options(field, { times: true, delay: true }, retry)
  return Schedule.intersect(
    Schedule.exponential(Arguments.durationMs(`${field}/delay`, delay)),
    Schedule.recurs(Arguments.whole(`${field}/times`, times, 0))
  )
}

/** A stream as an async iterable: every loop over it begins anew. */
export const iterable = <A, E>(
  stream: Stream.Stream<A, E>,
  reach: Pick<Reach, "wait" | "release">,
  options?: WaitOptions
): AsyncIterable<A> => ({ [Symbol.asyncIterator]: () => iterate(stream, reach, options) })

/** Pulls a stream as its reader asks for more; leaving the loop closes it. */
async function* iterate<A, E>(
  stream: Stream.Stream<A, E>,
  { wait, release }: Pick<Reach, "wait" | "release">,
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
