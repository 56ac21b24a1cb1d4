import * as Reactivity from "@effect/experimental/Reactivity"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { processId } from "../../src/model/ids.ts"
import { open, temporaryFile } from "./sqliteFixtures.ts"

const p = processId("p")

describe("reads on one state", () => {
  it.scopedLive("what another program commits between two reads is seen by neither, and by the next read", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const one = yield* open(filename)
      const other = yield* open(filename)
      yield* one.register("p")
      const sequences = Effect.map(one.store.eventsAfter(p, 0), (log) => log.length)
      const row = Effect.map(one.store.find(p), (found) => (found._tag === "Present" ? found.row.sequence : undefined))
      const counts = yield* one.store.readTogether(
        Effect.gen(function* () {
          const before = yield* sequences
          yield* other.note("p", 1)
          // The cache of the writer is newer than this moment.
          return [before, yield* row, yield* sequences, yield* one.store.readTogether(sequences)]
        })
      )
      assert.deepStrictEqual(counts, [0, 0, 0, 0])
      assert.deepStrictEqual([yield* row, yield* sequences], [1, 1])
    })
  )

  it.scopedLive("reads that fail, or are interrupted, leave the connection to the next reader", () =>
    Effect.gen(function* () {
      const { register, store } = yield* open(yield* temporaryFile)
      yield* register("p")
      assert.strictEqual(yield* Effect.flip(store.readTogether(Effect.fail("no" as const))), "no")
      yield* Effect.exit(store.readTogether(Effect.zipRight(store.countByLifecycle, Effect.interrupt)))
      assert.strictEqual((yield* store.readTogether(store.countByLifecycle)).running, 1)
    })
  )
})

it.scopedLive("a read inside a transaction of the host's own client of @effect/sql goes to the store", () =>
  Effect.gen(function* () {
    const { register, store } = yield* open(yield* temporaryFile)
    yield* register("p")
    const own = yield* Effect.provide(SqliteClient.make({ filename: yield* temporaryFile }), Reactivity.layer)
    const found = yield* own.withTransaction(
      Effect.all([store.countByLifecycle, store.eventsAfter(p, 0), store.readTogether(store.find(processId("q")))])
    )
    assert.strictEqual(found[0].running, 1)
    assert.strictEqual(found[2]._tag, "Absent")
  })
)
