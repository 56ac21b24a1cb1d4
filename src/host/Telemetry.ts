/**
 * Telemetry of a host: a span for each activation, and metrics that are read now and then.
 *
 * ```
 * layerTracing   below a host  activations are traced with the tracer in context
 * layerMetrics   on a host     gauges are read at an interval, the others follow sweeps and commits
 * ```
 * Invariant: a host without these layers makes no span, registers no metric and reads nothing for them. Nothing here depends on
 * a vendor: whatever exports Effect's tracer and metrics exports these.
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import { InputInvalid } from "../model/errors.ts"
import * as Arguments from "../runtime/arguments.ts"
import { Tracing } from "../runtime/worker/Tracing.ts"
import type { CommitWork } from "../store/ProcessStore.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import { RecoverySweep } from "../supervision/RecoverySweep.ts"
import type { SweepReport } from "../supervision/SweepReport.ts"
import { Host } from "./Host.ts"

/** How metrics are read. */
export interface MetricsOptions {
  /** The pause between two readings. @default "15 seconds" */
  readonly interval?: Duration.DurationInput
}

/** How many due rows are counted at most: more than that is too many in any case. */
export const maxDue = 1_000

/** How many of them are read for the oldest one. */
const maxLooked = 100

const gauge = (name: string, description: string) => Metric.gauge(`holdfast_${name}`, { description })
const counter = (name: string, description: string) =>
  Metric.counter(`holdfast_${name}`, { description, incremental: true })

/** The processes of the store by their state, in the tag `state`. */
export const processes = gauge("processes", "Processes in the store, by state")
/** The bodies of this host, in the tag `state`: `working` or `waiting`. */
export const bodies = gauge("bodies", "Bodies in the memory of this host, by what they do")
/** Bodies that could begin to work at once. */
export const slotsFree = gauge("slots_free", "Bodies that this host could let work at once")
/** Rows that are due and unheld, counted up to {@link maxDue}. */
export const due = gauge("due", "Processes that are due and unheld, at most 1000 are counted")
/** For how long the oldest of the first hundred due rows has been due. Units: seconds. */
export const oldestDueSeconds = gauge("oldest_due_seconds", "How long the oldest due process has been due")
/** For how long the oldest lease of this host has been held. Units: seconds. */
export const leaseAgeSeconds = gauge("lease_age_seconds", "How long the oldest lease of this host has been held")
/** How long the lease of this host that ends first is still good for. Units: seconds. */
export const leaseLeftSeconds = gauge("lease_left_seconds", "How long the first lease of this host to end still runs")
/** Messages for sessions that are owed, in the tag `state`: `pending` or `enqueuing`. */
export const wakes = gauge("wakes", "Messages for sessions that are not delivered yet, by state")
/** Rows that sweeps looked at, in the tag `outcome`: `admitted`, `ended` or `deferred`. */
export const sweepRows = counter("sweep_rows_total", "Rows that sweeps looked at, by what became of them")
/** Sweeps that finished. */
export const sweeps = counter("sweeps_total", "Sweeps that finished")
/** How long sweeps took. Units: seconds. */
export const sweepSeconds = Metric.histogram(
  "holdfast_sweep_seconds",
  MetricBoundaries.exponential({ start: 0.001, factor: 4, count: 8 }),
  "How long sweeps took"
)
/** How many processes each commit of the store's writer changed; those of leases and wakes alone change none. */
export const commitProcesses = Metric.histogram(
  "holdfast_commit_processes",
  MetricBoundaries.exponential({ start: 1, factor: 2, count: 11 }),
  "How many processes a commit changed"
)
/** How long the writer held the lock for each commit, the commit included. Units: seconds. */
export const commitSeconds = Metric.histogram(
  "holdfast_commit_seconds",
  MetricBoundaries.exponential({ start: 0.0001, factor: 3, count: 11 }),
  "How long the writer worked on a commit"
)

/** Traces every activation of the hosts above it with the tracer in context; `@effect/opentelemetry` provides one. */
export const layerTracing: Layer.Layer<never> = Layer.effectContext(
  Effect.map(Effect.tracer, (tracer) => Tracing.context(tracer))
)

/** Reads the metrics of the host in context, for as long as the layer lives. Fails with `InputInvalid` for an interval that is none. */
export const layerMetrics = (
  options: MetricsOptions = {}
): Layer.Layer<never, InputInvalid, Host | RecoverySweep | ProcessStore> =>
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const intervalMs = yield* intervalOf(options)
      const sweep = yield* RecoverySweep
      yield* sweep.onReport(noteSweep)
      const { onCommitWork } = yield* ProcessStore
      if (onCommitWork !== undefined) yield* onCommitWork(noteCommit)
      const read = yield* reader
      yield* read
      yield* Effect.forkScoped(Effect.forever(Effect.delay(read, intervalMs)))
    })
  )

/** The pause between two readings. Units: milliseconds. */
const intervalOf = (given: MetricsOptions): Effect.Effect<number, InputInvalid> =>
  Arguments.refusing(() => {
    const { interval = "15 seconds" } = Arguments.options("options", { interval: true }, given)
    const ms = Arguments.durationMs("interval", interval)
    return Number.isFinite(ms) && ms >= 1
      ? Effect.succeed(ms)
      : Effect.fail(new InputInvalid({ field: "interval", problem: `is ${ms} ms; it must be at least 1 ms, and end` }))
  })

/** Called by the sweep itself, so it only counts. */
const noteSweep = ({ beganAtMs, endedAtMs, admitted, ended, deferred }: SweepReport): void => {
  sweeps.unsafeUpdate(1, [])
  sweepSeconds.unsafeUpdate((endedAtMs - beganAtMs) / 1_000, [])
  for (const [outcome, rows] of Object.entries({ admitted, ended, deferred })) {
    Metric.tagged(sweepRows, "outcome", outcome).unsafeUpdate(rows.length, [])
  }
}

/** Called by the writer itself, so it only counts. */
const noteCommit = ({ changes, busyMs }: CommitWork): void => {
  commitProcesses.unsafeUpdate(changes, [])
  commitSeconds.unsafeUpdate(busyMs / 1_000, [])
}

/** One reading. A store that cannot be read leaves its gauges as they are. */
const reader: Effect.Effect<Effect.Effect<void>, never, Host | ProcessStore> = Effect.gen(function* () {
  const { facts } = yield* Host
  const store = yield* ProcessStore

  const here = Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
    const held = facts.activations()
    const waiting = held.filter(({ isWaiting }) => isWaiting).length
    const leases = held.map(({ lease }) => lease)
    const seconds = (times: ReadonlyArray<number>) => Math.max(0, ...times) / 1_000
    const left = leases.length === 0 ? 0 : Math.min(...leases.map(({ expiresAtMs }) => expiresAtMs - nowMs)) / 1_000
    return Effect.all(
      [
        Metric.set(Metric.tagged(bodies, "state", "working"), held.length - waiting),
        Metric.set(Metric.tagged(bodies, "state", "waiting"), waiting),
        Metric.set(slotsFree, facts.slots().free),
        Metric.set(leaseAgeSeconds, seconds(leases.map(({ claimedAtMs }) => nowMs - claimedAtMs))),
        Metric.set(leaseLeftSeconds, left)
      ],
      { discard: true }
    )
  })

  const stored = Effect.gen(function* () {
    const counts = yield* store.countByLifecycle
    for (const [state, count] of Object.entries(counts)) {
      yield* Metric.set(Metric.tagged(processes, "state", state), count)
    }
    const nowMs = yield* Clock.currentTimeMillis
    const ids = yield* store.due({ nowMs, limit: maxDue })
    const looked = yield* Effect.forEach(ids.slice(0, maxLooked), store.find)
    const since = looked.flatMap((found) =>
      found._tag === "Present" && found.row.dueAtMs !== null ? [nowMs - found.row.dueAtMs] : []
    )
    const { pending, enqueuing } = (yield* store.outbox.report).counts
    yield* Metric.set(Metric.tagged(wakes, "state", "pending"), pending)
    yield* Metric.set(Metric.tagged(wakes, "state", "enqueuing"), enqueuing)
    yield* Metric.set(due, ids.length)
    yield* Metric.set(oldestDueSeconds, Math.max(0, ...since) / 1_000)
  })

  return Effect.all([here, stored], { discard: true }).pipe(
    Effect.catchAll((error) => Effect.logDebug(`metrics were not read: ${error.message}`))
  )
})
