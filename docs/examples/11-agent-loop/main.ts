/**
 * An agent that orders lamps: its model calls two tools at once, asks a person, orders and answers. Kill it anywhere and run it
 * again: nothing is asked, called or mailed twice that was recorded.
 *
 * usage: node dist/docs/examples/11-agent-loop/main.js [database file]            starts it, or goes on
 *        node dist/docs/examples/11-agent-loop/main.js [database file] tools      what may be sent now: while it thinks, the tools of the model
 *        node dist/docs/examples/11-agent-loop/main.js [database file] reply yes  answers it, whether a host runs or not
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { Processes, SingleHost } from "../../../src/index.ts"
import { Agent } from "./agent.ts"

const id = "agent-1"

const run = Effect.gen(function* () {
  const processes = yield* Processes
  const handle = yield* processes.start(Agent, { id, payload: { task: "Order 3 lamps, please." } })
  // A program with nothing else to do may end while its agent waits for a person: it is on disk.
  yield* handle.waitFor((now) => now.status !== "active" || (now.isAtRest && now.matches("asking")))
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

const host = SingleHost.layerSqlite({ filename, engines: [Agent] })
const door = SingleHost.layerSqlite({ filename, engines: [], sweepInterval: false })

await (command === undefined
  ? Effect.runPromise(Effect.provide(run, host))
  : command === "tools"
    ? Effect.runPromise(Effect.provide(tools, door))
    : Effect.runPromise(Effect.provide(reply(text), door)))
