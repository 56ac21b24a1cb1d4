import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as Provenance from "../../src/model/Provenance.ts"

const decode = Schema.decodeUnknownSync(Provenance.Provenance)
const encode = Schema.encodeSync(Provenance.Provenance)

describe("provenance on the wire", () => {
  const host = { type: "host" }
  const causes: ReadonlyArray<readonly [unknown, unknown]> = [
    [
      { type: "turn", session_id: "s", turn_id: "t" },
      { _tag: "Turn", sessionId: "s", turnId: "t" }
    ],
    [
      { type: "effect", session_id: "s", turn_id: "t", effect_id: "e" },
      { _tag: "Effect", sessionId: "s", turnId: "t", effectId: "e" }
    ],
    [
      { type: "effect", session_id: "s", effect_id: "e" },
      { _tag: "Effect", sessionId: "s", effectId: "e" }
    ],
    [
      { type: "tool_call", session_id: "s", call_id: "c" },
      { _tag: "ToolCall", sessionId: "s", callId: "c" }
    ],
    [
      { type: "process", process_id: "p" },
      { _tag: "Process", processId: "p" }
    ],
    [
      { type: "process_event", process_id: "p", sequence: 3 },
      { _tag: "ProcessEvent", processId: "p", sequence: 3 }
    ],
    [
      { type: "trigger_occurrence", occurrence_id: "o" },
      { _tag: "TriggerOccurrence", occurrenceId: "o" }
    ],
    [
      { type: "session_node", session_id: "s", node_id: "n" },
      { _tag: "SessionNode", sessionId: "s", nodeId: "n" }
    ]
  ]
  for (const [wire, cause] of causes) {
    it(`a cause is written in snake case and read back: ${JSON.stringify(wire)}`, () => {
      const decoded = decode({ originator: host, caused_by: wire })
      assert.deepStrictEqual<unknown>(decoded, { originator: { _tag: "Host" }, causedBy: cause })
      assert.deepStrictEqual<unknown>(encode(decoded), { originator: host, caused_by: wire })
    })
  }

  const originators: ReadonlyArray<readonly [unknown, unknown]> = [
    [host, { _tag: "Host" }],
    [
      { type: "session", scope: { session_id: "s", agent_frame_id: "f" } },
      { _tag: "Session", scope: { sessionId: "s", agentFrameId: "f" } }
    ],
    [
      { type: "session", scope: { session_id: "s" } },
      { _tag: "Session", scope: { sessionId: "s" } }
    ]
  ]
  for (const [wire, originator] of originators) {
    it(`an originator is written in snake case and read back: ${JSON.stringify(wire)}`, () => {
      const decoded = decode({ originator: wire })
      assert.deepStrictEqual<unknown>(decoded, { originator })
      assert.deepStrictEqual<unknown>(encode(decoded), { originator: wire })
    })
  }

  it("an unknown originator or cause is not read", () => {
    assert.throws(() => decode({ originator: { type: "moon" } }))
    assert.throws(() => decode({ originator: { type: "session" } }))
    assert.throws(() => decode({ originator: host, caused_by: { type: "turn", session_id: "s" } }))
    assert.throws(() => decode({}))
  })
})

describe("the address of an originator", () => {
  it("is `host` for the host", () => {
    assert.deepStrictEqual(Provenance.host, { originator: { _tag: "Host" } })
    assert.strictEqual(Provenance.originatorScopeId({ _tag: "Host" }), "host")
  })

  it("is its scope for a session and for a frame", () => {
    const scope = { sessionId: "s", agentFrameId: "f" }
    assert.strictEqual(Provenance.originatorScopeId({ _tag: "Session", scope }), "session:s/frame:f")
    assert.strictEqual(Provenance.originatorScopeId({ _tag: "Session", scope: { sessionId: "s" } }), "session:s")
    assert.strictEqual(Provenance.scopeId({ sessionId: "s", agentFrameId: "" }), "session:s")
  })
})
