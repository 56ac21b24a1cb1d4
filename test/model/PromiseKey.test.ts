import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as PromiseKey from "../../src/model/PromiseKey.ts"

const scope = { _tag: "Process", processId: "p1" } as const
const wait = { _tag: "ProcessSignal", processId: "p1", signalName: "ready", ordinal: 1 } as const
const key = Either.getOrThrow(PromiseKey.make(scope, wait, "secret"))

describe("the key of a durable promise", () => {
  it("has the golden id", () => {
    assert.strictEqual(key.keyId, "c1e35a5be176c63490ba20c166c2c96937f38a1c67c2a46b8125145526e08cb5")
    assert.strictEqual(
      PromiseKey.promiseName(key),
      "await-event:c1e35a5be176c63490ba20c166c2c96937f38a1c67c2a46b8125145526e08cb5"
    )
  })

  const changed: ReadonlyArray<readonly [string, PromiseKey.PromiseKey]> = [
    ["another ordinal", { ...key, wait: { ...wait, ordinal: 2 } }],
    ["another scope", { ...key, scope: { _tag: "Process", processId: "p2" } }],
    ["another id", { ...key, keyId: PromiseKey.keyIdOf(scope, { ...wait, ordinal: 2 }) }],
    ["another signature", { ...key, signature: `0${key.signature.slice(1)}x` }],
    ["no signature", { ...key, signature: "" }]
  ]
  for (const [name, other] of changed) {
    it(`is not genuine with ${name}`, () => assert.isFalse(PromiseKey.isGenuine(other, "secret")))
  }

  it("is genuine as it was made, for whoever made it only", () => {
    assert.isTrue(PromiseKey.isGenuine(key, "secret"))
    assert.isFalse(PromiseKey.isGenuine(key, "another"))
  })

  const refused: ReadonlyArray<readonly [string, PromiseKey.PromiseScope, PromiseKey.PromiseWait]> = [
    ["scope/process_id", { _tag: "Process", processId: " " }, wait],
    ["scope/session_id", { _tag: "Session", sessionId: "" }, wait],
    ["wait/process_id", scope, { ...wait, processId: "" }],
    ["wait/signal_name", scope, { ...wait, signalName: "" }],
    ["wait/name", scope, { _tag: "Host", name: "", ordinal: 1 }],
    ["wait/ordinal", scope, { ...wait, ordinal: 0 }],
    ["wait/ordinal", scope, { ...wait, ordinal: 1.5 }]
  ]
  for (const [field, badScope, badWait] of refused) {
    it(`is not made of ${JSON.stringify([badScope, badWait])}`, () => {
      const made = PromiseKey.make(badScope, badWait, "secret")
      assert.strictEqual(Either.isLeft(made) ? made.left.field : undefined, field)
    })
  }
})

describe("how a promise ended, as JSON", () => {
  const pairs: ReadonlyArray<readonly [PromiseKey.Resolution, unknown]> = [
    [
      { _tag: "Ok", value: { n: 1 } },
      { status: "ok", payload: { n: 1 } }
    ],
    [
      { _tag: "Err", error: { code: "c", message: "m", raw: null } },
      { status: "err", payload: { code: "c", message: "m", raw: null } }
    ],
    [{ _tag: "Timeout" }, { status: "timeout" }],
    [{ _tag: "Cancelled" }, { status: "cancelled" }]
  ]
  for (const [resolution, json] of pairs) {
    it(resolution._tag, () => {
      assert.deepStrictEqual(Schema.encodeSync(PromiseKey.Resolution)(resolution), json)
      assert.deepStrictEqual(Schema.decodeUnknownSync(PromiseKey.Resolution)(json), resolution)
    })
  }
})
