/**
 * Laws of durable promises, as a store keeps them: the first end stands.
 */
import * as Effect from "effect/Effect"
import type { StoreError } from "../../model/errors.ts"
import { acceptWith } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import type { Law } from "../Law.ts"
import { expectEquals, lawsOf } from "../Law.ts"

/** The laws of durable promises. */
export const laws: ReadonlyArray<Law> = lawsOf("Write your own store: The one write", {
  "a promise that nobody ended has no end": function* () {
    const { promises } = yield* ProcessStore
    yield* expectEquals("the end", yield* promises.get(crypto.randomUUID()), undefined)
  },

  "the first end of a promise stands, and says who wrote it": function* () {
    const { promises } = yield* ProcessStore
    const keyId = crypto.randomUUID()
    yield* end(keyId, "first")
    yield* end(keyId, "second")
    yield* expectEquals("the end", yield* promises.get(keyId), { body: '"first"', token: "token of first" })
  },

  "of many that end a promise at once, one is the first, for everybody": function* () {
    const { promises } = yield* ProcessStore
    const keyId = crypto.randomUUID()
    const names = ["a", "b", "c", "d", "e", "f"]
    const seen = yield* Effect.forEach(names, (name) => Effect.zipRight(end(keyId, name), promises.get(keyId)), {
      concurrency: "unbounded"
    })
    const winner = yield* promises.get(keyId)
    yield* expectEquals("who was seen", new Set(seen.map((one) => one?.token)).size, 1)
    yield* expectEquals("whether it is one of them", names.includes(winner?.token.slice(-1) ?? ""), true)
  }
})

const end = (keyId: string, name: string): Effect.Effect<void, StoreError, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) =>
    store.transact({ lock: [] }, () =>
      acceptWith(undefined, [{ _tag: "EndPromise", keyId, body: JSON.stringify(name), token: `token of ${name}` }])
    )
  )
