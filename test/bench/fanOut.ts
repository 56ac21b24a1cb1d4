/**
 * A body that does 5,000 things at once: the first run, a restart, and how long the event loop was held.
 *
 * `node dist/test/bench/fanOut.js [steps|children] [count] [bound]`, in a process of its own; `bound` is how many at most are under
 * way at once, and without it all of them are. The restart reads everything from the file again. What the host does before the body
 * begins is not counted. The baseline is what Effect alone takes to fork as many fibers that end at once, on the scheduler that
 * bodies have: it forks them in one turn of the loop, whatever they do, and no library can take turns in between.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { monitorEventLoopDelay, performance } from "node:perf_hooks"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Processes from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { workScheduler } from "../../src/runtime/body/fairScheduler.ts"
import * as Engine from "../../src/runtime/engine/Engine.ts"
import * as Signal from "../../src/runtime/engine/Signal.ts"

const [, , what = "steps", countText = "5000", bound] = process.argv
const count = Number(countText)
const concurrency = bound === undefined ? ("unbounded" as const) : Number(bound)
const Go = Signal.make("go", { payload: Schema.Null })

const leaf = Engine.make("leaf", {
  version: "1",
  payload: Schema.Number,
  success: Schema.Number,
  disposition: "rerunnable",
  run: (n) => Effect.succeed(n)
})

/** Says when all that the body does at once is done. */
let whenDone = Deferred.unsafeMake<void>(undefined as never)

const wide = Engine.make("wide", {
  version: "1",
  payload: Schema.Null,
  success: Schema.Number,
  signals: [Go],
  disposition: "rerunnable",
  run: (_, ctx) =>
    Effect.gen(function* () {
      const all = yield* Effect.forEach(
        Array.from({ length: count }, (_, n) => n),
        (n) =>
          what === "steps"
            ? ctx.step(`s${n}`, Effect.succeed(n))
            : Effect.flatMap(ctx.start(leaf, { name: `c${n}`, payload: n }), (child) => child.await),
        { concurrency }
      )
      yield* Deferred.succeed(whenDone, undefined)
      yield* ctx.awaitSignal(Go)
      return all.length
    })
})

const folder = mkdtempSync(join(tmpdir(), "holdfast-fan-out-"))
const host = () =>
  SingleHost.layerSqlite({ filename: join(folder, "fan.db"), engines: [wide, leaf], sweepInterval: "50 millis" })

const measured = <A, E, R>(title: string, begin: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const startMs = performance.now()
    yield* begin
    yield* Deferred.await(whenDone)
    const tookMs = performance.now() - startMs
    yield* Effect.sleep("50 millis")
    delay.disable()
    const heldMs = (nanos: number) => (nanos / 1e6).toFixed(1)
    console.log(
      `${title}: ${tookMs.toFixed(0)} ms; loop held at most ${heldMs(delay.max)} ms, 99.9 %: ${heldMs(delay.percentile(99.9))} ms`
    )
    return tookMs
  })

/** The same fan-out without a process: the host is not there. */
const baseline = Effect.gen(function* () {
  whenDone = Deferred.unsafeMake<void>(undefined as never)
  const numbers = Array.from({ length: count }, (_, n) => n)
  // The delay of the loop is measured from the first turn on.
  const forked = Effect.zipRight(
    Effect.delay(
      Effect.forEach(numbers, (n) => Effect.as(Effect.yieldNow(), n), { concurrency }),
      "20 millis"
    ),
    Deferred.succeed(whenDone, undefined)
  ).pipe(Effect.withScheduler(workScheduler))
  return yield* measured(`Effect alone, ${count} fibers`, forked)
})

const main = Effect.gen(function* () {
  yield* baseline
  whenDone = Deferred.unsafeMake<void>(undefined as never)
  const first = yield* Effect.provide(
    Effect.gen(function* () {
      const processes = yield* Processes.Processes
      yield* Effect.sleep("200 millis")
      return yield* measured(`first run, ${count} ${what} at once`, processes.start(wide, { id: "p", payload: null }))
    }),
    host()
  )
  whenDone = Deferred.unsafeMake<void>(undefined as never)
  const again = yield* Effect.provide(measured("restart", Effect.void), host())
  yield* baseline
  console.log(`restart takes ${(again / first).toFixed(2)} times the first run`)
})

await Effect.runPromise(main).finally(() => rmSync(folder, { recursive: true, force: true }))
