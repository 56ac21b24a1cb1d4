import { assert, describe, it } from "@effect/vitest"
import * as Option from "effect/Option"
import * as Output from "../../src/model/AwaitOutput.ts"

/** Options are compared by what they hold: they are iterable, and a deep comparison of two of them sees nothing else. */
const read = (wire: unknown) => Option.getOrUndefined(Output.fromWire(wire))

const owner = { ownerId: "w:recovery:u", incarnationId: "u", liveness: { _tag: "Opaque" } } as const
const ownerWire = { owner_id: "w:recovery:u", incarnation_id: "u", liveness: { kind: "opaque" } }

const pairs: ReadonlyArray<readonly [string, unknown, Output.AwaitOutput]> = [
  ["a success", { type: "success", value: { n: [1, null] } }, { _tag: "Success", value: { n: [1, null] } }],
  ["a success of null", { type: "success", value: null }, { _tag: "Success", value: null }],
  [
    "a success that switches the frame",
    {
      type: "success",
      value: 1,
      control: { type: "switch_agent_frame", frame_id: "f", initial_nodes: [{}], task: "t" }
    },
    {
      _tag: "Success",
      value: 1,
      control: { _tag: "SwitchAgentFrame", frameId: "f", initialNodes: [{}], task: "t" }
    }
  ],
  [
    "a switch that says no more than the frame",
    { type: "success", value: 1, control: { type: "switch_agent_frame", frame_id: "f" } },
    { _tag: "Success", value: 1, control: { _tag: "SwitchAgentFrame", frameId: "f" } }
  ],
  [
    "a success that finishes the conversation",
    { type: "success", value: 1, control: { type: "finish", value: { a: 1 } } },
    { _tag: "Success", value: 1, control: { _tag: "Finish", value: { a: 1 } } }
  ],
  [
    "a failure",
    { type: "failure", class: "resource_limit", code: "c", message: "m" },
    { _tag: "Failure", class: "resource_limit", code: "c", message: "m" }
  ],
  [
    "a failure with everything",
    {
      type: "failure",
      class: "external",
      code: "c",
      message: "m",
      raw: { status: 500 },
      control: { type: "fail", failure: { why: "x" } }
    },
    {
      _tag: "Failure",
      class: "external",
      code: "c",
      message: "m",
      raw: { status: 500 },
      control: { _tag: "Fail", failure: { why: "x" } }
    }
  ],
  ["a cancellation", { type: "cancelled", message: "m" }, { _tag: "Cancelled", message: "m" }],
  [
    "a cancellation with what was left of it",
    { type: "cancelled", message: "m", raw: 7 },
    { _tag: "Cancelled", message: "m", raw: 7 }
  ],
  [
    "an abandonment on evidence",
    { type: "abandoned", evidence: { writer: "sweep", owner: ownerWire, epoch_ms: 3 } },
    { _tag: "Abandoned", evidence: { writer: "sweep", owner, epochMs: 3 } }
  ],
  [
    "an abandonment on request",
    { type: "abandoned", evidence: { writer: "reconciled_request", epoch_ms: 3 } },
    { _tag: "Abandoned", evidence: { writer: "reconciled_request", epochMs: 3 } }
  ],
  [
    "an abandonment by a draining owner",
    { type: "abandoned", evidence: { writer: "owner_drain", owner: ownerWire, epoch_ms: 0 } },
    { _tag: "Abandoned", evidence: { writer: "owner_drain", owner, epochMs: 0 } }
  ]
]

describe("an output on the wire", () => {
  for (const [what, wire, output] of pairs) {
    it(`${what} is written as its wire JSON`, () => {
      assert.deepStrictEqual<unknown>(Output.toWire(output), wire)
    })

    it(`${what} is read from its wire JSON`, () => {
      assert.deepStrictEqual(read(JSON.parse(JSON.stringify(wire))), output)
    })
  }

  for (const failureClass of [
    "invalid_request",
    "unavailable",
    "permission_denied",
    "timeout",
    "execution",
    "external",
    "resource_limit",
    "internal"
  ] as const) {
    it(`a failure may be of class ${failureClass}`, () => {
      const wire = { type: "failure", class: failureClass, code: "c", message: "m" } as const
      assert.deepStrictEqual(read(wire), { _tag: "Failure", class: failureClass, code: "c", message: "m" })
    })
  }

  it("evidence about an owner of unsaid liveness proves nothing: it is opaque", () => {
    const evidence = { writer: "sweep", owner: { owner_id: "w:recovery:u", incarnation_id: "u" }, epoch_ms: 3 }
    assert.deepStrictEqual(read({ type: "abandoned", evidence }), {
      _tag: "Abandoned",
      evidence: { writer: "sweep", owner, epochMs: 3 }
    })
  })

  const strangers: ReadonlyArray<readonly [string, unknown]> = [
    ["null", null],
    ["a text", "success"],
    ["an array", [{ type: "success", value: 1 }]],
    ["an object without a type", { value: 1 }],
    ["the TypeScript form", { _tag: "Success", value: 1 }],
    ["a capitalised type", { type: "Success", value: 1 }],
    ["a success without a value", { type: "success" }],
    ["a failure of an unknown class", { type: "failure", class: "bad_luck", code: "c", message: "m" }],
    ["a failure without a code", { type: "failure", class: "external", message: "m" }],
    ["a failure whose message is no text", { type: "failure", class: "external", code: "c", message: 1 }],
    ["a cancellation without a message", { type: "cancelled" }],
    ["an abandonment without evidence", { type: "abandoned" }],
    ["an abandonment by an unknown writer", { type: "abandoned", evidence: { writer: "gut", epoch_ms: 1 } }],
    ["an abandonment at half a millisecond", { type: "abandoned", evidence: { writer: "sweep", epoch_ms: 0.5 } }],
    ["a control of an unknown type", { type: "success", value: 1, control: { type: "dance" } }],
    ["a control that finishes with nothing", { type: "success", value: 1, control: { type: "finish" } }]
  ]
  for (const [what, value] of strangers) {
    it(`${what} is not an output`, () => {
      assert.isTrue(Option.isNone(Output.fromWire(value)))
    })
  }
})

describe("an output", () => {
  it("stands for the state of its variant", () => {
    assert.strictEqual(Output.endStateOf(Output.success(1)), "completed")
    assert.strictEqual(Output.endStateOf(Output.failure("timeout", "c", "m")), "failed")
    assert.strictEqual(Output.endStateOf(Output.cancelled("m")), "cancelled")
    assert.strictEqual(Output.endStateOf(Output.abandoned({ writer: "sweep", epochMs: 1 })), "abandoned")
  })

  it("leaves out what nobody gave", () => {
    assert.deepStrictEqual(Output.success(null), { _tag: "Success", value: null })
    assert.deepStrictEqual(Output.failure("timeout", "c", "m"), {
      _tag: "Failure",
      class: "timeout",
      code: "c",
      message: "m"
    })
    assert.deepStrictEqual(Output.failure("timeout", "c", "m", null), {
      _tag: "Failure",
      class: "timeout",
      code: "c",
      message: "m",
      raw: null
    })
    assert.deepStrictEqual(Output.cancelled("m"), { _tag: "Cancelled", message: "m" })
    assert.deepStrictEqual(Output.abandoned({ writer: "sweep", owner, epochMs: 1 }), {
      _tag: "Abandoned",
      evidence: { writer: "sweep", owner, epochMs: 1 }
    })
  })
})

describe("what went wrong with an end", () => {
  const table: ReadonlyArray<readonly [string, unknown, string]> = [
    ["a defect is said by its name once", new RangeError("row 17 has no id"), "RangeError: row 17 has no id"],
    ["a text that was thrown has no name of its own", "no luck", "process_defect: string: no luck"]
  ]
  for (const [what, thrown, said] of table) {
    it(what, () => {
      const output = Output.defect(thrown)
      assert.strictEqual(output._tag === "Failure" ? Output.problemOf(output) : output._tag, said)
    })
  }
})
