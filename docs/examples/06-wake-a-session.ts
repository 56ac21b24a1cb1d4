/**
 * A build outside this host wakes a session: its end is an event, the event puts a wake into the outbox, the host's sink
 * delivers it.
 *
 * usage: node dist/docs/examples/06-wake-a-session.js [database file]
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Ids, SingleHost, WakeSink } from "../../src/index.ts"
import { type EventType, Provenance, Registration, WakeDelivery } from "../../src/model.ts"
import { Authority, ProcessRegistry, WakeOutbox } from "../../src/operations.ts"

/** An event that wakes a session, whose input is the field `text` of the payload. */
const built: EventType.EventType = {
  name: "built",
  payloadSchema: { schema: { type: "object", required: ["text"], properties: { text: { type: "string" } } } },
  semantics: { wake: { input: { pointer: "/text" }, dedupeKey: "event_identity" } }
}

/** A real host puts the message into the session's queue, under the source key, and answers once it is durable there. */
const wakeSink = WakeSink.layer((wake) =>
  Effect.as(Console.log(`to ${wake.targetSessionId}\n${WakeDelivery.turnText(wake)}`), { _tag: "Delivered" })
)

const program = Effect.gen(function* () {
  const registry = yield* ProcessRegistry.ProcessRegistry
  const outbox = yield* WakeOutbox.WakeOutbox
  const id = Ids.processId("build-7")
  const outside = { _tag: "External", metadata: { label: "nightly build" } } as const
  yield* registry.registerProcess({
    ...Registration.make(id, outside, "externally_owned", Provenance.host),
    eventTypes: [built],
    wakeTarget: { sessionId: "ana" }
  })
  const request = { eventType: "built", payload: { text: "all tests pass" }, replayKey: "built" }
  const { wakeDelivery } = yield* registry.appendEvent(id, request, Authority.external)
  // The wake is durable now: if this host stops, another one delivers it.
  const delivered = Effect.map(outbox.rowsOf(wakeDelivery?.wakeId ?? ""), ([row]) => row?.state === "enqueued")
  yield* Effect.repeat(Effect.delay(delivered, "10 millis"), { until: (is) => is })
})

const filename = process.argv[2] ?? ".holdfast/wakes.db"

await Effect.runPromise(Effect.provide(program, SingleHost.layerSqlite({ filename, engines: [], wakeSink })))
