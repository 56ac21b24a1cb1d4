/**
 * The promises of the two machines, under Node's own test runner.
 *
 * usage: node --test dist/docs/examples/12-two-machines/haggling.test.js
 */
import { test } from "node:test"
import * as Effect from "effect/Effect"
import { checkBoth, checkEach } from "./promises.ts"

test("each machine keeps its promises in 20 random histories", async () => {
  await Effect.runPromise(checkEach(20))
})

test("both agree exactly when they can, and on one price, in 20 random histories", () => checkBoth(20))
