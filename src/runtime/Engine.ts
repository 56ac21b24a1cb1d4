/**
 * Engines: what a host can run, each a kind and version with typed payload, success and error.
 *
 * Invariant: an engine's schemas stand between every body and the store. What is stored is their encoded side.
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { Disposition } from "../../machines/recovery.ts"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import * as Output from "../model/AwaitOutput.ts"
import { jsonProblem } from "../model/canonical.ts"
import { coreEventTypes, fixed } from "../model/EventType.ts"
import { InputInvalid } from "../model/errors.ts"
import type { RuntimeError } from "../model/failures.ts"
import type { Registration } from "../model/Registration.ts"
import type { ExecutionContext } from "./ExecutionContext.ts"
import type { AnySignal, EventDefinition } from "./Signal.ts"

/** A body with its payload decoded: ready to run, with the runtime's own failures let through. */
export type Body<R> = (context: ExecutionContext) => Effect.Effect<AwaitOutput, RuntimeError, R>

/** An engine as the worker knows it: without its types, which its schemas have checked. */
export interface Runnable<R> {
  readonly kind: string
  readonly version: string
  readonly disposition: Exclude<Disposition, "externally_owned">
  /** How long all that a body does may be waiting before it leaves memory. Units: milliseconds. */
  readonly passivateAfterMs?: number
  /** Decodes a stored payload. Fails with `InputInvalid`: the row stays as it is. */
  readonly prepare: (payload: unknown) => Effect.Effect<Body<R>, InputInvalid>
}

/** An engine as its callers know it. */
export interface Engine<Payload, Success, Failure, R, Signals extends AnySignal = never> extends Runnable<R> {
  readonly maxAttempts?: number
  readonly signals: ReadonlyArray<Signals>
  /** What its processes may append, the core types among them. */
  readonly eventTypes: Registration["eventTypes"]
  /** Fails with `InputInvalid` naming the field that does not fit. */
  readonly encodePayload: (payload: Payload) => Effect.Effect<unknown, InputInvalid>
  readonly decodeSuccess: (value: unknown) => Effect.Effect<Success, ParseResult.ParseError>
  readonly decodeFailure: (raw: unknown) => Effect.Effect<Failure, ParseResult.ParseError>
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
  /** A row runs only on a host that has its version. */
  readonly version: string
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
  readonly run: (payload: Payload, context: ExecutionContext) => Effect.Effect<Success, Failure | RuntimeError, R>
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
  options: EngineOptions<Payload, PayloadWire, Success, SuccessWire, Failure, FailureWire, R, Signals>
): Engine<Payload, Success, Failure, R, Signals> => {
  const { version, disposition, maxAttempts, passivateAfter, signals = [], events = [], run } = options
  if (passivateAfter !== undefined && disposition !== "rerunnable") {
    throw new TypeError(
      `engine \`${kind}\`: passivateAfter is for rerunnable engines, since a passivated body runs again`
    )
  }
  const declared = [...signals, ...events].map(({ type }) => type)
  const failure = options.error as Schema.Schema<Failure, FailureWire> | undefined
  const encodeSuccess = Schema.encode(options.success)
  const encodePayload = Schema.encode(options.payload)
  const decodePayload = Schema.decodeUnknown(options.payload)
  return {
    kind,
    version,
    disposition,
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(passivateAfter === undefined ? {} : { passivateAfterMs: Duration.toMillis(passivateAfter) }),
    signals,
    eventTypes: declared.length === 0 ? coreEventTypes : fixed([...declared, ...coreEventTypes]),
    encodePayload: (payload) => Effect.mapError(encodePayload(payload), (error) => payloadInvalid(kind, error)),
    decodeSuccess: Schema.decodeUnknown(options.success),
    decodeFailure: failure ? Schema.decodeUnknown(failure) : () => Schema.decodeUnknown(Schema.Never)(undefined),
    prepare: (stored) =>
      Effect.suspend(() => decodePayload(stored)).pipe(
        Effect.mapError((error) => payloadInvalid(kind, error)),
        // A transformation that throws has refused the payload, too.
        Effect.catchAllDefect((defect) =>
          Effect.fail(
            new InputInvalid({ field: `payload of engine \`${kind}\``, problem: `does not decode: ${String(defect)}` })
          )
        ),
        Effect.map(
          (payload) => (context) =>
            run(payload, context).pipe(
              Effect.matchEffect({
                onSuccess: (value) => Effect.map(Effect.either(encodeSuccess(value)), successOutput),
                onFailure: (error) => failureOutput(error, failure)
              })
            )
        )
      )
  }
}

/** Names an engine in messages and maps. */
export const nameOf = (kind: string, version: string): string => `${kind}@${version}`

const payloadInvalid = (kind: string, error: ParseResult.ParseError): InputInvalid => {
  const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
  const path = issue === undefined ? "" : issue.path.map((key) => `/${String(key)}`).join("")
  return new InputInvalid({
    field: `payload${path} of engine \`${kind}\``,
    problem: issue === undefined ? "does not fit its schema" : `does not fit its schema: ${issue.message}`
  })
}

const successOutput = (encoded: { readonly _tag: "Right"; readonly right: unknown } | Left): AwaitOutput => {
  if (encoded._tag === "Left") {
    return Output.failure("internal", "process_output_invalid", ParseResult.TreeFormatter.formatErrorSync(encoded.left))
  }
  const value = encoded.right === undefined ? null : encoded.right
  const problem = jsonProblem(value)
  return problem === undefined
    ? Output.success(value)
    : Output.failure(
        "internal",
        "process_output_invalid",
        `the outcome is not JSON at ${problem.path}: ${problem.problem}`
      )
}

interface Left {
  readonly _tag: "Left"
  readonly left: ParseResult.ParseError
}

const failureOutput = <Failure, FailureWire>(
  error: Failure | RuntimeError,
  schema: Schema.Schema<Failure, FailureWire> | undefined
): Effect.Effect<AwaitOutput, RuntimeError> => {
  if (schema === undefined || !Schema.is(schema)(error)) return Effect.fail(error as RuntimeError) // not of its own type
  return Effect.map(Effect.either(Schema.encode(schema)(error)), (encoded) =>
    encoded._tag === "Right"
      ? Output.failure("execution", tagOf(error), messageOf(error), encoded.right)
      : Output.failure("internal", "process_error_invalid", ParseResult.TreeFormatter.formatErrorSync(encoded.left))
  )
}

const tagOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "_tag" in error && typeof error._tag === "string"
    ? error._tag
    : "process_error"

const messageOf = (error: unknown): string => {
  if (error instanceof Error && error.message !== "") return error.message
  return typeof error === "string" ? error : Cause.pretty(Cause.fail(error))
}
