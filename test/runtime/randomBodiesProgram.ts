/**
 * Random bodies as a program: `node dist/test/runtime/randomBodiesProgram.js <memory|sqlite|postgres> <effects|promises> <runs> <seed> [every commit]`.
 *
 * Ends with code 0 when the law of replay holds for each body, and with 1 when one breaks it: its last lines are that body. Says
 * how far it is on the standard error, every hundred bodies.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { Form } from "../../src/testing/bodies/code.ts"
import { tryRandomBodies } from "../../src/testing/bodies/RandomBodies.ts"
import { databases } from "./schedules.ts"

const [, , store = "memory", form = "effects", runs = "1000", seed = "1", where = "anywhere"] = process.argv
const startMs = performance.now()
const seconds = (): number => Math.round((performance.now() - startMs) / 1_000)
const exit = await Effect.runPromiseExit(
  tryRandomBodies(databases[store as keyof typeof databases], {
    form: form as Form,
    runs: Number(runs),
    seed: Number(seed),
    where: where as "anywhere" | "every commit",
    turnsOfWrite: store === "sqlite" ? 4 : 1,
    onTried: (count) => {
      if (count % 100 === 0) console.error(`${count} of ${runs}, ${seconds()} s`)
    }
  })
)
console.log(
  `${runs} bodies of ${form} on ${store}, ${where}, seed ${seed}, ${seconds()} s: ${Exit.isSuccess(exit) ? "kept" : "broken"}`
)
if (Exit.isFailure(exit) && exit.cause._tag === "Fail") console.log(exit.cause.error.message)
process.exit(Exit.isSuccess(exit) ? 0 : 1)
