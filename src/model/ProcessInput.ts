/**
 * What a process executes, and the identity people know it by.
 */
import * as Schema from "effect/Schema"
import { AnyJson, optional, renamed, renamedOptional, tagged } from "./json.ts"

/** A tool call that was checked and is ready to run. */
export const PreparedToolCall = Schema.Struct({
  callId: renamed("call_id", Schema.String),
  toolId: renamed("tool_id", Schema.String),
  toolName: renamed("tool_name", Schema.String),
  args: AnyJson,
  replay: optional(Schema.Unknown),
  preparedPayload: renamedOptional("prepared_payload", Schema.Unknown)
})
/** A tool call that was checked and is ready to run. */
export type PreparedToolCall = typeof PreparedToolCall.Type

/** What a process executes. `External` work is completed by an outside system and never executed here. */
export const ProcessInput = Schema.Union(
  Schema.Struct({ _tag: tagged("type", "tool_call", "ToolCall"), call: PreparedToolCall }),
  Schema.Struct({
    _tag: tagged("type", "engine", "Engine"),
    kind: Schema.String,
    payload: Schema.optionalWith(Schema.Unknown, { default: () => null })
  }),
  Schema.Struct({
    _tag: tagged("type", "session_turn", "SessionTurn"),
    createRequest: renamed("create_request", AnyJson),
    turnInput: renamed("turn_input", AnyJson),
    outputContract: renamed("output_contract", AnyJson)
  }),
  Schema.Struct({
    _tag: tagged("type", "external", "External"),
    metadata: Schema.optionalWith(Schema.Unknown, { default: () => null })
  })
)
/** What a process executes. */
export type ProcessInput = typeof ProcessInput.Type

/** What people know a process by: its kind, a label, and the definition it was made from. */
export const ProcessIdentity = Schema.Struct({
  kind: Schema.String,
  label: optional(Schema.String),
  definition: optional(Schema.Unknown)
})
/** What people know a process by. */
export type ProcessIdentity = typeof ProcessIdentity.Type

/** The identity of an input whose producer names none. */
export const identityOf = (input: ProcessInput): ProcessIdentity => {
  switch (input._tag) {
    case "ToolCall":
      return { kind: "tool", label: input.call.toolName }
    case "Engine":
      return { kind: input.kind }
    case "SessionTurn":
      return labelled("session_turn", sessionTurnLabel(input.createRequest))
    case "External":
      return labelled("external", externalLabel(input.metadata))
  }
}

const labelled = (kind: string, label: unknown): ProcessIdentity =>
  typeof label === "string" ? { kind, label } : { kind }

const sessionTurnLabel = (request: unknown): unknown => {
  const fields = fieldsOf(request)
  return fieldsOf(fields.subagent).capability ?? fields.usage_source ?? fields.session_id
}

/** The first key that exists decides, even when what stands there is no string: a producer that sets `label` means it. */
const externalLabel = (metadata: unknown): unknown => {
  const fields = fieldsOf(metadata)
  const key = ["label", "name", "title"].find((candidate) => Object.hasOwn(fields, candidate))
  return key === undefined ? undefined : fields[key]
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
