/**
 * A host that is to be killed: it starts as many waiting processes as it is told to, and says when they wait.
 *
 * usage: crashed.js <database> <processes> <held | left memory>; out: `"waiting"`
 */
import * as Effect from "effect/Effect"
import type { Waiting } from "./recovery.ts"
import { hostOn, started } from "./recovery.ts"

const [, , filename = "", processes = "0", waiting = "held"] = process.argv

const program = Effect.gen(function* () {
  yield* started(Number(processes), waiting as Waiting) // its parent's
  yield* Effect.sync(() => process.send?.("waiting"))
  yield* Effect.never
})

await Effect.runPromise(Effect.provide(program, hostOn(filename)))
