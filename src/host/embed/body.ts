/**
 * Bodies of Promises: what a body sees of its process, and how it becomes a body that the runtime runs.
 *
 * Invariant: an activation ends only when its Promise has settled, and keeps its lease until then, so that no other worker runs
 * the process meanwhile.
 */

import { AsyncLocalStorage } from "node:async_hooks"
import { setMaxListeners } from "node:events"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Runtime from "effect/Runtime"
import * as RuntimeFlags from "effect/RuntimeFlags"
import * as Schedule from "effect/Schedule"
import type * as Schema from "effect/Schema"
import type { EnvironmentSpec } from "../../model/Environment.ts"
import * as Errors from "../../model/errors.ts"
import type { RuntimeError } from "../../model/failures.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { SessionScope } from "../../model/Provenance.ts"
import * as Arguments from "../../runtime/arguments.ts"
import type { ChildOptions, ExecutionContext } from "../../runtime/body/ExecutionContext.ts"
import type { StepProgress } from "../../runtime/body/progress.ts"
import type { Surroundings } from "../../runtime/body/Surroundings.ts"
import type { AnyStepOptions } from "../../runtime/body/step.ts"
import { fits } from "../../runtime/engine/outcomes.ts"
import type { AnySignal, EventDefinition, Signal } from "../../runtime/engine/Signal.ts"
import type { Startable } from "../../runtime/engine/Startable.ts"
import type { Trigger } from "../../runtime/HostServices.ts"
import * as Running from "./branches.ts"
import type { Handle, Reach, Retry } from "./handle.ts"
import { fromPromise, handleOf, hearing, rejecting, signalOf, tries } from "./handle.ts"

/** How a step is recorded and tried. */
export interface BodyStepOptions<Value, ValueWire, Failure, FailureWire> {
  /** Stores the value and reads it back. @default the value must be JSON as it is */
  readonly schema?: Schema.Schema<Value, ValueWire>
  /**
   * Stores an error of this type and reads it back, so that the body meets it as it is. Any other error is not tried again.
   *
   * @default the body meets every error as `StepFailed`
   */
  readonly error?: Schema.Schema<Failure, FailureWire>
  /** `success`: a failure is not recorded, and the step is tried anew when the body runs again. @default "outcome" */
  readonly record?: "outcome" | "success"
  /** How often to try a failed step again, after which pause; each pause is twice the one before. @default never */
  readonly retry?: Retry
}

const stepOptions = { schema: true, error: true, record: true, retry: true } as const satisfies Readonly<
  Record<keyof BodyStepOptions<unknown, unknown, unknown, unknown>, true>
>

/** The progress of one step: what it says while it runs is shown to people, and handed to its next try after a crash. */
export interface BodyStepProgress {
  /** The last that the step said before, in a try that left no record; `undefined` when it said nothing. */
  readonly last: unknown
  /** Says how far the step is. It is written at most once a second. Rejects when the detail is no JSON. */
  readonly report: (detail: unknown) => Promise<void>
}

/** Lets go of a wait: once the signal is aborted it takes no signal, fires no timer, and rejects with the signal's reason. */
export interface Abortable {
  readonly signal?: AbortSignal
}

/** Branches by name, each with a context of its own. */
export type Branches<Values> = {
  readonly [Name in keyof Values]: (context: BodyContext) => PromiseLike<Values[Name]> | Values[Name]
}

/** Which branch was the first, and what it came to. */
export type Winner<Values> = {
  readonly [Name in keyof Values]: { readonly winner: Name; readonly value: Values[Name] }
}[keyof Values]

/**
 * What a body sees of the process it runs in: the operations of `ExecutionContext` as Promises.
 *
 * What is not explained here is as there. The operations reject with the library's own errors, and with the reason of
 * `abortSignal` once the body was interrupted; such a rejection should be let through. None of them throws.
 */
export interface BodyContext {
  readonly processId: ProcessId
  readonly attempt: number
  readonly fencingToken: number
  /**
   * Aborted when the body is interrupted: by a cancel, a stopping host, a lost lease, or a passivation. After a cancel, what the
   * body asks for anew is done, so that it can clean up; a value that it then answers is its end.
   */
  readonly abortSignal: AbortSignal
  /**
   * Runs a function once and records what it came to, value or failure; a body that runs again gets that, and the function is
   * not called. The signal it is handed is aborted when the body is interrupted. Rejects with an error of the schema, or with
   * `StepFailed`.
   */
  readonly step: <Value, ValueWire = Value, Failure = never, FailureWire = Failure>(
    name: string,
    run: (signal: AbortSignal, progress: BodyStepProgress) => Value | Promise<Value>,
    options?: BodyStepOptions<Value, ValueWire, Failure, FailureWire>
  ) => Promise<Value>
  /** Names a branch: what it does through the context it is handed may use names that other branches use at the same time. */
  readonly scope: <A>(name: string, run: (context: BodyContext) => A | Promise<A>) => Promise<A>
  /**
   * Runs branches at once, and answers with the first that settles. The others are let go of before the body goes on. Rejects with
   * `InputInvalid` when there is none.
   */
  readonly race: <Values extends object>(branches: Branches<Values>) => Promise<Winner<Values>>
  /** Runs branches at once, and answers when all have settled. When one rejects, the others are let go of first. */
  readonly all: <Values extends object>(branches: Branches<Values>) => Promise<Values>
  readonly sleep: (duration: Duration.DurationInput, options?: { readonly name?: string } & Abortable) => Promise<void>
  readonly awaitSignal: <Name extends string, Payload>(
    signal: Signal<Name, Payload>,
    options?: { readonly timeout?: Duration.DurationInput; readonly name?: string } & Abortable
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
  readonly patched: (name: string) => Promise<boolean>
  readonly phase: <A>(name: string, run: () => A | Promise<A>) => Promise<A>
  readonly surroundings: () => Promise<BodySurroundings>
  readonly start: <Payload, Success, Failure, Signals extends AnySignal = never>(
    startable: Startable<Payload, Success, Failure, Signals>,
    options: ChildOptions<Payload>
  ) => Promise<Handle<Success, Signals>>
  readonly attach: <Payload, Success, Failure, Signals extends AnySignal = never>(
    startable: Startable<Payload, Success, Failure, Signals>,
    id: ProcessId | string
  ) => Handle<Success, Signals>
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
  /** Keeps bytes that are too large for a value, and answers their reference. Rejects with `InputInvalid` where a host keeps none. */
  readonly putAttachment: (bytes: Uint8Array) => Promise<string>
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
    Effect.flatMap(present, (runtime) => {
      const { abortSignal } = context
      const over = new AbortController()
      /** Aborted with the body. After a cancel there is a new one, for what cleans up. */
      let current = new AbortController()
      // What the body itself begins may listen to it as well.
      setMaxListeners(0, abortSignal)
      abortSignal.addEventListener("abort", () => {
        const interrupted = current
        if (causeOf(abortSignal) === "cancel") current = new AbortController()
        interrupted.abort(abortSignal.reason)
      })
      const performer: Performer = (within, branch) => (operation, effect, signal) => {
        const inside = runningStep.getStore()
        if (inside?.context === context) {
          const { step } = inside
          return Promise.reject(new Errors.InsideStep({ processId: context.processId, step, operation }))
        }
        return promised(within, [over.signal, current.signal, branch, signal])(effect)
      }
      const release = promised(runtime, [])
      return fromPromise(() =>
        run(payload, contextOf(context, { runtime, signal: undefined }, performer, release))
      ).pipe(
        Effect.matchEffect({
          onSuccess: (value) =>
            abortSignal.aborted && causeOf(abortSignal) !== "cancel" ? Effect.interrupt : Effect.succeed(value),
          onFailure: (thrown) => {
            if (abortSignal.aborted) return Effect.interrupt
            return isFailure(thrown, error) ? Effect.fail(thrown) : Effect.die(thrown)
          }
        }),
        // What the body began and did not wait for ends with it, once its end is known.
        Effect.ensuring(
          Effect.sync(() => {
            setImmediate(() => over.abort(new Errors.OutsideProcess({ processId: context.processId })))
          })
        ),
        Effect.uninterruptible
      )
    })

/** The present runtime, for operations: a body waits for its Promise without interruption, its operations can be interrupted. */
const present = Effect.map(Effect.runtime<never>(), Runtime.enableRuntimeFlag(RuntimeFlags.Interruption))

/** Why a host interrupts a body. */
const causeOf = ({ reason }: AbortSignal): unknown => (reason instanceof Error ? reason.cause : undefined)

/** The step that a function runs in, wherever its Promises take it. */
const runningStep = new AsyncLocalStorage<{ readonly context: ExecutionContext; readonly step: string }>()

/** Carries out operations of one branch: where its names are known, and until its signal is aborted. */
interface Branch {
  readonly runtime: Runtime.Runtime<never>
  readonly signal: AbortSignal | undefined
}

type Performer = (
  within: Runtime.Runtime<never>,
  branch: AbortSignal | undefined
) => <A, E>(operation: string, effect: Effect.Effect<A, E>, signal?: AbortSignal | undefined) => Promise<A>

const contextOf = (
  context: ExecutionContext,
  { runtime, signal: branchSignal }: Branch,
  performer: Performer,
  release: Reach["release"]
): BodyContext => {
  const perform = performer(runtime, branchSignal)
  const beside: typeof perform = (...asked) => runningStep.exit(() => perform(...asked)) // a step may ask for it too
  const reach: Reach = {
    wait: (effect, options) => rejecting(() => perform("ctx.start(…).result", effect, signalOf(options))),
    act: (effect) => perform("an operation of a handle", effect),
    release
  }
  const scope = <A>(
    name: string,
    run: (inner: BodyContext) => PromiseLike<A> | A,
    signal: AbortSignal | undefined
  ): Promise<A> =>
    perform(
      "ctx.scope",
      Effect.uninterruptible(
        context.scope(
          name,
          Effect.flatMap(present, (inner) =>
            fromPromise(async () => run(contextOf(context, { runtime: inner, signal }, performer, release)))
          )
        )
      )
    )
  const branched = <Values extends object>(operation: "race" | "all", given: Branches<Values>) => {
    const branches = Running.checked(operation, given)
    const run = (name: string, signal: AbortSignal) => scope(name, branches[name as keyof Values], signal) // one of its names
    return Running.begin(Object.keys(branches), run, branchSignal)
  }
  return {
    processId: context.processId,
    attempt: context.attempt,
    fencingToken: context.fencingToken,
    abortSignal: context.abortSignal,
    step: (name, run, given) =>
      rejecting(() => {
        Arguments.callable("run of `step`", run)
        const { schema, error, record, retry } = Arguments.fields("options of `step`", stepOptions, given)
        const controller = new AbortController()
        const effect = ({ last, report }: StepProgress) =>
          fromPromise(async () =>
            runningStep.run({ context, step: name }, () =>
              run(controller.signal, {
                last,
                report: async (detail) => {
                  const refused: Array<unknown> = []
                  await release(Effect.catchAll(report(detail), (error) => Effect.sync(() => refused.push(error))))
                  for (const error of refused) throw error
                }
              })
            )
          )
        const options: AnyStepOptions = {
          schema: schema as Schema.Schema<unknown, unknown> | undefined, // the step's own value is all that it is given
          error: error as Schema.Schema<unknown, unknown> | undefined, // the step's own errors are checked against it
          record,
          abort: controller,
          retry:
            retry === undefined
              ? undefined
              : Schedule.whileInput(
                  tries(`retry of step \`${Arguments.text("name of `step`", name)}\``, retry),
                  (thrown: unknown) => error === undefined || fits(error, thrown)
                )
        }
        const heard = (progress: StepProgress) => hearing(effect(progress), controller.signal)
        return perform("ctx.step", (context.step as unknown as AnyStep)(name, heard, options)) as Promise<never> // the schemas say so
      }),
    scope: (name, run) => rejecting(() => scope(name, Arguments.callable("run of `scope`", run), branchSignal)),
    race: async (branches) => {
      const { running, letGo } = branched("race", branches)
      try {
        const [winner, value] = await Promise.race(running)
        return { winner, value } as never // the value is that of the branch
      } finally {
        await letGo()
      }
    },
    all: async (branches) => {
      const { running, letGo } = branched("all", branches)
      try {
        return Object.fromEntries(await Promise.all(running)) as never // each value is that of its branch
      } finally {
        await letGo()
      }
    },
    sleep: (duration, given) =>
      rejecting(() => {
        const { signal, ...options } = Arguments.fields("options of `sleep`", { name: true, signal: true }, given)
        return perform("ctx.sleep", context.sleep(duration, options), signal)
      }),
    awaitSignal: (awaited, given) =>
      rejecting(() => {
        const known = { timeout: true, name: true, signal: true } as const
        const { signal, ...options } = Arguments.fields("options of `awaitSignal`", known, given)
        // A wait whose Promise lost a race may still be open: the newer one comes first.
        return perform("ctx.awaitSignal", context.awaitSignal(awaited, { ...options, ahead: true }), signal)
      }),
    signal: (target, signal, payload, options) =>
      perform("ctx.signal", context.signal(target, signal, payload, options)),
    appendEvent: (event, payload, options) => perform("ctx.appendEvent", context.appendEvent(event, payload, options)),
    now: () => perform("ctx.now", context.now),
    random: () => perform("ctx.random", context.random),
    patched: (name) => perform("ctx.patched", context.patched(name)),
    phase: (name, run) =>
      rejecting(() => {
        Arguments.callable("run of `phase`", run)
        return perform(
          "ctx.phase",
          context.phase(
            name,
            fromPromise(async () => run())
          )
        )
      }),
    surroundings: () =>
      perform(
        "ctx.surroundings",
        Effect.map(context.surroundings, ({ sessionScope, causedBy, turn, tools, hostServices, ...around }) => ({
          sessionScope,
          causedBy,
          turn,
          tools,
          protocol: hostServices.protocol,
          environment: () => beside("environment", around.environment),
          registerTrigger: (trigger) => beside("registerTrigger", around.registerTrigger(trigger)),
          report: (kind, detail) => beside("report", around.report(kind, detail)),
          attachment: (ref) => beside("attachment", hostServices.attachments.get(ref)),
          putAttachment: (bytes) => beside("putAttachment", hostServices.attachments.put(bytes)),
          materialize: (value) => beside("materialize", hostServices.projections.materialize(value))
        }))
      ),
    start: (startable, options) =>
      perform(
        "ctx.start",
        Effect.map(context.start(startable, options), (child) => handleOf(child, reach))
      ),
    attach: (startable, id) => handleOf(context.attach(startable, id), reach)
  }
}

type AnyStep = (
  name: string,
  effect: (progress: StepProgress) => Effect.Effect<unknown, unknown>,
  options: AnyStepOptions
) => Effect.Effect<unknown, unknown>

const isFailure = <Failure, FailureWire>(
  thrown: unknown,
  error: Schema.Schema<Failure, FailureWire> | undefined
): thrown is Failure | RuntimeError =>
  (error !== undefined && fits(error, thrown)) || Object.values(Errors).some((type) => thrown instanceof type)
