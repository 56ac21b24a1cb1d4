/**
 * A second host on the same file, which awaits the processes that its parent names.
 *
 * usage: waiter.js <database>; messages in: `{ await: id }`; out: `Answer`
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import type { Answer } from "./elsewhere.ts"
import { preciseNowMs } from "./elsewhere.ts"
import { Waiter } from "./execution.ts"
import { quiet } from "./host.ts"

const say = (answer: Answer): void => void process.send?.(answer)

const asked = Effect.async<string>((resume) => {
  process.once("message", (order: { readonly await: string }) => resume(Effect.succeed(order.await)))
})

const once = Effect.gen(function* () {
  const id = yield* asked
  const { await: end } = (yield* Processes).handle(Waiter, id)
  yield* Effect.sync(() => say({ awaits: id }))
  yield* end
  yield* Effect.sync(() => say({ knewAtMs: preciseNowMs() }))
})

process.on("disconnect", () => process.exit(0))

const host = SingleHost.layerSqlite({ filename: process.argv[2] ?? "", engines: [] })
await Effect.runPromise(Effect.provide(Effect.forever(once), Layer.provideMerge(host, quiet)))
