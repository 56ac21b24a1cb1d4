import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Processes } from "../../src/host/Processes.ts"
import { processId } from "../../src/model/ids.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import type { ExecutionContext } from "../../src/runtime/body/ExecutionContext.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"
import { RecoverySweep } from "../../src/supervision/RecoverySweep.ts"
import { root } from "../support/children.ts"
import { bounded, memory, sqlite, temporaryFolder, until } from "../support/hosts.ts"

const guide = readFileSync(`${root}docs/guide/errors-of-a-body.md`, "utf8")
const [, section = ""] = guide
  .split("\n## ")
  .filter((part) => part.startsWith("Mistakes"))
  .join("")
  .split("|---|---|---|")

/** What the guide tells of each mistake: the first name in its second cell. */
const told = section
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => line.slice(2).split(" | "))
  .map(([mistake = "", by = ""]) => [mistake, /^`(\w+)`/.exec(by)?.[1] ?? ""] as const)

const Go = Signal.make("go", { payload: Schema.Struct({ by: Schema.NonEmptyString }) })
const Stranger = Signal.make("stranger", { payload: Schema.Null })

type Told<R = never> = Effect.Effect<unknown, { readonly _tag: string }, R>

const engineOf = (run: (ctx: ExecutionContext) => Told, version = "1") =>
  Engine.make("engine", {
    version,
    payload: Schema.Null,
    success: Schema.Unknown,
    error: Schema.Struct({ _tag: Schema.String }),
    signals: [Go],
    disposition: "rerunnable",
    run: (_, ctx) => Effect.mapError(run(ctx), ({ _tag }) => ({ _tag }))
  })

const start = (engine: ReturnType<typeof engineOf>, id = "p") =>
  Effect.flatMap(Processes, (processes) => processes.start(engine, { id, payload: null }))

const waiting = engineOf((ctx) => ctx.awaitSignal(Go))

/** What a program is told that does something to a process which waits for `go`. */
const towards = (attempt: (handle: Effect.Effect.Success<ReturnType<typeof start>>) => Told<Processes>) =>
  Effect.provide(Effect.flip(Effect.flatMap(start(waiting), attempt)), memory([waiting]))

/** What a body is told. */
const within = (attempt: (ctx: ExecutionContext) => Told) => {
  const engine = engineOf(attempt)
  return Effect.provide(Effect.flip(Effect.flatMap(start(engine), (handle) => bounded(handle.await))), memory([engine]))
}

/** A process that waits on a file, for what the next host on it has. */
const left = (before: ReturnType<typeof engineOf>) =>
  Effect.tap(
    Effect.map(temporaryFolder, (folder) => `${folder}/left.db`),
    (file) =>
      Effect.gen(function* () {
        yield* start(before)
        const registry = yield* ProcessRegistry
        yield* until(Effect.map(registry.getProcess(processId("p")), (record) => record?.wait !== undefined))
      }).pipe(Effect.provide(sqlite(file, [before])))
  )

let kept: ExecutionContext | undefined

const mistakes: Readonly<Record<string, Effect.Effect<{ readonly _tag: string }, unknown>>> = {
  "a signal that the process does not declare": towards((handle) => handle.signal(Stranger as never, null as never)),
  "a payload that does not fit": towards((handle) => handle.signal(Go, { by: "" })),
  "an id that no process has": towards(() =>
    Effect.flatMap(Processes, (processes) => processes.handle(waiting, "nobody").signal(Go, { by: "ana" }))
  ),
  "a signal to a process that has ended": towards((handle) =>
    handle
      .signal(Go, { by: "ana" })
      .pipe(
        Effect.zipRight(Effect.catchAll(handle.await, (error) => Effect.die(error))),
        Effect.zipRight(handle.signal(Go, { by: "bo" }))
      )
  ),
  "a step outside of a process": Effect.suspend(() => {
    const keeping = engineOf((ctx) => Effect.sync(() => (kept = ctx)).pipe(Effect.as(null)))
    return start(keeping).pipe(
      Effect.flatMap((handle) => bounded(handle.await)),
      Effect.flatMap(() => Effect.flip(kept?.step("late", Effect.void) ?? Effect.void)),
      Effect.provide(memory([keeping]))
    )
  }),
  "a step whose outcome is no JSON": within((ctx) => ctx.step("map", Effect.succeed(new Map()))),
  "a process whose outcome is no JSON": within(() => Effect.succeed(new Map())),
  "an engine or a version that is missing when its process is recovered": Effect.gen(function* () {
    const file = yield* left(waiting)
    const report = yield* Effect.provide(
      Effect.flatMap(RecoverySweep, ({ recoverNow }) => recoverNow(processId("p"))),
      sqlite(file, [engineOf((ctx) => ctx.awaitSignal(Go), "2")])
    )
    assert.deepStrictEqual(report, {
      id: processId("p"),
      _tag: "Deferred",
      reason: { why: "no_engine", kind: "engine", version: "1" }
    })
    return { _tag: report._tag === "Deferred" ? report.reason.why : report._tag }
  }).pipe(Effect.scoped),
  "code that does not fit the journal of its process": Effect.gen(function* () {
    const file = yield* left(waiting)
    const problems: Array<{ readonly _tag: string }> = []
    const changed = Engine.make("engine", {
      version: "1",
      payload: Schema.Null,
      success: Schema.Null,
      signals: [Go],
      disposition: "rerunnable",
      run: (_, ctx) =>
        Effect.tapError(ctx.step(Go.name, Effect.succeed(null)), (error) => Effect.sync(() => problems.push(error)))
    })
    yield* Effect.provide(until(Effect.sync(() => problems.length > 0)), sqlite(file, [changed]))
    return problems[0] ?? { _tag: "none" }
  }).pipe(Effect.scoped),
  "an operation of the context inside a step": within((ctx) => ctx.step("a", ctx.sleep("1 second"))),
  "one step name twice at once": within((ctx) =>
    Effect.all([ctx.step("a", Effect.never), ctx.step("a", Effect.void)], { concurrency: 2 })
  )
}

describe("the mistakes in the guide to the errors of a body", () => {
  it("are the ones that are made here", () => {
    assert.deepStrictEqual(
      told.map(([mistake]) => mistake),
      Object.keys(mistakes)
    )
  })

  for (const [mistake, by] of told) {
    it.live(`${mistake} is told by ${by}`, () =>
      Effect.map(mistakes[mistake] ?? Effect.die("nobody makes it"), ({ _tag }) => assert.strictEqual(_tag, by))
    )
  }
})
