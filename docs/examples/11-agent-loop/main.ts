/**
 * An agent that orders lamps: its model calls two tools at once, asks a person, orders and answers. Kill it anywhere and run it
 * again: nothing is asked, called or mailed twice that was recorded.
 *
 * usage: node dist/docs/examples/11-agent-loop/main.js [database file]            starts it, or goes on
 *        node dist/docs/examples/11-agent-loop/main.js [database file] tools      what may be sent now, as tools of a model
 *        node dist/docs/examples/11-agent-loop/main.js [database file] reply yes  answers it, whether a host runs or not
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { Processes, SingleHost } from "../../../src/index.ts"
import { Agent } from "./agent.ts"
import { Think } from "./model.ts"

const id = "agent-1"

/** A turn of the model: what the machine accepts are its tools, and what it chooses is sent. Each turn is taken once. */
const think = (revision: number) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    const handle = processes.handle(Agent, id)
    const { context, accepts } = yield* handle.snapshot
    const turn = yield* processes.start(Think, {
      id: `${id}/turn-${revision}`,
      payload: { conversation: context.conversation, tools: accepts }
    })
    const choice = yield* turn.await
    yield* Console.log(`the model chose ${choice.type}`)
    // It is refused when the machine went on meanwhile.
    yield* handle.send(choice, { id: `turn-${revision}`, expect: "accepted" })
  }).pipe(Effect.catchTag("EventNotAccepted", () => Effect.void))

const run = Effect.gen(function* () {
  const processes = yield* Processes
  const handle = yield* processes.start(Agent, { id, payload: { task: "Order 3 lamps, please." } })
  // A program with nothing else to do may end while its agent waits for a person: it is on disk.
  yield* handle.snapshots.pipe(
    Stream.takeUntil((now) => now.isAtRest && now.matches("asking")),
    Stream.filter((now) => now.status === "active" && now.matches("thinking")),
    Stream.runForEach(({ revision }) => think(revision))
  )
  const { status, value, output } = yield* handle.snapshot
  yield* Console.log(status === "active" ? `it waits in ${JSON.stringify(value)}` : (output?.answer ?? "stopped"))
})

const tools = Effect.gen(function* () {
  const processes = yield* Processes
  for (const { type, schema } of yield* processes.handle(Agent, id).accepts) {
    yield* Console.log(`${type} ${JSON.stringify(schema)}`)
  }
})

const reply = (text: string) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    yield* processes.handle(Agent, id).send({ type: "reply", text }, { id: "reply" })
    yield* Console.log(`replied ${text}`)
  })

const [filename = ".holdfast/agent.db", command, text = "yes"] = process.argv.slice(2)

const host = SingleHost.layerSqlite({ filename, engines: [Agent, Think] })
const door = SingleHost.layerSqlite({ filename, engines: [], sweepInterval: false })

await (command === undefined
  ? Effect.runPromise(Effect.provide(run, host))
  : command === "tools"
    ? Effect.runPromise(Effect.provide(tools, door))
    : Effect.runPromise(Effect.provide(reply(text), door)))
