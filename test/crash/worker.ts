/**
 * A host for crash tests, run as a child process: it starts what it is told and appends to a side log, outside the database,
 * whenever a body begins.
 *
 * usage: node worker.js <database> <side log> <start|serve> [count]
 */
import { appendFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Engine, Processes, SingleHost } from "../../src/index.ts"

const [, , filename = "", sideLog = "", mode = "serve", count = "0"] = process.argv

const note = (line: string) => Effect.sync(() => appendFileSync(sideLog, `${line}\n`))

const Step = Engine.make("step", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "rerunnable",
  run: (n, ctx) =>
    Effect.gen(function* () {
      yield* note(`step ${ctx.processId} ${ctx.fencingToken}`)
      yield* Effect.sleep("2 millis")
      return n * n
    })
})

const Once = Engine.make("once", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "owner_bound",
  run: (n, ctx) =>
    Effect.gen(function* () {
      yield* note(`once ${ctx.processId} ${ctx.fencingToken}`)
      yield* Effect.sleep("5 millis")
      return n
    })
})

const Sum = Engine.make("sum", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "rerunnable",
  run: (parts, ctx) =>
    Effect.gen(function* () {
      yield* note(`sum ${ctx.processId} ${ctx.fencingToken}`)
      const indexes = Array.from({ length: parts }, (_, index) => index)
      const children = yield* Effect.forEach(indexes, (n) => ctx.startChild(Step, { name: `part-${n}`, payload: n }))
      const squares = yield* Effect.forEach(children, (child) => child.await, { concurrency: 8 })
      const once = yield* ctx.startChild(Once, { name: "once", payload: 1 })
      const extra = yield* Effect.catchTag(once.await, "ProcessAbandoned", () => Effect.succeed(1))
      return squares.reduce((total, square) => total + square, extra)
    })
})

const program = Effect.gen(function* () {
  const processes = yield* Processes
  if (mode === "start") {
    const sums = Array.from({ length: Number(count) }, (_, index) => index)
    yield* Effect.forEach(sums, (index) => processes.start(Sum, { id: `sum-${index}`, payload: 10 }))
    yield* Effect.sync(() => process.stdout.write("started\n"))
  }
  const remaining = Effect.map(processes.listNonTerminal, (records) => records.length)
  yield* Effect.repeat(Effect.delay(remaining, "20 millis"), { until: (left) => left === 0 })
  yield* Effect.sync(() => process.stdout.write("all done\n"))
})

const host = SingleHost.layerSqlite({
  filename,
  engines: [Step, Once, Sum],
  maxConcurrent: 16,
  leaseTtl: "2 seconds",
  leaseRenewal: "500 millis",
  sweepInterval: "100 millis"
})

await Effect.runPromise(Effect.provide(program, host))
