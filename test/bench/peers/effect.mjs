/** @effect/workflow with @effect/cluster on SQLite, with FULL. */
import { join } from "node:path"
import { ClusterWorkflowEngine, SingleRunner } from "@effect/cluster"
import { SqlClient } from "@effect/sql"
import { SqliteClient } from "@effect/sql-sqlite-node"
import { DurableDeferred, Workflow } from "@effect/workflow"
import { Effect, Layer, Logger, LogLevel, ManagedRuntime, Schema } from "effect"

const Go = DurableDeferred.make("go", { success: Schema.Int })
const of = (name, fields, success) =>
  Workflow.make({ name, payload: { id: Schema.String, ...fields }, success, idempotencyKey: ({ id }) => id })

const Trivial = of("Trivial", { value: Schema.Int }, Schema.Int)
const Waiter = of("Waiter", {}, Schema.Int)
const Family = of("Family", { children: Schema.Int }, Schema.Int)

const workflows = Layer.mergeAll(
  Trivial.toLayer(({ value }) => Effect.succeed(value)),
  Waiter.toLayer(() => DurableDeferred.await(Go)),
  Family.toLayer(({ id, children }) =>
    Effect.map(
      Effect.forEach(
        Array.from({ length: children }, (_, item) => item),
        (item) => Trivial.execute({ id: `${id}/${item}`, value: item }),
        { concurrency: "unbounded" }
      ),
      (all) => all.length
    )
  )
)

export const open = async ({ folder }) => {
  const layer = workflows.pipe(
    Layer.provideMerge(ClusterWorkflowEngine.layer),
    Layer.provide(SingleRunner.layer({ runnerStorage: "sql" })),
    // Its client opens in WAL and leaves `synchronous` at NORMAL: held against FULL, it must be as durable.
    Layer.provide(Layer.effectDiscard(Effect.flatMap(SqlClient.SqlClient, (sql) => sql`PRAGMA synchronous = FULL`))),
    Layer.provide(SqliteClient.layer({ filename: join(folder, "workflows.db") })),
    Layer.provideMerge(Logger.minimumLogLevel(LogLevel.Error))
  )
  const runtime = ManagedRuntime.make(layer)
  await runtime.runPromise(Effect.void)
  const run = (effect) => runtime.runPromise(effect)
  return {
    complete: (id, value) => run(Trivial.execute({ id, value })),
    wait: (id) => run(Effect.asVoid(Waiter.execute({ id }, { discard: true }))),
    signal: (id, value) =>
      run(
        Effect.flatMap(Waiter.executionId({ id }), (executionId) =>
          DurableDeferred.succeed(Go, {
            token: DurableDeferred.tokenFromExecutionId(Go, { workflow: Waiter, executionId }),
            value
          })
        )
      ),
    ended: (id) => run(Waiter.execute({ id })),
    family: (id, children) => run(Family.execute({ id, children })),
    close: () => runtime.dispose()
  }
}
