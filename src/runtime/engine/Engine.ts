/**
 * Engines: what a host can run, each a kind and version with typed payload, success and error.
 *
 * Invariant: every payload and outcome passes through the engine's schemas. What is stored is their encoded side.
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { Disposition } from "../../../machines/recovery.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import { coreEventTypes, fixed } from "../../model/EventType.ts"
import { InputInvalid } from "../../model/errors.ts"
import type { RuntimeError } from "../../model/failures.ts"
import type { ProcessIdentity, Registration } from "../../model/Registration.ts"
import type { Chart } from "../../operations/decisions/chartStep.ts"
import * as Arguments from "../arguments.ts"
import type { ChartBody } from "../body/chart.ts"
import type { ExecutionContext } from "../body/ExecutionContext.ts"
import { keepingItsEnd } from "../body/interruption.ts"
import * as Outcomes from "./outcomes.ts"
import type { AnySignal, EventDefinition } from "./Signal.ts"
import type { Startable } from "./Startable.ts"

/** A body with its payload decoded: ready to run, with the runtime's own failures let through. */
export type Body<R> = (context: ExecutionContext) => Effect.Effect<AwaitOutput, RuntimeError, R>

/** An engine as the worker knows it: without its types, which its schemas have checked. */
export interface Runnable<R> {
  readonly kind: string
  readonly version: string
  /** The versions besides its own whose processes it runs. */
  readonly accepts?: ReadonlyArray<string>
  readonly disposition: Exclude<Disposition, "externally_owned">
  /** How long all that a body does may be waiting before it leaves memory. Units: milliseconds. */
  readonly passivateAfterMs?: number | undefined
  /** How many of its bodies may work at once; absent: as many as the host has slots. */
  readonly concurrency?: number
  /**
   * Judges a payload for a start, and says what the process will be known by.
   *
   * Fails with `InputInvalid`: the process is not registered.
   */
  readonly admit: (payload: unknown) => Effect.Effect<ProcessIdentity, InputInvalid>
  /** The chart that is its body, in place of code, and what performs its actions. */
  readonly chart?: Chart
  readonly body?: ChartBody<R>
  /** Engines that it needs beside it: the host has them, too. */
  readonly parts?: ReadonlyArray<Runnable<R>>
  /** Decodes a stored payload. Fails with `InputInvalid`: the row stays as it is. */
  readonly prepare: (payload: unknown) => Effect.Effect<Body<R>, InputInvalid>
}

/** An engine as its callers know it. */
export interface Engine<Payload, Success, Failure, R, Signals extends AnySignal = never>
  extends Runnable<R>,
    Startable<Payload, Success, Failure, Signals> {
  readonly disposition: Runnable<R>["disposition"]
  readonly eventTypes: Registration["eventTypes"]
}

/** What an engine declares. */
export interface EngineOptions<
  Payload,
  PayloadWire,
  Success,
  SuccessWire,
  Failure,
  FailureWire,
  R,
  Signals extends AnySignal
> {
  /** A row runs only on a host that has its version, or an engine that accepts it. */
  readonly version: string
  /**
   * The earlier versions whose processes this code runs, through the journals that those have: where it does something else for
   * them, it asks `ctx.patched`. An engine that has a version itself comes first.
   *
   * @default its own version only
   */
  readonly accepts?: ReadonlyArray<string>
  readonly payload: Schema.Schema<Payload, PayloadWire>
  readonly success: Schema.Schema<Success, SuccessWire>
  /** @default a body has no typed error of its own */
  readonly error?: Schema.Schema<Failure, FailureWire>
  /**
   * Whether the body may run again after a crash (`rerunnable`), or must never be started twice (`owner_bound`). Required:
   * running non-idempotent work again duplicates what it did, and nothing can take that back.
   */
  readonly disposition: "rerunnable" | "owner_bound"
  /** The signals a body waits for; only these are taken. @default none */
  readonly signals?: ReadonlyArray<Signals>
  /** The events a body appends beside the runtime's own. @default none */
  readonly events?: ReadonlyArray<Pick<EventDefinition<never>, "type">>
  /**
   * How long all that a body does may be sleeping and waiting for signals before it leaves memory: it costs a row then, and
   * runs again through its journal when a wait ends. For rerunnable engines whose bodies do all they do through their context.
   *
   * @default never
   */
  readonly passivateAfter?: Duration.DurationInput
  /** How many tries may leave no result before the process fails. @default unlimited */
  readonly maxAttempts?: number
  /** How many of its bodies may work at once on one host. @default as many as the host has slots */
  readonly concurrency?: number
  /** Refuses a payload that fits its schema and still makes no sense. @default every payload that fits may start */
  readonly validateStart?: (payload: Payload) => Effect.Effect<void, InputInvalid>
  /**
   * What people know a process of this payload by. Kind and version are added to the definition: rows are matched by them.
   *
   * @default no label, and a definition of kind and version
   */
  readonly identity?: (payload: Payload) => EngineIdentity
  readonly run: (payload: Payload, context: ExecutionContext) => Effect.Effect<Success, Failure | RuntimeError, R>
}

/** What people know a process of an engine by. */
export interface EngineIdentity {
  readonly label?: string
  readonly definition?: Readonly<Record<string, unknown>>
}

/**
 * Declares an engine.
 *
 * A success is stored as its schema encodes it. A typed error becomes a failure of class `execution` whose code is the
 * error's tag; a defect one of class `internal`. The library's own failures may be let through.
 *
 * @example docs/examples/01-hello.ts
 */
export const make = <
  Payload,
  PayloadWire,
  Success,
  SuccessWire,
  R,
  Failure = never,
  FailureWire = never,
  const Signals extends AnySignal = never
>(
  kind: string,
  given: EngineOptions<Payload, PayloadWire, Success, SuccessWire, Failure, FailureWire, R, Signals>
): Engine<Payload, Success, Failure, R, Signals> => {
  const options = checked(kind, given)
  const { version, disposition, maxAttempts, concurrency, passivateAfterMs, validateStart, identity, run } = options
  const { signals = [], events = [], accepts } = options
  const declared = [...signals, ...events].map(({ type }) => type)
  const failure = options.error as Schema.Schema<Failure, FailureWire> | undefined
  const outputs = Outcomes.outputsOf(options.success, failure)
  const field = ["payload", `engine \`${kind}\``] as const
  const encodePayload = Outcomes.encoderOf(field, options.payload)
  const decodePayload = Outcomes.decoderOf(field, options.payload)
  const identityOf = ({ label, definition }: EngineIdentity): ProcessIdentity => ({
    kind,
    ...(label === undefined ? {} : { label }),
    definition: { ...definition, kind, version }
  })
  const anonymous = Effect.succeed(identityOf({}))
  const admit = (stored: unknown): Effect.Effect<ProcessIdentity, InputInvalid> =>
    // Most engines ask nothing about their payload, and then it need not be read to start.
    validateStart === undefined && identity === undefined
      ? anonymous
      : Effect.flatMap(decodePayload(stored), (payload) =>
          Effect.as(validateStart?.(payload) ?? Effect.void, identityOf(identity?.(payload) ?? {}))
        )
  return {
    kind,
    version,
    ...(accepts === undefined ? {} : { accepts }),
    disposition,
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(passivateAfterMs === undefined ? {} : { passivateAfterMs }),
    signals,
    eventTypes: declared.length === 0 ? coreEventTypes : fixed([...declared, ...coreEventTypes]),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...Outcomes.outcomesOf(options.success, failure),
    hasEnvironment: true,
    inputOf: (given) =>
      Effect.flatMap(encodePayload(given), (payload) =>
        Effect.map(admit(payload), (admitted) => ({ input: { _tag: "Engine", kind, payload }, identity: admitted }))
      ),
    admit,
    prepare: (stored) =>
      Effect.map(
        decodePayload(stored),
        (payload) => (context) =>
          keepingItsEnd(run(payload, context)).pipe(
            Effect.matchEffect({
              onSuccess: outputs.ofSuccess,
              onFailure: (error): Effect.Effect<AwaitOutput, RuntimeError> =>
                outputs.ofFailure(error) ?? Effect.fail(error as RuntimeError) // not of its own type
            })
          )
      )
  }
}

const knownOptions = {
  version: true,
  accepts: true,
  payload: true,
  success: true,
  error: true,
  disposition: true,
  signals: true,
  events: true,
  passivateAfter: true,
  maxAttempts: true,
  concurrency: true,
  validateStart: true,
  identity: true,
  run: true
} as const satisfies Readonly<
  Record<keyof EngineOptions<unknown, unknown, unknown, unknown, unknown, unknown, unknown, AnySignal>, true>
>

/** Checks what an engine declares; the refusal names the option. */
const checked = <Payload, PayloadWire, Success, SuccessWire, Failure, FailureWire, R, Signals extends AnySignal>(
  kind: string,
  given: EngineOptions<Payload, PayloadWire, Success, SuccessWire, Failure, FailureWire, R, Signals>
): typeof given & { readonly passivateAfterMs: number | undefined } => {
  const of = (option: string) => `${option} of engine \`${Arguments.text("kind of an engine", kind)}\``
  const options = Arguments.options(of("options"), knownOptions, given)
  const { passivateAfter, disposition } = options
  Arguments.text(of("version"), options.version)
  const accepts = Arguments.optional(Arguments.texts)(of("accepts"), options.accepts)
  Arguments.schema(of("payload"), options.payload)
  Arguments.schema(of("success"), options.success)
  Arguments.optional(Arguments.schema)(of("error"), options.error)
  Arguments.oneOf(of("disposition"), disposition, ["rerunnable", "owner_bound"])
  for (const name of ["signals", "events"] as const) {
    Arguments.optional<ReadonlyArray<object>>((field, types) => Arguments.list(field, types, declaration))(
      of(name),
      options[name]
    )
  }
  Arguments.optional(Arguments.callable)(of("validateStart"), options.validateStart)
  Arguments.optional(Arguments.callable)(of("identity"), options.identity)
  Arguments.callable(of("run"), options.run)
  if (passivateAfter !== undefined && disposition !== "rerunnable") {
    const problem = "is for rerunnable engines, since a passivated body runs again"
    throw new InputInvalid({ field: of("passivateAfter"), problem })
  }
  const passivateAfterMs =
    passivateAfter === undefined ? undefined : Arguments.durationMs(of("passivateAfter"), passivateAfter)
  return { ...options, ...(accepts === undefined ? {} : { accepts }), passivateAfterMs }
}

/** Checks a declared signal or event, whichever copy of the library declared it. */
export const declaration = <A extends object>(field: string, value: A): A =>
  Arguments.like(field, "a signal or event, as Signal.make and Signal.event declare them", value, {
    name: "string",
    type: "object"
  })

/** Names an engine in messages and maps. */
export const nameOf = (kind: string, version: string): string => `${kind}@${version}`
