import { assert, describe, it } from "@effect/vitest"
import type { Library, Outcome, Outcomes } from "./page.ts"
import { pageOf, reasonOf, resultsOf } from "./page.ts"

const libraries: ReadonlyArray<Library> = [
  { id: "sqlite", title: "holdfast, SQLite", program: "holdfastSqlite.js" },
  { id: "postgres", title: "holdfast, PostgreSQL", program: "holdfastPostgres.js" },
  { id: "dbos", title: "DBOS", program: "dbos.mjs", package: "dbos" },
  { id: "effect", title: "effect", program: "effect.mjs", package: "effect" }
]

const outcomes = (contest: string, of: Readonly<Record<string, Outcome>>): Outcomes =>
  new Map([[contest, new Map(Object.entries(of))]])

const rates = (...all: ReadonlyArray<number>): Outcome => ({
  runs: all.map((perSecond) => ({ perSecond, p50Ms: 1_000 / perSecond }))
})

const recoveries = (...all: ReadonlyArray<readonly [firstMs: number, allMs: number]>): Outcome => ({
  runs: all.map(([firstMs, allMs]) => ({ firstMs, allMs, acceptedPerSecond: 900 }))
})

const lineOf = (text: string, start: string) => text.split("\n").find((line) => line.startsWith(start))

describe("the results of a run of the peers", () => {
  it("hold a rate against another within each round, and take the median of those", () => {
    const text = resultsOf(
      libraries,
      outcomes("complete@64", { postgres: rates(600, 100, 900), dbos: rates(100, 50, 300), effect: rates(50) })
    )
    assert.strictEqual(lineOf(text, "## Start"), "## Start → complete, 64 callers")
    // 6, 2 and 3 times as good: the rates' own medians, 600 and 100, would say 6.
    assert.strictEqual(lineOf(text, "| DBOS"), "| DBOS | 100 | 10.0 | 50.0 … 300 | - | 3.00 |")
    assert.strictEqual(lineOf(text, "| effect"), "| effect | 50.0 | 20.0 | 50.0 … 50.0 | - | 12.00 |")
    assert.strictEqual(lineOf(text, "| holdfast, SQLite"), "| holdfast, SQLite | did not run: left out |  |  |  |  |")
    assert.strictEqual(
      lineOf(text, "- complete@64"),
      "- complete@64: holdfast, PostgreSQL ≥ 3 × DBOS: **reached**, 3.00 ×"
    )
  })

  it("take a lower time for the better one, and are held against the best of the others", () => {
    const text = resultsOf(
      libraries,
      outcomes("recovery", {
        sqlite: recoveries([400, 2_000], [700, 4_000], [600, 3_000]),
        dbos: recoveries([9_000, 10_000], [9_000, 16_000], [9_000, 15_000]),
        effect: recoveries([9_000, 6_000], [9_000, 14_000], [9_000, 10_500])
      })
    )
    assert.strictEqual(lineOf(text, "| DBOS"), "| DBOS | 15,000 | 9,000 | 900 | 10,000 … 16,000 | 5.00 | - |")
    assert.strictEqual(
      lineOf(text, "- recovery: holdfast"),
      "- recovery: holdfast, SQLite ≥ 4 × the best of the others: **missed**, 3.50 ×"
    )
    assert.strictEqual(
      lineOf(text, "- recovery: the first"),
      "- recovery: the first one ends within 500 ms of opening: **missed**, 600 ms"
    )
  })

  it("say why a library did not run, and give no verdict on it", () => {
    const text = resultsOf(
      libraries,
      outcomes("complete@1", { postgres: rates(300), dbos: { runs: [], failed: "Error: a | b" } })
    )
    assert.strictEqual(lineOf(text, "| DBOS"), "| DBOS | did not run: Error: a \\| b |  |  |  |  |")
    assert.include(text, "None of these contests has a promise.")
  })

  it("are a page that says how to repeat it, and counts one as one", () => {
    const page = pageOf({
      environment: "2 x a processor",
      versions: ["DBOS 5.3.0"],
      command: "--rounds 1",
      rounds: 1,
      seconds: 3,
      processes: 3_000,
      pool: 8,
      results: "## Verdicts"
    })
    assert.include(page, "npm run bench:peers -- --rounds 1")
    assert.include(page, "- 1 round; a timed run takes 3 s")
  })
})

describe("the reason why a library did not answer", () => {
  it.each([
    [
      "file:///peers/restate.mjs:70\n  throw new Error(what + ': did not answer within 30 s')\n        ^\n\nError: the ingress did not answer within 30 s\n    at until (file:///peers/restate.mjs:70:9)\n",
      "Error: the ingress did not answer within 30 s"
    ],
    [
      "a line that mentions an error\nAssertionError [ERR_ASSERTION]: 1 !== 2\n  code: 'ERR_ASSERTION'\n",
      "AssertionError [ERR_ASSERTION]: 1 !== 2"
    ],
    [
      "(FiberFailure) SqlError: Failed to execute statement\n    at a\n",
      "(FiberFailure) SqlError: Failed to execute statement"
    ],
    ["RetryableError: once more\nTypeError: it is over\n", "TypeError: it is over"]
  ])("is the error that it named last, whatever is around it: %#", (said, reason) => {
    assert.strictEqual(reasonOf(said, 1), reason)
  })

  it("is how it ended, where it named none", () => {
    assert.strictEqual(reasonOf("const error = 1\n", 13), "it ended with code 13 and named no error")
    assert.strictEqual(reasonOf("", null), "a signal ended it")
  })
})
