/**
 * W4: a host is killed while many processes wait, the next one opens its file, and each gets its signal at once. How long until the
 * first and the last have ended, and how fast are signals accepted meanwhile, beside a host that nothing happened to?
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as ManyHosts from "../../src/host/ManyHosts.ts"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { ofRun, reading } from "./Contest.ts"
import { Dormant, Go, Waiter } from "./execution.ts"
import { loopHeld, loopHeldFigure } from "./HoldWatch.ts"
import { quiet } from "./host.ts"
import { namesOf } from "./multiply.ts"

/** How many signals are under way at once. */
export const callers = 64

/** The ids begin so. */
export const prefix = "w4"

const idOf = namesOf(prefix)

/** Whether the killed host held the leases of those that waited, or they had left its memory. */
export type Waiting = "held" | "left memory"

/** The engine of those that wait so. */
export const engineOf = { held: Waiter, "left memory": Dormant } as const

/** The host of all programs, with the defaults, on a file or on the server of a URL. */
export const hostOn = (database: string) => {
  const engines = [Waiter, Dormant] as const
  const host = URL.canParse(database)
    ? ManyHosts.layerPostgres({ url: database, engines })
    : SingleHost.layerSqlite({ filename: database, engines })
  return Layer.provideMerge(host, quiet)
}

const each = <A, E, R>(processes: number, one: (index: number) => Effect.Effect<A, E, R>) =>
  Effect.forEach(
    Array.from({ length: processes }, (_, index) => index),
    one,
    { concurrency: callers, discard: true }
  )

/** Starts processes, and returns when each of them waits, and has left memory if it is to. */
export const started = (processes: number, waiting: Waiting = "held") =>
  Effect.gen(function* () {
    const host = yield* Processes
    const store = yield* ProcessStore
    const waits = new Set<string>()
    yield* Effect.scoped(
      Effect.gen(function* () {
        yield* store.onCommit((changes) => {
          for (const { row } of changes) {
            if (row.snapshot.context.waits.length > 0) waits.add(row.base.registration.id)
          }
        })
        yield* each(processes, (index) => host.start(engineOf[waiting], { id: idOf(index), payload: null }))
        while (waits.size < processes) yield* Effect.sleep("5 millis")
        while (waiting === "left memory" && (yield* store.leases.holders).length > 0) yield* Effect.sleep("5 millis")
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
    const held = loopHeld()
    const beganAt = performance.now()
    yield* each(processes, (index) => host.handle(Waiter, idOf(index)).signal(Go, index))
    const acceptedMs = performance.now() - beganAt
    while (ended < processes) yield* Effect.sleep("1 millis")
    return {
      firstMs,
      allMs: performance.now() - openedAt,
      acceptedPerSecond: (processes / acceptedMs) * 1_000,
      heldMs: held()
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

/** Runs a program on a host of the file, and closes it. */
export const onHost = <A, E>(filename: string, program: Effect.Effect<A, E, Processes | ProcessStore | Scope.Scope>) =>
  Effect.runPromise(Effect.scoped(Effect.provide(program, hostOn(filename))))

/** Leaves the file of a host that was killed while that many processes waited. */
export const killedWith = async (filename: string, processes: number, waiting: Waiting = "held"): Promise<void> => {
  const kill = await waitingWith(filename, processes, waiting)
  await kill()
}

/** A host in a program of its own, on which that many processes wait; answers what kills it. */
export const waitingWith = async (
  filename: string,
  processes: number,
  waiting: Waiting = "held"
): Promise<() => Promise<void>> => {
  const child = fork(fileURLToPath(new URL("./crashed.js", import.meta.url)), [filename, `${processes}`, waiting], {
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  const ended = once(child, "exit")
  await Promise.race([once(child, "message"), ended])
  return async () => {
    child.kill("SIGKILL")
    await ended
  }
}

/** Figures of W4. */
export const recoveryFigures: ReadonlyArray<FigureSpec> = [
  { name: "first one resumed and ended", unit: "ms", value: reading("firstMs"), target: { of: "figure", max: 500 } },
  { name: "all ended", unit: "ms", value: reading("allMs") },
  {
    name: "signals accepted meanwhile",
    unit: "/s",
    value: reading("acceptedPerSecond"),
    against: ofRun("not killed", "steadyPerSecond"),
    target: { of: "ratio", min: 0.7 }
  },
  { name: "signals accepted by a host that was not killed", unit: "/s", value: reading("steadyPerSecond") },
  loopHeldFigure
]
