import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FC from "effect/FastCheck"
import { limits, snapshot } from "../../src/model/json.ts"

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

const problemOf = (value: unknown, maxLength?: number) =>
  Either.match(snapshot(value, maxLength === undefined ? {} : { maxLength }), {
    onLeft: (left) => left,
    onRight: () => undefined
  })

const copyOf = (value: unknown) => Either.getOrThrow(snapshot(value))

describe("a snapshot of a value", () => {
  it("leaves out fields that are undefined, and takes nothing at all as null", () => {
    assert.deepStrictEqual(copyOf({ text: "x", by: undefined, more: { hint: undefined } }), { text: "x", more: {} })
    assert.strictEqual(copyOf(undefined), null)
  })

  it("reads each getter once, so that what it says later changes nothing", () => {
    let reads = 0
    const counting = {
      get n() {
        return ++reads
      }
    }
    assert.deepStrictEqual(copyOf([counting]), [{ n: 1 }])
    assert.strictEqual(reads, 1)
  })

  it("takes plain objects without a prototype, and those of another realm", () => {
    assert.deepStrictEqual(copyOf(Object.assign(Object.create(null), { a: 1 })), { a: 1 })
    assert.deepStrictEqual(copyOf(Object.setPrototypeOf({ a: 1 }, Object.create(null))), { a: 1 })
  })

  it("writes a negative zero as JSON does", () => {
    assert.isTrue(Object.is(copyOf(-0), 0))
  })

  const hostile: ReadonlyArray<readonly [what: string, value: unknown, path: string, problem: RegExp]> = [
    ["a getter that throws", { a: Object.defineProperty({}, "b", { get: thrower, enumerable: true }) }, "/a/b", /no/],
    ["a revoked proxy", [1, revoked()], "/1", /cannot be read: .*revoked/],
    ["a proxy whose traps throw", { a: new Proxy({}, { ownKeys: thrower }) }, "/a", /cannot be read: no/],
    [
      "a getter that throws nothing",
      Object.defineProperty({}, "b", { get: throwsNull, enumerable: true }),
      "/b",
      /read/
    ],
    ["a big integer", { n: 10n }, "/n", /is a bigint/],
    ["a symbol", [Symbol("s")], "/0", /is a symbol/],
    ["endless", { n: Infinity }, "/n", /is Infinity/],
    ["a toJSON that throws", { at: { toJSON: thrower } }, "/at/toJSON", /is a function/]
  ]
  for (const [what, value, path, problem] of hostile) {
    it(`says where there is ${what}`, () => {
      const found = problemOf(value)
      assert.strictEqual(found?.path, path)
      assert.match(found?.problem ?? "", problem)
    })
  }

  it("a text that is too long is named, and so is a whole that is", () => {
    assert.match(problemOf({ a: "x".repeat(limits.maxLength) })?.problem ?? "", /more than 16777216 characters/)
    assert.strictEqual(problemOf({ a: ["x".repeat(11)] }, 10)?.path, "/a/0")
    assert.strictEqual(problemOf({ a: "xxxxx", b: "yyyyy" }, 20)?.path, "")
  })

  const said = FC.jsonValue({ noUnicodeString: false }).filter((value) => !JSON.stringify(value).includes("__proto__"))

  it.prop("is exactly as long as its text", [said], ([value]) => {
    const { length } = JSON.stringify(value)
    assert.isUndefined(problemOf(value, length))
    assert.isDefined(problemOf(value, length - 1))
  })

  /** Texts of any code units: halves of surrogate pairs are many. */
  const halves = FC.array(FC.constantFrom("a", "\ud83d", "\ude00", "\ud800", "\udfff", "é"), { maxLength: 6 }).map(
    (parts) => parts.join("")
  )
  const withHalves = FC.letrec((tie) => ({
    value: FC.oneof(
      { depthSize: "small" },
      halves,
      FC.integer(),
      FC.array(tie("value"), { maxLength: 4 }),
      FC.dictionary(halves, tie("value"), { maxKeys: 4 })
    )
  })).value

  it.prop("refuses half a surrogate pair by its place, unless it is to be replaced", [withHalves], ([value]) => {
    const mended = mend(value)
    const replaced = snapshot(value, { halfSurrogates: "replace" })
    if (mended === undefined) {
      assert.match(Either.isLeft(replaced) ? replaced.left.problem : "", /the key of another field/)
    } else assert.deepStrictEqual(Either.getOrThrow(replaced), mended)
    if (mended !== undefined && JSON.stringify(mended) === JSON.stringify(value)) {
      return assert.isUndefined(problemOf(value))
    }
    assert.match(problemOf(value)?.problem ?? "", /^has a lone surrogate/)
    assert.match(problemOf(value)?.advice ?? "", /halfSurrogates: "replace"/)
  })

  it.prop(
    "never throws, and shares nothing with what it was taken of",
    [FC.anything({ withBigInt: true })],
    ([value]) => {
      const taken = snapshot(value)
      if (Either.isLeft(taken)) return
      const text = JSON.stringify(taken.right)
      scramble(value)
      assert.strictEqual(JSON.stringify(taken.right), text)
    }
  )
})

function thrower(): never {
  throw new Error("no")
}

function throwsNull(): never {
  throw null as unknown as Error
}

/** The same value with U+FFFD for each half of a pair; `undefined` when two keys would become one. */
const mend = (value: unknown): unknown => {
  if (typeof value === "string") return value.toWellFormed()
  if (typeof value !== "object" || value === null) return value
  const isList = Array.isArray(value)
  const fields = Object.entries(value).map(([key, field]) => [key.toWellFormed(), mend(field)] as const)
  if (new Set(fields.map(([key]) => key)).size < fields.length || fields.some(([, field]) => field === undefined))
    return
  return isList ? fields.map(([, field]) => field) : Object.fromEntries(fields)
}

/** Changes everything that can be changed in a value. */
const scramble = (value: unknown): void => {
  if (typeof value !== "object" || value === null) return
  for (const child of Object.values(value)) scramble(child)
  for (const key of Object.keys(value)) Reflect.set(value, key, "changed")
  if (Array.isArray(value)) value.push("more")
}
