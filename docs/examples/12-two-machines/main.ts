/**
 * Two machines that talk until they agree. Kill it anywhere and run it again: no word is lost, and none is heard twice.
 *
 * usage: node dist/docs/examples/12-two-machines/main.js [database file]
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Processes, SingleHost } from "../../../src/index.ts"
import { Buyer, Seller } from "./haggling.ts"

const program = Effect.gen(function* () {
  const processes = yield* Processes
  const seller = yield* processes.start(Seller, { id: "seller-1", payload: { asking: 200, least: 90 } })
  const buyer = yield* processes.start(Buyer, { id: "buyer-1", payload: { seller: "seller-1", offer: 20, most: 95 } })
  const [sold, bought] = yield* Effect.all([seller.await, buyer.await])
  yield* Console.log(`sold for ${sold.price}, bought for ${bought.price}`)
})

const filename = process.argv[2] ?? ".holdfast/haggling.db"

await Effect.runPromise(Effect.provide(program, SingleHost.layerSqlite({ filename, engines: [Seller, Buyer] })))
