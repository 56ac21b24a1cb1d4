/**
 * A second host on the same file or server, which runs nothing: it awaits the processes that its parent names, and signals those
 * that it is to.
 *
 * usage: waiter.js <database>; messages in: `Order`; out: `Answer`
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManyHosts from "../../src/host/ManyHosts.ts"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import type { Answer, Order } from "./elsewhere.ts"
import { preciseNowMs } from "./elsewhere.ts"
import { Go, Waiter } from "./execution.ts"
import { quiet } from "./host.ts"
import { engineOf } from "./recovery.ts"

const say = (answer: Answer): void => void process.send?.(answer)

const asked = Effect.async<Order>((resume) => {
  process.once("message", (order: Order) => resume(Effect.succeed(order)))
})

const once = Effect.gen(function* () {
  const { id, signals } = yield* asked
  const { await: end, signal } = (yield* Processes).handle(signals === undefined ? Waiter : engineOf[signals], id)
  if (signals !== undefined) {
    const sentAtMs = preciseNowMs()
    yield* signal(Go, 1)
    say({ sentAtMs, acceptedAtMs: preciseNowMs() })
  } else say({ awaits: id })
  yield* end
  yield* Effect.sync(() => say({ knewAtMs: preciseNowMs() }))
})

process.on("disconnect", () => process.exit(0))

const [, , database = ""] = process.argv
const host = URL.canParse(database)
  ? ManyHosts.layerPostgres({ url: database, engines: [] })
  : SingleHost.layerSqlite({ filename: database, engines: [] })
await Effect.runPromise(Effect.provide(Effect.forever(once), Layer.provideMerge(host, quiet)))
