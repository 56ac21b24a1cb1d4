/**
 * The smallest durable process: declare an engine, start it, await it. Run it twice: the second run reads the recorded output.
 *
 * usage: node dist/docs/examples/01-hello.js [database file]
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Engine, Processes, SingleHost } from "../../src/index.ts"

const Greet = Engine.make("greet", {
  version: "1",
  payload: Schema.Struct({ name: Schema.String }),
  success: Schema.String,
  disposition: "rerunnable",
  run: ({ name }) => Effect.as(Console.log(`greeting ${name}`), `hello, ${name}`)
})

const program = Effect.gen(function* () {
  const processes = yield* Processes
  const handle = yield* processes.start(Greet, { id: "greet-ana", payload: { name: "Ana" } })
  yield* Console.log(yield* handle.await)
})

const filename = process.argv[2] ?? ".holdfast/hello.db"

await Effect.runPromise(Effect.provide(program, SingleHost.layerSqlite({ filename, engines: [Greet] })))
