import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FC from "effect/FastCheck"
import { tryRandomBodies } from "../../src/testing/bodies/RandomBodies.ts"
import { patienceMs } from "../support/patience.ts"
import { hasPostgres } from "../support/postgres.ts"
import { isWhole, samples } from "../support/samples.ts"
import { databases } from "./schedules.ts"

const seed = FC.readConfigureGlobal().seed ?? 1

/** From the seed of every short run, this far on is a body of middling size: the first one takes several times as long. */
const middling = 3

describe("random bodies", () => {
  for (const [store, where, runs, turnsOfWrite, from] of [
    ["memory", "anywhere", samples(8, 4_000), 1, seed],
    ["sqlite", "anywhere", samples(3, 800), 4, seed],
    ["postgres", "anywhere", samples(1, 400), 1, seed],
    ["memory", "every commit", samples(1, 200), 1, seed + middling]
  ] as const) {
    for (const form of ["effects", "promises"] as const) {
      it.skipIf(store === "postgres" ? !(hasPostgres && isWhole) : where === "every commit" && !isWhole)(
        `of ${form} learn the same, in the same order, interrupted ${where === "anywhere" ? "anywhere" : "at every commit"}, on ${store}`,
        {
          timeout: 120 * patienceMs
        },
        () => Effect.runPromise(tryRandomBodies(databases[store], { runs, seed: from, form, where, turnsOfWrite }))
      )
    }
  }
})
