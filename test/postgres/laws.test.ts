import { afterAll, assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allLaws, certify, clockOfRealTime, lawEnv, lawsBySubject, render } from "../../src/testing/Certify.ts"
import * as Postgres from "../support/postgres.ts"
import { isLong } from "../support/samples.ts"

/** Each law takes many transactions: a short run has a third of them, and those on requests that share one. */
const laws = isLong
  ? allLaws
  : allLaws.filter(({ name }, index) => index % 3 === 0 || /at one moment|at the same time|concurrent/.test(name))

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
