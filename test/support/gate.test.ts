import { assert, describe, it } from "@effect/vitest"
import { isGate, leftOut } from "./gate.ts"

const advice = "there is no browser: npx playwright install chromium"

describe("suites that need what this machine has not", () => {
  for (const environment of [{}, { CI: undefined }, { CI: "" }]) {
    it(`are left out where CI is ${JSON.stringify(environment.CI)}, and say why`, () => {
      assert.isFalse(isGate(environment))
      assert.strictEqual(
        leftOut(() => advice, environment),
        advice
      )
    })
  }

  for (const environment of [{ CI: "true" }, { CI: "1" }, { CI: "false" }]) {
    it(`run where CI is ${environment.CI}, and fail there`, () => {
      assert.isTrue(isGate(environment))
      assert.isUndefined(leftOut(() => assert.fail("a gate asked whether it may leave something out"), environment))
    })
  }

  it("run where nothing is missing", () => {
    assert.isUndefined(leftOut(() => undefined, {}))
  })
})
