import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Engine, Processes, SingleHost } from "../../src/index.ts"

class BuildBroken extends Schema.TaggedError<BuildBroken>()("BuildBroken", { service: Schema.String }) {}

const Build = Engine.make("build", {
  version: "1",
  payload: Schema.Struct({ service: Schema.String }),
  success: Schema.Struct({ image: Schema.String }),
  error: BuildBroken,
  disposition: "rerunnable", // required: a crash may run it again
  run: ({ service }) =>
    service === "" ? Effect.fail(new BuildBroken({ service })) : Effect.succeed({ image: `${service}:42` })
})

const Deploy = Engine.make("deploy", {
  version: "1",
  payload: Schema.Struct({ service: Schema.String }),
  success: Schema.Struct({ url: Schema.String }),
  error: BuildBroken,
  disposition: "rerunnable",
  run: ({ service }, ctx) =>
    Effect.gen(function* () {
      // A child with a name: when this body runs again after a crash, it finds the same child.
      const build = yield* ctx.startChild(Build, { name: "build", payload: { service } })
      const { image } = yield* build.await
      return { url: `https://${service}.example/${image}` }
    })
})

const program = Effect.gen(function* () {
  const processes = yield* Processes
  const handle = yield* processes.start(Deploy, { id: "deploy-42", payload: { service: "api" } })
  const { url } = yield* handle.await
  yield* Console.log(url)
})

const host = SingleHost.layerSqlite({ filename: ".holdfast/agent.db", engines: [Build, Deploy] })

await Effect.runPromise(Effect.provide(program, host))
