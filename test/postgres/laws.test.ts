import { afterAll, describe, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allLaws, lawEnv } from "../../src/testing/Certify.ts"
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
