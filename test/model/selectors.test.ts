import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FC from "effect/FastCheck"
import type { Selector } from "../../src/model/EventType.ts"
import { isTruthy, resolvePointer, select, textOf } from "../../src/model/semantics.ts"

const miss = (pointer: string) => Either.left(`payload pointer \`${pointer}\` did not match`)

describe("pointers", () => {
  /** The document of RFC 6901, section 5, with what the examples there leave out. */
  const document = {
    foo: ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
    "~1": 9,
    "0": { "01": 10, "-": 11 },
    nothing: null,
    deep: [[{ x: false }]]
  }

  const matches: ReadonlyArray<readonly [string, unknown]> = [
    ["", document],
    ["/foo", ["bar", "baz"]],
    ["/foo/0", "bar"],
    ["/", 0],
    ["/a~1b", 1],
    ["/c%d", 2],
    ["/e^f", 3],
    ["/g|h", 4],
    ["/i\\j", 5],
    ['/k"l', 6],
    ["/ ", 7],
    ["/m~0n", 8],
    ["/~01", 9],
    ["/0/01", 10],
    ["/0/-", 11],
    ["/nothing", null],
    ["/deep/0/0/x", false]
  ]
  for (const [pointer, value] of matches) {
    it(`\`${pointer}\` matches`, () => {
      assert.deepStrictEqual(resolvePointer(pointer, document), Either.right(value))
    })
  }

  const misses: ReadonlyArray<readonly [string, string]> = [
    ["/bar", "a key that is not there"],
    ["foo", "no leading slash"],
    ["xfoo", "no leading slash, whatever else stands in its place"],
    ["#/foo", "a URI fragment"],
    ["/foo/00", "an index with a leading zero"],
    ["/foo/01", "an index with a leading zero"],
    ["/foo/2", "an index past the end"],
    ["/foo/-", "the element after the last"],
    ["/foo/-1", "a negative index"],
    ["/foo/+0", "a signed index"],
    ["/foo/1.0", "a fraction"],
    ["/foo/1e0", "an exponent"],
    ["/foo/ 0", "a space before the index"],
    ["/foo/", "an empty index"],
    ["/foo/length", "what arrays inherit"],
    ["/foo/0/0", "a character of a string"],
    ["/nothing/x", "a key of null"],
    ["/constructor", "what objects inherit"],
    ["/__proto__", "the prototype"],
    ["/foo/999999999999999999999", "an index past every array"]
  ]
  for (const [pointer, why] of misses) {
    it(`\`${pointer}\` does not match: ${why}`, () => {
      assert.deepStrictEqual(resolvePointer(pointer, document), miss(pointer))
    })
  }

  it("a pointer into a value that is no container does not match", () => {
    for (const value of ["text", 7, true, null]) assert.deepStrictEqual(resolvePointer("/0", value), miss("/0"))
  })

  const key = FC.oneof(FC.fullUnicodeString(), FC.constantFrom("~", "/", "~1", "~0", "~01", "a/b", "0", "__proto__"))
  it.prop(
    "every key is found under its escaped name",
    [FC.array(key, { maxLength: 4 }), FC.jsonValue()],
    ([path, leaf]) => {
      const document = path.reduceRight<unknown>((inner, name) => Object.fromEntries([[name, inner]]), leaf)
      const pointer = path.map((name) => `/${name.replace(/~/g, "~0").replace(/\//g, "~1")}`).join("")
      assert.deepStrictEqual(resolvePointer(pointer, document), Either.right(leaf))
    }
  )
})

describe("selectors", () => {
  const payload = { text: "hi", n: 0, nothing: null, list: [1] }
  const chosen: ReadonlyArray<readonly [string, Selector, unknown]> = [
    ["payload selects everything", "payload", payload],
    ["a constant selects itself", { const: { a: [1] } }, { a: [1] }],
    ["a constant null selects null", { const: null }, null],
    ["a pointer selects what it matches", { pointer: "/text" }, "hi"],
    ["a pointer that matches null selects null", { pointer: "/nothing" }, null],
    ["the empty pointer selects everything", { pointer: "" }, payload],
    ["what is there is present", { present: "/text" }, true],
    ["null is present", { present: "/nothing" }, true],
    ["everything is present", { present: "" }, true],
    ["what is not there is not present", { present: "/missing" }, false],
    ["a malformed pointer is not present, and no error", { present: "text" }, false]
  ]
  for (const [rule, selector, value] of chosen) {
    it(rule, () => {
      assert.deepStrictEqual(select(selector, payload), Either.right(value))
    })
  }

  it("a pointer that does not match is an error that names it", () => {
    assert.deepStrictEqual(select({ pointer: "/missing" }, payload), miss("/missing"))
    assert.deepStrictEqual(select({ pointer: "text" }, payload), miss("text"))
  })
})

describe("templates", () => {
  const fill = (template: string, fields: Readonly<Record<string, Selector>>, payload: unknown = {}) =>
    select({ template: { template, fields } }, payload)

  it("every occurrence of a placeholder is filled", () => {
    assert.deepStrictEqual(fill("{a}-{b}-{a}", { a: { const: "x" }, b: { const: "y" } }), Either.right("x-y-x"))
  })

  it("a text without fields stays as it is, placeholders and all", () => {
    assert.deepStrictEqual(fill("{a} {} {{a}}", {}), Either.right("{a} {} {{a}}"))
  })

  it("unknown placeholders stay", () => {
    assert.deepStrictEqual(fill("{a} {b}", { a: { const: "x" } }), Either.right("x {b}"))
  })

  it("values other than text are written as compact JSON with sorted keys", () => {
    const payload = { n: 7, t: true, z: null, o: { b: 1, a: [2] } }
    const fields = {
      n: { pointer: "/n" },
      t: { pointer: "/t" },
      z: { pointer: "/z" },
      o: { pointer: "/o" }
    } as const
    assert.deepStrictEqual(fill("{n} {t} {z} {o}", fields, payload), Either.right('7 true null {"a":[2],"b":1}'))
  })

  it("a filled text that holds the placeholder of a later name is filled again", () => {
    assert.deepStrictEqual(fill("{a}", { a: { const: "<{b}>" }, b: { const: "late" } }), Either.right("<late>"))
  })

  it("a filled text that holds the placeholder of an earlier name is not", () => {
    assert.deepStrictEqual(fill("{b}", { a: { const: "early" }, b: { const: "<{a}>" } }), Either.right("<{a}>"))
  })

  it("names are taken in their order as text, however they were declared", () => {
    const fields = { b: { const: "{c}" }, c: { const: "end" }, a: { const: "{b}" } } as const
    assert.deepStrictEqual(fill("{a}", fields), Either.right("end"))
    assert.deepStrictEqual(fill("{10}", { "9": { const: "nine" }, "10": { const: "{9}" } }), Either.right("nine"))
    assert.deepStrictEqual(fill("{9}", { "9": { const: "{10}" }, "10": { const: "ten" } }), Either.right("{10}"))
    assert.deepStrictEqual(fill("{B}", { a: { const: "low" }, B: { const: "{a}" } }), Either.right("low"))
  })

  it("a value that holds its own placeholder is not filled for ever", () => {
    assert.deepStrictEqual(fill("{a}", { a: { const: "{a}{a}" } }), Either.right("{a}{a}"))
  })

  it("a field that misses is an error, even when its placeholder does not occur", () => {
    assert.deepStrictEqual(fill("no placeholder", { a: { pointer: "/missing" } }), miss("/missing"))
  })

  it("dollar signs and pattern characters are text, in values and in names", () => {
    assert.deepStrictEqual(fill("[{a}]", { a: { const: "$& $1 $$ $`" } }), Either.right("[$& $1 $$ $`]"))
    assert.deepStrictEqual(fill("{.*} {a}", { ".*": { const: "x" } }), Either.right("x {a}"))
  })

  it("a template may be a field of another", () => {
    const inner: Selector = { template: { template: "<{x}>", fields: { x: { pointer: "/x" } } } }
    assert.deepStrictEqual(fill("{a}!", { a: inner }, { x: 1 }), Either.right("<1>!"))
  })

  it("a presence is written as true or false", () => {
    assert.deepStrictEqual(
      fill("{a} {b}", { a: { present: "/x" }, b: { present: "/y" } }, { x: null }),
      Either.right("true false")
    )
  })
})

describe("text and truth", () => {
  const texts: ReadonlyArray<readonly [unknown, string]> = [
    ["as it is", "as it is"],
    ["", ""],
    ["7", "7"],
    [7, "7"],
    [true, "true"],
    [null, "null"],
    [["a"], '["a"]'],
    [{ b: 1, a: "x" }, '{"a":"x","b":1}']
  ]
  for (const [value, text] of texts) {
    it(`${JSON.stringify(value)} is written as ${text === "" ? "nothing" : text}`, () => {
      assert.strictEqual(textOf(value), text)
    })
  }

  const truths: ReadonlyArray<readonly [unknown, boolean]> = [
    [null, false],
    [false, false],
    [true, true],
    ["", false],
    ["false", true],
    [" ", true],
    [0, true],
    [-0, true],
    [-1.5, true],
    [[], false],
    [[false], true],
    [{}, false],
    [{ a: null }, true]
  ]
  for (const [value, truth] of truths) {
    it(`${JSON.stringify(value)} counts as ${truth}`, () => {
      assert.strictEqual(isTruthy(value), truth)
    })
  }
})
