/**
 * A tool whose service fails now and then. A call of it is a process, known by the id of the call; what it asks the service is
 * a step, tried again with growing pauses. The answer is recorded, so that neither a crash nor a second run of this program
 * asks again.
 *
 * usage: node dist/docs/examples/02-tool-with-retry.js [database file]
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Processes, SingleHost, Tool } from "../../src/index.ts"

class ServiceBusy extends Schema.TaggedError<ServiceBusy>()("ServiceBusy", { service: Schema.String }) {}

/** Stands for a service on the network: it is busy twice, then it answers. */
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
  description: "Tells how warm it is in a city", // a model is told this, and the schemas
  args: Schema.Struct({ city: Schema.String }),
  success: Schema.Struct({ celsius: Schema.Number }),
  error: ServiceBusy,
  disposition: "rerunnable", // reading the weather twice harms nobody; a payment would be `owner_bound`
  run: ({ city }, ctx) =>
    ctx.step("ask", forecast(city), {
      // A service that stays busy has failed for good: a body that runs again is told so, and does not ask it.
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
