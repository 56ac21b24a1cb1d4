import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { payloadProblem, schemaProblem } from "../../src/model/EventType.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"

interface Tree {
  readonly children: ReadonlyArray<Tree>
}
const Tree: Schema.Schema<Tree> = Schema.Struct({
  children: Schema.Array(Schema.suspend((): Schema.Schema<Tree> => Tree))
}).annotations({ identifier: "Tree" })

class Point extends Schema.Class<Point>("Point")({ x: Schema.Number }) {}

const even = Schema.filter<Schema.Schema<number>>((n) => n % 2 === 0)

/** Schemas beside a value of theirs that a reader of their JSON Schema might refuse. */
const cases: Readonly<Record<string, readonly [schema: Schema.Schema.AnyNoContext, value: unknown]>> = {
  "a pattern that ignores case": [Schema.String.pipe(Schema.pattern(/^(yes|no)$/i)), "YES"],
  "a pattern whose dot is any": [Schema.String.pipe(Schema.pattern(/^a.b$/s)), "a\nb"],
  "a pattern of lines": [Schema.String.pipe(Schema.pattern(/^b$/m)), "a\nb"],
  "a pattern with an escaped hyphen": [Schema.String.pipe(Schema.pattern(/^\d{4}-\d{2}$/)), "2026-01"],
  "a pattern with a stray hyphen": [Schema.String.pipe(Schema.pattern(/^[\w-.]+@[\w-]+\.\w+$/)), "a-b.c@d.org"],
  "a pattern that counts halves": [Schema.String.pipe(Schema.pattern(/^..$/)), "\u{1f680}"],
  "a pattern of properties": [Schema.String.pipe(Schema.pattern(/^\p{Lu}$/u)), "É"],
  "two patterns": [
    Schema.Struct({ a: Schema.String.pipe(Schema.pattern(/^x/)), b: Schema.String.pipe(Schema.pattern(/^y/)) }),
    { a: "x", b: "y" }
  ],
  "a length in halves": [Schema.String.pipe(Schema.minLength(2)), "\u{1f680}"],
  "an exact length in halves": [Schema.String.pipe(Schema.length(2)), "\u{1f680}"],
  hundredths: [Schema.Number.pipe(Schema.multipleOf(0.01)), 0.07],
  tenths: [Schema.Number.pipe(Schema.multipleOf(0.1)), 0.3],
  "a date": [Schema.Date, new Date(0)],
  "a big integer": [Schema.BigInt, 12n],
  "keys with a pattern": [
    Schema.Record({ key: Schema.String.pipe(Schema.pattern(/^x-/i)), value: Schema.Number }),
    { "X-a": 1 }
  ],
  "odd keys": [
    Schema.Record({ key: Schema.String, value: Schema.Number }),
    { "b/c": 2, constructor: 3, pattern: 4, $id: 5 }
  ],
  "fields named as words of JSON Schema": [
    Schema.Struct({ pattern: Schema.String, required: Schema.Number, $id: Schema.String }),
    { pattern: "x", required: 1, $id: "y" }
  ],
  "a template": [Schema.TemplateLiteral("id-", Schema.Number), "id-7"],
  "a tuple": [Schema.Tuple(Schema.String, Schema.optionalElement(Schema.Number)), ["a"]],
  "a longer tuple": [Schema.Tuple([Schema.String], Schema.Number), ["a", 1, 2]],
  "an identifier": [Schema.UUID, "123E4567-E89B-42D3-A456-426614174000"],
  "an address": [Schema.URL, new URL("https://x.org/")],
  "a set": [Schema.Set(Schema.String), new Set(["a"])],
  "a map": [Schema.Map({ key: Schema.String, value: Schema.Number }), new Map([["a", 1]])],
  "a choice": [Schema.NullOr(Schema.Literal("a", 1, true)), null],
  "a tree": [Tree, { children: [{ children: [] }] }],
  "a class": [Point, new Point({ x: 1 })],
  "a class in a list": [Schema.Array(Point), [new Point({ x: 1 })]],
  nothing: [Schema.Void, undefined],
  undefined: [Schema.Undefined, undefined],
  anything: [Schema.Unknown, { a: [1] }],
  "anything twice": [Schema.Struct({ a: Schema.Unknown, b: Schema.Unknown, c: Schema.Any }), { a: 1, b: [2], c: null }],
  "a field of any kind that is absent": [Schema.Struct({ a: Schema.Unknown }), { a: undefined }],
  "a field that may be undefined": [Schema.Struct({ a: Schema.UndefinedOr(Schema.String) }), { a: undefined }],
  "a filter that JSON Schema cannot say": [Schema.Struct({ n: Schema.Number.pipe(even) }), { n: 4 }]
}

describe("a declared payload", () => {
  for (const [what, [schema, value]] of Object.entries(cases)) {
    it.effect(`takes ${what}, and gives it back`, () =>
      Effect.gen(function* () {
        const signal = Signal.make("s", { payload: schema })
        assert.isUndefined(schemaProblem(signal.type))
        const wire = yield* signal.encode(value)
        assert.isUndefined(payloadProblem(signal.type, wire))
        const read = yield* signal.decode(JSON.parse(JSON.stringify(wire)))
        assert.deepStrictEqual(yield* signal.encode(read), wire)
      })
    )
  }

  it.effect("is refused with its path when JSON cannot say it, and when its encoding throws", () =>
    Effect.gen(function* () {
      const any = Signal.event("any", { payload: Schema.Any })
      const refused = yield* Effect.flip(any.encode({ list: [{ at: 1n }] }))
      assert.strictEqual(refused.message, "payload/list/0/at of `any` is a bigint")
      const thrower = Schema.transform(Schema.String, Schema.Number, {
        strict: true,
        decode: Number,
        encode: (): string => {
          throw new Error("no")
        }
      })
      const broken = yield* Effect.flip(Signal.event("broken", { payload: thrower }).encode(1))
      assert.match(broken.message, /payload of `broken` does not encode: no/)
    })
  )

  it("is judged by structure and limits also where there is no code", () => {
    const { type } = Signal.make("s", {
      payload: Schema.Struct({ n: Schema.Int, code: Schema.String.pipe(Schema.pattern(/^a+$/)) })
    })
    assert.isUndefined(payloadProblem(type, { n: 1, code: "aa" }))
    for (const wrong of [{ n: 1.5, code: "aa" }, { n: 1, code: "b" }, { n: 1 }, [], null]) {
      assert.isDefined(payloadProblem(type, wrong))
    }
  })

  const leaf = FC.constantFrom<Array<Schema.Schema.AnyNoContext>>(
    Schema.String,
    Schema.NonEmptyTrimmedString,
    Schema.Int,
    Schema.Number.pipe(Schema.multipleOf(0.25)),
    Schema.Boolean,
    Schema.Null,
    Schema.DateFromNumber,
    Schema.BigInt,
    Schema.Literal("a", 2),
    Schema.String.pipe(Schema.minLength(3)),
    Schema.String.pipe(Schema.pattern(/^[a-c]{1,3}$/i))
  )
  const schemas = FC.letrec<{ schema: Schema.Schema.AnyNoContext }>((tie) => ({
    schema: FC.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      FC.array(tie("schema"), { minLength: 1, maxLength: 3 }).map((parts) => Schema.Tuple(...parts)),
      tie("schema").map((item) => Schema.Array(item)),
      tie("schema").map((value) => Schema.Record({ key: Schema.String, value })),
      tie("schema").map((value) => Schema.Map({ key: Schema.String, value })),
      FC.record({ a: tie("schema"), b: tie("schema") }).map(({ a, b }) =>
        Schema.Struct({ a, b: Schema.optional(b), type: Schema.UndefinedOr(a) })
      ),
      FC.record({ a: tie("schema"), b: tie("schema") }).map(({ a, b }) => Schema.Union(a, b))
    )
  })).schema

  it.prop("takes whatever its schema encodes", [schemas, FC.integer()], ([schema, seed]) => {
    const [value] = FC.sample(Arbitrary.make(schema as Schema.Schema<unknown>), { numRuns: 1, seed })
    const signal = Signal.make("s", { payload: schema as Schema.Schema<unknown> })
    const wire = Effect.runSync(Effect.either(signal.encode(value)))
    // Half a surrogate, and a key that no copy of a value can have, are refused by name.
    if (wire._tag === "Left") assert.match(wire.left.message, /surrogate|__proto__/)
    else assert.isUndefined(payloadProblem(signal.type, wire.right))
  })
})
