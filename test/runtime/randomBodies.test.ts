import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import { tryRandomBodies } from "../../src/testing/bodies/RandomBodies.ts"
import { patienceMs } from "../support/patience.ts"
import { hasPostgres } from "../support/postgres.ts"
import { samples } from "../support/samples.ts"
import { databases } from "./schedules.ts"

const seed = FC.readConfigureGlobal().seed ?? 1

describe("random bodies", () => {
  for (const [store, where, runs, turnsOfWrite] of [
    ["memory", "anywhere", samples(12, 4_000), 1],
    ["sqlite", "anywhere", samples(3, 800), 4],
    ["postgres", "anywhere", samples(2, 400), 1],
    ["memory", "every commit", samples(1, 200), 1]
  ] as const) {
    for (const form of ["effects", "promises"] as const) {
      it.skipIf(store === "postgres" && !hasPostgres)(
        `of ${form} learn the same, in the same order, interrupted ${where === "anywhere" ? "anywhere" : "at every commit"}, on ${store}`,
        {
          timeout: 120 * patienceMs
        },
        () => Effect.runPromise(tryRandomBodies(databases[store], { runs, seed, form, where, turnsOfWrite }))
      )
    }
  }
})
