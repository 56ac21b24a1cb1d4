/**
 * What a process ended with: the one value every waiter gets, in memory and on the wire.
 */
import type * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { EndState } from "../../machines/process/types.ts"
import { describe, FailureRecord, headOf } from "./Failure.ts"
import { AnyJson, optional, renamed, renamedOptional, tagged, whenAsked } from "./json.ts"
import { LeaseOwner } from "./Lease.ts"

/** The classes of failure a caller may tell apart. */
export const FailureClass = Schema.Literal(
  "invalid_request",
  "unavailable",
  "permission_denied",
  "timeout",
  "execution",
  "external",
  "resource_limit",
  "internal"
)
/** The classes of failure a caller may tell apart. */
export type FailureClass = typeof FailureClass.Type

/** On which evidence or authority an outcome was declared unknowable. Units: epoch milliseconds, UTC. */
export const AbandonEvidence = Schema.Struct({
  writer: Schema.Literal("owner_drain", "sweep", "reconciled_request"),
  owner: optional(LeaseOwner),
  epochMs: renamed("epoch_ms", Schema.Int)
})
/** On which evidence or authority an outcome was declared unknowable. */
export type AbandonEvidence = typeof AbandonEvidence.Type

/** What a finished tool asks of the conversation that called it. */
export const ToolControl = Schema.Union(
  Schema.Struct({
    _tag: tagged("type", "switch_agent_frame", "SwitchAgentFrame"),
    frameId: renamed("frame_id", Schema.String),
    initialNodes: renamedOptional("initial_nodes", Schema.Unknown),
    task: optional(Schema.Unknown)
  }),
  Schema.Struct({ _tag: tagged("type", "finish", "Finish"), value: AnyJson }),
  Schema.Struct({ _tag: tagged("type", "fail", "Fail"), failure: AnyJson })
)
/** What a finished tool asks of the conversation that called it. */
export type ToolControl = typeof ToolControl.Type

/** It came to a value. */
export const Success = Schema.Struct({
  _tag: tagged("type", "success", "Success"),
  value: AnyJson,
  control: optional(ToolControl)
})

/** It failed, in one of the classes. */
export const Failure = Schema.Struct({
  _tag: tagged("type", "failure", "Failure"),
  class: FailureClass,
  code: Schema.String,
  message: Schema.String,
  raw: optional(Schema.Unknown),
  /** What the body threw: where, and because of what. Absent where nothing was thrown. */
  thrown: optional(FailureRecord),
  control: optional(ToolControl)
})

/** It stopped because it was asked to. */
export const Cancelled = Schema.Struct({
  _tag: tagged("type", "cancelled", "Cancelled"),
  message: Schema.String,
  raw: optional(Schema.Unknown),
  control: optional(ToolControl)
})

const Abandoned = Schema.Struct({
  _tag: tagged("type", "abandoned", "Abandoned"),
  evidence: AbandonEvidence,
  control: optional(ToolControl)
})

/** What a process ended with. */
export const AwaitOutput = Schema.Union(Success, Failure, Cancelled, Abandoned)
/** What a process ended with. */
export type AwaitOutput = typeof AwaitOutput.Type

/** The wire form of an output, as the payload of a terminal event. */
export type AwaitOutputWire = typeof AwaitOutput.Encoded

/** Writes an output in its wire form. Plain successes, by far the most, are spared the schema. */
export const toWire = (output: AwaitOutput): AwaitOutputWire =>
  output._tag === "Success" && output.control === undefined
    ? { type: "success", value: output.value }
    : encodeOutput(output)

const encodeOutput = whenAsked(() => Schema.encodeSync(AwaitOutput))

/** Writes an output in its wire form; `None` when it is not one. */
export const encode: (value: unknown) => Option.Option<AwaitOutputWire> = whenAsked(() =>
  Schema.encodeUnknownOption(AwaitOutput)
)

/** Reads a value as an output; `None` when it is not one. */
export const fromWire: (value: unknown) => Option.Option<AwaitOutput> = whenAsked(() =>
  Schema.decodeUnknownOption(AwaitOutput)
)

/** The terminal state of an output. */
export const endStateOf = (output: AwaitOutput): EndState => endStates[output._tag]

/** A success without more to say. */
export const success = (value: unknown): AwaitOutput => ({ _tag: "Success", value })

/** A failure that the runtime, not the body, reports. */
export const failure = (failureClass: FailureClass, code: string, message: string, raw?: unknown): AwaitOutput => ({
  _tag: "Failure",
  class: failureClass,
  code,
  message,
  ...(raw === undefined ? {} : { raw })
})

/**
 * A failure because of something that was thrown, whatever it is. `raw` is its error in the encoding of its schema.
 *
 * @default the message is what was thrown says of itself
 */
export const thrown = (
  failureClass: FailureClass,
  code: string,
  cause: unknown,
  { raw, message }: { readonly raw?: unknown; readonly message?: string } = {}
): AwaitOutput => {
  const { data, ...described } = describe(cause)
  const said = { ...described, ...(data === undefined || raw !== undefined ? {} : { data }) }
  const output = failure(failureClass, code, message ?? described.message, raw)
  // What has a name and a message alone, such as a text that was thrown, says no more than the output does.
  return Object.keys(said).length === 2 ? output : ({ ...output, thrown: said } as AwaitOutput) // a failure
}

/** A defect: what was thrown is no error that anything declared, so that its name belongs to what it says. */
export const defect = (cause: unknown): AwaitOutput => {
  const { name, message } = describe(cause)
  return thrown("internal", "process_defect", cause, { message: headOf(name, message) })
}

/** What an end says went wrong, by name and message, in one line. */
export const problemOf = ({
  code,
  message,
  thrown: cause
}: Pick<typeof Failure.Type, "code" | "message" | "thrown">): string => {
  const [line = ""] = message.split("\n", 1)
  const isNamed = cause !== undefined && line.startsWith(`${cause.name}: `)
  return isNamed ? line : headOf(cause?.name ?? code, line)
}

/** An end that was asked for. */
export const cancelled = (message: string): AwaitOutput => ({ _tag: "Cancelled", message })

/** An end with an unknown outcome, and the evidence for it. */
export const abandoned = (evidence: AbandonEvidence): AwaitOutput => ({ _tag: "Abandoned", evidence })

const endStates: Readonly<Record<AwaitOutput["_tag"], EndState>> = {
  Success: "completed",
  Failure: "failed",
  Cancelled: "cancelled",
  Abandoned: "abandoned"
}
