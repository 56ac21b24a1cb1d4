/**
 * A tool whose service fails sometimes. Each call of the tool is a process with the id of the call; the request to the service
 * is a step, retried with exponential back-off. The step's output is recorded, so neither a crash nor a second run of this
 * program repeats the request.
 *
 * usage: node dist/docs/examples/02-tool-with-retry.js [database file]
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Processes, SingleHost, Tool } from "../../src/index.ts"

class ServiceBusy extends Schema.TaggedError<ServiceBusy>()("ServiceBusy", { service: Schema.String }) {}

/** Simulates a service on the network: busy twice, then it answers. */
const forecast = (() => {
  let calls = 0
  return (city: string): Effect.Effect<{ readonly celsius: number }, ServiceBusy> =>
    Effect.suspend(() => {
      calls += 1
      const answer = calls < 3 ? Effect.fail(new ServiceBusy({ service: "forecast" })) : Effect.succeed({ celsius: 21 })
      return Effect.zipRight(Console.log(`call ${calls}: the weather in ${city}`), answer)
    })
})()

const Weather = Tool.make("weather", {
  description: "Tells how warm it is in a city", // a model gets this text, and the schemas
  args: Schema.Struct({ city: Schema.String }),
  success: Schema.Struct({ celsius: Schema.Number }),
  error: ServiceBusy,
  disposition: "rerunnable", // reading the weather twice does no harm; a payment would be `owner_bound`
  run: ({ city }, ctx) =>
    ctx.step("ask", forecast(city), {
      // If every attempt fails, the failure is recorded: a body that runs again gets it, and sends no request.
      error: ServiceBusy,
      retry: Schedule.exponential("10 millis").pipe(Schedule.intersect(Schedule.recurs(4)))
    })
})

const program = Effect.gen(function* () {
  const processes = yield* Processes
  const call = yield* processes.start(Weather, { id: "call-7", payload: { city: "Oslo" } })
  const { celsius } = yield* call.await
  yield* Console.log(`${celsius} °C`)
})

const filename = process.argv[2] ?? ".holdfast/tool.db"

await Effect.runPromise(Effect.provide(program, SingleHost.layerSqlite({ filename, engines: [], tools: [Weather] })))
