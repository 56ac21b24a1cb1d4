/**
 * The approval of two states in @effect/workflow, on SQLite with FULL: started, approved, ended, again and again.
 *
 * It runs in a folder of its own, where its packages were installed, and answers one line of JSON.
 * usage: node effectWorkflow.mjs DATABASE CALLERS SECONDS
 */
import { ClusterWorkflowEngine, SingleRunner } from "@effect/cluster"
import { SqlClient } from "@effect/sql"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { DurableDeferred, Workflow } from "@effect/workflow"
import { Effect, Layer, Logger, LogLevel, Schema } from "effect"

const [filename, callers, seconds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]

const Approve = DurableDeferred.make("approve", { success: Schema.Struct({ by: Schema.String }) })

const Approval = Workflow.make({
  name: "Approval",
  payload: { id: Schema.String },
  success: Schema.String,
  idempotencyKey: ({ id }) => id
})

const ApprovalLive = Approval.toLayer(() => Effect.map(DurableDeferred.await(Approve), ({ by }) => by))

const layer = ApprovalLive.pipe(
  Layer.provideMerge(ClusterWorkflowEngine.layer),
  Layer.provide(SingleRunner.layer({ runnerStorage: "sql" })),
  // Its client opens in WAL and leaves `synchronous` at NORMAL: held against FULL, it must be as durable.
  Layer.provide(Layer.effectDiscard(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`PRAGMA synchronous = FULL`))),
  Layer.provide(SqliteClient.layer({ filename })),
  Layer.provideMerge(Logger.minimumLogLevel(LogLevel.Error))
)

let started = 0
const latenciesMs = []

const once = Effect.gen(function* () {
  const payload = { id: `a-${started++}` }
  const executionId = yield* Approval.execute(payload, { discard: true })
  const token = DurableDeferred.tokenFromExecutionId(Approve, { workflow: Approval, executionId })
  const sentAt = performance.now()
  yield* DurableDeferred.succeed(Approve, { token, value: { by: "ana" } })
  const by = yield* Approval.execute(payload)
  if (by !== "ana") throw new Error(`it answered ${by}`)
  latenciesMs.push(performance.now() - sentAt)
})

const during = (length) =>
  Effect.suspend(() => {
    const beganAt = performance.now()
    const caller = Effect.whileLoop({
      while: () => performance.now() - beganAt < length * 1_000,
      body: () => once,
      step: () => {}
    })
    return Effect.as(
      Effect.all(
        Array.from({ length: callers }, () => caller),
        { concurrency: "unbounded", discard: true }
      ),
      beganAt
    )
  })

const program = Effect.gen(function* () {
  yield* during(seconds / 3)
  latenciesMs.length = 0
  const beganAt = yield* during(seconds)
  const elapsedMs = performance.now() - beganAt
  latenciesMs.sort((one, other) => one - other)
  const p50Ms = latenciesMs[Math.floor(latenciesMs.length / 2)]
  console.log(JSON.stringify({ perSecond: (latenciesMs.length * 1_000) / elapsedMs, p50Ms }))
})

await Effect.runPromise(Effect.provide(program, layer))
process.exit(0)
