/**
 * The immutable part of a process: what its producer declared once, before anything happened.
 *
 * Invariant: a stored registration is normalised and valid, and its hash covers all of it. Times are not part of it.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Disposition } from "../../machines/recovery.ts"
import * as EventType from "./EventType.ts"
import { RegistrationInvalid } from "./errors.ts"
import { EnvironmentRef, lengthProblem, ProcessId } from "./ids.ts"
import type { Taking } from "./json.ts"
import {
  AnyJson,
  canonicalText,
  optional,
  renamed,
  renamedOptional,
  sha256,
  snapshot,
  tagged,
  withAdvice
} from "./json.ts"
import { Provenance, provenanceOf, SessionScope, scopeId, scopeOf } from "./Provenance.ts"

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

/** The first key that exists decides, even when its value is no string: a producer that sets `label` means it. */
const externalLabel = (metadata: unknown): unknown => {
  const fields = fieldsOf(metadata)
  const key = ["label", "name", "title"].find((candidate) => Object.hasOwn(fields, candidate))
  return key === undefined ? undefined : fields[key]
}

const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}

/** Who may run a process, and whether it may be run again. Required everywhere; there is no default. */
export const RecoveryDisposition: Schema.Schema<Disposition> = Schema.Literal(
  "rerunnable",
  "owner_bound",
  "externally_owned"
)

/** What the end of its parent means for a child. */
export const ClosePolicy = Schema.Literal("cancel", "abandon", "keep")

/** What the end of its parent means for a child. */
export type ClosePolicy = typeof ClosePolicy.Type

/** The process on whose behalf a child runs. */
export const Parent = Schema.Struct({
  processId: renamed("process_id", ProcessId),
  closePolicy: renamed("close_policy", ClosePolicy)
})

/** The process on whose behalf a child runs. */
export type Parent = typeof Parent.Type

/**
 * What a producer declares of a process. `eventTypes` keep their order; `maxAttempts` absent means unlimited; before
 * `startAtMs` (epoch milliseconds, UTC) no body begins.
 */
export const Registration = Schema.Struct({
  id: ProcessId,
  input: ProcessInput,
  disposition: RecoveryDisposition,
  identity: ProcessIdentity,
  eventTypes: renamed("event_types", Schema.Array(EventType.EventType)),
  provenance: Provenance,
  envRef: renamedOptional("env_ref", EnvironmentRef),
  wakeTarget: renamedOptional("wake_target", SessionScope),
  parent: Schema.optionalWith(Parent, { exact: true }),
  maxAttempts: renamedOptional("max_attempts", Schema.Int),
  startAtMs: renamedOptional("start_at_ms", Schema.Int)
})

/** What a producer declares of a process. */
export type Registration = typeof Registration.Type

/** A normalised, valid registration with the hash over all of it. */
export interface Registered {
  readonly registration: Registration
  readonly hash: string
}

/** Begins a registration: identity derived from the input, the core event types, nothing optional. */
export const make = (
  id: ProcessId,
  input: ProcessInput,
  disposition: Disposition,
  provenance: Provenance
): Registration => ({
  id,
  input,
  disposition,
  identity: identityOf(input),
  eventTypes: EventType.coreEventTypes,
  provenance
})

/**
 * Normalises a registration and checks it, in this order; the first problem is the answer.
 *
 * Normalising appends every core event type whose name is not declared yet. Fails with `RegistrationInvalid`, naming the
 * field to change.
 */
export const prepare = (
  registration: Registration,
  taking: Taking = {}
): Either.Either<Registered, RegistrationInvalid> => {
  const refused = (problem: Problem) =>
    Either.left(
      new RegistrationInvalid({ processId: typeof registration.id === "string" ? registration.id : "", ...problem })
    )
  const { eventTypes, input, ...rest } = registration
  const idInvalid = idProblem(registration)
  if (idInvalid !== undefined) return refused(idInvalid)
  const named = snapshot(rest, { ...taking, halfSurrogates: "refuse" })
  if (Either.isLeft(named)) {
    return refused({ field: named.left.path.slice(1) || "registration", problem: withAdvice(named.left) })
  }
  const taken = snapshot(input, taking)
  if (Either.isLeft(taken)) return refused({ field: `input${taken.left.path}`, problem: withAdvice(taken.left) })
  const types = typesOf(eventTypes)
  if (Either.isLeft(types)) return refused(types.left)
  const { provenance, wakeTarget, ...others } = named.right as unknown as typeof rest // the same JSON
  const normalized = {
    ...others,
    provenance: provenanceOf(provenance),
    ...(wakeTarget === undefined ? {} : { wakeTarget: scopeOf(wakeTarget) }),
    input: normalInput(taken.right as unknown as ProcessInput), // the same JSON
    eventTypes: types.right
  }
  const found = problemOf(normalized)
  return found === undefined
    ? Either.right({ registration: normalized, hash: registrationHash(normalized) })
    : refused(found)
}

/** The one form of an input among those that are the same on the wire: an absent payload is `null`, of a tool's none. */
export const normalInput = (input: ProcessInput): ProcessInput => {
  switch (input._tag) {
    case "Engine":
      return input.payload === undefined ? { ...input, payload: null } : input
    case "External":
      return input.metadata === undefined ? { ...input, metadata: null } : input
    case "ToolCall": {
      const { preparedPayload, ...call } = input.call
      return preparedPayload === null ? { ...input, call } : input
    }
    default:
      return input
  }
}

/** The types of a list, copied unless it can never change, with the core types that it does not declare itself. */
const typesOf = (declared: Registration["eventTypes"]): Either.Either<Registration["eventTypes"], Problem> => {
  if (EventType.isFixed(declared)) return Either.right(withCoreTypes(declared))
  return Either.mapBoth(snapshot(declared), {
    onLeft: (found) => ({ field: `event_types${found.path}`, problem: withAdvice(found) }),
    onRight: (copy) => withCoreTypes(EventType.fixed(copy as unknown as Registration["eventTypes"])) // the same JSON
  })
}

/** The declared type of an event, if the process may append it. */
export const eventTypeOf = (registration: Registration, name: string): EventType.EventType | undefined =>
  registration.eventTypes.find((type) => type.name === name)

/** SHA-256 over the canonical text of the whole normalised registration. */
export const registrationHash = (registration: Registration): string => {
  const { eventTypes, ...rest } = registration
  return hashOfParts(canonicalText(rest), eventTypes)
}

/** Many processes share one list of event types: its text is made once, and hashed as the digest it is known by. */
const hashOfParts = (text: string, eventTypes: Registration["eventTypes"]): string =>
  sha256(`[${text},"${eventTypesHash(eventTypes)}"]`)

/** The content address of a list of event types; the list is stored once under it. */
export const eventTypesHash = (eventTypes: Registration["eventTypes"]): string => {
  const known = typeHashes.get(eventTypes)
  if (known !== undefined) return known
  const hash = sha256(canonicalText(eventTypes))
  if (EventType.isFixed(eventTypes)) typeHashes.set(eventTypes, hash)
  return hash
}

const typeHashes = new WeakMap<object, string>()

const normalizedTypes = new WeakMap<object, Registration["eventTypes"]>()

const withCoreTypes = (declared: Registration["eventTypes"]): Registration["eventTypes"] => {
  const known = normalizedTypes.get(declared)
  if (known !== undefined) return known
  const names = new Set(declared.map((type) => type.name))
  const missing = EventType.coreEventTypes.filter((type) => !names.has(type.name))
  const all = missing.length === 0 ? declared : EventType.fixed([...declared, ...missing])
  normalizedTypes.set(declared, all)
  return all
}

interface Problem {
  readonly field: string
  readonly problem: string
}

const problemOf = (registration: Registration): Problem | undefined =>
  environmentProblem(registration) ??
  targetProblem(registration) ??
  typesProblem(registration.eventTypes) ??
  attemptsProblem(registration) ??
  startProblem(registration)

const idProblem = ({ id }: Registration): Problem | undefined => {
  if (typeof id !== "string" || id.trim() === "") {
    return { field: "id", problem: "process id must be a non-empty string" }
  }
  const problem = lengthProblem(id)
  return problem === undefined ? undefined : { field: "id", problem: `process id ${problem}` }
}

const targetProblem = ({ wakeTarget }: Registration): Problem | undefined => {
  const problem = wakeTarget && lengthProblem(scopeId(wakeTarget))
  return problem === undefined ? undefined : { field: "wake_target", problem }
}

const environmentProblem = ({ input, envRef }: Registration): Problem | undefined => {
  const needsOne = input._tag === "ToolCall" || input._tag === "Engine"
  if (needsOne && envRef === undefined) {
    return { field: "env_ref", problem: `a ${input._tag} input requires a captured execution env` }
  }
  if (!needsOne && envRef !== undefined) {
    return { field: "env_ref", problem: "must not capture an execution env for this input kind" }
  }
  return undefined
}

const checkedTypes = new WeakSet<object>()

const typesProblem = (types: Registration["eventTypes"]): Problem | undefined => {
  if (checkedTypes.has(types)) return undefined
  const seen = new Set<string>()
  for (const [index, type] of types.entries()) {
    const field = `event_types/${index}`
    if (type.name.trim() === "") return { field, problem: "declares an empty event type" }
    if (EventType.reservedEventTypes.has(type.name)) {
      return { field, problem: `\`${type.name}\` is reserved for the runtime` }
    }
    if (seen.has(type.name)) return { field, problem: `declares duplicate event type \`${type.name}\`` }
    seen.add(type.name)
    const terminal = type.semantics.terminal
    if (terminal && terminal.state !== "completed" && terminal.awaitOutput === undefined) {
      return { field, problem: "failed or cancelled terminal events must declare await output" }
    }
    const problem = coreOverrideProblem(type)
    if (problem !== undefined) return { field, problem }
  }
  if (EventType.isFixed(types)) checkedTypes.add(types)
  return undefined
}

/** A producer may give a core type a schema of its own, but not another meaning: completion and cancel rely on it. */
const coreOverrideProblem = (type: EventType.EventType): string | undefined => {
  const declared = EventType.coreEventTypes.find((candidate) => candidate.name === type.name)
  if (declared === undefined) return undefined
  const core = declared.semantics.terminal
  if (core === undefined) {
    return type.semantics.terminal === undefined ? undefined : `\`${type.name}\` cannot end the process; it may wake`
  }
  const terminal = type.semantics.terminal
  const pointer =
    terminal?.awaitOutput !== undefined && terminal.awaitOutput !== "payload" && "pointer" in terminal.awaitOutput
      ? terminal.awaitOutput.pointer
      : undefined
  return terminal?.state === core.state && pointer === "/await_output"
    ? undefined
    : `\`${type.name}\` must stay terminal as ${core.state}, with its await output at /await_output`
}

const attemptsProblem = ({ maxAttempts }: Registration): Problem | undefined =>
  maxAttempts === undefined || (Number.isSafeInteger(maxAttempts) && maxAttempts > 0)
    ? undefined
    : { field: "max_attempts", problem: "must be a whole number of at least 1" }

const startProblem = ({ startAtMs }: Registration): Problem | undefined =>
  startAtMs === undefined || (Number.isSafeInteger(startAtMs) && startAtMs >= 0)
    ? undefined
    : { field: "start_at_ms", problem: "must be a time in whole milliseconds since 1970" }

/** Which engine a process asks for. */
export interface EngineName {
  readonly kind: string
  readonly version: string
}

/** The engine a process asks for. Its identity names the version it was started with, where people and filters see it. */
export const engineOf = ({
  input,
  identity: { kind, definition }
}: Pick<Registration, "input" | "identity">): EngineName => ({
  kind: input._tag === "Engine" ? input.kind : input._tag === "ToolCall" ? `tool:${input.call.toolId}` : kind,
  version:
    typeof definition === "object" && definition !== null && "version" in definition ? String(definition.version) : ""
})
