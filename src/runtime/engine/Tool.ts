/**
 * Tools: what a model may call, each with typed arguments and outcomes. A call of a tool runs as a process.
 *
 * Invariant: every call passes through the tool's schemas. Its disposition is declared, never guessed.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as JSONSchema from "effect/JSONSchema"
import type * as Schema from "effect/Schema"
import type { Disposition } from "../../../machines/recovery.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import * as Output from "../../model/AwaitOutput.ts"
import { coreEventTypes, fixed } from "../../model/EventType.ts"
import { InputInvalid, ProcessFailed } from "../../model/errors.ts"
import { branded, messageOf } from "../../model/Failure.ts"
import type { RuntimeError } from "../../model/failures.ts"
import { isAboutProcess } from "../../model/failures.ts"
import type { PreparedToolCall, Registration } from "../../model/Registration.ts"
import type { ToolOutput } from "../../model/ToolOutput.ts"
import { toAwaitOutput } from "../../model/ToolOutput.ts"
import * as Arguments from "../arguments.ts"
import type { ExecutionContext } from "../body/ExecutionContext.ts"
import { keepingItsEnd } from "../body/interruption.ts"
import type { Body } from "./Engine.ts"
import { declaration } from "./Engine.ts"
import * as Outcomes from "./outcomes.ts"
import type { EventDefinition } from "./Signal.ts"
import type { Startable, StartInput } from "./Startable.ts"
import type { ArgumentProjection, CatalogueEntry } from "./ToolCatalog.ts"
import { defaultProjection } from "./ToolCatalog.ts"

/** A tool as the worker knows it: without its types, which its schemas have checked. */
export interface RunnableTool<R> extends CatalogueEntry {
  readonly disposition: Exclude<Disposition, "externally_owned">
  readonly concurrency?: number
  /** What its calls may append, the core types among them. @default the core types alone */
  readonly eventTypes?: Registration["eventTypes"]
  /** Decodes the arguments of a stored call. Fails with `InputInvalid`: the row stays as it is. */
  readonly prepare: (call: PreparedToolCall) => Effect.Effect<Body<R>, InputInvalid>
}

/** A tool as its callers know it. Started as a process, the call has the id of the process. */
export interface Tool<Args, Success, Failure, R> extends RunnableTool<R>, Startable<Args, Success, Failure> {
  readonly disposition: RunnableTool<R>["disposition"]
  readonly eventTypes?: Registration["eventTypes"]
  /** The call of this tool with these arguments. Fails with `InputInvalid` naming the argument that does not fit. */
  readonly call: (callId: string, args: Args) => Effect.Effect<PreparedToolCall, InputInvalid>
}

/** An output that a tool has put together itself: with a control, or a failure or cancellation in words of its own. */
export class Answer extends Data.TaggedClass("Answer")<{ readonly output: ToolOutput }> {}
branded(Answer, "holdfast/tools/Answer")

/** What a tool declares. */
export interface ToolOptions<Args, ArgsWire, Success, SuccessWire, Failure, FailureWire, R> {
  /** Under this a call finds its tool, also after the tool was renamed. @default the name */
  readonly id?: string
  readonly description: string
  readonly args: Schema.Schema<Args, ArgsWire>
  readonly success: Schema.Schema<Success, SuccessWire>
  /** @default the tool has no typed error of its own */
  readonly error?: Schema.Schema<Failure, FailureWire>
  /** Whether a call may run again after a crash (`rerunnable`), or must never be begun twice (`owner_bound`). Required. */
  readonly disposition: "rerunnable" | "owner_bound"
  /** @default unlimited */
  readonly maxAttempts?: number
  /** How many calls may work at once on one host. @default as many as the host has slots */
  readonly concurrency?: number
  /** The events that a call may append, and the signals that it waits for. @default none */
  readonly events?: ReadonlyArray<Pick<EventDefinition<never>, "type">>
  /** @default "materialize_projected" */
  readonly projection?: ArgumentProjection
  readonly run: (
    args: Args,
    context: ExecutionContext,
    call: PreparedToolCall
  ) => Effect.Effect<Success | Answer, Failure | RuntimeError, R>
}

/**
 * Declares a tool.
 *
 * A success is stored as its schema encodes it; a typed error becomes a failure of class `execution` under its tag. Whatever
 * else goes wrong is a failure of class `internal` with code `process_tool_failed`.
 */
export const make = <Args, ArgsWire, Success, SuccessWire, R, Failure = never, FailureWire = never>(
  name: string,
  given: ToolOptions<Args, ArgsWire, Success, SuccessWire, Failure, FailureWire, R>
): Tool<Args, Success, Failure, R> => {
  const options = checked(name, given)
  const { id = name, description, disposition, maxAttempts, concurrency, projection = defaultProjection, run } = options
  const { events = [] } = options
  const failure = options.error as Schema.Schema<Failure, FailureWire> | undefined
  const field = ["args", `tool \`${name}\``] as const
  const decodeArgs = Outcomes.decoderOf(field, options.args)
  const encodeArgs = Outcomes.encoderOf(field, options.args)
  const outputs = Outcomes.outputsOf(options.success, failure)
  const call = (callId: string, args: Args): Effect.Effect<PreparedToolCall, InputInvalid> =>
    Effect.map(encodeArgs(args), (encoded) => ({ callId, toolId: id, toolName: name, args: encoded }))
  return {
    id,
    name,
    disposition,
    projection,
    ...(maxAttempts === undefined ? {} : { maxAttempts }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...Outcomes.outcomesOf(options.success, failure),
    manifest: Effect.try({
      try: () => ({
        id,
        name,
        description,
        argsSchema: schemaOf(options.args),
        successSchema: schemaOf(options.success),
        ...(failure === undefined ? {} : { errorSchema: schemaOf(failure) }),
        disposition
      }),
      catch: (cause) =>
        new InputInvalid({ field: `tool \`${name}\``, problem: `has no JSON Schema: ${messageOf(cause)}` })
    }),
    signals: [],
    ...(events.length === 0 ? {} : { eventTypes: fixed([...events.map(({ type }) => type), ...coreEventTypes]) }),
    hasEnvironment: true,
    call,
    inputOf: (args, callId) => Effect.map(call(callId, args), inputOf),
    prepare: (call) =>
      Effect.map(
        decodeArgs(call.args),
        (args) => (context) =>
          keepingItsEnd(Effect.suspend(() => run(args, context, call))).pipe(
            Effect.matchEffect({
              onSuccess: (value) =>
                value instanceof Answer ? Effect.succeed(toAwaitOutput(value.output)) : outputs.ofSuccess(value),
              onFailure: (error): Effect.Effect<AwaitOutput, RuntimeError> =>
                outputs.ofFailure(error) ??
                (isAboutProcess(error) ? Effect.fail(error) : Effect.succeed(toolFailed(error)))
            }),
            Effect.catchAllDefect((defect) => Effect.succeed(toolFailed(defect)))
          )
      )
  }
}

const knownOptions = {
  id: true,
  description: true,
  args: true,
  success: true,
  error: true,
  disposition: true,
  maxAttempts: true,
  concurrency: true,
  events: true,
  projection: true,
  run: true
} as const satisfies Readonly<
  Record<keyof ToolOptions<unknown, unknown, unknown, unknown, unknown, unknown, unknown>, true>
>

/** Checks what a tool declares; the refusal names the option. */
const checked = <Args, ArgsWire, Success, SuccessWire, Failure, FailureWire, R>(
  name: string,
  given: ToolOptions<Args, ArgsWire, Success, SuccessWire, Failure, FailureWire, R>
): typeof given => {
  const of = (option: string) => `${option} of tool \`${Arguments.text("name of a tool", name)}\``
  const options = Arguments.options(of("options"), knownOptions, given)
  Arguments.optional(Arguments.text)(of("id"), options.id)
  if (typeof options.description !== "string")
    throw new InputInvalid({ field: of("description"), problem: "must be text" })
  Arguments.schema(of("args"), options.args)
  Arguments.schema(of("success"), options.success)
  Arguments.optional(Arguments.schema)(of("error"), options.error)
  Arguments.oneOf(of("disposition"), options.disposition, ["rerunnable", "owner_bound"])
  Arguments.optional<ReadonlyArray<object>>((field, types) => Arguments.list(field, types, declaration))(
    of("events"),
    options.events
  )
  Arguments.callable(of("run"), options.run)
  return options
}

/** The tool, started under a call id that is not the id of its process. */
export const calledAs = <Args, Success, Failure, R>(
  tool: Tool<Args, Success, Failure, R>,
  callId: string
): Startable<Args, Success, Failure> => ({
  ...tool,
  inputOf: (args) => Effect.map(tool.call(callId, args), inputOf)
})

const inputOf = (call: PreparedToolCall): StartInput => ({ input: { _tag: "ToolCall", call } })

const toolFailed = (cause: unknown): AwaitOutput =>
  Output.thrown(
    "internal",
    "process_tool_failed",
    cause,
    cause instanceof ProcessFailed ? { message: cause.origin } : {}
  )

const schemaOf = <A, I>(schema: Schema.Schema<A, I>): unknown =>
  JSONSchema.make(schema, { target: "jsonSchema2020-12" })
