import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import type { Invocation } from "../../src/model/Invocation.ts"
import { processId } from "../../src/model/ids.ts"
import type { ProcessEffect } from "../../src/model/ProcessEffect.ts"
import { effectIdOf, invocationOf, wire } from "../../src/model/ProcessEffect.ts"
import { external, registrationOf } from "../../src/model/StartRequest.ts"

const p = processId("p")
const s = { sessionId: "s" }
const f = { sessionId: "s", agentFrameId: "f" }

// SHA-256 of `["p","q"]`
const idsHash = "8a97524082df94aef33b99be0344efc22f46f064f1ed7158ef2ff6f1fe74ac29"

// SHA-256 of `{"after":"p","limit":10}`
const pageHash = "4451a4d770527d43c1903bfc9d967d855bb9497d0e1bf31bda0940ff6a4784be"

const cases: ReadonlyArray<readonly [ProcessEffect, string, string]> = [
  [{ _tag: "Start", registration: registrationOf(external(p, { _tag: "Host" }, null)) }, "start", "process:start:p"],
  [{ _tag: "List", sessionScope: f, mode: "live" }, "list", "process:list:session:s/frame:f:live"],
  [
    { _tag: "List", sessionScope: f, mode: "all", after: p, limit: 10 },
    "list",
    `process:list:session:s/frame:f:all:${pageHash}`
  ],
  [
    { _tag: "Transfer", from: s, to: f, ids: [p, processId("q")] },
    "transfer",
    `process:transfer:session:s:session:s/frame:f:${idsHash}`
  ],
  [{ _tag: "DeleteSession", sessionId: "s" }, "delete_session", "process:delete-session:s"],
  [{ _tag: "Await", processId: p }, "await", "process:await:p"],
  [{ _tag: "Cancel", processId: p, reason: "enough" }, "cancel", "process:cancel:p"],
  [
    {
      _tag: "Signal",
      processId: p,
      signalName: "ready",
      signalId: "1",
      request: { eventType: "signal.ready", payload: null, replay: { key: "k" } }
    },
    "signal",
    "process:signal:p:signal.ready:1"
  ]
]

describe("a wish about processes", () => {
  for (const [effect, op, id] of cases) {
    it(`${op} has its id, and is the same again after JSON`, () => {
      assert.strictEqual(effectIdOf(effect), id)
      const json = JSON.parse(JSON.stringify(wire.encode(effect)))
      assert.strictEqual(json.op, op)
      assert.deepStrictEqual(Either.getOrThrow(wire.decode(json)), effect)
    })
  }

  it("is written as its fields are called elsewhere", () => {
    assert.deepStrictEqual(wire.encode({ _tag: "Cancel", processId: p }), { op: "cancel", process_id: "p" })
    assert.deepStrictEqual(wire.encode({ _tag: "List", sessionScope: f, mode: "all" }), {
      op: "list",
      session_scope: { session_id: "s", agent_frame_id: "f" },
      mode: "all"
    })
  })
})

describe("in whose name a wish is carried out", () => {
  const wish: ProcessEffect = { _tag: "Await", processId: p }
  const subject = { _tag: "Effect", effectId: "process:await:p", kind: "process" } as const
  const within = (scope: Invocation["scope"], replay?: { readonly key: string }): Invocation => ({
    scope,
    subject: { _tag: "Effect", effectId: "e", kind: "tool" },
    ...(replay === undefined ? {} : { replay })
  })

  it("the session's, when nobody else has it", () => {
    assert.deepStrictEqual(invocationOf(wish, "s"), {
      scope: { sessionId: "s" },
      subject,
      replay: { key: "s:process:await:p" }
    })
  })

  it("within the turn of whoever has it, caused by that", () => {
    const parent = within({ sessionId: "other", turnId: "t", turnIndex: 3, protocolIteration: 2 }, { key: "r" })
    assert.deepStrictEqual(invocationOf(wish, "s", parent), {
      scope: { sessionId: "s", turnId: "t", turnIndex: 3, protocolIteration: 2 },
      subject,
      causedBy: { _tag: "Effect", sessionId: "other", turnId: "t", effectId: "e" },
      replay: { key: "r:process:await:p" }
    })
  })

  it("without a turn when whoever has it is in none, and under a key of its own when that has none", () => {
    assert.deepStrictEqual(invocationOf(wish, "s", within({ sessionId: "other", turnIndex: 3 })), {
      scope: { sessionId: "s" },
      subject,
      causedBy: { _tag: "Effect", sessionId: "other", effectId: "e" },
      replay: { key: "process:process:await:p" }
    })
  })
})
