/**
 * A tool call that fails now and then: the call is a step, tried again with growing pauses. Its result is recorded, so that
 * neither a crash nor a second run of this program calls the tool again.
 *
 * usage: node dist/docs/examples/02-tool-with-retry.js [database file]
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { Engine, Processes, SingleHost } from "../../src/index.ts"

class ToolBusy extends Schema.TaggedError<ToolBusy>()("ToolBusy", { tool: Schema.String }) {}

/** Stands for a service on the network: it is busy twice, then it answers. */
const weather = (() => {
  let calls = 0
  return (city: string): Effect.Effect<{ readonly celsius: number }, ToolBusy> =>
    Effect.suspend(() => {
      calls += 1
      const answer = calls < 3 ? Effect.fail(new ToolBusy({ tool: "weather" })) : Effect.succeed({ celsius: 21 })
      return Effect.zipRight(Console.log(`call ${calls}: the weather in ${city}`), answer)
    })
})()

const CallWeather = Engine.make("call_weather", {
  version: "1",
  payload: Schema.Struct({ city: Schema.String }),
  success: Schema.Struct({ celsius: Schema.Number }),
  error: ToolBusy,
  disposition: "rerunnable", // reading the weather twice harms nobody; a payment would be `owner_bound`
  run: ({ city }, ctx) =>
    ctx.step("call", weather(city), {
      // A tool that stays busy has failed for good: a body that runs again is told so, and does not call it.
      error: ToolBusy,
      retry: Schedule.exponential("10 millis").pipe(Schedule.intersect(Schedule.recurs(4)))
    })
})

const program = Effect.gen(function* () {
  const processes = yield* Processes
  const handle = yield* processes.start(CallWeather, { id: "weather-oslo", payload: { city: "Oslo" } })
  const { celsius } = yield* handle.await
  yield* Console.log(`${celsius} °C`)
})

const filename = process.argv[2] ?? ".holdfast/tool.db"

await Effect.runPromise(Effect.provide(program, SingleHost.layerSqlite({ filename, engines: [CallWeather] })))
