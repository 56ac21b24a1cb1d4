/**
 * Sub-agents: one process starts several, waits for as many answers as it needs, and cancels the rest. Each child is a process,
 * so a parent that runs again after a crash attaches to the children it started, and starts none twice.
 *
 * usage: node dist/docs/examples/04-sub-agents.js [database file]
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Engine, Processes, SingleHost } from "../../src/index.ts"

/** Asks one source; the archive never answers. */
const Ask = Engine.make("ask", {
  version: "1",
  payload: Schema.Struct({ source: Schema.String, question: Schema.String }),
  success: Schema.String,
  disposition: "rerunnable",
  run: ({ source, question }, ctx) =>
    source === "archive"
      ? Effect.as(ctx.sleep("1 day"), "too late")
      : ctx.step("answer", Effect.succeed(`${source} on ${question}: yes`))
})

const Research = Engine.make("research", {
  version: "1",
  payload: Schema.Struct({ question: Schema.String }),
  success: Schema.Struct({ answers: Schema.Array(Schema.String), withdrawn: Schema.String }),
  disposition: "rerunnable",
  run: ({ question }, ctx) =>
    Effect.gen(function* () {
      const ask = (source: string) => ctx.start(Ask, { name: source, payload: { source, question } })
      const [wiki, paper, archive] = yield* Effect.all([ask("wiki"), ask("paper"), ask("archive")])

      // Waits for both at once, and releases its slot meanwhile.
      const answers = yield* Effect.all([wiki.await, paper.await], { concurrency: "unbounded" })

      yield* archive.cancel("two answers are enough")
      const end = yield* Effect.flip(archive.await)
      return { answers, withdrawn: end._tag === "ProcessCancelled" ? end.reason : end.message }
    })
})

const program = Effect.gen(function* () {
  const processes = yield* Processes
  const handle = yield* processes.start(Research, { id: "research-1", payload: { question: "statecharts" } })
  const { answers, withdrawn } = yield* handle.await
  for (const answer of answers) yield* Console.log(answer)
  yield* Console.log(`archive: ${withdrawn}`)
})

const filename = process.argv[2] ?? ".holdfast/sub-agents.db"

await Effect.runPromise(Effect.provide(program, SingleHost.layerSqlite({ filename, engines: [Ask, Research] })))
