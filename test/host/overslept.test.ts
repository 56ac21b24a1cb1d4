import { assert, describe, it } from "@effect/vitest"
import Database from "better-sqlite3"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { bounded, sqlite, temporaryFolder } from "../support/hosts.ts"

/** Lets the lease of the only process expire, as it does while a host sleeps. */
const oversleep = (filename: string): void => {
  const db = new Database(filename)
  db.prepare("UPDATE lease SET expires_at = 1").run()
  db.close()
}

describe("a body whose host has overslept its lease", () => {
  it.scopedLive("writes on under the lease taken again, when nobody held the process in between", () => {
    const asleep = Deferred.unsafeMake<void>(FiberId.none)
    const awake = Deferred.unsafeMake<void>(FiberId.none)
    const Sleepy = Engine.make("sleepy", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Number,
      disposition: "rerunnable",
      run: (_, ctx) =>
        Effect.zipRight(
          Effect.zipRight(Deferred.succeed(asleep, undefined), Deferred.await(awake)),
          ctx.step("after", Effect.succeed(7))
        )
    })
    return Effect.gen(function* () {
      const filename = `${yield* temporaryFolder}/overslept.db`
      return yield* Effect.gen(function* () {
        const handle = yield* (yield* Processes).start(Sleepy, { id: "s", payload: null })
        yield* bounded(Deferred.await(asleep))
        oversleep(filename)
        yield* Deferred.succeed(awake, undefined)
        assert.strictEqual(yield* bounded(handle.await), 7)
        const store = yield* ProcessStore
        const found = yield* store.find(processId("s"))
        assert.isTrue(found._tag === "Present" && found.row.lease.fencingToken > 1)
        const starts = (yield* store.eventsAfter(processId("s"), 0)).filter(
          (event) => event.eventType === "process.started"
        )
        assert.strictEqual(starts.length, 1)
      }).pipe(Effect.provide(sqlite(filename, [Sleepy])))
    })
  })
})
