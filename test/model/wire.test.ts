import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Handles from "../../src/model/Handle.ts"
import { processId, sessionScopeId } from "../../src/model/ids.ts"
import * as ProcessRecord from "../../src/model/ProcessRecord.ts"
import * as Registration from "../../src/model/Registration.ts"
import * as Records from "../../src/model/wire.ts"
import { registrationOf } from "../../src/testing/fixtures.ts"
import { projectRoot } from "../support/projectRoot.ts"

interface Codec {
  readonly encode: (value: never) => unknown
  readonly decode: Records.Decode<unknown>
}

const codecs: Readonly<Record<string, Codec>> = { ...Records.wire, ...Handles.wire }

const folder = join(projectRoot, "test", "model", "golden")
const golden = (name: string): ReadonlyArray<never> =>
  JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as ReadonlyArray<never>

const codecOf = (name: string): Codec => {
  const codec = codecs[name]
  assert.isDefined(codec, name)
  return codec as Codec
}

/** A copy of a golden example with fields put in or, as `undefined`, taken out. */
const changed = (name: string, changes: Readonly<Record<string, unknown>>, index = 0): unknown =>
  JSON.parse(JSON.stringify({ ...(golden(name)[index] as unknown as object), ...changes }))

const refusal = (name: string, json: unknown) => {
  const decoded = codecOf(name).decode(json)
  assert.isTrue(Either.isLeft(decoded), `${JSON.stringify(json)} was accepted`)
  return Either.getOrThrow(Either.flip(decoded))
}

describe("the golden examples", () => {
  it("there is one file for each codec", () => {
    assert.sameMembers(
      readdirSync(folder).map((file) => file.replace(".json", "")),
      Object.keys(codecs)
    )
  })

  for (const [name, { encode, decode }] of Object.entries(codecs)) {
    for (const [index, example] of golden(name).entries()) {
      it(`${name} ${index + 1} decodes and encodes back to the same JSON`, () => {
        const decoded = Either.getOrThrow(decode(example)) as never
        assert.deepStrictEqual(JSON.parse(JSON.stringify(encode(decoded))), example)
        assert.deepStrictEqual(encode(decoded), example)
      })
    }

    for (const [what, json] of Object.entries({ nothing: undefined, null: null, "a number": 5, "a list": [] })) {
      it(`${name} refuses ${what} and names itself`, () => {
        assert.match(refusal(name, json).field, /^[a-z_]+(\/[^/]+)?$/)
      })
    }
  }
})

describe("what is missing, unknown or of the wrong type is refused by its path", () => {
  const lease = golden("lease")[0] as unknown as { readonly owner: object }
  const cases: ReadonlyArray<readonly [string, unknown, string, RegExp]> = [
    ["input", { type: "magic" }, "input/type", /must be .*"tool_call".*is "magic"/],
    ["input", {}, "input/type", /is missing/],
    ["input", { type: "engine" }, "input/kind", /is missing/],
    ["input", { type: "tool_call", call: { call_id: "c" } }, "input/call/tool_id", /is missing/],
    ["input", { type: "engine", kind: 5 }, "input/kind", /must be string, is 5/],
    ["disposition", "sometimes", "disposition", /must be "rerunnable" or "owner_bound" or/],
    ["leaseOwner", { owner_id: "w", incarnation_id: "i", liveness: { kind: "x" } }, "owner/liveness/kind", /"opaque"/],
    ["lease", { ...lease, schema_version: 1 }, "lease/schema_version", /must be 2, is 1/],
    ["lease", { ...lease, fencing_token: 0.5 }, "lease/fencing_token", /integer/],
    ["lease", { ...lease, owner: { ...lease.owner, owner_id: 7 } }, "lease/owner/owner_id", /must be string, is 7/],
    ["claimOutcome", { Lost: lease }, "claim_outcome", /none of the forms/],
    ["claimOutcome", { Acquired: { ...lease, lease_token: 5 } }, "claim_outcome/Acquired/lease_token", /string/],
    ["abandonRequest", { requested_by: "o", requested_at_ms: 1, reason: null }, "abandon_request/reason", /string/],
    ["originator", { type: "session" }, "originator/scope", /is missing/],
    [
      "provenance",
      { originator: { type: "host" }, caused_by: { type: "luck" } },
      "provenance/caused_by/type",
      /"turn"/
    ],
    ["invocation", { scope: { session_id: "s" }, subject: { type: "x" } }, "invocation/subject/type", /"effect"/],
    ["status", { state: "paused" }, "status/state", /"running"/],
    ["status", { state: "completed" }, "status/await_output", /is missing/],
    ["awaitOutput", { type: "failure", class: "bad", code: "c", message: "m" }, "await_output/class", /"timeout"/],
    ["awaitOutput", { type: "success" }, "await_output/value", /is missing/],
    ["waitState", { kind: { kind: "timer" }, since_ms: 1 }, "wait/kind/key", /missing/],
    ["waitState", { kind: { kind: "nap", key: "k" }, since_ms: 1 }, "wait/kind/kind", /"signal"/],
    [
      "waitState",
      { kind: { kind: "timer", key: "k" }, since_ms: 1, deadline_ms: "soon" },
      "wait/deadline_ms",
      /number/
    ],
    ["selector", { pointer: 5 }, "selector/pointer", /string/],
    ["selector", { other: 5 }, "selector", /none of the forms/],
    ["eventType", { name: "n", semantics: {} }, "event_type/payload_schema", /is missing/],
    ["record", changed("record", { disposition: undefined }), "record/disposition", /is missing/],
    ["record", changed("record", { created_at_ms: "1" }), "record/created_at_ms", /number/],
    ["record", changed("record", { env_ref: null }), "record/env_ref", /string/],
    ["record", changed("record", { status: { state: "x" } }), "record/status/state", /"running"/],
    ["event", changed("event", { sequence: "1" }), "event/sequence", /number/],
    ["event", changed("event", { sequence: 2 }), "event/invocation", /is not the invocation of this event/],
    ["appendRequest", { event_type: "note" }, "request/payload", /is missing/],
    ["appendRequest", { event_type: "note", payload: 1, replay: "k" }, "request/replay", /object/],
    ["handleSummary", changed("handleSummary", { process_id: "q" }), "handle_summary/process_id", /the same as `id`/],
    ["handleSummary", changed("handleSummary", { status: "paused" }), "handle_summary/status", /"running"|form/],
    ["externalRef", { backend: "b", id: "1", metadata: { a: Number.NaN } }, "external_ref/metadata/a", /is NaN/],
    [
      "externalRef",
      JSON.parse('{"backend":"b","id":"1","metadata":{"__proto__":1}}'),
      "external_ref/metadata/__proto__",
      /is named __proto__/
    ],
    ["registration", changed("registration", { event_types: [{}] }), "registration/event_types/0/name", /is missing/]
  ]
  for (const [name, json, field, problem] of cases) {
    it(`${name}: ${field} of ${JSON.stringify(json)?.slice(0, 60)}`, () => {
      const error = refusal(name, json)
      assert.strictEqual(error.field, field)
      assert.match(error.problem, problem)
    })
  }
})

describe("what may be left out", () => {
  it("a record without times, event types, status and gains gets their defaults", () => {
    const { id, registration_hash, input, disposition, identity, provenance } = changed("record", {}, 1) as Record<
      string,
      unknown
    >
    const decoded = Either.getOrThrow(
      Records.wire.record.decode({ id, registration_hash, input, disposition, identity, provenance })
    )
    assert.deepInclude(decoded, {
      createdAtMs: 0,
      updatedAtMs: 0,
      eventTypes: [],
      attempts: 0,
      waits: [],
      status: { _tag: "Running" }
    })
  })

  it("a record that names its wait and lists none has that one open", () => {
    const decoded = Either.getOrThrow(
      Records.wire.record.decode(changed("record", { waits: undefined, attempts: undefined }))
    )
    assert.isDefined(decoded.wait)
    assert.deepStrictEqual<unknown>(decoded.waits, [decoded.wait])
  })

  it("an input's prepared payload of null is none", () => {
    const call = { call_id: "c", tool_id: "t", tool_name: "n", args: {}, prepared_payload: null }
    const decoded = Either.getOrThrow(Records.wire.input.decode({ type: "tool_call", call }))
    assert.deepStrictEqual(decoded, { _tag: "ToolCall", call: { callId: "c", toolId: "t", toolName: "n", args: {} } })
    const written = Records.wire.input.encode({
      _tag: "ToolCall",
      call: { callId: "c", toolId: "t", toolName: "n", args: {}, preparedPayload: null }
    })
    assert.deepStrictEqual(written, {
      type: "tool_call",
      call: { call_id: "c", tool_id: "t", tool_name: "n", args: {} }
    })
  })

  it("an engine's payload, an owner's evidence, a template's fields and a dedupe key have defaults", () => {
    assert.deepInclude(Either.getOrThrow(Records.wire.input.decode({ type: "engine", kind: "k" })), { payload: null })
    const owner = Either.getOrThrow(Records.wire.leaseOwner.decode({ owner_id: "w", incarnation_id: "i" }))
    assert.deepStrictEqual(owner.liveness, { _tag: "Opaque" })
    const template = Either.getOrThrow(Records.wire.selector.decode({ template: { template: "x" } }))
    assert.deepStrictEqual(template, { template: { template: "x", fields: {} } })
    const type = { name: "n", payload_schema: { schema: {} }, semantics: { wake: { input: "payload" } } }
    assert.strictEqual(
      Either.getOrThrow(Records.wire.eventType.decode(type)).semantics.wake?.dedupeKey,
      "event_identity"
    )
  })

  it("a delivery that says nothing of its event is of a wake that nobody sent", () => {
    const decoded = Either.getOrThrow(
      Records.wire.wakeDelivery.decode(changed("wakeDelivery", { event_type: undefined, event_invocation: undefined }))
    )
    assert.strictEqual(decoded.eventType, "process.wake")
    assert.deepStrictEqual(Records.wire.invocation.encode(decoded.eventInvocation), {
      scope: { session_id: "" },
      subject: { type: "process_event", process_id: "", sequence: 0, event_type: "process.wake" }
    })
  })

  it("a grant without a scope is the whole session's", () => {
    const grant = Either.getOrThrow(
      Handles.wire.handleGrant.decode({ session_id: "s", process_id: "p", descriptor: {} })
    )
    assert.strictEqual(grant.scopeId, "session:s")
  })

  it("fields that nobody knows are left out", () => {
    assert.deepStrictEqual(Either.getOrThrow(Records.wire.sessionScope.decode({ session_id: "s", more: 1 })), {
      sessionId: "s"
    })
  })
})

describe("records and handles as the runtime makes them", () => {
  const { registration, hash } = Either.getOrThrow(Registration.prepare(registrationOf(processId("p"), "rerunnable")))
  const base = { registration, registrationHash: hash, createdAtMs: 3 }
  const record = ProcessRecord.make(base, ProcessRecord.initial(base))

  it("a record is shown without the counters of its fold", () => {
    assert.sameMembers(Object.keys(Records.wire.record.encode(record) as object), [
      ...["id", "registration_hash", "input", "disposition", "identity", "event_types", "provenance", "env_ref"],
      ...["created_at_ms", "updated_at_ms", "status", "attempts", "waits"]
    ])
  })

  it("a summary takes its descriptor from the grant and its definition from the process", () => {
    const grant = { scopeId: sessionScopeId("s"), sessionId: "s", processId: record.id, descriptor: { label: "L" } }
    const known = { ...record, identity: { kind: "k", definition: { version: 1 } } }
    assert.deepStrictEqual(Handles.wire.handleSummary.encode(Handles.summaryOf({ grant, record: known })), {
      __handle__: "process",
      id: "p",
      process_id: "p",
      descriptor: { label: "L" },
      definition: { version: 1 },
      status: "running"
    })
    assert.notProperty(Handles.summaryOf({ grant, record }), "definition")
    assert.deepStrictEqual(Handles.cancelSummaryOf(record), { processId: "p", status: "running" })
  })

  const handles: ReadonlyArray<readonly [unknown, string]> = [
    [null, "handle is missing `__handle__`"],
    ["p", "handle is missing `__handle__`"],
    [[], "handle is missing `__handle__`"],
    [{ id: "p" }, "handle is missing `__handle__`"],
    [Object.create({ __handle__: "process", id: "p" }), "handle is missing `__handle__`"],
    [{ __handle__: "file", id: "p" }, 'handle has an invalid kind: `__handle__` must be "process"'],
    [{ __handle__: 5 }, 'handle has an invalid kind: `__handle__` must be "process"'],
    [{ __handle__: "process" }, "handle is missing `id`"],
    [{ __handle__: "process", id: "" }, "handle is missing `id`"],
    [{ __handle__: "process", id: 5 }, "handle is missing `id`"]
  ]
  for (const [json, message] of handles) {
    it(`${JSON.stringify(json)}: ${message}`, () => assert.strictEqual(refusal("handle", json).message, message))
  }
})
