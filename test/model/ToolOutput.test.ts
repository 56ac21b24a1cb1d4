import { assert, describe, it } from "@effect/vitest"
import type { AwaitOutput } from "../../src/model/AwaitOutput.ts"
import { fromAwaitOutput, runtimeFailure, type ToolOutput, toAwaitOutput } from "../../src/model/ToolOutput.ts"

const control = { _tag: "Finish", value: 1 } as const
const owner = { ownerId: "w", incarnationId: "u", liveness: { _tag: "Opaque" } } as const

const failure = {
  _tag: "Failure",
  class: "timeout",
  code: "slow",
  message: "too slow",
  raw: { ms: 9 },
  control
} as const

describe("from a tool's output to a process's", () => {
  const pairs: ReadonlyArray<readonly [string, ToolOutput, AwaitOutput]> = [
    ["a success", { _tag: "Success", value: 1, control }, { _tag: "Success", value: 1, control }],
    ["a failure loses its source and advice", { ...failure, source: "provider", retry: "later" }, failure],
    [
      "a cancellation",
      { _tag: "Cancelled", message: "stop", raw: 1, source: "tool", control },
      { _tag: "Cancelled", message: "stop", raw: 1, control }
    ]
  ]
  for (const [name, tool, process] of pairs) {
    it(name, () => assert.deepStrictEqual(toAwaitOutput(tool), process))
  }
})

describe("from a process's output to a tool's", () => {
  const pairs: ReadonlyArray<readonly [string, AwaitOutput, ToolOutput]> = [
    ["a success", { _tag: "Success", value: null, control }, { _tag: "Success", value: null, control }],
    ["a failure is the tool's, and not to be tried again", failure, { ...failure, source: "tool", retry: "never" }],
    [
      "a cancellation is the runtime's",
      { _tag: "Cancelled", message: "stop" },
      { _tag: "Cancelled", message: "stop", source: "runtime" }
    ],
    [
      "what its owner drained is a failure",
      { _tag: "Abandoned", evidence: { writer: "owner_drain", owner, epochMs: 7 } },
      {
        _tag: "Failure",
        class: "external",
        code: "process_abandoned",
        message: "its owner was drained without recording an outcome",
        raw: {
          writer: "owner_drain",
          owner: { owner_id: "w", incarnation_id: "u", liveness: { kind: "opaque" } },
          epoch_ms: 7
        },
        source: "tool",
        retry: "never"
      }
    ],
    [
      "what a sweep gave up is a failure",
      { _tag: "Abandoned", evidence: { writer: "sweep", epochMs: 7 } },
      {
        _tag: "Failure",
        class: "external",
        code: "process_abandoned",
        message: "recovery observed that its owner is provably dead",
        raw: { writer: "sweep", epoch_ms: 7 },
        source: "tool",
        retry: "never"
      }
    ],
    [
      "what an operator gave up is a failure",
      { _tag: "Abandoned", evidence: { writer: "reconciled_request", epochMs: 7 }, control },
      {
        _tag: "Failure",
        class: "external",
        code: "process_abandoned",
        message: "a request to abandon it was reconciled after its lease had lapsed",
        raw: { writer: "reconciled_request", epoch_ms: 7 },
        source: "tool",
        retry: "never",
        control
      }
    ]
  ]
  for (const [name, process, tool] of pairs) {
    it(name, () => assert.deepStrictEqual(fromAwaitOutput(process), tool))
  }

  it("nothing becomes an abandonment again", () => {
    const abandoned: AwaitOutput = { _tag: "Abandoned", evidence: { writer: "sweep", epochMs: 7 } }
    assert.strictEqual(toAwaitOutput(fromAwaitOutput(abandoned))._tag, "Failure")
  })

  it("a failure of the runtime says so", () => {
    assert.deepStrictEqual(runtimeFailure("invalid_request", "bad_handle", "no handle"), {
      _tag: "Failure",
      class: "invalid_request",
      code: "bad_handle",
      message: "no handle",
      source: "runtime",
      retry: "never"
    })
  })
})
