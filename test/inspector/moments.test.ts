import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { EventsRequest } from "../../src/inspector/views/process.ts"
import { eventsView } from "../../src/inspector/views/process.ts"
import { processId } from "../../src/model/ids.ts"
import { open, temporaryFile } from "../store/sqliteFixtures.ts"

const p = processId("p")

describe("what the page shows of a process is of one moment", () => {
  it.scopedLive("whatever another program commits after the row was read", () =>
    Effect.gen(function* () {
      const filename = yield* temporaryFile
      const { store, register } = yield* open(filename)
      const other = yield* open(filename)
      yield* register("p")
      const writing = {
        ...store,
        find: (id: typeof p) => Effect.tap(store.find(id), () => Effect.orDie(other.note("p", 1)))
      }
      const requests: ReadonlyArray<EventsRequest> = [{ last: 9 }, { after: 0, limit: 9 }]
      for (const request of requests) {
        const { events, last_sequence } = yield* eventsView(writing, p, request, (value) => value)
        assert.strictEqual(events.at(-1)?.sequence ?? 0, last_sequence)
      }
    })
  )
})
