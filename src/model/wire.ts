/**
 * The wire JSON of the small values, both ways, and the one way in which every codec refuses.
 *
 * Invariant: what is decoded encodes to the same JSON again. A refusal names the field by its path, as `lease/owner/owner_id`.
 * Grants and handles are in `Handle.ts`.
 */
import * as Either from "effect/Either"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { AwaitOutput } from "./AwaitOutput.ts"
import * as Types from "./EventType.ts"
import { EventType } from "./EventType.ts"
import { InputInvalid } from "./errors.ts"
import type { AppendRequest } from "./facts.ts"
import { AbandonRequest, ExternalRef, WaitState } from "./facts.ts"
import { Invocation, invocationOf } from "./Invocation.ts"
import { EnvironmentRef, ProcessId, processId } from "./ids.ts"
import {
  AnyJson,
  jsonEquals,
  optional,
  renamed,
  renamedOptional,
  snapshot,
  tagged,
  whenAsked,
  withAdvice
} from "./json.ts"
import * as Leases from "./Lease.ts"
import type { ProcessEvent } from "./ProcessEvent.ts"
import { MaterializedSemantics } from "./ProcessEvent.ts"
import type { ProcessRecord } from "./ProcessRecord.ts"
import * as Origin from "./Provenance.ts"
import { Provenance, SessionScope } from "./Provenance.ts"
import * as Inputs from "./Registration.ts"
import { ProcessIdentity } from "./Registration.ts"
import * as Wakes from "./WakeDelivery.ts"

/** Writes a value as wire JSON. */
export type Encode<A> = (value: A) => unknown

/** Reads wire JSON; the refusal names the field. */
export type Decode<A> = (json: unknown) => Either.Either<A, InputInvalid>

/** Makes the writer of a schema. A value that is not of its type is a defect of the caller. */
export const encoder = <A, I>(schema: Schema.Schema<A, I>): Encode<A> => whenAsked(() => Schema.encodeSync(schema))

/** Makes the reader of a schema; `name` is where the paths of its refusals begin. Unknown fields are left out. */
export const decoder = <A, I>(name: string, schema: Schema.Schema<A, I>): Decode<A> => {
  const decode = whenAsked(() => Schema.decodeUnknownEither(schema))
  return (json) => {
    const copy = snapshot(json)
    if (Either.isLeft(copy)) return refuse(`${name}${copy.left.path}`, withAdvice(copy.left))
    return Either.mapLeft(decode(copy.right), (error) =>
      refusalOf(name, ParseResult.ArrayFormatter.formatErrorSync(error))
    )
  }
}

/** The wire JSON of a type, both ways. */
export interface Codec<A> {
  readonly encode: Encode<A>
  readonly decode: Decode<A>
}

/** Makes the codec of a schema; `name` is where the paths of its refusals begin. */
export const codec = <A, I>(name: string, schema: Schema.Schema<A, I>): Codec<A> => ({
  encode: encoder(schema),
  decode: decoder(name, schema)
})

/** Refuses a field. */
export const refuse = (field: string, problem: string): Either.Either<never, InputInvalid> =>
  Either.left(new InputInvalid({ field, problem }))

/** An input in its one form, both ways. */
const InputWire: Schema.Schema<Inputs.ProcessInput, typeof Inputs.ProcessInput.Encoded> = Schema.transform(
  Inputs.ProcessInput,
  Schema.typeSchema(Inputs.ProcessInput),
  { strict: true, decode: Inputs.normalInput, encode: Inputs.normalInput }
)

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

/** Who started a process first, and when. Units: epoch milliseconds, UTC. */
const FirstStarted = Schema.Struct({
  owner: Leases.LeaseOwner,
  startedAtMs: renamed("started_at_ms", Schema.Int)
})

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

const Registration = Schema.Struct({ ...Inputs.Registration.fields, input: InputWire, eventTypes })

const output = renamed("await_output", AwaitOutput)

const Status = Schema.Union(
  Schema.Struct({ _tag: tagged("state", "running", "Running") }),
  Schema.Struct({ _tag: tagged("state", "completed", "Completed"), output }),
  Schema.Struct({ _tag: tagged("state", "failed", "Failed"), output }),
  Schema.Struct({ _tag: tagged("state", "cancelled", "Cancelled"), output }),
  Schema.Struct({ _tag: tagged("state", "abandoned", "Abandoned"), output })
)

/** What the wire shows of a record: all of it but the counters of its fold. */
export type ShownRecord = Omit<ProcessRecord, "activations" | "waitCounts" | "consumedSignals">

const Record = Schema.Struct({
  id: ProcessId,
  registrationHash: renamed("registration_hash", Schema.String),
  input: InputWire,
  disposition: Inputs.RecoveryDisposition,
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
  parent: optional(Inputs.Parent),
  maxAttempts: renamedOptional("max_attempts", Schema.Int)
})

const recordBy = codec("record", Record)

/** The disposition has no default; a record that lists no waits has at most the one it names. */
const record: Codec<ShownRecord> = {
  encode: recordBy.encode,
  decode: (json) =>
    Either.map(recordBy.decode(json), (read) => ({
      ...read,
      waits: read.waits ?? (read.wait === undefined ? [] : [read.wait])
    }))
}

const Event = Schema.Struct({
  processId: renamed("process_id", ProcessId),
  sequence: Schema.Int,
  eventType: renamed("event_type", Schema.String),
  payload: AnyJson,
  invocation: Invocation,
  semantics: MaterializedSemantics,
  occurredAtMs: renamed("occurred_at_ms", Schema.Int)
})

const eventBy = codec("event", Event)

/** An invocation that is not the event's own is refused: it could not be written back. The replay key is part of it. */
const event: Codec<ProcessEvent> = {
  encode: (value) => eventBy.encode({ ...value, invocation: invocationOf(value) }),
  decode: (json) =>
    Either.flatMap(eventBy.decode(json), ({ invocation, ...rest }) => {
      const replay = invocation.replay?.key
      const read = { ...rest, ...(replay === undefined ? {} : { replayKey: replay }) }
      return jsonEquals(invocationOf(read), invocation)
        ? Either.right(read)
        : refuse("event/invocation", "is not the invocation of this event")
    })
}

const Append = Schema.Struct({
  eventType: renamed("event_type", Schema.String),
  payload: AnyJson,
  replay: optional(Schema.Struct({ key: Schema.String })),
  wakeTargetScope: renamedOptional("wake_target_scope", SessionScope)
})

const appendBy = codec("request", Append)

const appendRequest: Codec<AppendRequest> = {
  encode: ({ replayKey, ...rest }) =>
    appendBy.encode({ ...rest, ...(replayKey === undefined ? {} : { replay: { key: replayKey } }) }),
  decode: (json) =>
    Either.map(appendBy.decode(json), ({ replay, ...rest }) => ({
      ...rest,
      ...(replay === undefined ? {} : { replayKey: replay.key })
    }))
}

const wakeType = "process.wake"

/** The invocation assumed for a delivery that names none: a wake without a session. */
const unknownEvent = (): Invocation => ({
  scope: { sessionId: "" },
  subject: { _tag: "ProcessEvent", processId: processId(""), sequence: 0, eventType: wakeType }
})

const WakeDelivery = Schema.Struct({
  ...Wakes.WakeDelivery.fields,
  eventType: Schema.optionalWith(Schema.String, { default: () => wakeType }).pipe(Schema.fromKey("event_type")),
  eventInvocation: Schema.optionalWith(Invocation, { default: unknownEvent }).pipe(Schema.fromKey("event_invocation"))
})

/** How many ended processes a prune removed, and how many events with them. */
const PruneCounts = Schema.Struct({
  prunedProcesses: renamed("pruned_processes", Schema.Int),
  prunedEvents: renamed("pruned_events", Schema.Int)
})

/** The wire JSON of the model's types, by name. What is absent is not mentioned; unknown fields are left out. */
export const wire = {
  input: codec("input", InputWire),
  disposition: codec("disposition", Inputs.RecoveryDisposition),
  leaseOwner: codec("owner", Leases.LeaseOwner),
  lease: codec("lease", Leases.Lease),
  /** `{"Acquired": lease}` or `{"Busy": {"holder": lease}}`. */
  claimOutcome: codec("claim_outcome", ClaimOutcome),
  processStarted: codec("started", FirstStarted),
  abandonRequest: codec("abandon_request", AbandonRequest),
  externalRef: codec("external_ref", ExternalRef),
  waitState: codec("wait", WaitState),
  sessionScope: codec("session_scope", SessionScope),
  originator: codec("originator", Origin.Originator),
  provenance: codec("provenance", Provenance),
  causalRef: codec("caused_by", Origin.CausalRef),
  invocation: codec("invocation", Invocation),
  identity: codec("identity", ProcessIdentity),
  selector: codec("selector", Types.Selector),
  eventType: codec("event_type", EventType),
  awaitOutput: codec("await_output", AwaitOutput),
  registration: codec("registration", Registration),
  status: codec("status", Status),
  record,
  event,
  appendRequest,
  wakeDelivery: codec("wake_delivery", WakeDelivery),
  pruneReport: codec("prune_report", PruneCounts)
}
