import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import { canonicalText, hashOf, jsonEquals, jsonProblem, limits } from "../../src/model/json.ts"

const nested = (levels: number): unknown => {
  let value: unknown = []
  for (let level = 1; level < levels; level++) value = [value]
  return value
}

const cycle = () => {
  const value: { readonly a: { self?: unknown } } = { a: {} }
  value.a.self = value
  return value
}

class Money {
  readonly amount = 1
}

describe("plain JSON", () => {
  const shared = { n: 1 }
  const plain: ReadonlyArray<readonly [string, unknown]> = [
    ["null", null],
    ["a boolean", false],
    ["zero, negative zero and the largest number", [0, -0, Number.MAX_VALUE]],
    ["an empty string", ""],
    ["a string with a pair of surrogates", "\ud83d\ude00"],
    ["a string with control characters", "\u0000\u001f\u2028"],
    ["empty containers", [{}, []]],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 })],
    ["keys that objects inherit", { constructor: 1, toString: 2, hasOwnProperty: 3, length: 4 }],
    ["an empty key", { "": 1 }],
    ["one object in two places", { a: shared, b: [shared, shared] }],
    ["as many levels as are allowed", nested(200)]
  ]
  for (const [what, value] of plain) {
    it(`takes ${what}`, () => {
      assert.strictEqual(jsonProblem(value), undefined)
    })
  }
})

describe("what JSON cannot say", () => {
  const hostile: ReadonlyArray<readonly [string, unknown, path: string, problem: string]> = [
    ["undefined", undefined, "", "is undefined"],
    ["an undefined element", { list: [1, undefined] }, "/list/1", "is undefined"],
    // biome-ignore lint/suspicious/noSparseArray: the hole is the case
    ["a hole in an array", [1, , 3], "/1", "is undefined"],
    ["an array of a length only", { a: new Array(2) }, "/a/0", "is undefined"],
    ["NaN", [NaN], "/0", "is NaN"],
    ["an infinity", { n: -Infinity }, "/n", "is -Infinity"],
    ["a bigint", { n: 1n }, "/n", "is a bigint"],
    ["a function", { f: () => 1 }, "/f", "is a function"],
    ["a symbol", [Symbol("s")], "/0", "is a symbol"],
    ["a lone high surrogate", { text: "a\ud800" }, "/text", "has a lone surrogate"],
    ["a lone low surrogate", ["\udc00a"], "/0", "has a lone surrogate"],
    ["surrogates in the wrong order", ["\ude00\ud83d"], "/0", "has a lone surrogate"],
    ["a lone surrogate in a key", { a: { "\ud800": 1 } }, "/a/\ud800", "has a lone surrogate in its key"],
    [
      "an own key named __proto__",
      JSON.parse('{"a":{"__proto__":{"admin":true}}}'),
      "/a/__proto__",
      "is named __proto__"
    ],
    ["a date", { at: new Date(0) }, "/at", "is a Date, not a plain object"],
    ["a map", [new Map()], "/0", "is a Map, not a plain object"],
    ["a set", new Set([1]), "", "is a Set, not a plain object"],
    ["a boxed number", { n: Object(1) }, "/n", "is a Number, not a plain object"],
    ["bytes", { b: new Uint8Array(1) }, "/b", "is a Uint8Array, not a plain object"],
    ["an instance of a class", { price: new Money() }, "/price", "is a Money, not a plain object"],
    ["an object that writes itself", { a: { toJSON: () => 1 } }, "/a/toJSON", "is a function"],
    ["a cycle", cycle(), "/a/self", "contains itself"],
    ["too many levels", nested(201), "/0".repeat(200), "nests deeper than 200 levels"],
    ["a key that a pointer escapes", { "a/b~c": [undefined] }, "/a~1b~0c/0", "is undefined"]
  ]
  for (const [what, value, path, problem] of hostile) {
    it(`refuses ${what} and says where it stands`, () => {
      const { advice: _, ...found } = jsonProblem(value) ?? {}
      assert.deepStrictEqual(found, { path, problem })
    })
  }

  it("refuses an array that contains itself", () => {
    const list: Array<unknown> = [1]
    list.push({ list })
    assert.deepStrictEqual(jsonProblem(list), { path: "/1/list", problem: "contains itself" })
  })

  it("refuses an object whose prototype somebody made up", () => {
    assert.strictEqual(jsonProblem({ a: Object.create({ inherited: 1 }) })?.path, "/a")
  })

  it("answers for a value that nests a hundred thousand levels, instead of overflowing", () => {
    assert.strictEqual(limits.maxDepth, 200)
    assert.strictEqual(jsonProblem(nested(100_000))?.problem, "nests deeper than 200 levels")
  })

  it("names the first of several problems", () => {
    assert.deepStrictEqual(jsonProblem({ a: 1, b: [undefined], c: NaN }), { path: "/b/0", problem: "is undefined" })
  })
})

describe("canonical text", () => {
  const texts: ReadonlyArray<readonly [string, unknown, string]> = [
    ["keys are sorted at every level", { b: [{ z: 1, y: 2 }], a: null }, '{"a":null,"b":[{"y":2,"z":1}]}'],
    ["arrays keep their order", [3, 1, 2], "[3,1,2]"],
    [
      "keys are sorted by UTF-16 code units",
      { "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7 },
      '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}'
    ],
    ["keys that look like numbers are sorted as text", { "10": 1, "9": 2 }, '{"10":1,"9":2}'],
    [
      "numbers are written in their shortest form",
      [Number("333333333.33333329"), 1e30, 4.5, 2e-3, 1e-27, -0, 1e21, 1e20],
      "[333333333.3333333,1e+30,4.5,0.002,1e-27,0,1e+21,100000000000000000000]"
    ],
    ["strings are escaped only where they must be", '\u20ac$\u000f\nA\'B"\\"/', '"\u20ac$\\u000f\\nA\'B\\"\\\\\\"/"'],
    ["literals are written as they are", [true, false, null], "[true,false,null]"],
    ["text on its own is quoted", "x", '"x"']
  ]
  for (const [rule, value, text] of texts) {
    it(rule, () => {
      assert.strictEqual(canonicalText(value), text)
    })
  }

  const json = FC.letrec((tie) => ({
    value: FC.oneof(
      { depthSize: "small" },
      FC.constantFrom(null, true, false),
      FC.double({ noNaN: true, noDefaultInfinity: true }),
      FC.fullUnicodeString(),
      FC.array(tie("value"), { maxLength: 4 }),
      FC.dictionary(FC.fullUnicodeString(), tie("value"), { maxKeys: 5 }).map(({ ["__proto__"]: _, ...rest }) => rest)
    )
  })).value

  const reversed = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(reversed)
    return typeof value === "object" && value !== null
      ? Object.fromEntries(
          Object.entries(value)
            .reverse()
            .map(([key, inner]) => [key, reversed(inner)])
        )
      : value
  }

  it.prop("equal values have one text and one hash, whatever the order of their keys", [json], ([value]) => {
    const other = reversed(value)
    assert.strictEqual(canonicalText(other), canonicalText(value))
    assert.strictEqual(hashOf(other), hashOf(value))
    assert.isTrue(jsonEquals(other, value))
  })

  it.prop("every plain value is taken, and reading its text gives it back", [json], ([value]) => {
    assert.strictEqual(jsonProblem(value), undefined)
    const text = canonicalText(value)
    assert.deepStrictEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)))
    assert.strictEqual(canonicalText(JSON.parse(text)), text)
  })

  it.prop("values of different texts have different hashes", [json, json], ([a, b]) => {
    assert.strictEqual(hashOf(a) === hashOf(b), canonicalText(a) === canonicalText(b))
  })

  it("the hash is taken over the canonical text", () => {
    assert.strictEqual(hashOf({}), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")
    assert.strictEqual(hashOf([]), "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945")
  })
})

describe("equality of JSON values", () => {
  const json = FC.jsonValue({ maxDepth: 3 })

  it.prop("is that of their texts", [json, json], ([a, b]) => {
    assert.strictEqual(jsonEquals(a, b), canonicalText(a) === canonicalText(b))
  })

  it.prop("sees one change within", [FC.dictionary(FC.string(), json), FC.string(), json], ([record, key, value]) => {
    const changed = Object.fromEntries([...Object.entries(record), [key, value]])
    assert.strictEqual(jsonEquals({ a: [record] }, { a: [changed] }), canonicalText(record) === canonicalText(changed))
  })

  const equal: ReadonlyArray<readonly [unknown, unknown]> = [
    [
      { a: 1, b: [2, { d: 3, c: 4 }] },
      { b: [2, { c: 4, d: 3 }], a: 1 }
    ],
    [null, null],
    ["x", "x"],
    [[], []],
    [1, 1.0]
  ]
  for (const [a, b] of equal) {
    it(`${JSON.stringify(a)} equals ${JSON.stringify(b)}`, () => {
      assert.isTrue(jsonEquals(a, b))
      assert.isTrue(jsonEquals(b, a))
    })
  }

  const different: ReadonlyArray<readonly [unknown, unknown]> = [
    [null, {}],
    [[], {}],
    [1, "1"],
    ["null", null],
    [
      [1, 2],
      [2, 1]
    ],
    [{ a: 1 }, { a: 1, b: null }],
    [0, false],
    ["", null],
    [{ "0": 1 }, [1]]
  ]
  for (const [a, b] of different) {
    it(`${JSON.stringify(a)} does not equal ${JSON.stringify(b)}`, () => {
      assert.isFalse(jsonEquals(a, b))
      assert.isFalse(jsonEquals(b, a))
    })
  }
})
