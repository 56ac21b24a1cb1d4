import { assert, describe, it } from "@effect/vitest"
import { payloadProblem, plain } from "../../src/model/EventType.ts"

const verdict = (schema: unknown, payload: unknown) => payloadProblem(plain("t", schema), payload)

describe("schemas that take anything", () => {
  for (const schema of [{}, true, { title: "anything", "x-vendor": { a: 1 } }]) {
    it(`${JSON.stringify(schema)} takes every payload`, () => {
      for (const payload of [null, 0, "", [], {}, { a: [1] }]) assert.strictEqual(verdict(schema, payload), undefined)
    })
  }

  it("false takes none", () => {
    assert.match(String(verdict(false, {})), /^: /)
  })
})

describe("the verdict of JSON Schema 2020-12", () => {
  const tree = { $dynamicAnchor: "node", type: "object", properties: { next: { $dynamicRef: "#node" } } }
  const cases: ReadonlyArray<readonly [keyword: string, schema: unknown, fits: unknown, not: unknown, path: string]> = [
    ["type", { type: "object" }, {}, [], ""],
    ["type, of several", { type: ["string", "null"] }, null, 0, ""],
    ["integer, for a whole number", { type: "integer" }, 1, 1.5, ""],
    ["required", { required: ["a"] }, { a: null }, {}, ""],
    ["properties", { properties: { a: { type: "string" } } }, { a: "x" }, { a: 1 }, "/a"],
    ["items", { properties: { l: { items: { type: "integer" } } } }, { l: [1] }, { l: [1, "x"] }, "/l/1"],
    ["prefixItems", { prefixItems: [{ type: "integer" }], items: false }, [1], ["x"], "/0"],
    ["items after prefixItems", { prefixItems: [true], items: { type: "string" } }, [1, "x"], [1, 2], "/1"],
    ["additionalProperties", { properties: { a: true }, additionalProperties: false }, { a: 1 }, { b: 1 }, ""],
    [
      "unevaluatedProperties, through allOf",
      { allOf: [{ properties: { a: true } }], unevaluatedProperties: false },
      { a: 1 },
      { a: 1, b: 1 },
      ""
    ],
    ["dependentRequired", { dependentRequired: { a: ["b"] } }, { a: 1, b: 1 }, { a: 1 }, ""],
    ["enum", { enum: ["a", { b: 1 }] }, { b: 1 }, "b", ""],
    ["const", { const: { a: 1, b: [2] } }, { b: [2], a: 1 }, { a: 1, b: [3] }, ""],
    ["pattern", { pattern: "^a+$" }, "aa", "ab", ""],
    ["minLength, in characters", { minLength: 1, maxLength: 1 }, "😀", "ab", ""],
    ["minimum", { minimum: 0 }, 0, -1, ""],
    ["uniqueItems", { uniqueItems: true }, [1, 2], [{ a: 1 }, { a: 1 }], ""],
    ["contains", { contains: { const: 1 }, minContains: 2 }, [1, 1], [1], ""],
    [
      "$defs and $ref",
      { $defs: { n: { type: "number" } }, properties: { a: { $ref: "#/$defs/n" } } },
      { a: 1 },
      { a: "x" },
      "/a"
    ],
    ["$dynamicRef", tree, { next: { next: {} } }, { next: { next: 1 } }, "/next/next"],
    // biome-ignore lint/suspicious/noThenProperty: the keyword is called so
    ["if and then", { if: { required: ["a"] }, then: { required: ["b"] } }, { b: 1 }, { a: 1 }, ""],
    [
      "keys that a pointer escapes",
      { properties: { "a/b~c": { type: "null" } } },
      { "a/b~c": null },
      { "a/b~c": 1 },
      "/a~1b~0c"
    ],
    ["required, for a name that objects inherit", { required: ["toString"] }, { toString: 1 }, {}, ""],
    [
      "properties, for a name that objects inherit",
      { properties: { constructor: { type: "string" } } },
      {},
      { constructor: 1 },
      "/constructor"
    ]
  ]
  for (const [keyword, schema, fits, not, path] of cases) {
    it(`${keyword}: takes ${JSON.stringify(fits)}`, () => {
      assert.strictEqual(verdict(schema, fits), undefined)
    })

    it(`${keyword}: refuses ${JSON.stringify(not)} at \`${path}\``, () => {
      const problem = String(verdict(schema, not))
      assert.isTrue(problem.startsWith(`${path}: `), problem)
      assert.isAbove(problem.length, `${path}: `.length)
    })
  }

  it("a format is an annotation", () => {
    assert.strictEqual(verdict({ format: "email" }, "not one"), undefined)
  })

  it("an unknown keyword is an annotation", () => {
    assert.strictEqual(verdict({ type: "string", widget: "textarea" }, "x"), undefined)
    assert.strictEqual(verdict({ type: "string", widget: "textarea" }, 1), ": must be string")
  })

  it("a schema that asks to be judged later lets nothing through", () => {
    assert.notStrictEqual(verdict({ $async: true, type: "string" }, 1), undefined)
  })

  it("the dialect may be named", () => {
    const schema = { $schema: "https://json-schema.org/draft/2020-12/schema", type: "string" }
    assert.strictEqual(verdict(schema, "x"), undefined)
    assert.strictEqual(verdict(schema, 1), ": must be string")
  })
})

describe("the message", () => {
  it("is the path and the problem", () => {
    const schema = { type: "object", required: ["a"], properties: { list: { items: { type: "integer" } } } }
    assert.strictEqual(verdict(schema, { a: 1, list: [1, "x"] }), "/list/1: must be integer")
    assert.strictEqual(verdict(schema, {}), ": must have required property 'a'")
    assert.strictEqual(verdict(schema, 7), ": must be object")
  })
})

describe("validation", () => {
  it("leaves the payload as it was: no default is filled in, nothing is coerced or dropped", () => {
    const payload = { b: "1", extra: true }
    const schema = { properties: { a: { default: 1 }, b: { type: ["string", "number"] } } }
    assert.strictEqual(verdict(schema, payload), undefined)
    assert.deepStrictEqual<unknown>(payload, { b: "1", extra: true })
    assert.strictEqual(verdict({ type: "number" }, "1"), ": must be number")
  })

  it("judges each type by its own schema, also when two of them share an id", () => {
    const text = plain("t", { $id: "https://example.test/same", type: "string" })
    const number = plain("t", { $id: "https://example.test/same", type: "number" })
    assert.strictEqual(payloadProblem(text, "x"), undefined)
    assert.strictEqual(payloadProblem(number, "x"), ": must be number")
    assert.strictEqual(payloadProblem(number, 1), undefined)
    assert.strictEqual(payloadProblem(text, 1), ": must be string")
  })

  it("says the same of the same payload every time", () => {
    const type = plain("t", { type: "object", required: ["a"] })
    for (let time = 0; time < 3; time++) {
      assert.strictEqual(payloadProblem(type, {}), ": must have required property 'a'")
      assert.strictEqual(payloadProblem(type, { a: 1 }), undefined)
    }
  })

  const broken: ReadonlyArray<unknown> = [{ type: "no such type" }, "text", null, 7, { $ref: "#/nowhere" }]
  for (const schema of broken) {
    it(`a schema that is none refuses every payload and says why: ${JSON.stringify(schema)}`, () => {
      for (const payload of [null, {}, "text"]) {
        assert.include(String(verdict(schema, payload)), "its declared schema does not compile")
      }
    })
  }
})
