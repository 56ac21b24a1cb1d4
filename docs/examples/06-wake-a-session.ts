/**
 * Waking a session: an event type says when it is a message for a session, and what the message says. The message is made
 * as the event is appended, and is there until it is acknowledged.
 *
 * usage: node dist/docs/examples/06-wake-a-session.js [database file]
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Engine, Processes, ProcessRegistry, Signal, SingleHost, Wakes } from "../../src/index.ts"

const Built = Signal.event("ci.built", {
  payload: Schema.Struct({ branch: Schema.String, build: Schema.Number, red: Schema.Boolean }),
  semantics: {
    wake: {
      when: { pointer: "/red" },
      input: {
        template: {
          template: "Build {build} of {branch} is red.",
          fields: { build: { pointer: "/build" }, branch: { pointer: "/branch" } }
        }
      },
      // Several red builds of one branch are one message.
      dedupeKey: { selector: { pointer: "/branch" } }
    }
  }
})

const session = { sessionId: "ana" }

const WatchBuilds = Engine.make("watch_builds", {
  version: "1",
  payload: Schema.Struct({ branch: Schema.String }),
  success: Schema.Number,
  events: [Built],
  disposition: "rerunnable",
  run: ({ branch }, ctx) =>
    Effect.gen(function* () {
      const builds = [false, true, true]
      for (const [index, red] of builds.entries()) {
        yield* ctx.appendEvent(Built, { branch, build: index + 1, red }, { wakeTarget: session })
      }
      return builds.length
    })
})

const program = Effect.gen(function* () {
  const processes = yield* Processes
  const registry = yield* ProcessRegistry.ProcessRegistry
  const handle = yield* processes.start(WatchBuilds, { id: "watch-main", payload: { branch: "main" } })
  yield* Console.log(`${yield* handle.await} builds`)

  const told = new Set<string>()
  for (const event of yield* registry.wakeEventsAfter(handle.id, 0)) {
    const delivery = Wakes.deliveryOf(event, session, undefined)
    // The same wake id is the same message: the session is given it once.
    if (delivery !== undefined && !told.has(delivery.wakeId)) yield* Console.log(Wakes.turnText(delivery))
    if (delivery !== undefined) told.add(delivery.wakeId)
    // After the session has it: a crash in between tells it again, and never loses it.
    yield* registry.ackWake(handle.id, event.sequence)
  }
  yield* Console.log(`${(yield* registry.wakeEventsAfter(handle.id, 0)).length} wakes left`)
})

const filename = process.argv[2] ?? ".holdfast/wake.db"

await Effect.runPromise(Effect.provide(program, SingleHost.layerSqlite({ filename, engines: [WatchBuilds] })))
