import { afterAll, assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allLaws, certify, clockOfRealTime, lawEnv, lawsBySubject, render } from "../../src/testing/Certify.ts"
import * as Postgres from "../support/postgres.ts"
import { isLong } from "../support/samples.ts"

/** What this store does in its own way: requests that share a transaction, reads on one state, and what is left of a row. */
const always = [
  /at one moment/,
  /at the same time/,
  /concurrent/,
  /is of one moment/,
  /while a page/,
  /pruned process says/
]

/** Each law takes many transactions: a short run has a third of them, and those that are always tried. */
const laws = isLong
  ? allLaws
  : allLaws.filter(({ name }, index) => index % 3 === 0 || always.some((pattern) => pattern.test(name)))

describe("the laws that are tried on PostgreSQL in every run", () => {
  for (const pattern of always) {
    it(`are some that say ${pattern.source}`, () => {
      assert.isTrue(laws.some(({ name }) => pattern.test(name)))
    })
  }
})

let held = 0

afterAll(() => {
  if (Postgres.hasPostgres)
    process.stdout.write(`${held} of ${laws.length} laws that were tried are kept by the PostgreSQL store\n`)
})

describe.skipIf(!Postgres.hasPostgres)("the PostgreSQL store", () => {
  layer(lawEnv(Postgres.layer({ time: "host" })))((it) => {
    for (const law of laws) {
      it.effect(`${law.name} (${law.section})`, () =>
        Effect.zipRight(
          law.check,
          Effect.sync(() => {
            held += 1
          })
        )
      )
    }
  })
})

describe.skipIf(!Postgres.hasPostgres)("the PostgreSQL store, by the database's time", () => {
  it.live("keeps the laws of renewals", () =>
    Effect.gen(function* () {
      const renewals = lawsBySubject["renewal"] ?? []
      const laws = isLong ? renewals : renewals.slice(0, 2)
      const report = yield* certify(Postgres.layer(), { clock: clockOfRealTime, laws })
      assert.deepStrictEqual(report.failed, [], render(report))
      assert.strictEqual(report.passed.length, laws.length)
    })
  )
})
