/**
 * An approval that survives restarts: the first run builds and ends while the release waits, a person approves it from another
 * program at any time, and the next run continues after the wait. Nothing is built twice.
 *
 * usage: node dist/docs/examples/03-approval.js [database file]              starts or resumes it
 *        node dist/docs/examples/03-approval.js [database file] approve ana  approves it, whether a host runs or not
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Engine, Processes, Signal, SingleHost } from "../../src/index.ts"

const Approve = Signal.make("approve", { payload: Schema.Struct({ by: Schema.NonEmptyString }) })

const Release = Engine.make("release", {
  version: "1",
  payload: Schema.Struct({ app: Schema.String }),
  success: Schema.String,
  signals: [Approve],
  disposition: "rerunnable",
  run: ({ app }, ctx) =>
    Effect.gen(function* () {
      const image = yield* ctx.step("build", Effect.as(Console.log(`building ${app}`), `${app}:7`))
      const { by } = yield* ctx.awaitSignal(Approve, { timeout: "3 days" })
      return `released ${image}, approved by ${by}`
    })
})

const id = "release-app-7"

const release = Effect.gen(function* () {
  const processes = yield* Processes
  const handle = yield* processes.start(Release, { id, payload: { app: "app" } })
  // A program with nothing else to do may end: the waiting process is on disk.
  const settled = yield* handle.changes.pipe(
    Stream.filter((record) => record.wait !== undefined || record.status._tag !== "Running"),
    Stream.runHead
  )
  const waits = Option.exists(settled, (record) => record.status._tag === "Running")
  yield* Console.log(waits ? "waiting for an approval" : yield* handle.await)
})

/** Sends the signal from a program that runs no bodies, and so needs neither an engine nor a sweep. */
const approve = (by: string) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    yield* processes.handle(Release, id).signal(Approve, { by }, { id: `approval of ${by}` })
    yield* Console.log(`approved by ${by}`)
  })

const [filename = ".holdfast/approval.db", command, by = "ana"] = process.argv.slice(2)

await (command === "approve"
  ? Effect.runPromise(
      Effect.provide(approve(by), SingleHost.layerSqlite({ filename, engines: [], sweepInterval: false }))
    )
  : Effect.runPromise(Effect.provide(release, SingleHost.layerSqlite({ filename, engines: [Release] }))))
