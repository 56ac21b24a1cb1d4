/**
 * What a page that follows costs its host: 1,000 events a second, by turns with and without a subscriber in another program.
 *
 * The inspector is served in either case; only the subscriber comes and goes.
 */
import { strict as assert } from "node:assert"
import { fork } from "node:child_process"
import { fileURLToPath } from "node:url"
import * as Effect from "effect/Effect"
import * as Inspector from "../../src/inspector/Inspector.ts"
import type { FigureSpec, Run } from "./Contest.ts"
import { ofRun, reading } from "./Contest.ts"
import { repeatedly } from "./host.ts"
import { append, inspectedHost, nameAt, populate, population, thousandASecond } from "./inspectedHost.ts"
import { median, quantile } from "./statistics.ts"
import type { Order } from "./subscriber.ts"

/** How many turns each of the two has within a run. */
const turns = 5

/** How many callers append without a pause in the contest for the most that is possible. */
const callers = 64

/** Measures `alone…` and `followed…`: `PerSecond`, `P50Ms`, `P99Ms`, `CpuUs` (of one event), at 1,000 events a second. */
export const measureSubscription = (folder: string, seconds: number): Promise<Run> =>
  Effect.runPromise(Effect.scoped(byTurns(paced(seconds))).pipe(Effect.provide(inspectedHost(folder))))

/** Measures the same for callers that append without a pause. */
export const measureSaturated = (folder: string, seconds: number): Promise<Run> =>
  Effect.runPromise(Effect.scoped(byTurns(unpaced(seconds))).pipe(Effect.provide(inspectedHost(folder))))

/** Figures of either: what is alone, and what is followed against it. */
export const subscriptionFigures = (targets: {
  readonly perSecond?: FigureSpec["target"]
  readonly p50?: FigureSpec["target"]
}): ReadonlyArray<FigureSpec> =>
  [
    { name: "events", unit: "events/s", key: "PerSecond", target: targets.perSecond },
    { name: "one append, p50", unit: "ms", key: "P50Ms", target: targets.p50 },
    { name: "one append, p99", unit: "ms", key: "P99Ms", target: undefined },
    { name: "CPU time of the host", unit: "us/event", key: "CpuUs", target: undefined }
  ].flatMap(
    ({ name, unit, key, target }): ReadonlyArray<FigureSpec> => [
      { name: `${name}, alone`, unit, value: reading(`alone${key}`) },
      {
        name: `${name}, one follows`,
        unit,
        value: reading(`followed${key}`),
        against: ofRun("alone", `alone${key}`),
        ...(target === undefined ? {} : { target })
      }
    ]
  )

interface Stretch {
  readonly PerSecond: number
  readonly P50Ms: number
  readonly P99Ms: number
  readonly CpuUs: number
}

/** Lets a stretch run by turns alone and followed, and takes the median of each. */
const byTurns = <R>(stretch: Effect.Effect<Stretch, unknown, R>) =>
  Effect.gen(function* () {
    const { port, token, clients } = yield* Inspector.Inspector
    const subscriber = yield* subscribing
    yield* populate
    yield* stretch
    const stretches: Record<"alone" | "followed", Array<Stretch>> = { alone: [], followed: [] }
    for (let turn = 0; turn < turns * 2; turn++) {
      // Who begins changes from pair to pair: what grows with time, grows for both.
      const isFollowed = turn % 4 === 1 || turn % 4 === 2
      if (isFollowed) subscriber.follow({ address: `http://127.0.0.1:${port}/api/changes`, token })
      yield* until(() => clients() === (isFollowed ? 1 : 0))
      stretches[isFollowed ? "followed" : "alone"].push(yield* stretch)
      if (!isFollowed) continue
      const messages = yield* Effect.promise(subscriber.stop)
      assert.ok(messages > 5, `only ${messages} messages came to who followed`)
    }
    return Object.fromEntries(
      Object.entries(stretches).flatMap(([who, all]) =>
        (["PerSecond", "P50Ms", "P99Ms", "CpuUs"] as const).map((key) => [
          `${who}${key}`,
          median(all.map((one) => one[key]))
        ])
      )
    )
  })

/** One stretch of time: what was appended in it, and how long each took. */
const stretchOf = <R>(work: (noted: (ms: number) => void) => Effect.Effect<unknown, unknown, R>) =>
  Effect.gen(function* () {
    const tookMs: Array<number> = []
    const cpuBefore = process.cpuUsage()
    const startedAtMs = performance.now()
    yield* work((ms) => tookMs.push(ms))
    const elapsedMs = performance.now() - startedAtMs
    const { user, system } = process.cpuUsage(cpuBefore)
    return {
      PerSecond: (tookMs.length * 1_000) / elapsedMs,
      P50Ms: quantile(tookMs, 0.5),
      P99Ms: quantile(tookMs, 0.99),
      CpuUs: (user + system) / tookMs.length
    }
  })

/** A stretch at 1,000 events a second. Units: seconds. */
const paced = (seconds: number) =>
  stretchOf((noted) => Effect.timeoutOption(thousandASecond(noted), `${seconds} seconds`))

/** A stretch of as many events as can be. Units: seconds. */
const unpaced = (seconds: number) =>
  stretchOf((noted) => {
    let sent = 0
    const one = Effect.suspend(() => {
      const startedAtMs = performance.now()
      return Effect.map(append(nameAt(sent++ % population)), () => noted(performance.now() - startedAtMs))
    })
    return repeatedly(one, callers, seconds)
  })

/** The other program, for as long as the scope. */
const subscribing = Effect.acquireRelease(
  Effect.sync(() => {
    const child = fork(fileURLToPath(new URL("./subscriber.js", import.meta.url)), {
      stdio: ["ignore", "ignore", "inherit", "ipc"]
    })
    const say = (order: Order) => child.send(order)
    return {
      follow: (stream: NonNullable<Order["follow"]>) => say({ follow: stream }),
      stop: () =>
        new Promise<number>((resolve) => {
          child.once("message", (answer) => resolve((answer as { readonly messages: number }).messages)) // as it says
          say({ follow: null })
        }),
      end: () => child.disconnect()
    }
  }),
  ({ end }) => Effect.sync(end)
)

const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.zipRight(Effect.sleep("5 millis"), until(holds))))
