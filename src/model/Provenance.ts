/**
 * Where a process comes from: who originated it, and what caused it.
 */
import * as Schema from "effect/Schema"
import type { SessionScopeId } from "./ids.ts"
import { ProcessId, sessionScopeId } from "./ids.ts"
import { optional, renamed, renamedOptional, tagged } from "./json.ts"

/** A session, or one of its frames. */
export const SessionScope = Schema.Struct({
  sessionId: renamed("session_id", Schema.String),
  agentFrameId: renamedOptional("agent_frame_id", Schema.String)
})
/** A session, or one of its frames. */
export type SessionScope = typeof SessionScope.Type

/** A scope in its one form: an empty frame is no frame. */
export const scopeOf = (scope: SessionScope): SessionScope =>
  scope.agentFrameId === "" ? { sessionId: scope.sessionId } : scope

/** Who started a process: the host itself, for one of its named scopes if it has several, or a session. */
export const Originator = Schema.Union(
  Schema.Struct({ _tag: tagged("type", "host", "Host"), scope: optional(Schema.String) }),
  Schema.Struct({ _tag: tagged("type", "session", "Session"), scope: SessionScope })
)
/** Who started a process. */
export type Originator = typeof Originator.Type

/** Whether a session started it; of one frame, where the scope names one. */
export const isOriginatedBy = (originator: Originator, { sessionId, agentFrameId = "" }: SessionScope): boolean =>
  originator._tag === "Session" &&
  originator.scope.sessionId === sessionId &&
  (agentFrameId === "" || originator.scope.agentFrameId === agentFrameId)

const session = renamed("session_id", Schema.String)

/** What caused a process or an event. */
export const CausalRef = Schema.Union(
  Schema.Struct({
    _tag: tagged("type", "turn", "Turn"),
    sessionId: session,
    turnId: renamed("turn_id", Schema.String)
  }),
  Schema.Struct({
    _tag: tagged("type", "effect", "Effect"),
    sessionId: session,
    turnId: renamedOptional("turn_id", Schema.String),
    effectId: renamed("effect_id", Schema.String)
  }),
  Schema.Struct({
    _tag: tagged("type", "tool_call", "ToolCall"),
    sessionId: session,
    callId: renamed("call_id", Schema.String)
  }),
  Schema.Struct({ _tag: tagged("type", "process", "Process"), processId: renamed("process_id", ProcessId) }),
  Schema.Struct({
    _tag: tagged("type", "process_event", "ProcessEvent"),
    processId: renamed("process_id", ProcessId),
    sequence: Schema.Int
  }),
  Schema.Struct({
    _tag: tagged("type", "trigger_occurrence", "TriggerOccurrence"),
    occurrenceId: renamed("occurrence_id", Schema.String)
  }),
  Schema.Struct({
    _tag: tagged("type", "session_node", "SessionNode"),
    sessionId: session,
    nodeId: renamed("node_id", Schema.String)
  })
)
/** What caused a process or an event. */
export type CausalRef = typeof CausalRef.Type

/** Where a process comes from. */
export const Provenance = Schema.Struct({
  originator: Originator,
  causedBy: renamedOptional("caused_by", CausalRef)
})
/** Where a process comes from. */
export type Provenance = typeof Provenance.Type

/** A provenance whose scope is in its one form. */
export const provenanceOf = (provenance: Provenance): Provenance => {
  const { originator } = provenance
  return originator._tag === "Session" && originator.scope.agentFrameId === ""
    ? { ...provenance, originator: { ...originator, scope: scopeOf(originator.scope) } }
    : provenance
}

/** The provenance of work that the host starts on its own account. */
export const host: Provenance = { originator: { _tag: "Host" } }

/** The provenance of work that a host starts on its own account for one of its named scopes. */
export const hostScope = (scope: string): Provenance => ({ originator: { _tag: "Host", scope } })

/** The address of an originator: `host`, `host:{scope}`, or the session scope. */
export const originatorScopeId = (originator: Originator): string => {
  if (originator._tag === "Session") return scopeId(originator.scope)
  return originator.scope === undefined ? "host" : `host:${originator.scope}`
}

/** The address of a session scope. */
export const scopeId = (scope: SessionScope): SessionScopeId => sessionScopeId(scope.sessionId, scope.agentFrameId)
