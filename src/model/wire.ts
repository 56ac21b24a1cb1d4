/**
 * The wire JSON of the small values, both ways, and the one way in which every codec refuses.
 *
 * Invariant: what is decoded encodes to the same JSON again. A refusal names the field by its path, as `lease/owner/owner_id`.
 * Records and what is said about them are in `recordWire.ts`, grants and handles in `handles.ts`.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import type { AppendRequest } from "./Append.ts"
import * as Output from "./AwaitOutput.ts"
import { AwaitOutput } from "./AwaitOutput.ts"
import * as Types from "./EventType.ts"
import { EventType } from "./EventType.ts"
import { InputInvalid } from "./errors.ts"
import * as Facts from "./facts.ts"
import { AbandonRequest, ExternalRef, WaitState } from "./facts.ts"
import * as Invocations from "./Invocation.ts"
import { Invocation, invocationOf } from "./Invocation.ts"
import { EnvironmentRef, ProcessId, processId } from "./ids.ts"
import { AnyJson, jsonEquals, jsonProblem, optional, renamed, renamedOptional, tagged } from "./json.ts"
import * as Leases from "./Lease.ts"
import type { ProcessEvent } from "./ProcessEvent.ts"
import { MaterializedSemantics } from "./ProcessEvent.ts"
import * as Inputs from "./ProcessInput.ts"
import { ProcessIdentity } from "./ProcessInput.ts"
import type { ProcessRecord, ProcessStatus } from "./ProcessRecord.ts"
import * as Origin from "./Provenance.ts"
import { Provenance, SessionScope } from "./Provenance.ts"
import * as Registrations from "./Registration.ts"
import * as Wakes from "./WakeDelivery.ts"

/** Writes a value as wire JSON. */
export type Encode<A> = (value: A) => unknown

/** Reads wire JSON; the refusal names the field. */
export type Decode<A> = (json: unknown) => Either.Either<A, InputInvalid>

/** Makes the writer of a schema. A value that is not of its type is a defect of the caller. */
export const encoder = <A, I>(schema: Schema.Schema<A, I>): Encode<A> => Schema.encodeSync(schema)

/** Makes the reader of a schema; `name` is where the paths of its refusals begin. Unknown fields are left out. */
export const decoder = <A, I>(name: string, schema: Schema.Schema<A, I>): Decode<A> => {
  const decode = Schema.decodeUnknownEither(schema)
  return (json) => {
    const notJson = jsonProblem(json)
    if (notJson !== undefined) return refuse(`${name}${notJson.path}`, `${notJson.problem}, not JSON`)
    return Either.mapLeft(decode(json), (error) => refusalOf(name, ParseResult.ArrayFormatter.formatErrorSync(error)))
  }
}

/** Refuses a field. */
export const refuse = (field: string, problem: string): Either.Either<never, InputInvalid> =>
  Either.left(new InputInvalid({ field, problem }))

/** An input whose prepared payload is absent rather than `null`. */
export const InputWire: Schema.Schema<Inputs.ProcessInput, typeof Inputs.ProcessInput.Encoded> = Schema.transform(
  Inputs.ProcessInput,
  Schema.typeSchema(Inputs.ProcessInput),
  {
    strict: true,
    decode: (input) => withoutNullPayload(input),
    encode: (input) => withoutNullPayload(input)
  }
)

const withoutNullPayload = (input: Inputs.ProcessInput): Inputs.ProcessInput => {
  if (input._tag !== "ToolCall" || input.call.preparedPayload !== null) return input
  const { preparedPayload: _none, ...call } = input.call
  return { ...input, call }
}

/** What a process executes, as JSON. */
export const encodeInput: Encode<Inputs.ProcessInput> = encoder(InputWire)
/** Reads what a process executes. */
export const decodeInput: Decode<Inputs.ProcessInput> = decoder("input", InputWire)

type Disposition = typeof Registrations.RecoveryDisposition.Type

/** A recovery disposition as JSON. */
export const encodeDisposition: Encode<Disposition> = encoder(Registrations.RecoveryDisposition)
/** Reads a recovery disposition; there is no default. */
export const decodeDisposition: Decode<Disposition> = decoder("disposition", Registrations.RecoveryDisposition)

/** An owner of leases as JSON. */
export const encodeLeaseOwner: Encode<Leases.LeaseOwner> = encoder(Leases.LeaseOwner)
/** Reads an owner of leases; one without evidence is opaque. */
export const decodeLeaseOwner: Decode<Leases.LeaseOwner> = decoder("owner", Leases.LeaseOwner)

/** A lease as JSON. */
export const encodeLease: Encode<Leases.Lease> = encoder(Leases.Lease)
/** Reads a lease. */
export const decodeLease: Decode<Leases.Lease> = decoder("lease", Leases.Lease)

const absent = Schema.optionalWith(Schema.Never, { exact: true })
const LeaseType = Schema.typeSchema(Leases.Lease)

/** The answer to a claim: on the wire its one key is its tag. */
const ClaimOutcome = Schema.Union(
  Schema.transform(
    Schema.Struct({ Acquired: Leases.Lease, Busy: absent }),
    Schema.Struct({ _tag: Schema.Literal("Acquired"), lease: LeaseType }),
    {
      strict: true,
      decode: ({ Acquired }) => ({ _tag: "Acquired" as const, lease: Acquired }),
      encode: ({ lease }) => ({ Acquired: lease })
    }
  ),
  Schema.transform(
    Schema.Struct({ Busy: Schema.Struct({ holder: Leases.Lease }), Acquired: absent }),
    Schema.Struct({ _tag: Schema.Literal("Busy"), holder: LeaseType }),
    {
      strict: true,
      decode: ({ Busy }) => ({ _tag: "Busy" as const, holder: Busy.holder }),
      encode: ({ holder }) => ({ Busy: { holder } })
    }
  )
)

/** The answer to a claim as JSON: `{"Acquired": lease}` or `{"Busy": {"holder": lease}}`. */
export const encodeClaimOutcome: Encode<Leases.ClaimOutcome> = encoder(ClaimOutcome)
/** Reads the answer to a claim. */
export const decodeClaimOutcome: Decode<Leases.ClaimOutcome> = decoder("claim_outcome", ClaimOutcome)

/** Who started a process first, and when. Units: epoch milliseconds, UTC. */
export const FirstStarted = Schema.Struct({
  owner: Leases.LeaseOwner,
  startedAtMs: renamed("started_at_ms", Schema.Int)
})
/** Who started a process first, and when. */
export type FirstStarted = typeof FirstStarted.Type

/** Who started a process first, as JSON. */
export const encodeProcessStarted: Encode<FirstStarted> = encoder(FirstStarted)
/** Reads who started a process first. */
export const decodeProcessStarted: Decode<FirstStarted> = decoder("started", FirstStarted)

/** A request to give a process up, as JSON. */
export const encodeAbandonRequest: Encode<Facts.AbandonRequest> = encoder(Facts.AbandonRequest)
/** Reads a request to give a process up. */
export const decodeAbandonRequest: Decode<Facts.AbandonRequest> = decoder("abandon_request", Facts.AbandonRequest)

/** Where an attached system knows a process, as JSON. */
export const encodeExternalRef: Encode<Facts.ExternalRef> = encoder(Facts.ExternalRef)
/** Reads where an attached system knows a process. */
export const decodeExternalRef: Decode<Facts.ExternalRef> = decoder("external_ref", Facts.ExternalRef)

/** An open wait as JSON. */
export const encodeWaitState: Encode<Facts.WaitState> = encoder(Facts.WaitState)
/** Reads an open wait. */
export const decodeWaitState: Decode<Facts.WaitState> = decoder("wait", Facts.WaitState)

/** A session scope as JSON. */
export const encodeSessionScope: Encode<Origin.SessionScope> = encoder(Origin.SessionScope)
/** Reads a session scope. */
export const decodeSessionScope: Decode<Origin.SessionScope> = decoder("session_scope", Origin.SessionScope)

/** An originator as JSON. */
export const encodeOriginator: Encode<Origin.Originator> = encoder(Origin.Originator)
/** Reads an originator. */
export const decodeOriginator: Decode<Origin.Originator> = decoder("originator", Origin.Originator)

/** A provenance as JSON. */
export const encodeProvenance: Encode<Origin.Provenance> = encoder(Origin.Provenance)
/** Reads a provenance. */
export const decodeProvenance: Decode<Origin.Provenance> = decoder("provenance", Origin.Provenance)

/** A cause as JSON. */
export const encodeCausalRef: Encode<Origin.CausalRef> = encoder(Origin.CausalRef)
/** Reads a cause. */
export const decodeCausalRef: Decode<Origin.CausalRef> = decoder("caused_by", Origin.CausalRef)

/** An invocation as JSON. */
export const encodeInvocation: Encode<Invocations.Invocation> = encoder(Invocations.Invocation)
/** Reads an invocation. */
export const decodeInvocation: Decode<Invocations.Invocation> = decoder("invocation", Invocations.Invocation)

/** An identity as JSON. */
export const encodeIdentity: Encode<Inputs.ProcessIdentity> = encoder(Inputs.ProcessIdentity)
/** Reads an identity. */
export const decodeIdentity: Decode<Inputs.ProcessIdentity> = decoder("identity", Inputs.ProcessIdentity)

/** A selector as JSON. */
export const encodeSelector: Encode<Types.Selector> = encoder(Types.Selector)
/** Reads a selector. */
export const decodeSelector: Decode<Types.Selector> = decoder("selector", Types.Selector)

/** An event type as JSON. */
export const encodeEventType: Encode<Types.EventType> = encoder(Types.EventType)
/** Reads an event type. */
export const decodeEventType: Decode<Types.EventType> = decoder("event_type", Types.EventType)

/** An output as JSON. */
export const encodeAwaitOutput: Encode<Output.AwaitOutput> = encoder(Output.AwaitOutput)
/** Reads an output. */
export const decodeAwaitOutput: Decode<Output.AwaitOutput> = decoder("await_output", Output.AwaitOutput)

type Issue = ParseResult.ArrayFormatterIssue

/** Of the forms that a value might have, the one it comes nearest to says what is wrong with it. */
const refusalOf = (name: string, all: ReadonlyArray<Issue>): InputInvalid => {
  // A field with a default may also be absent, which is no form of a value that is there.
  const issues = all.filter(({ message }) => !message.startsWith("Expected undefined"))
  const present = issues.filter((issue) => issue._tag !== "Missing")
  const path = longest((present.length > 0 ? present : issues).map((issue) => issue.path))
  const depth = path.length
  const hasForms = issues.some((issue) => issue.path.length > depth) || (issues.length > 1 && present.length === 0)
  const at = hasForms && present.length === 0 ? path.slice(0, -1) : path
  const here = issues.filter((issue) => issue.path.length === depth).map(({ message }) => message)
  return new InputInvalid({
    field: [name, ...at.map((key) => String(key).replaceAll("~", "~0").replaceAll("/", "~1"))].join("/"),
    problem: hasForms ? "has none of the forms it may have" : problemOf(here)
  })
}

const longest = (paths: ReadonlyArray<Issue["path"]>): Issue["path"] =>
  paths.reduce((best, path) => (path.length > best.length ? path : best), paths[0] ?? [])

/** Long values and long lists of fields are cut: the path says where to look. */
const problemOf = (messages: ReadonlyArray<string>): string => {
  const parts = messages.map((message) => /^Expected (.*), actual (.*)$/s.exec(message))
  const actual = parts[0]?.[2]
  if (actual === undefined) return messages[0] ?? "is not what it must be"
  const expected = new Set(parts.map((part) => part?.[1] ?? ""))
  const wanted = [...expected].some((one) => /[{(]/.test(one))
    ? "an object with its fields"
    : [...expected].join(" or ")
  return `must be ${wanted}, is ${actual.slice(0, 80)}`
}

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
