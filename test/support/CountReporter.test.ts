import { assert, describe, it } from "@effect/vitest"
import type { CountedTask } from "./CountReporter.ts"
import { countsOf, leftOutOf } from "./CountReporter.ts"

const test = (state: "pass" | "fail" | "skip"): CountedTask => ({ type: "test", result: { state } })

const suite = (
  state: "pass" | "fail",
  tasks: ReadonlyArray<CountedTask>,
  errors: ReadonlyArray<unknown> = []
): CountedTask => ({ type: "suite", result: { state, errors }, tasks })

describe("the closing line of a test run", () => {
  it("counts tests at every depth, and neither skipped ones nor the suites around failed ones", () => {
    const inner = suite("fail", [test("pass"), test("fail"), test("skip"), { type: "test" }])
    assert.deepStrictEqual(countsOf([suite("fail", [inner, test("pass")]), suite("pass", [test("pass")])], 0), {
      passed: 3,
      failed: 1
    })
  })

  it("counts a file that does not load, a hook that fails, and an unhandled error as one failure each", () => {
    const unloadable = suite("fail", [], ["cannot find module"])
    const hookFailed = suite("fail", [suite("fail", [test("skip")], ["beforeAll threw"])])
    assert.deepStrictEqual(countsOf([unloadable, hookFailed], 1), { passed: 0, failed: 3 })
  })

  it("says how many tests were left out for which reason, and nothing of others that were skipped", () => {
    const page: CountedTask = {
      ...suite("pass", [test("skip"), suite("pass", [test("skip")])]),
      name: "the page (left out: no browser)"
    }
    const alone: CountedTask = { ...test("skip"), name: "opens (left out: no terminal)" }
    assert.deepStrictEqual(
      [...leftOutOf([suite("pass", [page, alone, test("skip"), test("pass")]), page])],
      [
        ["no browser", 4],
        ["no terminal", 1]
      ]
    )
  })
})
