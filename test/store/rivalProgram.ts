/**
 * The other OS process of `twoProcesses.test.ts`.
 *
 * usage: node rivalProgram.js <database> <socket>
 */
import * as Effect from "effect/Effect"
import { serve } from "./rival.ts"

const [, , filename = "", socketPath = ""] = process.argv

await Effect.runPromise(Effect.scoped(serve(filename, socketPath)))
process.exit(0)
