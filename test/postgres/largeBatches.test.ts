/**
 * Values near the largest that is accepted, many at once: each alone has room, all together have not.
 */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { processId } from "../../src/model/ids.ts"
import { external } from "../../src/operations/decisions/authority.ts"
import { bounded } from "../support/hosts.ts"
import { patienceMs } from "../support/patience.ts"
import * as Postgres from "../support/postgres.ts"
import { isWhole } from "../support/samples.ts"
import { open } from "./opened.ts"

// Transactions take long here.
beforeAll(Postgres.apart, patienceMs)

/** Twenty are more than one string may hold. */
const appends = isWhole ? 20 : 2

/** A value that is as long as one may be, 16 MiB as JSON, and twice as long within JSON. */
const large = '"'.repeat(2 ** 23 - 100)

describe.skipIf(!Postgres.hasPostgres)("a batch of large values", () => {
  it.live(`that is ${appends} appends of 16 MiB at once is written`, () =>
    Effect.gen(function* () {
      const { store, registry, register } = yield* open({
        ...(yield* Postgres.freshSchema),
        connections: 1,
        patienceMs: 60_000
      })
      const ids = Array.from({ length: appends }, (_, index) => processId(`large ${index}`))
      yield* Effect.forEach(ids, register, { concurrency: "unbounded" })
      const receipts = yield* Effect.forEach(
        ids,
        (id) => registry.appendEvent(id, { eventType: "note", payload: large }, external),
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(
        receipts.map(({ event }) => event.sequence),
        ids.map(() => 1)
      )
      const [last] = yield* store.eventsAfter(processId(`large ${appends - 1}`), 0)
      assert.strictEqual(String(last?.payload).length, large.length)
    }).pipe(Effect.scoped, bounded)
  )
})
