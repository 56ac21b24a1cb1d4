/**
 * W2 seen from another program: how long after a signal does a second host on the same file know that the process has ended?
 */
import { fork } from "node:child_process"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Processes } from "../../src/host/Processes.ts"
import * as SingleHost from "../../src/host/SingleHost.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { reading } from "./Contest.ts"
import { Go, Waiter } from "./execution.ts"
import { quiet } from "./host.ts"
import type { Waiting } from "./recovery.ts"
import { quantile } from "./statistics.ts"

const cycles = 60

/** Epoch milliseconds with a fraction: the same for every program on this machine. */
export const preciseNowMs = (): number => performance.timeOrigin + performance.now()

/** Measures `p50Ms` and `p95Ms`, from the signal to the other program's answer, and the same here: `hereP50Ms`. */
export const measureElsewhere = (folder: string): Promise<Run> => {
  const filename = join(folder, "elsewhere.db")
  const program = Effect.gen(function* () {
    const processes = yield* Processes
    const other = yield* otherHost(filename)
    const elsewhereMs: Array<number> = []
    const hereMs: Array<number> = []
    for (let cycle = 0; cycle < cycles; cycle++) {
      const id = `w2-${cycle}`
      const handle = yield* processes.start(Waiter, { id, payload: null })
      yield* other.awaits(id)
      // Not in step with whatever looks at intervals.
      yield* Effect.sleep(20 + ((cycle * 7) % 30))
      const signalledAtMs = preciseNowMs()
      yield* handle.signal(Go, cycle)
      yield* handle.await
      hereMs.push(preciseNowMs() - signalledAtMs)
      elsewhereMs.push((yield* other.knewAtMs) - signalledAtMs)
    }
    const [, ...warm] = elsewhereMs
    return { p50Ms: quantile(warm, 0.5), p95Ms: quantile(warm, 0.95), hereP50Ms: quantile(hereMs, 0.5) }
  })
  const host = SingleHost.layerSqlite({ filename, engines: [Waiter] })
  return Effect.runPromise(Effect.scoped(program).pipe(Effect.provide(Layer.provideMerge(host, quiet))))
}

/** Figures of W2 elsewhere. */
export const elsewhereFigures: ReadonlyArray<FigureSpec> = [
  {
    name: "signal to end, known to another program, p50",
    unit: "ms",
    value: reading("p50Ms"),
    target: { of: "figure", max: 50 }
  },
  { name: "the same, p95", unit: "ms", value: reading("p95Ms") },
  { name: "the same, known here, p50", unit: "ms", value: reading("hereP50Ms") }
]

/** What the other program is asked: to await a process, once it has signalled it where it is said how that waits. */
export interface Order {
  readonly id: string
  readonly signals?: Waiting
}

/** What the other program says: that it awaits a process, that it has signalled it, when it knew of its end. */
export type Answer =
  | { readonly awaits: string }
  | { readonly sentAtMs: number; readonly acceptedAtMs: number }
  | { readonly knewAtMs: number }

/** The other program, for as long as the scope. */
export const otherHost = (database: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = fork(fileURLToPath(new URL("./waiter.js", import.meta.url)), [database], {
        stdio: ["ignore", "ignore", "inherit", "ipc"]
      })
      const answers: Array<Answer> = []
      let heard: ((answer: Answer) => void) | undefined
      child.on("message", (answer: Answer) => {
        if (heard === undefined) answers.push(answer)
        else heard(answer)
      })
      const answer = Effect.async<Answer>((resume) => {
        const known = answers.shift()
        if (known !== undefined) return resume(Effect.succeed(known))
        heard = (next) => {
          heard = undefined
          resume(Effect.succeed(next))
        }
      })
      const asked = (order: Order) =>
        Effect.zipRight(
          Effect.sync(() => child.send(order)),
          answer
        )
      return {
        awaits: (id: string) => asked({ id }),
        /** Signals a process; answers when it did, and when that was accepted. */
        signals: (id: string, waiting: Waiting) =>
          Effect.map(asked({ id, signals: waiting }), (next) =>
            "sentAtMs" in next ? next : { sentAtMs: Number.NaN, acceptedAtMs: Number.NaN }
          ),
        knewAtMs: Effect.map(answer, (next) => ("knewAtMs" in next ? next.knewAtMs : Number.NaN)),
        end: () => child.disconnect()
      }
    }),
    ({ end }) => Effect.sync(end)
  )
