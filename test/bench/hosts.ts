/**
 * W2 on two hosts of one PostgreSQL server: how long after a signal from another program does the body end that waits for it, whether
 * it is in memory or has left it, and how soon is the end known there? And once one of two hosts is killed, how long until the other
 * has taken over what waited there?
 *
 * Each run has a server of its own, with its defaults.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Processes } from "../../src/host/Processes.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"
import { hasPostgres, query, startServer } from "../support/postgres.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { reading } from "./Contest.ts"
import { otherHost, preciseNowMs } from "./elsewhere.ts"
import type { Waiting } from "./recovery.ts"
import { engineOf, hostOn, waitingWith } from "./recovery.ts"
import { quantile } from "./statistics.ts"

/** Why there is no server to be measured. */
export const withoutServer = (): string | undefined => (hasPostgres ? undefined : "no PostgreSQL for this system")

const server = Effect.map(
  Effect.acquireRelease(
    Effect.promise(() => startServer([])),
    ({ stop }) => Effect.promise(stop)
  ),
  ({ url }) => url
)

const cycles = 100

/** What happens on the way of a signal, in its order. Units: epoch milliseconds. */
interface Way {
  readonly sent: number
  readonly accepted: number
  readonly ended: number
  readonly known: number
}

/**
 * Measures `p50Ms` and `p95Ms`, from the call to the commit by which the body, which does nothing else, ends; `knownP95Ms`, from that
 * commit to the answer in the other program; and `acceptedMs`, the median until the call is answered.
 */
export const measureNews = (waiting: Waiting) => (): Promise<Run> => {
  const program = Effect.gen(function* () {
    const url = yield* server
    const host = yield* Layer.build(hostOn(url))
    const [, ...warm] = yield* Effect.provide(signalled(url, waiting), host)
    const between = (from: keyof Way, to: keyof Way, q: number) =>
      quantile(
        warm.map((way) => way[to] - way[from]),
        q
      )
    return {
      p50Ms: between("sent", "ended", 0.5),
      p95Ms: between("sent", "ended", 0.95),
      knownP95Ms: between("ended", "known", 0.95),
      acceptedMs: between("sent", "accepted", 0.5)
    }
  })
  return Effect.runPromise(Effect.scoped(program))
}

const signalled = (url: string, waiting: Waiting) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    const store = yield* ProcessStore
    const other = yield* otherHost(url)
    let ended = Number.NaN
    yield* store.onCommit((changes) => {
      for (const { lifecycle } of changes) {
        if (lifecycle.some(({ type }) => type === "process.completed")) ended = preciseNowMs()
      }
    })
    const ways: Array<Way> = []
    for (let cycle = 0; cycle < cycles; cycle++) {
      const { id } = yield* processes.start(engineOf[waiting], { id: `w2-${cycle}`, payload: null })
      const isReady = Effect.map(
        store.find(id),
        (found) =>
          found._tag === "Present" &&
          found.row.snapshot.context.waits.length > 0 &&
          (found.row.lease.held !== undefined) === (waiting === "held")
      )
      while (!(yield* isReady)) yield* Effect.sleep("1 millis")
      // Not in step with whatever looks at intervals.
      yield* Effect.sleep(20 + ((cycle * 7) % 30))
      const { sentAtMs, acceptedAtMs } = yield* other.signals(id, waiting)
      const known = yield* other.knewAtMs
      ways.push({ sent: sentAtMs, accepted: acceptedAtMs, ended, known })
    }
    return ways
  })

/** Figures of W2 on two hosts. */
export const newsFigures: ReadonlyArray<FigureSpec> = [
  { name: "signal of another program to the end of the body, p50", unit: "ms", value: reading("p50Ms") },
  { name: "the same, p95", unit: "ms", value: reading("p95Ms"), target: { of: "figure", max: 20 } },
  {
    name: "end known to that program, p95",
    unit: "ms",
    value: reading("knownP95Ms"),
    target: { of: "figure", max: 20 }
  },
  { name: "signal accepted, p50", unit: "ms", value: reading("acceptedMs") }
]

/** How many processes wait on the host that is killed. */
const inherited = 10_000

/** Whether the host that goes on can see that the other is dead, or has to wait for its leases, as on another machine. */
type Death = "seen" | "unseen"

/** Measures `firstMs` and `allMs`, from the kill of a host to the take-over of the first and of the last process that waited there. */
export const measureTakeover = (death: Death) => (): Promise<Run> => {
  const program = Effect.gen(function* () {
    const url = yield* server
    const kill = yield* Effect.promise(() => waitingWith(url, inherited))
    yield* Effect.addFinalizer(() => Effect.promise(kill))
    // Opened later: it would take some of them up as they begin.
    yield* Layer.build(hostOn(url))
    yield* Effect.promise(kill)
    const killedAt = performance.now()
    // On connections of its own: the reads of the host wait for what the host does.
    const ask = (text: string) => Effect.promise(() => query(url, text))
    if (death === "unseen") yield* ask(`UPDATE holdfast.lease SET liveness = '{"_tag":"Opaque"}'`)
    yield* ask("CREATE TABLE dead AS SELECT DISTINCT incarnation_id FROM holdfast.lease")
    let firstMs = 0
    while (true) {
      const [row] = yield* ask(
        "SELECT count(*)::int AS taken FROM holdfast.lease WHERE incarnation_id NOT IN (SELECT incarnation_id FROM dead)"
      )
      const { taken } = row as { readonly taken: number } // as selected
      const ms = performance.now() - killedAt
      if (taken > 0) firstMs ||= ms
      if (taken >= inherited) return { firstMs, allMs: ms }
      yield* Effect.sleep("100 millis") // the count is work for the server
    }
  })
  return Effect.runPromise(Effect.scoped(program))
}

/** Figures of a take-over: a lease, which the dead host had just renewed at worst, and five seconds. */
export const takeoverFigures: ReadonlyArray<FigureSpec> = [
  { name: "first one taken over", unit: "ms", value: reading("firstMs") },
  { name: "all taken over", unit: "ms", value: reading("allMs"), target: { of: "figure", max: 35_000 } }
]
