/**
 * Wakes: events whose declared meaning is a message for a session, and the delivery that message becomes.
 *
 * A delivery is derived, never stored with its event: the same target scope and dedupe key give the same id, also across
 * events, which is how wakes merge.
 */
import * as Schema from "effect/Schema"
import { Invocation, invocationOf } from "./Invocation.ts"
import { ProcessId, SessionScopeId, wakeId } from "./ids.ts"
import { optional, renamed, renamedOptional } from "./json.ts"
import type { ProcessEvent } from "./ProcessEvent.ts"
import type { SessionScope } from "./Provenance.ts"
import { CausalRef, scopeId } from "./Provenance.ts"
import { textOf } from "./semantics.ts"

/** A message for a session. Units: epoch milliseconds, UTC. */
export const WakeDelivery = Schema.Struct({
  wakeId: renamed("wake_id", Schema.String),
  targetSessionId: renamed("target_session_id", Schema.String),
  targetScopeId: renamed("target_scope_id", SessionScopeId),
  processId: renamed("process_id", ProcessId),
  sequence: Schema.Int,
  eventType: renamed("event_type", Schema.String),
  eventInvocation: renamed("event_invocation", Invocation),
  processCausedBy: renamedOptional("process_caused_by", CausalRef),
  dedupeKey: renamed("dedupe_key", Schema.String),
  input: Schema.String,
  createdAtMs: renamed("created_at_ms", Schema.Int),
  /** A later wake of the process has reached the target already: this one was discarded before, and redriven. */
  late: optional(Schema.Literal(true))
})
/** A message for a session. */
export type WakeDelivery = typeof WakeDelivery.Type

/** The delivery an event calls for; `undefined` when it has no wake, or no target. */
export const deliveryOf = (
  event: ProcessEvent,
  target: SessionScope | undefined,
  causedBy: CausalRef | undefined
): WakeDelivery | undefined => {
  const { wake } = event.semantics
  if (wake === undefined || target === undefined) return undefined
  const scope = scopeId(target)
  return {
    wakeId: wakeId(scope, wake.dedupeKey),
    targetSessionId: target.sessionId,
    targetScopeId: scope,
    processId: event.processId,
    sequence: event.sequence,
    eventType: event.eventType,
    eventInvocation: invocationOf(event),
    ...(causedBy === undefined ? {} : { processCausedBy: causedBy }),
    dedupeKey: wake.dedupeKey,
    input: wake.input,
    createdAtMs: event.occurredAtMs
  }
}

/** The text of a payload for a session: its `text`, else its `value`, else all of it. */
export const inputOfPayload = (payload: unknown): string => {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) return textOf(payload)
  const fields = payload as Readonly<Record<string, unknown>>
  if (Object.hasOwn(fields, "text")) return textOf(fields["text"])
  return textOf(Object.hasOwn(fields, "value") ? fields["value"] : payload)
}

/** The text a woken session reads. */
export const turnText = (delivery: WakeDelivery): string =>
  [
    "Background process wake",
    `Process: ${delivery.processId}`,
    `Event: ${delivery.eventType} #${delivery.sequence}`,
    "Wake input:",
    delivery.input
  ].join("\n")

/** The source key under which a queue keeps one message for each event. */
export const sourceKey = (delivery: WakeDelivery): string =>
  `process:${delivery.processId}:event:${delivery.sequence}:wake`
