/**
 * One entry of a process's log: append-only, numbered 1, 2, … without gaps.
 */
import * as Schema from "effect/Schema"
import { AwaitOutput } from "./AwaitOutput.ts"
import { TerminalState } from "./EventType.ts"
import { ProcessId } from "./ids.ts"
import { AnyJson, optional, renamed, renamedOptional } from "./json.ts"

/** What an event meant when it was appended: its type's semantics, evaluated on its payload. */
export const MaterializedSemantics = Schema.Struct({
  terminal: optional(Schema.Struct({ state: TerminalState, awaitOutput: renamed("await_output", AwaitOutput) })),
  wake: optional(
    Schema.Struct({
      input: Schema.String,
      dedupeKey: renamed("dedupe_key", Schema.String),
      /** Why the declared selectors gave no wake, so that it carries the whole payload: an end does not fail of that. */
      problem: optional(Schema.String)
    })
  )
})

/** What an event meant when it was appended. */
export type MaterializedSemantics = typeof MaterializedSemantics.Type

/** One entry of a process's log. Units: `occurredAtMs` is epoch milliseconds, UTC. */
export const ProcessEvent = Schema.Struct({
  processId: renamed("process_id", ProcessId),
  sequence: Schema.Int,
  eventType: renamed("event_type", Schema.String),
  payload: AnyJson,
  replayKey: renamedOptional("replay_key", Schema.String),
  semantics: MaterializedSemantics,
  occurredAtMs: renamed("occurred_at_ms", Schema.Int)
})

/** One entry of a process's log. */
export type ProcessEvent = typeof ProcessEvent.Type
