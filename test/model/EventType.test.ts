import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"
import * as EventType from "../../src/model/EventType.ts"

const decode = Schema.decodeUnknownSync(EventType.EventType)
const encode = Schema.encodeSync(EventType.EventType)
const type = (semantics: unknown) => ({ name: "a", payload_schema: { schema: {} }, semantics })

describe("an event type on the wire", () => {
  it("that wakes is written in snake case and read back", () => {
    const wire = {
      name: "producer.line",
      payload_schema: { schema: { type: "object", properties: { wake_input: { type: "string" } } } },
      semantics: {
        wake: {
          when: { present: "/wake_input" },
          input: { pointer: "/wake_input" },
          dedupe_key: "event_identity"
        }
      }
    }
    const decoded = decode(JSON.parse(JSON.stringify(wire)))
    assert.deepStrictEqual<unknown>(decoded, {
      name: "producer.line",
      payloadSchema: { schema: { type: "object", properties: { wake_input: { type: "string" } } } },
      semantics: {
        wake: { when: { present: "/wake_input" }, input: { pointer: "/wake_input" }, dedupeKey: "event_identity" }
      }
    })
    assert.deepStrictEqual<unknown>(encode(decoded), wire)
  })

  it("that ends is written in snake case and read back", () => {
    const wire = type({ terminal: { state: "failed", await_output: { pointer: "/error" } } })
    const decoded = decode(wire)
    assert.deepStrictEqual<unknown>(decoded.semantics, {
      terminal: { state: "failed", awaitOutput: { pointer: "/error" } }
    })
    assert.deepStrictEqual<unknown>(encode(decoded), wire)
  })

  it("that means nothing says so", () => {
    assert.deepStrictEqual<unknown>(decode(type({})), EventType.plain("a"))
    assert.deepStrictEqual<unknown>(encode(EventType.plain("a", true)), {
      name: "a",
      payload_schema: { schema: true },
      semantics: {}
    })
  })

  it("without a name, a schema or semantics is not read", () => {
    const { semantics: _, ...meaningless } = type({})
    assert.throws(() => decode(meaningless))
    assert.throws(() => decode({ ...type({}), name: undefined }))
    assert.throws(() => decode({ ...type({}), payload_schema: undefined }))
    assert.throws(() => decode({ ...type({}), payload_schema: {} }))
  })

  it("that ends in an unknown state is not read", () => {
    assert.throws(() => decode(type({ terminal: { state: "running" } })))
  })
})

describe("a selector on the wire", () => {
  const selectors: ReadonlyArray<readonly [string, unknown]> = [
    ["the payload", "payload"],
    ["a pointer", { pointer: "/a/b" }],
    ["a constant", { const: { deep: [1, null] } }],
    ["a constant null", { const: null }],
    ["a presence", { present: "/a" }],
    ["a template", { template: { template: "{a}", fields: { a: { pointer: "/a" } } } }],
    [
      "a template in a template",
      {
        template: {
          template: "{a}",
          fields: { a: { template: { template: "{b}", fields: { b: "payload", c: { present: "/c" } } } } }
        }
      }
    ]
  ]
  for (const [what, selector] of selectors) {
    it(`${what} is the same on both sides`, () => {
      assert.deepStrictEqual<unknown>(Schema.decodeUnknownSync(EventType.Selector)(selector), selector)
      assert.deepStrictEqual<unknown>(Schema.encodeSync(EventType.Selector)(selector as EventType.Selector), selector)
    })
  }

  it("a template without fields has none", () => {
    assert.deepStrictEqual<unknown>(
      Schema.decodeUnknownSync(EventType.Selector)({ template: { template: "as it is" } }),
      { template: { template: "as it is", fields: {} } }
    )
  })

  for (const value of ["everything", {}, { pointer: 1 }, { template: "x" }, { unheard_of: "/a" }, null, []]) {
    it(`${JSON.stringify(value)} is no selector`, () => {
      assert.throws(() => Schema.decodeUnknownSync(EventType.Selector)(value))
    })
  }
})

describe("a dedupe key on the wire", () => {
  const wake = (dedupeKey: unknown) => type({ wake: { input: "payload", dedupe_key: dedupeKey } })
  for (const key of ["event_identity", { selector: { pointer: "/k" } }, { selector: "payload" }, { const: "one" }]) {
    it(`${JSON.stringify(key)} is written and read back`, () => {
      assert.deepStrictEqual<unknown>(decode(wake(key)).semantics.wake?.dedupeKey, key)
      assert.deepStrictEqual<unknown>(encode(decode(wake(key))), wake(key))
    })
  }

  it("that is left out is the identity of the event", () => {
    assert.deepStrictEqual<unknown>(decode(type({ wake: { input: "payload" } })).semantics, {
      wake: { input: "payload", dedupeKey: "event_identity" }
    })
  })

  it("that is a constant is a text", () => {
    assert.throws(() => decode(wake({ const: 7 })))
    assert.throws(() => decode(wake("every_event")))
  })
})

describe("the types every process has", () => {
  it("are the cancel request and the four ends, in this order", () => {
    const end = (state: string) => ({
      name: `process.${state}`,
      payload_schema: { schema: {} },
      semantics: { terminal: { state, await_output: { pointer: "/await_output" } } }
    })
    assert.deepStrictEqual<unknown>(
      EventType.coreEventTypes.map((core) => encode(core)),
      [
        { name: "process.cancel_requested", payload_schema: { schema: {} }, semantics: {} },
        end("completed"),
        end("failed"),
        end("cancelled"),
        end("abandoned")
      ]
    )
  })

  it("are none of those that only the runtime appends", () => {
    assert.deepStrictEqual([...EventType.reservedEventTypes].sort(), [
      "machine.acted",
      "machine.input",
      "machine.sent",
      "machine.transitioned",
      "process.abandon_requested",
      "process.child_ended",
      "process.external_ref_set",
      "process.journal_forked",
      "process.resumed",
      "process.signal_returned",
      "process.started",
      "process.suspended",
      "process.waiting",
      "process.wake_target_cleared"
    ])
    for (const { name } of EventType.coreEventTypes) assert.isFalse(EventType.reservedEventTypes.has(name))
  })
})
