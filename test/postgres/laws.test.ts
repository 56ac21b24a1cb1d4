import { afterAll, assert, describe, it, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allLaws, certify, clockOfRealTime, lawEnv, lawsBySubject, render } from "../../src/testing/Certify.ts"
import * as Postgres from "../support/postgres.ts"

let held = 0

afterAll(() => {
  if (Postgres.hasPostgres) process.stdout.write(`${held} of ${allLaws.length} laws are kept by the PostgreSQL store\n`)
})

describe.skipIf(!Postgres.hasPostgres)("the PostgreSQL store", () => {
  layer(lawEnv(Postgres.layer({ time: "host" })))((it) => {
    for (const law of allLaws) {
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
      const laws = lawsBySubject["renewal"] ?? []
      const report = yield* certify(Postgres.layer(), { clock: clockOfRealTime, laws })
      assert.deepStrictEqual(report.failed, [], render(report))
      assert.isAbove(report.passed.length, 5)
    })
  )
})
