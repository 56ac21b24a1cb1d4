/**
 * The wire JSON of registrations, records, events and what is said about them, both ways.
 *
 * Invariant: what is decoded encodes to the same JSON again, defaults filled in. A record is shown without the counters that
 * only its fold needs, so a decoded one is for reading.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { AwaitOutput } from "./AwaitOutput.ts"
import { jsonEquals } from "./canonical.ts"
import { EventType } from "./EventType.ts"
import { AbandonRequest, ExternalRef, WaitState } from "./facts.ts"
import { Invocation, invocationOf } from "./Invocation.ts"
import { EnvironmentRef, ProcessId, processId } from "./ids.ts"
import { AnyJson, optional, renamed, renamedOptional, tagged } from "./json.ts"
import type { AppendRequest, ProcessEvent } from "./ProcessEvent.ts"
import { MaterializedSemantics } from "./ProcessEvent.ts"
import { ProcessIdentity } from "./ProcessInput.ts"
import type { ProcessRecord, ProcessStatus } from "./ProcessRecord.ts"
import { Provenance, SessionScope } from "./Provenance.ts"
import * as Registrations from "./Registration.ts"
import * as Wakes from "./wakes.ts"
import type { Decode, Encode } from "./wire.ts"
import { decoder, encoder, FirstStarted, InputWire, refuse } from "./wire.ts"

const eventTypes = Schema.optionalWith(Schema.Array(EventType), { default: () => [] }).pipe(
  Schema.fromKey("event_types")
)

const time = <const Key extends string>(key: Key) =>
  Schema.optionalWith(Schema.Int, { default: () => 0 }).pipe(Schema.fromKey(key))

const Registration = Schema.Struct({ ...Registrations.Registration.fields, input: InputWire, eventTypes })

/** A registration as JSON. */
export const encodeRegistration: Encode<Registrations.Registration> = encoder(Registration)
/** Reads a registration; event types default to none. */
export const decodeRegistration: Decode<Registrations.Registration> = decoder("registration", Registration)

const output = renamed("await_output", AwaitOutput)

const Status = Schema.Union(
  Schema.Struct({ _tag: tagged("state", "running", "Running") }),
  Schema.Struct({ _tag: tagged("state", "completed", "Completed"), output }),
  Schema.Struct({ _tag: tagged("state", "failed", "Failed"), output }),
  Schema.Struct({ _tag: tagged("state", "cancelled", "Cancelled"), output }),
  Schema.Struct({ _tag: tagged("state", "abandoned", "Abandoned"), output })
)

/** A status as JSON. */
export const encodeStatus: Encode<ProcessStatus> = encoder(Status)
/** Reads a status. */
export const decodeStatus: Decode<ProcessStatus> = decoder("status", Status)

/** What the wire shows of a record: all of it but the counters of its fold. */
export type ShownRecord = Omit<ProcessRecord, "activations" | "waitCounts" | "consumedSignals">

const Record = Schema.Struct({
  id: ProcessId,
  registrationHash: renamed("registration_hash", Schema.String),
  input: InputWire,
  disposition: Registrations.RecoveryDisposition,
  identity: ProcessIdentity,
  eventTypes,
  provenance: Provenance,
  envRef: renamedOptional("env_ref", EnvironmentRef),
  wakeTarget: renamedOptional("wake_target", SessionScope),
  createdAtMs: time("created_at_ms"),
  updatedAtMs: time("updated_at_ms"),
  externalRef: renamedOptional("external_ref", ExternalRef),
  firstStarted: renamedOptional("first_started", FirstStarted),
  abandonRequest: renamedOptional("abandon_request", AbandonRequest),
  wait: optional(WaitState),
  status: Schema.optionalWith(Status, { default: () => ({ _tag: "Running" as const }) }),
  attempts: Schema.optionalWith(Schema.Int, { default: () => 0 }),
  waits: optional(Schema.Array(WaitState)),
  cancelRequest: renamedOptional(
    "cancel_request",
    Schema.Struct({ reason: Schema.NullOr(Schema.String), requestedAtMs: renamed("requested_at_ms", Schema.Int) })
  ),
  parent: optional(Registrations.Parent),
  maxAttempts: renamedOptional("max_attempts", Schema.Int)
})

const readRecord = decoder("record", Record)

/** A record as JSON; nothing that is absent is mentioned. */
export const encodeRecord: Encode<ShownRecord> = encoder(Record)
/** Reads a record. The disposition has no default; a record that lists no waits has at most the one it names. */
export const decodeRecord: Decode<ShownRecord> = (json) =>
  Either.map(readRecord(json), (record) => ({
    ...record,
    waits: record.waits ?? (record.wait === undefined ? [] : [record.wait])
  }))

const Event = Schema.Struct({
  processId: renamed("process_id", ProcessId),
  sequence: Schema.Int,
  eventType: renamed("event_type", Schema.String),
  payload: AnyJson,
  invocation: Invocation,
  semantics: MaterializedSemantics,
  occurredAtMs: renamed("occurred_at_ms", Schema.Int)
})

const readEvent = decoder("event", Event)
const writeEvent = encoder(Event)

/** An event as JSON, with the invocation that follows from it; its replay key stands in there. */
export const encodeEvent: Encode<ProcessEvent> = (event) => writeEvent({ ...event, invocation: invocationOf(event) })
/** Reads an event. An invocation that is not the event's own is refused: it could not be written back. */
export const decodeEvent: Decode<ProcessEvent> = (json) =>
  Either.flatMap(readEvent(json), ({ invocation, ...rest }) => {
    const replay = invocation.replay?.key
    const event = { ...rest, ...(replay === undefined ? {} : { replayKey: replay }) }
    return jsonEquals(invocationOf(event), invocation)
      ? Either.right(event)
      : refuse("event/invocation", "is not the invocation of this event")
  })

const Append = Schema.Struct({
  eventType: renamed("event_type", Schema.String),
  payload: AnyJson,
  replay: optional(Schema.Struct({ key: Schema.String })),
  wakeTargetScope: renamedOptional("wake_target_scope", SessionScope)
})

const readAppend = decoder("request", Append)
const writeAppend = encoder(Append)

/** A wish to append, as JSON. */
export const encodeAppendRequest: Encode<AppendRequest> = ({ replayKey, ...rest }) =>
  writeAppend({ ...rest, ...(replayKey === undefined ? {} : { replay: { key: replayKey } }) })
/** Reads a wish to append. */
export const decodeAppendRequest: Decode<AppendRequest> = (json) =>
  Either.map(readAppend(json), ({ replay, ...rest }) => ({
    ...rest,
    ...(replay === undefined ? {} : { replayKey: replay.key })
  }))

const wakeType = "process.wake"

/** What a delivery says of its event when it says nothing: nobody's, and nothing but a wake. */
const unknownEvent = (): Invocation => ({
  scope: { sessionId: "" },
  subject: { _tag: "ProcessEvent", processId: processId(""), sequence: 0, eventType: wakeType }
})

const WakeDelivery = Schema.Struct({
  ...Wakes.WakeDelivery.fields,
  eventType: Schema.optionalWith(Schema.String, { default: () => wakeType }).pipe(Schema.fromKey("event_type")),
  eventInvocation: Schema.optionalWith(Invocation, { default: unknownEvent }).pipe(Schema.fromKey("event_invocation"))
})

/** A message for a session, as JSON. */
export const encodeWakeDelivery: Encode<Wakes.WakeDelivery> = encoder(WakeDelivery)
/** Reads a message for a session. */
export const decodeWakeDelivery: Decode<Wakes.WakeDelivery> = decoder("wake_delivery", WakeDelivery)

/** How many ended processes a prune removed, and how many events with them. */
export const PruneCounts = Schema.Struct({
  prunedProcesses: renamed("pruned_processes", Schema.Int),
  prunedEvents: renamed("pruned_events", Schema.Int)
})
/** How many ended processes a prune removed, and how many events with them. */
export type PruneCounts = typeof PruneCounts.Type

/** What a prune removed, as JSON. */
export const encodePruneReport: Encode<PruneCounts> = encoder(PruneCounts)
/** Reads what a prune removed. */
export const decodePruneReport: Decode<PruneCounts> = decoder("prune_report", PruneCounts)
