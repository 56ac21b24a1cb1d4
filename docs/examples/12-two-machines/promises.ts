/**
 * What the two machines promise, whatever their limits are and their hosts do: for any test runner.
 */
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import { Processes } from "../../../src/index.ts"
import { Machines, TestHost } from "../../../src/testing/Certify.ts"
import { Buyer, Seller } from "./haggling.ts"

/** Checks each by itself: the check says whatever another one could say. */
export const checkEach = (runs: number) =>
  Effect.all([
    Machines.check(Seller, {
      runs,
      invariants: {
        "it never sells for less than it takes": ({ context }) => context.sold === null || context.sold >= context.least
      }
    }),
    Machines.check(Buyer, {
      runs,
      invariants: { "it never offers more than it pays": ({ context }) => context.offer <= context.most }
    })
  ])

const price = FastCheck.nat(200)

/** The hosts: each dies with the commit of its number, which is written or lost. */
const deaths = FastCheck.array(
  FastCheck.record({ commit: FastCheck.integer({ min: 1, max: 6 }), lost: FastCheck.boolean() }),
  {
    maxLength: 4
  }
)

/** Checks both together: they agree exactly when they can, and on one price, whenever their hosts die. */
export const checkBoth = (runs: number) =>
  FastCheck.assert(
    FastCheck.asyncProperty(price, price, price, price, deaths, (asking, least, offer, most, dying) =>
      Effect.gen(function* () {
        const host = yield* TestHost.make([Seller, Buyer])
        const begin = Effect.gen(function* () {
          const processes = yield* Processes
          const seller = yield* processes.start(Seller, { id: "seller", payload: { asking, least } })
          const buyer = yield* processes.start(Buyer, { id: "buyer", payload: { seller: "seller", offer, most } })
          return yield* Effect.all([seller.await, buyer.await])
        })
        for (const { commit, lost } of dying) {
          yield* host.restart(lost ? { lostCommit: commit } : { lastCommit: commit })
          yield* host.begin(begin)
          yield* host.settle
        }
        yield* host.restart()
        const [sold, bought] = yield* host.run(begin)
        const agrees = least <= most
        if (sold.price !== bought.price || (sold.price !== null) !== agrees) {
          throw new Error(`sold for ${sold.price}, bought for ${bought.price}`)
        }
      }).pipe(Effect.scoped, Effect.orDie, Effect.runPromise)
    ),
    { numRuns: runs }
  )
