import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import type { EndState } from "../../machines/process/types.ts"
import type { AwaitOutput } from "../../src/model/AwaitOutput.ts"
import type { EventSemantics, Selector } from "../../src/model/EventType.ts"
import { materialize } from "../../src/model/semantics.ts"

const meaning = (semantics: EventSemantics, payload: unknown) =>
  materialize(semantics, { processId: "p", sequence: 4, payload })

const ending = (state: EndState, payload: unknown, awaitOutput?: Selector) =>
  meaning({ terminal: { state, ...(awaitOutput === undefined ? {} : { awaitOutput }) } }, payload)

const ended = (state: EndState, awaitOutput: AwaitOutput) => Either.right({ terminal: { state, awaitOutput } })
const failed = (problem: string) => Either.left({ _tag: "SelectorFailed", problem } as const)
const missed = (pointer: string) => failed(`payload pointer \`${pointer}\` did not match`)

describe("events without meaning", () => {
  it("mean nothing, whatever they carry", () => {
    assert.deepStrictEqual(meaning({}, { await_output: { type: "success", value: 1 } }), Either.right({}))
  })
})

describe("ends", () => {
  it("without a selector, completed means the payload as a success", () => {
    assert.deepStrictEqual(ending("completed", { a: 1 }), ended("completed", { _tag: "Success", value: { a: 1 } }))
    assert.deepStrictEqual(ending("completed", null), ended("completed", { _tag: "Success", value: null }))
  })

  it("without a selector, a payload that looks like an output is a success all the same", () => {
    const payload = { type: "failure", class: "external", code: "c", message: "m" }
    assert.deepStrictEqual(ending("completed", payload), ended("completed", { _tag: "Success", value: payload }))
  })

  for (const state of ["failed", "cancelled", "abandoned"] as const) {
    it(`without a selector, ${state} is refused`, () => {
      assert.deepStrictEqual(ending(state, {}), failed("failed or cancelled terminal events must declare await output"))
    })
  }

  it("a selector that misses is refused", () => {
    assert.deepStrictEqual(ending("completed", {}, { pointer: "/await_output" }), missed("/await_output"))
  })

  const wholes: ReadonlyArray<readonly [EndState, unknown, AwaitOutput]> = [
    ["completed", { type: "success", value: { a: 1 } }, { _tag: "Success", value: { a: 1 } }],
    ["completed", { type: "success", value: null }, { _tag: "Success", value: null }],
    [
      "failed",
      { type: "failure", class: "timeout", code: "late", message: "m", raw: [1] },
      { _tag: "Failure", class: "timeout", code: "late", message: "m", raw: [1] }
    ],
    ["cancelled", { type: "cancelled", message: "stop" }, { _tag: "Cancelled", message: "stop" }],
    [
      "abandoned",
      { type: "abandoned", evidence: { writer: "sweep", epoch_ms: 3 } },
      { _tag: "Abandoned", evidence: { writer: "sweep", epochMs: 3 } }
    ]
  ]
  for (const [state, wire, output] of wholes) {
    it(`a selected output is taken as it is: ${JSON.stringify(wire)}`, () => {
      assert.deepStrictEqual(ending(state, { out: wire }, { pointer: "/out" }), ended(state, output))
    })
  }

  const wrapped: ReadonlyArray<readonly [EndState, unknown, AwaitOutput]> = [
    ["completed", { b: 1 }, { _tag: "Success", value: { b: 1 } }],
    ["completed", null, { _tag: "Success", value: null }],
    [
      "failed",
      "it broke",
      { _tag: "Failure", class: "execution", code: "process_failed", message: "it broke", raw: "it broke" }
    ],
    [
      "failed",
      { b: 1, a: 2 },
      {
        _tag: "Failure",
        class: "execution",
        code: "process_failed",
        message: '{"a":2,"b":1}',
        raw: { b: 1, a: 2 }
      }
    ],
    ["failed", null, { _tag: "Failure", class: "execution", code: "process_failed", message: "null", raw: null }],
    ["cancelled", 7, { _tag: "Cancelled", message: "7", raw: 7 }],
    ["cancelled", "stop", { _tag: "Cancelled", message: "stop", raw: "stop" }],
    ["abandoned", "anything", { _tag: "Abandoned", evidence: { writer: "owner_drain", epochMs: 0 } }]
  ]
  for (const [state, value, output] of wrapped) {
    it(`a value that is no output is wrapped as ${state}: ${JSON.stringify(value)}`, () => {
      assert.deepStrictEqual(ending(state, value, "payload"), ended(state, output))
    })
  }

  const almost: ReadonlyArray<readonly [string, unknown]> = [
    ["an unknown variant", { type: "timeout", value: 1 }],
    ["an unknown failure class", { type: "failure", class: "bad_luck", code: "c", message: "m" }],
    ["a failure without a message", { type: "failure", class: "external", code: "c" }],
    ["a success without a value", { type: "success" }],
    ["a text of the right name", "success"],
    ["an array", [{ type: "success", value: 1 }]]
  ]
  for (const [what, value] of almost) {
    it(`${what} is a value, not an output`, () => {
      assert.deepStrictEqual(ending("completed", value, "payload"), ended("completed", { _tag: "Success", value }))
    })
  }

  const states: ReadonlyArray<EndState> = ["completed", "failed", "cancelled", "abandoned"]
  for (const declared of states) {
    for (const [outcome, wire] of wholes.filter(([state], index) => state !== declared && index !== 1)) {
      it(`an output that says ${outcome} contradicts a type that declares ${declared}`, () => {
        assert.deepStrictEqual(
          ending(declared, wire, "payload"),
          Either.left({ _tag: "OutcomeMismatch", declared, outcome } as const)
        )
      })
    }
  }

  it("a constant may be the output", () => {
    assert.deepStrictEqual(
      ending("cancelled", {}, { const: "by policy" }),
      ended("cancelled", { _tag: "Cancelled", message: "by policy", raw: "by policy" })
    )
  })

  it("a template may be the message", () => {
    const selector: Selector = { template: { template: "exit {code}", fields: { code: { pointer: "/code" } } } }
    assert.deepStrictEqual(
      ending("failed", { code: 9 }, selector),
      ended("failed", {
        _tag: "Failure",
        class: "execution",
        code: "process_failed",
        message: "exit 9",
        raw: "exit 9"
      })
    )
  })
})

describe("wakes", () => {
  const wake = (spec: NonNullable<EventSemantics["wake"]>, payload: unknown) => meaning({ wake: spec }, payload)
  const woken = (input: string, dedupeKey: string) => Either.right({ wake: { input, dedupeKey } })
  const always = { input: "payload", dedupeKey: "event_identity" } as const

  it("are named after their event by default", () => {
    assert.deepStrictEqual(wake(always, "hello"), woken("hello", "p:4"))
  })

  it("carry text: strings as they are, everything else as compact JSON with sorted keys", () => {
    assert.deepStrictEqual(wake(always, { b: 1, a: "x" }), woken('{"a":"x","b":1}', "p:4"))
    assert.deepStrictEqual(wake(always, null), woken("null", "p:4"))
    assert.deepStrictEqual(wake(always, 0), woken("0", "p:4"))
  })

  it("may be merged under a constant, or under a selected value as text", () => {
    assert.deepStrictEqual(wake({ ...always, dedupeKey: { const: "one" } }, "x"), woken("x", "one"))
    assert.deepStrictEqual(
      wake({ input: { pointer: "/t" }, dedupeKey: { selector: { pointer: "/k" } } }, { t: "x", k: { n: 1 } }),
      woken("x", '{"n":1}')
    )
    assert.deepStrictEqual(
      wake({ input: { pointer: "/t" }, dedupeKey: { selector: { pointer: "/k" } } }, { t: "x", k: "plain" }),
      woken("x", "plain")
    )
  })

  const conditions: ReadonlyArray<readonly [unknown, boolean]> = [
    [0, true],
    [1, true],
    ["no", true],
    [[0], true],
    [{ a: 1 }, true],
    [true, true],
    [null, false],
    [false, false],
    ["", false],
    [[], false],
    [{}, false]
  ]
  for (const [value, wakes] of conditions) {
    it(`a condition that selects ${JSON.stringify(value)} ${wakes ? "wakes" : "does not wake"}`, () => {
      assert.deepStrictEqual(
        wake({ when: { pointer: "/go" }, input: { const: "in" }, dedupeKey: "event_identity" }, { go: value }),
        wakes ? woken("in", "p:4") : Either.right({})
      )
    })
  }

  it("a condition that misses is refused", () => {
    assert.deepStrictEqual(wake({ ...always, when: { pointer: "/go" } }, {}), missed("/go"))
  })

  it("a condition on presence never misses, and null is present", () => {
    assert.deepStrictEqual(wake({ ...always, when: { present: "/go" } }, {}), Either.right({}))
    assert.deepStrictEqual(wake({ ...always, when: { present: "/go" } }, { go: null }), woken('{"go":null}', "p:4"))
  })

  it("a condition that does not hold keeps the rest from being evaluated", () => {
    const spec = {
      when: { const: false },
      input: { pointer: "/missing" },
      dedupeKey: { selector: { pointer: "/missing" } }
    } as const
    assert.deepStrictEqual(wake(spec, {}), Either.right({}))
  })

  it("an input or a dedupe key that misses is refused", () => {
    assert.deepStrictEqual(wake({ input: { pointer: "/t" }, dedupeKey: "event_identity" }, {}), missed("/t"))
    assert.deepStrictEqual(wake({ ...always, dedupeKey: { selector: { pointer: "/k" } } }, {}), missed("/k"))
  })

  it("an event may end its process and wake a session at once", () => {
    assert.deepStrictEqual(
      meaning({ terminal: { state: "completed" }, wake: always }, "done"),
      Either.right({
        terminal: { state: "completed", awaitOutput: { _tag: "Success", value: "done" } },
        wake: { input: "done", dedupeKey: "p:4" }
      })
    )
  })
})
