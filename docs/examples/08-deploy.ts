import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Engine, Processes, Signal, SingleHost } from "../../src/index.ts"

const Plan = Schema.Struct({ service: Schema.String, image: Schema.String })
const Applied = Schema.Struct({ url: Schema.String })

const planDeploy = (service: string) => Effect.succeed({ service, image: `${service}:42` })
const applyPlan = (plan: typeof Plan.Type) => Effect.succeed({ url: `https://${plan.service}.example/${plan.image}` })

const Approve = Signal.make("approve", { payload: Schema.Struct({ by: Schema.String }) })
const Progress = Signal.event("progress", { payload: Schema.Struct({ text: Schema.String }) })

const Deploy = Engine.make("deploy", {
  version: "1",
  payload: Schema.Struct({ service: Schema.String }),
  success: Schema.Struct({ url: Schema.String }),
  signals: [Approve],
  events: [Progress],
  disposition: "rerunnable", // required: no default anywhere
  run: (payload, ctx) =>
    Effect.gen(function* () {
      const plan = yield* ctx.step("plan", planDeploy(payload.service), { schema: Plan })
      const { by } = yield* ctx.awaitSignal(Approve, { timeout: "3 days" })
      yield* ctx.appendEvent(Progress, { text: `approved by ${by}` })
      return yield* ctx.step("apply", applyPlan(plan), { schema: Applied })
    })
})

const program = Effect.gen(function* () {
  const processes = yield* Processes
  const handle = yield* processes.start(Deploy, { id: "deploy-42", payload: { service: "api" } })
  yield* handle.signal(Approve, { by: "ana" }, { id: "ana-1" }) // with an id, a second run sends no second signal
  const output = yield* handle.await
  yield* Console.log(output.url)
})

await program.pipe(
  Effect.provide(SingleHost.layerSqlite({ filename: ".holdfast/agent.db", engines: [Deploy] })),
  Effect.runPromise
)
