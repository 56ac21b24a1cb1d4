import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { EventType } from "../../src/model/EventType.ts"
import { plain } from "../../src/model/EventType.ts"
import type { EnvironmentRef } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import { host } from "../../src/model/Provenance.ts"
import type { ProcessInput } from "../../src/model/Registration.ts"
import * as Registration from "../../src/model/Registration.ts"
import { identityOf } from "../../src/model/Registration.ts"

const env = "process-env:sha256:00" as EnvironmentRef
const engine: ProcessInput = { _tag: "Engine", kind: "deploy", payload: { service: "api" } }
const call = { callId: "c1", toolId: "t1", toolName: "grep", args: { q: "x" } }
const tool: ProcessInput = { _tag: "ToolCall", call }
const external: ProcessInput = { _tag: "External", metadata: null }
const turn: ProcessInput = { _tag: "SessionTurn", createRequest: {}, turnInput: {}, outputContract: {} }

const registration: Registration.Registration = {
  ...Registration.make(processId("p"), engine, "rerunnable", host),
  envRef: env
}
const withTypes = (...eventTypes: ReadonlyArray<EventType>): Registration.Registration => ({
  ...registration,
  eventTypes
})
const ending = (name: string, terminal: EventType["semantics"]["terminal"]): EventType => ({
  name,
  payloadSchema: { schema: {} },
  semantics: terminal === undefined ? {} : { terminal }
})

const accepted = (candidate: Registration.Registration): Registration.Registered =>
  Either.getOrThrow(Registration.prepare(candidate))
const refusal = (candidate: Registration.Registration) =>
  Either.getOrThrow(Either.flip(Registration.prepare(candidate)))

const coreNames = [
  "process.cancel_requested",
  "process.completed",
  "process.failed",
  "process.cancelled",
  "process.abandoned"
]

describe("a registration begun by its constructor", () => {
  it("derives its identity, declares the core types and leaves everything optional out", () => {
    assert.deepStrictEqual<unknown>(Registration.make(processId("p"), external, "externally_owned", host), {
      id: "p",
      input: { _tag: "External", metadata: null },
      disposition: "externally_owned",
      identity: { kind: "external" },
      eventTypes: [
        plain("process.cancel_requested"),
        ...(["completed", "failed", "cancelled", "abandoned"] as const).map((state) =>
          ending(`process.${state}`, { state, awaitOutput: { pointer: "/await_output" } })
        )
      ],
      provenance: { originator: { _tag: "Host" } }
    })
  })

  const identities: ReadonlyArray<readonly [string, ProcessInput, unknown]> = [
    ["a tool call is labelled by its tool", tool, { kind: "tool", label: "grep" }],
    ["an engine is its kind", engine, { kind: "deploy" }],
    ["external work without metadata has no label", external, { kind: "external" }],
    ["metadata that is no object gives no label", { _tag: "External", metadata: ["label"] }, { kind: "external" }],
    [
      "external work is labelled by its label before its name and its title",
      { _tag: "External", metadata: { title: "t", name: "n", label: "l" } },
      { kind: "external", label: "l" }
    ],
    ["then by its name", { _tag: "External", metadata: { title: "t", name: "n" } }, { kind: "external", label: "n" }],
    ["then by its title", { _tag: "External", metadata: { title: "t" } }, { kind: "external", label: "t" }],
    [
      "a label that is no text hides the name and the title",
      { _tag: "External", metadata: { label: null, name: "n", title: "t" } },
      { kind: "external" }
    ],
    [
      "a session turn is labelled by its sub-agent's capability",
      { ...turn, createRequest: { session_id: "s", usage_source: "u", subagent: { capability: "review" } } },
      { kind: "session_turn", label: "review" }
    ],
    [
      "then by its usage source",
      { ...turn, createRequest: { session_id: "s", usage_source: "u", subagent: {} } },
      { kind: "session_turn", label: "u" }
    ],
    ["then by its session", { ...turn, createRequest: { session_id: "s" } }, { kind: "session_turn", label: "s" }],
    ["a session turn that says nothing has no label", turn, { kind: "session_turn" }]
  ]
  for (const [rule, input, identity] of identities) {
    it(rule, () => {
      assert.deepStrictEqual<unknown>(identityOf(input), identity)
    })
  }
})

describe("normalising", () => {
  const namesOf = (candidate: Registration.Registration) =>
    accepted(candidate).registration.eventTypes.map(({ name }) => name)

  it("appends every core type that is not declared, in core order", () => {
    assert.deepStrictEqual(namesOf(withTypes()), coreNames)
    assert.deepStrictEqual(namesOf(withTypes(plain("b"), plain("a"))), ["b", "a", ...coreNames])
  })

  it("leaves a declared core type where it stands, and as it is", () => {
    const narrowed: EventType = {
      name: "process.completed",
      payloadSchema: { schema: { type: "object", required: ["await_output"] } },
      semantics: { terminal: { state: "completed", awaitOutput: { pointer: "/await_output" } } }
    }
    const { eventTypes } = accepted(withTypes(narrowed, plain("a"))).registration
    assert.deepStrictEqual(eventTypes[0], narrowed)
    assert.deepStrictEqual(
      eventTypes.map(({ name }) => name),
      ["process.completed", "a", ...coreNames.filter((name) => name !== "process.completed")]
    )
  })

  it("changes nothing else, and nothing the second time", () => {
    const once = accepted(withTypes(plain("a")))
    assert.deepStrictEqual(once.registration, { ...registration, eventTypes: once.registration.eventTypes })
    assert.deepStrictEqual(accepted(once.registration), once)
  })

  it("finds a declared type by its name, and nothing by any other", () => {
    const { registration: normalized } = accepted(withTypes(plain("a", { type: "string" })))
    assert.deepStrictEqual(Registration.eventTypeOf(normalized, "a"), plain("a", { type: "string" }))
    assert.strictEqual(Registration.eventTypeOf(normalized, "b"), undefined)
    assert.strictEqual(Registration.eventTypeOf(normalized, "process.started"), undefined)
  })
})

describe("what is refused", () => {
  const completed = (terminal: EventType["semantics"]["terminal"]) => ending("process.completed", terminal)
  const atOutput = { pointer: "/await_output" }
  const refusals: ReadonlyArray<readonly [string, Registration.Registration, field: string, gist: string]> = [
    ["an empty id", { ...registration, id: processId("") }, "id", "process id must be a non-empty string"],
    ["a blank id", { ...registration, id: processId(" \t\n") }, "id", "process id must be a non-empty string"],
    [
      "an engine without an environment",
      Registration.make(processId("p"), engine, "rerunnable", host),
      "env_ref",
      "requires a captured execution env"
    ],
    [
      "a tool call without an environment",
      Registration.make(processId("p"), tool, "rerunnable", host),
      "env_ref",
      "requires a captured execution env"
    ],
    [
      "external work with an environment",
      { ...registration, input: external },
      "env_ref",
      "must not capture an execution env"
    ],
    [
      "a session turn with an environment",
      { ...registration, input: turn },
      "env_ref",
      "must not capture an execution env"
    ],
    ["an event type without a name", withTypes(plain("a"), plain("")), "event_types/1", "declares an empty event type"],
    ["an event type with a blank name", withTypes(plain(" ")), "event_types/0", "declares an empty event type"],
    [
      "two event types of one name",
      withTypes(plain("a"), plain("b"), plain("a", { type: "string" })),
      "event_types/2",
      "declares duplicate event type"
    ],
    [
      "a core type declared twice",
      withTypes(plain("process.cancel_requested"), plain("process.cancel_requested")),
      "event_types/1",
      "declares duplicate event type"
    ],
    [
      "a failure without a selector for its output",
      withTypes(ending("a", { state: "failed" })),
      "event_types/0",
      "must declare await output"
    ],
    [
      "a cancellation without a selector for its output",
      withTypes(ending("a", { state: "cancelled" })),
      "event_types/0",
      "must declare await output"
    ],
    [
      "an abandonment without a selector for its output",
      withTypes(ending("a", { state: "abandoned" })),
      "event_types/0",
      "must declare await output"
    ],
    [
      "a core end that ends nothing",
      withTypes(completed(undefined)),
      "event_types/0",
      "must stay terminal as completed"
    ],
    [
      "a core end of another state",
      withTypes(completed({ state: "failed", awaitOutput: atOutput })),
      "event_types/0",
      "must stay terminal as completed"
    ],
    [
      "a core end without a selector for its output",
      withTypes(completed({ state: "completed" })),
      "event_types/0",
      "await output at /await_output"
    ],
    [
      "a core end whose output stands elsewhere",
      withTypes(completed({ state: "completed", awaitOutput: { pointer: "/output" } })),
      "event_types/0",
      "await output at /await_output"
    ],
    [
      "a core end whose whole payload is its output",
      withTypes(completed({ state: "completed", awaitOutput: "payload" })),
      "event_types/0",
      "await output at /await_output"
    ],
    ["no attempts at all", { ...registration, maxAttempts: 0 }, "max_attempts", "at least 1"],
    ["less than none", { ...registration, maxAttempts: -1 }, "max_attempts", "at least 1"],
    ["half an attempt", { ...registration, maxAttempts: 1.5 }, "max_attempts", "whole number"],
    [
      "a payload that is not JSON",
      { ...registration, input: { ...engine, payload: { at: new Date(0) } } },
      "input/payload/at",
      "is a Date, not a plain object"
    ],
    ["an id that is not well-formed text", { ...registration, id: processId("p\ud800") }, "id", "has a lone surrogate"]
  ]
  for (const [what, candidate, field, gist] of refusals) {
    it(`${what} is refused at ${field}`, () => {
      const problem = refusal(candidate)
      assert.strictEqual(problem._tag, "RegistrationInvalid")
      assert.strictEqual(problem.processId, candidate.id)
      assert.strictEqual(problem.field, field)
      assert.include(problem.problem, gist)
      assert.include(problem.message, gist)
    })
  }

  const reserved = [
    "process.started",
    "process.suspended",
    "process.waiting",
    "process.resumed",
    "process.abandon_requested",
    "process.external_ref_set",
    "process.wake_target_cleared"
  ]
  for (const name of reserved) {
    it(`${name} is the runtime's own and cannot be declared`, () => {
      const problem = refusal(withTypes(plain("a"), plain(name)))
      assert.strictEqual(problem.field, "event_types/1")
      assert.include(problem.problem, name)
    })
  }

  it("a schema that is not JSON is refused below the event types", () => {
    const problem = refusal(withTypes(plain("a"), plain("b", { maximum: NaN })))
    assert.include(problem.problem, "is NaN")
    assert.match(problem.field, /event_?types/i)
  })

  it("of several problems the first in the order of the checks is the answer", () => {
    const everything = { ...withTypes(plain("")), id: processId(""), maxAttempts: 0 }
    const { envRef: _, ...bare } = everything
    assert.strictEqual(refusal(bare).field, "id")
    assert.strictEqual(refusal({ ...bare, id: processId("p") }).field, "env_ref")
    assert.strictEqual(refusal({ ...everything, id: processId("p") }).field, "event_types/0")
  })

  it("a refused list of event types is refused again", () => {
    const candidate = withTypes(plain("a"), plain("a"))
    assert.strictEqual(refusal(candidate).field, "event_types/1")
    assert.strictEqual(refusal(candidate).field, "event_types/1")
  })
})

describe("what is not judged", () => {
  const tolerated: ReadonlyArray<readonly [string, Registration.Registration]> = [
    ["an id of any characters", { ...registration, id: processId(" p/ü:\n😀 ") }],
    ["external work that is not externally owned", Registration.make(processId("p"), external, "rerunnable", host)],
    ["work of an engine that nobody has heard of", { ...registration, input: { ...engine, kind: "?" } }],
    ["a signal of any shape", withTypes(plain("signal."), plain("signal.a b"))],
    ["a schema that is none", withTypes(plain("a", { type: "no such type" }))],
    ["a completion whose output is its payload", withTypes(ending("done", { state: "completed" }))],
    ["a single attempt", { ...registration, maxAttempts: 1 }]
  ]
  for (const [what, candidate] of tolerated) {
    it(`${what} is accepted`, () => {
      assert.isTrue(Either.isRight(Registration.prepare(candidate)))
    })
  }
})

describe("the hash", () => {
  it("of a tool call without a prepared payload is that of one whose prepared payload is null: they are the same JSON", () => {
    const withNull = { ...tool, call: { ...call, preparedPayload: null } }
    const hashed = [withNull, tool].map((input) => accepted({ ...registration, input }).hash)
    assert.strictEqual(hashed[0], hashed[1])
  })

  const full: Registration.Registration = {
    ...registration,
    eventTypes: [plain("a"), plain("b", { type: "string" })],
    identity: { kind: "k", label: "l", definition: { v: 1 } },
    provenance: {
      originator: { _tag: "Session", scope: { sessionId: "s", agentFrameId: "f" } },
      causedBy: { _tag: "Turn", sessionId: "s", turnId: "t" }
    },
    wakeTarget: { sessionId: "s", agentFrameId: "f" },
    parent: { processId: processId("boss"), closePolicy: "cancel" },
    maxAttempts: 3
  }
  const original = accepted(full).hash
  const { wakeTarget: _w, ...sleepless } = full
  const { parent: _p, ...orphan } = full
  const { maxAttempts: _m, ...tireless } = full

  const changes: ReadonlyArray<readonly [string, Registration.Registration]> = [
    ["the id", { ...full, id: processId("q") }],
    ["the input", { ...full, input: { ...engine, payload: { service: "web" } } }],
    ["the kind of the input", { ...full, input: tool }],
    ["the disposition", { ...full, disposition: "owner_bound" }],
    ["the kind of the identity", { ...full, identity: { ...full.identity, kind: "other" } }],
    ["the label", { ...full, identity: { ...full.identity, label: "other" } }],
    ["the definition", { ...full, identity: { ...full.identity, definition: { v: 2 } } }],
    ["the order of the event types", { ...full, eventTypes: [plain("b", { type: "string" }), plain("a")] }],
    ["an event type more", { ...full, eventTypes: [...full.eventTypes, plain("c")] }],
    ["the schema of an event type", { ...full, eventTypes: [plain("a"), plain("b", { type: "number" })] }],
    [
      "the meaning of an event type",
      { ...full, eventTypes: [ending("a", { state: "completed" }), plain("b", { type: "string" })] }
    ],
    ["the originator", { ...full, provenance: { ...full.provenance, originator: { _tag: "Host" } } }],
    [
      "the cause",
      { ...full, provenance: { ...full.provenance, causedBy: { _tag: "Turn", sessionId: "s", turnId: "u" } } }
    ],
    ["the absence of a cause", { ...full, provenance: { originator: full.provenance.originator } }],
    ["the environment", { ...full, envRef: "process-env:sha256:01" as EnvironmentRef }],
    ["the frame of the wake target", { ...full, wakeTarget: { sessionId: "s", agentFrameId: "g" } }],
    ["the absence of a wake target", sleepless],
    ["the parent", { ...full, parent: { processId: processId("other"), closePolicy: "cancel" } }],
    ["the close policy", { ...full, parent: { processId: processId("boss"), closePolicy: "keep" } }],
    ["the absence of a parent", orphan],
    ["the number of attempts", { ...full, maxAttempts: 4 }],
    ["the absence of a limit", tireless]
  ]
  for (const [what, changed] of changes) {
    it(`covers ${what}`, () => {
      assert.notStrictEqual(accepted(changed).hash, original)
    })
  }

  it("is a SHA-256 in lower-case hex", () => {
    assert.match(original, /^[0-9a-f]{64}$/)
  })

  it("is the same for an equal registration, whatever the order of its keys", () => {
    const copy = JSON.parse(JSON.stringify(full)) as Registration.Registration
    const reversed = Object.fromEntries(Object.entries(copy).reverse()) as Registration.Registration
    assert.strictEqual(accepted(copy).hash, original)
    assert.strictEqual(accepted(reversed).hash, original)
  })

  it("is the same whether the core types were declared or appended", () => {
    const { registration: normalized } = accepted(full)
    assert.strictEqual(accepted(normalized).hash, original)
    assert.strictEqual(accepted(withTypes()).hash, accepted(registration).hash)
  })
})

describe("on the wire", () => {
  const wire = {
    id: "p",
    input: { type: "engine", kind: "k", payload: {} },
    disposition: "rerunnable",
    identity: { kind: "k", label: "L" },
    event_types: [{ name: "a", payload_schema: { schema: {} }, semantics: {} }],
    provenance: {
      originator: { type: "session", scope: { session_id: "s", agent_frame_id: "f" } },
      caused_by: { type: "effect", session_id: "s", turn_id: "t", effect_id: "e" }
    },
    env_ref: "process-env:sha256:00",
    wake_target: { session_id: "s" },
    parent: { process_id: "boss", close_policy: "abandon" },
    max_attempts: 2
  }
  const decoded = {
    id: "p",
    input: { _tag: "Engine", kind: "k", payload: {} },
    disposition: "rerunnable",
    identity: { kind: "k", label: "L" },
    eventTypes: [{ name: "a", payloadSchema: { schema: {} }, semantics: {} }],
    provenance: {
      originator: { _tag: "Session", scope: { sessionId: "s", agentFrameId: "f" } },
      causedBy: { _tag: "Effect", sessionId: "s", turnId: "t", effectId: "e" }
    },
    envRef: "process-env:sha256:00",
    wakeTarget: { sessionId: "s" },
    parent: { processId: "boss", closePolicy: "abandon" },
    maxAttempts: 2
  }
  const decode = Schema.decodeUnknownSync(Registration.Registration)

  it("a registration is written in snake case and read back", () => {
    assert.deepStrictEqual<unknown>(decode(wire), decoded)
    assert.deepStrictEqual<unknown>(Schema.encodeSync(Registration.Registration)(decode(wire)), wire)
  })

  it("a registration without a disposition is not read: there is no default", () => {
    const { disposition: _, ...undeclared } = wire
    assert.throws(() => decode(undeclared))
    assert.throws(() => decode({ ...wire, disposition: "re_runnable" }))
  })
})
