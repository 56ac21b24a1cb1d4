/**
 * The recovery sweep: finds what should run and does not, and does what the verdict table says about each row.
 *
 * It looks at rows that are due and held by nobody, and at the rows of holders that are proven dead; its cost grows with
 * those, not with the number of processes. No row waits for another: a parent that waits for its child holds up nothing here.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as BackOff from "../../machines/backOff.ts"
import type { SweepEvent } from "../../machines/sweep.ts"
import { sweepMachine } from "../../machines/sweep.ts"
import * as Step from "../../machines/xstate/step.ts"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import { OwnerLiveness } from "../operations/OwnerLiveness.ts"
import { RuntimeConfig } from "../runtime/RuntimeConfig.ts"
import * as Inboxes from "../runtime/worker/Inbox.ts"
import { Worker } from "../runtime/worker/Worker.ts"
import * as Listeners from "../store/listeners.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import type { DeadHolder, RowReport, SweepReport } from "./SweepReport.ts"
import * as SweepReports from "./SweepReport.ts"

/** Sweeps on demand and in a loop. */
export class RecoverySweep extends Context.Tag("holdfast/supervision/RecoverySweep")<
  RecoverySweep,
  {
    /** Sweeps once, also when the loop is off. Fails with `StoreError` when the store could not be read: ask again. */
    readonly sweep: Effect.Effect<SweepReport, StoreError>
    /** Looks at one row now, whether or not it is due, and says what became of it. */
    readonly recoverNow: (id: ProcessId) => Effect.Effect<RowReport, StoreError>
    /** Makes the loop look at once. It does nothing where the loop is off. */
    readonly nudge: Effect.Effect<void>
    /** The last sweep that finished, and the problem of the last one that did not. */
    readonly latest: Effect.Effect<LatestSweeps>
    /** Calls `listener` after every sweep that finished; it must neither throw nor wait. */
    readonly onReport: (listener: (report: SweepReport) => void) => Effect.Effect<void, never, Scope.Scope>
    /** Sweeps at the start, at the interval, and when nudged, for ever; for the supervision tree to run. */
    readonly run: Effect.Effect<never>
  }
>() {}

/** What is remembered of earlier sweeps. Units: epoch milliseconds, UTC. */
export interface LatestSweeps {
  readonly report?: SweepReport
  /** The last ones that met anything at all, newest first, at most {@link maxRemembered}. */
  readonly eventful: ReadonlyArray<SweepReport>
  readonly failure?: { readonly atMs: number; readonly problem: string }
}

/** How many eventful sweeps are remembered. */
export const maxRemembered = 20

/** How many due rows one sweep takes. */
export const maxRows = 10_000

/** How many rows are looked at side by side, so that their writes share commits. */
const breadth = 64

/** A sweep that hands each row to `worker`. */
export const make = (
  worker: Pick<typeof Worker.Service, "owner" | "recover">
): Effect.Effect<typeof RecoverySweep.Service, never, ProcessStore | OwnerLiveness | RuntimeConfig> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const liveness = yield* OwnerLiveness
    const { sweepIntervalMs } = yield* RuntimeConfig
    /** Rows that cannot run here, though perhaps elsewhere: said once, and looked at less and less often. */
    const stuck = new Map<ProcessId, Stuck>()
    const told: SweepReports.Told = { stuck, dead: new Map() }
    const inbox = Inboxes.make<SweepEvent>()
    const oneAtATime = Effect.unsafeMakeSemaphore(1)
    const listeners = Listeners.make<SweepReport>()
    let latest: LatestSweeps = { eventful: [] }
    let latestMs = 0

    /** The rows of holders whose death is proven, each with its holder. Every holder is asked for once. */
    const deadRows = Effect.gen(function* () {
      const holders = yield* store.leases.holders
      const dead = yield* Effect.filter(holders, ({ owner }) => liveness.isDefinitelyDead(owner, worker.owner))
      const rows = new Map<ProcessId, LeaseOwner>()
      for (const holder of dead) {
        for (const { processId, owner } of yield* store.leases.heldBy(holder)) rows.set(processId, owner)
      }
      return {
        rows,
        holders: dead.map(({ owner, leases }): DeadHolder => ({ ownerId: owner.ownerId, leases }))
      }
    })

    const find = Effect.gen(function* () {
      const dead = yield* deadRows
      // A clock that was set back must not hide what was due already. Whether a lease has expired is the store's to say.
      const nowMs = Math.max(latestMs, yield* Clock.currentTimeMillis)
      latestMs = nowMs
      // Rows that are stuck here must not keep those behind them out of sight.
      const limit = maxRows + stuck.size
      const due = yield* store.due({ nowMs, limit })
      const all = new Set([...dead.rows.keys(), ...due])
      // What is due no more went on elsewhere: nothing is remembered of it.
      if (due.length < limit) for (const id of stuck.keys()) if (!all.has(id)) stuck.delete(id)
      const ids = [...all].filter((id) => (stuck.get(id)?.untilMs ?? 0) <= nowMs)
      return { dead, ids, nowMs }
    })

    const look = (id: ProcessId, dead: LeaseOwner | undefined): Effect.Effect<RowReport> =>
      worker.recover(id, dead === undefined ? [] : [dead]).pipe(
        Effect.map((admission) => SweepReports.rowReport(id, admission)),
        Effect.catchAllCause((cause) => {
          const problem = Cause.squash(cause)
          const text = problem instanceof Error ? problem.message : String(problem)
          return Effect.succeed<RowReport>({ id, _tag: "Deferred", reason: { why: "store_error", problem: text } })
        })
      )

    const act = ({ dead, ids, nowMs }: Effect.Effect.Success<typeof find>) =>
      Effect.gen(function* () {
        const rows = yield* Effect.forEach(ids, (id) => look(id, dead.rows.get(id)), { concurrency: breadth })
        const report = SweepReports.make(nowMs, yield* Clock.currentTimeMillis, dead.holders, rows)
        yield* SweepReports.tell(report, told)
        for (const row of rows) {
          if (SweepReports.isStuck(row)) stuck.set(row.id, longer(stuck.get(row.id), nowMs))
          else stuck.delete(row.id)
        }
        const { eventful } = latest
        latest = {
          report,
          eventful: SweepReports.isEventful(report) ? [report, ...eventful].slice(0, maxRemembered) : eventful
        }
        listeners.publish(report)
        return report
      })

    const noteFailure = (error: StoreError) =>
      Effect.flatMap(Clock.currentTimeMillis, (atMs) => {
        latest = { ...latest, failure: { atMs, problem: error.message } }
        return Effect.logError(`sweep failed, a later one tries again: ${error.message}`)
      })

    const sweep = oneAtATime.withPermits(1)(Effect.flatMap(find, act)).pipe(Effect.tapError(noteFailure))

    /** The loop: the sweep machine, and an alarm that is set anew whenever it asks for one. */
    const run = Effect.gen(function* () {
      let { snapshot, commands } = Step.begin(sweepMachine, { intervalMs: sweepIntervalMs })
      let alarm: Fiber.RuntimeFiber<void> | undefined
      let found: Effect.Effect.Success<typeof find> | undefined
      // The first round is due at once: what an earlier host left behind should not wait.
      if (sweepIntervalMs > 0) inbox.offer({ type: "sweep.due" })
      while (true) {
        for (const command of commands) {
          switch (command.type) {
            case "arm":
              if (alarm !== undefined) yield* Fiber.interruptFork(alarm)
              alarm = yield* Effect.fork(
                Effect.delay(
                  Effect.sync(() => inbox.offer({ type: "sweep.due" })),
                  command.params.delayMs
                )
              )
              break
            case "look":
              inbox.offer(
                yield* find.pipe(
                  Effect.map((rows): SweepEvent => {
                    found = rows
                    return { type: "rows.found", count: rows.ids.length }
                  }),
                  Effect.tapError(noteFailure),
                  Effect.orElseSucceed((): SweepEvent => ({ type: "sweep.failed" }))
                )
              )
              break
            case "act":
              if (found !== undefined) yield* oneAtATime.withPermits(1)(act(found))
              inbox.offer({ type: "sweep.finished" })
          }
        }
        const step = Step.advance(sweepMachine, snapshot, yield* inbox.take)
        snapshot = step.snapshot
        commands = step.commands
      }
    })

    return RecoverySweep.of({
      sweep,
      recoverNow: (id) =>
        Effect.gen(function* () {
          const found = yield* store.find(id)
          const holder = found._tag === "Present" ? found.row.lease.held?.owner : undefined
          const dead = holder !== undefined && (yield* liveness.isDefinitelyDead(holder, worker.owner))
          return SweepReports.rowReport(id, yield* worker.recover(id, dead ? [holder] : []))
        }),
      nudge: Effect.sync(() => inbox.offer({ type: "sweep.woken" })),
      latest: Effect.sync(() => latest),
      onReport: listeners.subscribe,
      run: run as Effect.Effect<never> // it loops for ever
    })
  })

/** A sweep for the worker in context. */
export const layer: Layer.Layer<RecoverySweep, never, ProcessStore | Worker | OwnerLiveness | RuntimeConfig> =
  Layer.effect(RecoverySweep, Effect.flatMap(Worker, make))

interface Stuck {
  readonly times: number
  readonly untilMs: number
}

/** At most ten seconds: what another program asks of the row meanwhile should not wait longer. */
const longer = (before: Stuck | undefined, nowMs: number): Stuck => {
  const times = (before?.times ?? 0) + 1
  return { times, untilMs: nowMs + BackOff.delayMs({ baseMs: 1_000, maxMs: 10_000 }, times) }
}
