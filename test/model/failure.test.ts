import { assert, describe, it } from "@effect/vitest"
import * as FC from "effect/FastCheck"
import * as Schema from "effect/Schema"
import {
  describe as described,
  errorOf,
  FailureRecord,
  lineThatThrew,
  messageOf,
  textOf
} from "../../src/model/Failure.ts"
import { jsonProblem, limits } from "../../src/model/json.ts"

const no = (): never => {
  throw new Error("no")
}

const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable(new Error("x"), {})
  revoke()
  return proxy
}

const cyclic = (): Error => {
  const error = new Error("outer", { cause: new Error("inner") })
  Object.assign(error.cause as Error, { cause: error })
  return error
}

const chain = (depth: number): Error => new Error(`${depth}`, depth === 0 ? {} : { cause: chain(depth - 1) })

const oddities: Readonly<Record<string, unknown>> = {
  text: "plain",
  undefined: undefined,
  null: null,
  number: 0,
  symbol: Symbol("s"),
  bigint: 10n,
  function: no,
  "an object without prototype": Object.assign(Object.create(null), { code: 7 }),
  "a toString that throws": { toString: no },
  "a message that throws": Object.create(Error.prototype, { message: { get: no }, stack: { get: no } }),
  "a message that is none": Object.assign(new Error("x"), { message: { a: 1n }, name: 5, code: {} }),
  "a revoked proxy": revoked(),
  "a proxy that throws": new Proxy(new Error("x"), { get: no, ownKeys: no, getPrototypeOf: no }),
  "a cause that leads back": cyclic(),
  "a long message": new Error("x".repeat(3_000_000)),
  "half a surrogate": new Error("a\ud800"),
  "a cycle in its fields": Object.assign(new Error("x"), { self: cyclic(), big: 1n, huge: "x".repeat(1_000_000) })
}

describe("a description of what was thrown", () => {
  for (const [what, thrown] of Object.entries(oddities)) {
    it(`says something bounded of ${what}, and comes back as an error`, () => {
      const record = described(thrown)
      assert.isTrue(Schema.is(FailureRecord)(record))
      assert.isUndefined(jsonProblem(record))
      assert.isAtMost(JSON.stringify(record).length, 100_000)
      assert.notStrictEqual(record.message, "")
      const again = errorOf(record)
      assert.instanceOf(again, Error)
      assert.deepStrictEqual(described(again), record)
    })
  }

  it("keeps name, message, code, fields, the line that threw, and the causes", () => {
    function chargeTheCard(): Error {
      const cause = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED", port: 443 })
      return new TypeError("payment failed", { cause })
    }
    const record = described(chargeTheCard())
    assert.strictEqual(record.name, "TypeError")
    assert.strictEqual(record.message, "payment failed")
    assert.match(record.stack ?? "", /^ +at chargeTheCard/)
    assert.strictEqual(record.cause?.code, "ECONNREFUSED")
    assert.deepStrictEqual(record.cause?.data, { port: 443 })
    const text = textOf(record)
    assert.match(text, /^TypeError: payment failed\n +at chargeTheCard/)
    assert.match(text, /caused by Error: connect ECONNREFUSED\n/)
    assert.strictEqual(text.split("payment failed").length, 2)
  })

  it("takes the first of several errors for the cause", () => {
    assert.strictEqual(described(new AggregateError([new Error("a"), new Error("b")], "two")).cause?.message, "a")
  })

  it("keeps so many causes and no more", () => {
    let depth = 0
    for (let at = described(chain(100)).cause; at !== undefined; at = at.cause) depth++
    assert.strictEqual(depth, limits.maxCauses)
  })

  it("says what has no message", () => {
    assert.strictEqual(messageOf("plain"), "plain")
    assert.strictEqual(messageOf({ code: 7 }), '{"code":7}')
    assert.strictEqual(messageOf(undefined), "undefined")
  })

  it.prop(
    "is made of anything without a throw",
    [FC.anything({ withBigInt: true, withNullPrototype: true })],
    ([thrown]) => {
      assert.isUndefined(jsonProblem(described(thrown)))
    }
  )
})

describe("the line that threw", () => {
  const own = "    at pay (/srv/shop/pay.ts:7:2)"
  const library = "    at fail (/srv/shop/node_modules/got/index.js:1:2)"
  const node = "    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)"
  const failure = (stack?: string, cause?: FailureRecord) => ({
    name: "Error",
    message: "no",
    ...(stack === undefined ? {} : { stack }),
    ...(cause === undefined ? {} : { cause })
  })
  const table: ReadonlyArray<readonly [string, FailureRecord, string | undefined]> = [
    ["is the program's own", failure([library, own, node].join("\n")), "pay (/srv/shop/pay.ts:7:2)"],
    ["is that of the cause where a failure has none", failure(library, failure(own)), "pay (/srv/shop/pay.ts:7:2)"],
    [
      "is a library's where there is no other",
      failure([library, node].join("\n")),
      "fail (/srv/shop/node_modules/got/index.js:1:2)"
    ],
    ["is not known without a stack", failure(), undefined]
  ]
  for (const [what, thrown, line] of table) it(what, () => assert.strictEqual(lineThatThrew(thrown), line))
})
