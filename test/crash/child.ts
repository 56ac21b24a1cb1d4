/**
 * A host of the laboratory, run as a child process. What it is told stands in one argument, as JSON.
 *
 * usage: node child.js <assignment>
 */
import { existsSync } from "node:fs"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Processes, type SingleHost, SingleHost as SingleHosts, WakeSink } from "../../src/index.ts"
import { WakeDelivery } from "../../src/model.ts"
import { ManyHosts } from "../../src/postgres.ts"
import { Outbox } from "../../src/store.ts"
import * as Engines from "./engines.ts"
import * as SqliteHooks from "./hooks.ts"
import type { Plan, Run } from "./points.ts"
import * as PostgresHooks from "./postgresHooks.ts"
import type { Fact } from "./sideLog.ts"
import { only, read, say } from "./sideLog.ts"
import { drive, ended, sweepUntil } from "./workload.ts"
import type { Driving } from "./zombie.ts"
import { play } from "./zombie.ts"

/** What a child is to do. `database` is a file, or a URL of PostgreSQL with a schema. Paths are absolute; `ttlMs` is in milliseconds. */
export interface Assignment {
  readonly database: string
  readonly sideLog: string
  /** The files by which the laboratory lets held bodies, and the child's own program, go on. */
  readonly gate: string
  readonly next: string
  readonly ttlMs: number
  readonly role:
    | { readonly _tag: "Drive"; readonly run?: Run; readonly plan?: Plan }
    | { readonly _tag: "Zombie"; readonly driving: Driving }
    /** Freezes while it runs owner-bound work, beyond its lease, and goes on with it. */
    | { readonly _tag: "Sleeper" }
    /** Takes over whatever it may, until everything has ended or it is told to leave. */
    | { readonly _tag: "Heir" }
    /** Holds bodies of its own, and tries the store while another host blocks it. */
    | { readonly _tag: "Neighbour" }
}

const assignment = JSON.parse(process.argv[2] ?? "") as Assignment // the laboratory wrote it
const { database, sideLog, gate, next, ttlMs, role } = assignment

const server = URL.canParse(database) ? new URL(database) : undefined
const hooks = server === undefined ? SqliteHooks : PostgresHooks
if (role._tag === "Drive" && role.plan !== undefined) hooks.install(role.plan, sideLog)

const tell = (fact: Fact) => Effect.sync(() => say(sideLog, fact))
const engines = Engines.make(sideLog, gate)

const told = Effect.sync(() => existsSync(next))

const heir = Effect.gen(function* () {
  yield* Deferred.succeed(Engines.services, yield* Effect.context<SingleHost.HostServices>())
  const first = sweepUntil(Effect.succeed(true))
  yield* Effect.zipRight(first, tell({ fact: "ready" }))
  yield* Effect.raceFirst(ended, sweepUntil(told))
})

const sleeper = Effect.gen(function* () {
  const processes = yield* Processes
  yield* processes.start(engines.HeldOnce, { id: "calm-once", payload: null })
  const begun = Effect.sync(() => only(read(sideLog), "began").length > 0)
  yield* Effect.repeat(Effect.delay(begun, "10 millis"), { until: (is) => is })
  yield* Effect.sync(() => process.kill(process.pid, "SIGSTOP"))
  yield* ended
})

const neighbour = Effect.gen(function* () {
  yield* Deferred.succeed(Engines.services, yield* Effect.context<SingleHost.HostServices>())
  const processes = yield* Processes
  yield* processes.start(engines.Held, { id: "calm", payload: null })
  yield* processes.start(engines.HeldOnce, { id: "calm-once", payload: null })
  yield* tell({ fact: "ready" })
  yield* Effect.repeat(Effect.delay(told, "10 millis"), { until: (is) => is })
  const during = processes.start(engines.Step, { id: "during", payload: 2 })
  const listed = yield* Effect.match(processes.listNonTerminal, {
    onFailure: ({ _tag }) => _tag,
    onSuccess: () => "read"
  })
  const write = yield* Effect.match(during, {
    onFailure: (error) => (error._tag === "StoreError" ? `${error.reason}, written: ${error.written}` : error._tag),
    onSuccess: () => "written"
  })
  yield* tell({ fact: "outage", read: listed, write })
  yield* Effect.retry(during, { while: ({ _tag }) => _tag === "StoreError" })
  yield* tell({ fact: "registered", id: "during" })
  yield* drive({ engines, tell })
})

const program = () => {
  switch (role._tag) {
    case "Drive":
      return drive({ engines, tell, ...(role.run === undefined ? {} : { run: role.run }) })
    case "Zombie":
      return play({ database, engines, tell, driving: role.driving, ttlMs })
    case "Sleeper":
      return sleeper
    case "Heir":
      return heir
    case "Neighbour":
      return neighbour
  }
}

const options = {
  engines: Object.values(engines),
  wakeSink: WakeSink.layer((wake) =>
    Effect.as(tell({ fact: "delivered", wakeId: wake.wakeId, source: WakeDelivery.sourceKey(wake) }), {
      _tag: "Delivered"
    } as const)
  ),
  // The workload sweeps when it wants to, so that every commit is where the points expect it.
  sweepInterval: false,
  leaseTtl: ttlMs,
  leaseRenewal: ttlMs / 3
} as const

const host =
  server === undefined
    ? SingleHosts.layerSqlite({
        ...options,
        filename: database,
        synchronous: "NORMAL",
        // What arrives together is one group, however slow the machine is.
        writer: { busyTimeoutMs: role._tag === "Neighbour" ? 300 : 5_000, maxBatchMs: 5_000 }
      })
    : ManyHosts.layerPostgres({ ...options, ...PostgresHooks.whereOf(server) })

// The wakes that a dead host was delivering should not outlast the patience of a trial.
const timings = Layer.succeed(Outbox.WakeTimings, { expiryMs: 3_600_000, claimMs: 600 })

await Effect.runPromise(Effect.provide(program(), Layer.provide(host, timings)))
