/**
 * Invocations: in whose name something runs, and what caused it.
 */
import * as Schema from "effect/Schema"
import { ProcessId } from "./ids.ts"
import { optional, renamed, renamedOptional, tagged } from "./json.ts"
import type { ProcessEvent } from "./ProcessEvent.ts"
import type { CausalRef } from "./Provenance.ts"
import { CausalRef as CausalRefSchema } from "./Provenance.ts"

/** What an invocation is about. */
export const InvocationSubject = Schema.Union(
  Schema.Struct({
    _tag: tagged("type", "effect", "Effect"),
    effectId: renamed("effect_id", Schema.String),
    kind: Schema.String
  }),
  Schema.Struct({ _tag: tagged("type", "process", "Process"), processId: renamed("process_id", ProcessId) }),
  Schema.Struct({
    _tag: tagged("type", "process_event", "ProcessEvent"),
    processId: renamed("process_id", ProcessId),
    sequence: Schema.Int,
    eventType: renamed("event_type", Schema.String)
  }),
  Schema.Struct({
    _tag: tagged("type", "trigger_occurrence", "TriggerOccurrence"),
    occurrenceId: renamed("occurrence_id", Schema.String)
  }),
  Schema.Struct({ _tag: tagged("type", "session_node", "SessionNode"), nodeId: renamed("node_id", Schema.String) })
)
/** What an invocation is about. */
export type InvocationSubject = typeof InvocationSubject.Type

/** In whose name something runs. */
export const Invocation = Schema.Struct({
  scope: Schema.Struct({
    sessionId: renamed("session_id", Schema.String),
    turnId: renamedOptional("turn_id", Schema.String),
    turnIndex: renamedOptional("turn_index", Schema.Int),
    protocolIteration: renamedOptional("protocol_iteration", Schema.Int)
  }),
  subject: InvocationSubject,
  causedBy: renamedOptional("caused_by", CausalRefSchema),
  replay: optional(Schema.Struct({ key: Schema.String }))
})
/** In whose name something runs. */
export type Invocation = typeof Invocation.Type

/** The invocation of a stored event: the runtime's, about the event, caused by its process. */
export const invocationOf = ({ processId, sequence, eventType, replayKey }: ProcessEvent): Invocation => ({
  scope: { sessionId: "runtime" },
  subject: { _tag: "ProcessEvent", processId, sequence, eventType },
  causedBy: { _tag: "Process", processId },
  ...(replayKey === undefined ? {} : { replay: { key: replayKey } })
})

/** What an invocation is to the things it causes. */
export const causalRefOf = ({ scope, subject }: Invocation): CausalRef => {
  const { sessionId, turnId } = scope
  switch (subject._tag) {
    case "Effect":
      return { _tag: "Effect", sessionId, ...(turnId === undefined ? {} : { turnId }), effectId: subject.effectId }
    case "Process":
      return { _tag: "Process", processId: subject.processId }
    case "ProcessEvent":
      return { _tag: "ProcessEvent", processId: subject.processId, sequence: subject.sequence }
    case "TriggerOccurrence":
      return { _tag: "TriggerOccurrence", occurrenceId: subject.occurrenceId }
    case "SessionNode":
      return { _tag: "SessionNode", sessionId, nodeId: subject.nodeId }
  }
}
