/**
 * Appends: how many a second when many callers append at once, and what one costs in a short log and in a long one.
 */
import { strict as assert } from "node:assert"
import * as Effect from "effect/Effect"
import * as EventType from "../../src/model/EventType.ts"
import type { ProcessId } from "../../src/model/ids.ts"
import { processId } from "../../src/model/ids.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import { eventBody, processCount } from "./baseline.ts"
import type { Run } from "./Contest.ts"
import { onHost, repeatedly, warmUpShare } from "./host.ts"
import { quantile } from "./statistics.ts"

/** How many callers append at once. */
const appenders = 64

/** How many events the short log and the long log hold. */
const logLengths = { short: 10, long: 10_000 } as const

/** Appends of the same body as the baseline's, over as many processes, round robin. Measures `perSecond`. Units: seconds. */
export const measureAppends = (folder: string, seconds: number): Promise<Run> =>
  onHost(
    folder,
    { synchronous: "FULL" },
    Effect.gen(function* () {
      const ids = yield* registered("append", processCount)
      let appended = 0
      const next = Effect.suspend(() => append(ids[appended++ % ids.length] as ProcessId)) // the index is in range
      yield* repeatedly(next, appenders, seconds * warmUpShare)
      appended = 0
      const elapsedMs = yield* repeatedly(next, appenders, seconds)
      return { perSecond: (appended * 1_000) / elapsedMs }
    })
  )

/**
 * Single appends, by turns to a short log and to the long one.
 *
 * Measures `shortP50Ms` and `longP50Ms`. With NORMAL: a wait for the disk would be the same for both and hide the difference.
 */
export const measureLogLength = (folder: string): Promise<Run> =>
  onHost(
    folder,
    { synchronous: "NORMAL" },
    Effect.gen(function* () {
      const [long] = yield* registered("long", 1)
      const shorts = yield* registered("short", (warmUp + samples) / perShortLog)
      assert.ok(long)
      yield* grown(shorts, logLengths.short)
      yield* grown([long], logLengths.long)
      const shortMs: Array<number> = []
      const longMs: Array<number> = []
      for (let turn = 0; turn < warmUp + samples; turn++) {
        const short = shorts[Math.floor(turn / perShortLog)] as ProcessId // the index is in range
        const first = yield* timed(append(short))
        const second = yield* timed(append(long))
        if (turn < warmUp) continue
        shortMs.push(first)
        longMs.push(second)
      }
      return { shortP50Ms: quantile(shortMs, 0.5), longP50Ms: quantile(longMs, 0.5) }
    })
  )

/** Appends whose time is not taken, and appends whose time is. */
const warmUp = 100
const samples = 400

/** A log stays short only for a few appends; then the next process takes its place. */
const perShortLog = 5

const payload: unknown = JSON.parse(eventBody)

const append = (id: ProcessId) =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.appendEvent(id, { eventType: "line", payload }, Authority.host)
  )

const timed = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const startedAt = performance.now()
    return Effect.map(effect, () => performance.now() - startedAt)
  })

const eventTypes = [EventType.plain("line")]

/** Processes that somebody else owns: no worker and no sweep has anything to do with them. */
const registered = (name: string, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, index) => processId(`${name}-${index}`)),
    (id) =>
      Effect.flatMap(ProcessRegistry, (registry) =>
        registry.registerProcess({
          ...Registration.make(id, { _tag: "External", metadata: {} }, "externally_owned", Provenance.host),
          eventTypes
        })
      ).pipe(Effect.as(id)),
    { concurrency: 500 }
  )

/** Appends to every process in turn until each log has this many events. */
const grown = (ids: ReadonlyArray<ProcessId>, events: number) =>
  Effect.forEach(
    Array.from({ length: ids.length * events }, (_, index) => ids[index % ids.length] as ProcessId), // in range
    append,
    { concurrency: 500, discard: true }
  )
