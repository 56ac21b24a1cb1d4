/**
 * The promises of the two machines, under Node's own test runner.
 *
 * usage: [RUNS=n] node --test dist/docs/examples/12-two-machines/haggling.test.js
 */
import { test } from "node:test"
import * as Effect from "effect/Effect"
import { checkBoth, checkEach } from "./promises.ts"

const runs = Number(process.env["RUNS"] ?? 20)

test(`each machine keeps its promises in ${runs} random histories`, async () => {
  await Effect.runPromise(checkEach(runs))
})

test(`both agree exactly when they can, and on one price, in ${runs} random histories`, () => checkBoth(runs))
