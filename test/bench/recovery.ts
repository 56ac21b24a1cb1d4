/**
 * W4: a host is killed while many processes wait, the next one opens its file, and each gets its signal at once. How long until the
 * first and the last have ended, and how fast are signals accepted meanwhile, beside a host that nothing happened to?
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { reading } from "./Contest.ts"
import { Go, Waiter } from "./execution.ts"
import { quiet } from "./host.ts"

/** How many signals are under way at once. */
const callers = 64

const idOf = (index: number): string => `w4-${index}`

/** The host of both programs, with the defaults. */
export const hostOn = (filename: string) =>
  Layer.provideMerge(SingleHost.layerSqlite({ filename, engines: [Waiter] }), quiet)

const each = <A, E, R>(processes: number, one: (index: number) => Effect.Effect<A, E, R>) =>
  Effect.forEach(
    Array.from({ length: processes }, (_, index) => index),
    one,
    { concurrency: callers, discard: true }
  )

/** Starts processes, and returns when each of them waits. */
export const started = (processes: number) =>
  Effect.gen(function* () {
    const host = yield* Processes
    const store = yield* ProcessStore
    const waiting = new Set<string>()
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* store.onCommit((changes) => {
          for (const { row } of changes) {
            if (row.snapshot.context.waits.length > 0) waiting.add(row.base.registration.id)
          }
        })
        yield* each(processes, (index) => host.start(Waiter, { id: idOf(index), payload: null }))
        while (waiting.size < processes) yield* Effect.sleep("5 millis")
      })
    )
  })

/** Signals every process; answers when the first and the last ended, and how fast the signals were accepted. */
const signalled = (processes: number, openedAt: number) =>
  Effect.gen(function* () {
    const host = yield* Processes
    const store = yield* ProcessStore
    let ended = 0
    let firstMs = 0
    yield* store.onCommit((changes) => {
      for (const { row } of changes) {
        if (row.snapshot.status !== "done") continue
        if (ended++ === 0) firstMs = performance.now() - openedAt
      }
    })
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    const beganAt = performance.now()
    yield* each(processes, (index) => host.handle(Waiter, idOf(index)).signal(Go, index))
    const acceptedMs = performance.now() - beganAt
    while (ended < processes) yield* Effect.sleep("1 millis")
    delay.disable()
    return {
      firstMs,
      allMs: performance.now() - openedAt,
      acceptedPerSecond: (processes / acceptedMs) * 1_000,
      heldMs: delay.percentile(99.9) / 1_000_000
    }
  })

/** Measures `firstMs`, `allMs`, `acceptedPerSecond` and `heldMs` after a kill, and `steadyPerSecond` without one. */
export const measureRecovery =
  (processes: number) =>
  async (folder: string): Promise<Run> => {
    const filename = join(folder, "recovery.db")
    await killedWith(filename, processes)
    const openedAt = performance.now()
    const recovered = await onHost(filename, signalled(processes, openedAt))
    const steady = Effect.zipRight(started(processes), signalled(processes, 0))
    const { acceptedPerSecond: steadyPerSecond } = await onHost(join(folder, "steady.db"), steady)
    return { ...recovered, steadyPerSecond }
  }

const onHost = <A, E>(filename: string, program: Effect.Effect<A, E, Processes | ProcessStore | Scope.Scope>) =>
  Effect.runPromise(Effect.scoped(Effect.provide(program, hostOn(filename))))

/** Leaves the file of a host that was killed while that many processes waited. */
const killedWith = async (filename: string, processes: number): Promise<void> => {
  const child = fork(fileURLToPath(new URL("./crashed.js", import.meta.url)), [filename, `${processes}`], {
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  const ended = once(child, "exit")
  await Promise.race([once(child, "message"), ended])
  child.kill("SIGKILL")
  await ended
}

/** Figures of W4. */
export const recoveryFigures: ReadonlyArray<FigureSpec> = [
  { name: "first one resumed and ended", unit: "ms", value: reading("firstMs"), target: { of: "figure", max: 500 } },
  { name: "all ended", unit: "ms", value: reading("allMs") },
  {
    name: "signals accepted meanwhile",
    unit: "/s",
    value: reading("acceptedPerSecond"),
    ratio: (run) => reading("acceptedPerSecond")(run) / reading("steadyPerSecond")(run),
    target: { of: "ratio", min: 0.7 }
  },
  { name: "signals accepted by a host that was not killed", unit: "/s", value: reading("steadyPerSecond") },
  { name: "loop held, p99.9", unit: "ms", value: reading("heldMs"), target: { of: "figure", max: 15 } }
]
