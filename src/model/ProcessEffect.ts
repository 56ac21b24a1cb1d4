/**
 * What an effect controller may be asked about processes, as data: each with a deterministic id, so that a repeated
 * request is recognised.
 */
import * as Schema from "effect/Schema"
import type { Invocation } from "./Invocation.ts"
import { causalRefOf, Invocation as InvocationSchema } from "./Invocation.ts"
import { ProcessId, signalEventType } from "./ids.ts"
import { AnyJson, hashOf, optional, renamed, renamedOptional, tagged } from "./json.ts"
import { SessionScope, scopeId } from "./Provenance.ts"
import { Registration } from "./Registration.ts"
import { StartGrant } from "./StartRequest.ts"
import type { Codec } from "./wire.ts"
import { codec } from "./wire.ts"

/** The invocation that caused a process to be started, if there is one. */
export const ExecutionOrigin = Schema.Struct({
  causalInvocation: renamedOptional("causal_invocation", InvocationSchema)
})

const AppendRequest = Schema.Struct({
  eventType: renamed("event_type", Schema.String),
  payload: AnyJson,
  replay: optional(Schema.Struct({ key: Schema.String })),
  wakeTargetScope: renamedOptional("wake_target_scope", SessionScope)
})

/** A request about processes. */
export const ProcessEffect = Schema.Union(
  Schema.Struct({
    _tag: tagged("op", "start", "Start"),
    registration: Registration,
    grant: optional(StartGrant),
    executionContext: renamedOptional("execution_context", ExecutionOrigin)
  }),
  Schema.Struct({
    _tag: tagged("op", "list", "List"),
    sessionScope: renamed("session_scope", SessionScope),
    mode: Schema.Literal("live", "all"),
    after: optional(ProcessId),
    limit: optional(Schema.Int)
  }),
  Schema.Struct({
    _tag: tagged("op", "transfer", "Transfer"),
    from: SessionScope,
    to: SessionScope,
    ids: Schema.Array(ProcessId)
  }),
  Schema.Struct({
    _tag: tagged("op", "delete_session", "DeleteSession"),
    sessionId: renamed("session_id", Schema.String)
  }),
  Schema.Struct({ _tag: tagged("op", "await", "Await"), processId: renamed("process_id", ProcessId) }),
  Schema.Struct({
    _tag: tagged("op", "cancel", "Cancel"),
    processId: renamed("process_id", ProcessId),
    reason: optional(Schema.String)
  }),
  Schema.Struct({
    _tag: tagged("op", "signal", "Signal"),
    processId: renamed("process_id", ProcessId),
    signalName: renamed("signal_name", Schema.String),
    signalId: renamed("signal_id", Schema.String),
    request: AppendRequest
  })
)
/** A request about processes. */
export type ProcessEffect = typeof ProcessEffect.Type

/** An effect as JSON, both ways. */
export const wire: Codec<ProcessEffect> = codec("process_effect", ProcessEffect)

/** What tells one page of a list from another; nothing where the first is asked for as it is. */
const pageIn = ({ after, limit }: Extract<ProcessEffect, { readonly _tag: "List" }>): string =>
  after === undefined && limit === undefined ? "" : `:${hashOf({ after: after ?? null, limit: limit ?? null })}`

/** The id of a request: equal requests have equal ids. */
export const effectIdOf = (effect: ProcessEffect): string => {
  switch (effect._tag) {
    case "Start":
      return `process:start:${effect.registration.id}`
    case "List":
      return `process:list:${scopeId(effect.sessionScope)}:${effect.mode}${pageIn(effect)}`
    case "Transfer":
      return `process:transfer:${scopeId(effect.from)}:${scopeId(effect.to)}:${hashOf(effect.ids)}`
    case "DeleteSession":
      return `process:delete-session:${effect.sessionId}`
    case "Await":
      return `process:await:${effect.processId}`
    case "Cancel":
      return `process:cancel:${effect.processId}`
    case "Signal":
      return `process:signal:${effect.processId}:${signalEventType(effect.signalName)}:${effect.signalId}`
  }
}

/** The invocation under which an effect is carried out: a session's, within the turn of the parent if the parent has one. */
export const invocationOf = (effect: ProcessEffect, sessionId: string, parent?: Invocation): Invocation => {
  const effectId = effectIdOf(effect)
  const subject = { _tag: "Effect", effectId, kind: "process" } as const
  if (parent === undefined) return { scope: { sessionId }, subject, replay: { key: `${sessionId}:${effectId}` } }
  const { sessionId: _parents, ...turn } = parent.scope
  return {
    scope: { sessionId, ...(turn.turnId === undefined ? {} : turn) },
    subject,
    causedBy: causalRefOf(parent),
    replay: { key: `${parent.replay?.key ?? "process"}:${effectId}` }
  }
}
