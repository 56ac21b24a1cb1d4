/**
 * The recovery sweep: finds processes that should run and do not, and does what the verdict table says about each row.
 *
 * It looks at due rows without a holder, and at the rows of holders that are proven dead; its cost grows with those, not with
 * the number of processes. No row waits for another: a parent that waits for its child delays no other row.
 */
import * as Arr from "effect/Array"
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
import type { InputInvalid, ProcessPruned, ProcessUnknown, StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { LeaseOwner } from "../model/Lease.ts"
import * as Checks from "../operations/checks.ts"
import { existingRow } from "../operations/existing.ts"
import { deadHolder, OwnerLiveness } from "../operations/OwnerLiveness.ts"
import { workScheduler } from "../runtime/body/fairScheduler.ts"
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
    /**
     * Looks at one row now, whether or not it is due, and says what became of it.
     *
     * Fails with `ProcessUnknown`, or with `ProcessPruned`, when there is no row.
     */
    readonly recoverNow: (
      id: ProcessId
    ) => Effect.Effect<RowReport, ProcessUnknown | ProcessPruned | InputInvalid | StoreError>
    /** Makes the loop look at once. It does nothing while the loop is off. */
    readonly wake: Effect.Effect<void>
    /** The last sweep that finished, and the problem of the last one that did not. */
    readonly latest: Effect.Effect<LatestSweeps>
    /** Calls `listener` after every sweep that finished; it must neither throw nor wait. */
    readonly onReport: (listener: (report: SweepReport) => void) => Effect.Effect<void, never, Scope.Scope>
    /** Sweeps at the start, at the interval, and when woken; for the supervision tree to run. */
    readonly run: Effect.Effect<never>
  }
>() {}

/** What is remembered of earlier sweeps. Units: epoch milliseconds, UTC. */
export interface LatestSweeps {
  readonly report?: SweepReport
  /** The last ones that found anything, newest first, at most {@link maxRemembered}. */
  readonly eventful: ReadonlyArray<SweepReport>
  readonly failure?: { readonly atMs: number; readonly problem: string }
}

/** How many eventful sweeps are remembered. */
export const maxRemembered = 20

/** How many due rows one sweep takes. */
export const maxRows = 10_000

/** How many rows are looked at side by side, so that their writes share commits. */
const breadth = 64

/** How many rows are kept from other hosts at a time. */
const mostKept = 256

/**
 * How long this host passes over a row that another one keeps: a host that has come to a stop in the middle of its sweep must not hold
 * up what it keeps. Units: milliseconds.
 */
const longestKeptMs = 1_000

/** A sweep that hands each row to `worker`. */
export const make = (
  worker: Pick<typeof Worker.Service, "owner"> & {
    readonly recover: (id: ProcessId, dead: ReadonlyArray<LeaseOwner>) => ReturnType<typeof Worker.Service.recover>
  }
): Effect.Effect<typeof RecoverySweep.Service, never, ProcessStore | OwnerLiveness | RuntimeConfig> =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const liveness = yield* OwnerLiveness
    const { sweepIntervalMs } = yield* RuntimeConfig
    /** Rows that this host cannot run, though perhaps another: logged once, and looked at less and less often. */
    const unrunnable = new Map<ProcessId, BackedOff>()
    const logged: SweepReports.Logged = { unrunnable, deadLeases: new Map() }
    const inbox = Inboxes.make<SweepEvent>()
    const oneAtATime = Effect.unsafeMakeSemaphore(1)
    const listeners = Listeners.make<SweepReport>()
    let latest: LatestSweeps = { eventful: [] }
    let latestMs = 0

    /** The rows of holders whose death is proven, each with its holder. Liveness is asked once for each holder. */
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
      // A clock that was set back must not hide what was due already. The store decides whether a lease has expired.
      const nowMs = Math.max(latestMs, yield* Clock.currentTimeMillis)
      latestMs = nowMs
      // Rows that cannot run here must not hide those behind them.
      const limit = maxRows + unrunnable.size
      const due = yield* store.due({ nowMs, limit })
      const all = new Set([...dead.rows.keys(), ...due])
      // A row that is not due any more went on elsewhere: forget it.
      if (due.length < limit) for (const id of unrunnable.keys()) if (!all.has(id)) unrunnable.delete(id)
      const ids = [...all].filter((id) => (unrunnable.get(id)?.untilMs ?? 0) <= nowMs)
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

    /** Since when rows were passed over that another host keeps. */
    const passedOver = new Map<ProcessId, number>()

    type LookAt = (ids: ReadonlyArray<ProcessId>) => Effect.Effect<ReadonlyArray<RowReport>>

    /** Looks at rows of which no other host does at the same time; then at those that another one did, and left. */
    const apart = Effect.fnUntraced(function* (
      reserve: NonNullable<typeof store.reserve>,
      ids: ReadonlyArray<ProcessId>,
      nowMs: number,
      lookAt: LookAt
    ) {
      const rows: Array<RowReport> = []
      const left = new Set(ids)
      for (let round = 0; round < 2; round++) {
        for (const page of Arr.chunksOf([...left], mostKept)) {
          const looked = Effect.flatMap(reserve(page, nowMs), (own) => {
            for (const id of own) left.delete(id)
            return lookAt(own)
          })
          rows.push(...(yield* Effect.scoped(looked)))
        }
      }
      for (const id of passedOver.keys()) if (!left.has(id)) passedOver.delete(id)
      for (const id of left) if (!passedOver.has(id)) passedOver.set(id, nowMs)
      const overdue = [...passedOver].flatMap(([id, sinceMs]) => (nowMs - sinceMs >= longestKeptMs ? [id] : []))
      return [...rows, ...(yield* lookAt(overdue))]
    })

    const act = ({ dead, ids, nowMs }: Effect.Effect.Success<typeof find>) =>
      Effect.gen(function* () {
        const lookAt: LookAt = (some) =>
          Effect.forEach(some, (id) => look(id, dead.rows.get(id)), { concurrency: breadth })
        // The rows of dead holders are not due yet: they cannot be kept.
        const [free, held] = Arr.partition(ids, (id) => dead.rows.has(id))
        const rows =
          store.reserve === undefined
            ? yield* lookAt(ids)
            : [...(yield* lookAt(held)), ...(yield* apart(store.reserve, free, nowMs, lookAt))]
        const report = SweepReports.make(nowMs, yield* Clock.currentTimeMillis, dead.holders, rows)
        yield* SweepReports.log(report, logged)
        for (const row of rows) {
          if (SweepReports.isUnrunnable(row)) unrunnable.set(row.id, longer(unrunnable.get(row.id), nowMs))
          else unrunnable.delete(row.id)
        }
        const { eventful } = latest
        latest = {
          report,
          eventful: SweepReports.isEventful(report) ? [report, ...eventful].slice(0, maxRemembered) : eventful
        }
        listeners.publish(report)
        return report
      })

    /** Thousands of rows are looked at in many turns of the event loop: callers have theirs in between. */
    const fairly = (rows: Effect.Effect.Success<typeof find>) => Effect.withScheduler(act(rows), workScheduler)

    const noteFailure = (error: StoreError) =>
      Effect.flatMap(Clock.currentTimeMillis, (atMs) => {
        latest = { ...latest, failure: { atMs, problem: error.message } }
        return Effect.logError(`sweep failed, a later one tries again: ${error.message}`)
      })

    const sweep = oneAtATime.withPermits(1)(Effect.flatMap(find, fairly)).pipe(Effect.tapError(noteFailure))

    /** Interprets the sweep machine; a new alarm replaces the one before. */
    const run = Effect.gen(function* () {
      let { snapshot, commands } = Step.begin(sweepMachine, { intervalMs: sweepIntervalMs })
      let alarm: Fiber.RuntimeFiber<void> | undefined
      let found: Effect.Effect.Success<typeof find> | undefined
      // The first round is due at once: the work of an earlier host should not wait.
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
              if (found !== undefined) yield* oneAtATime.withPermits(1)(fairly(found))
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
          const row = yield* existingRow(store, yield* Checks.id(id))
          return SweepReports.rowReport(id, yield* worker.recover(id, yield* deadHolder(liveness, row, worker.owner)))
        }),
      wake: Effect.sync(() => inbox.offer({ type: "sweep.woken" })),
      latest: Effect.sync(() => latest),
      onReport: listeners.subscribe,
      run: run as Effect.Effect<never> // it never returns
    })
  })

/** A sweep for the worker in context. */
export const layer: Layer.Layer<RecoverySweep, never, ProcessStore | Worker | OwnerLiveness | RuntimeConfig> =
  Layer.effect(RecoverySweep, Effect.flatMap(Worker, make))

interface BackedOff {
  readonly times: number
  readonly untilMs: number
}

/** At most ten seconds: what another program asks of the row meanwhile should not wait longer. */
const longer = (before: BackedOff | undefined, nowMs: number): BackedOff => {
  const times = (before?.times ?? 0) + 1
  return { times, untilMs: nowMs + BackOff.delayMs({ baseMs: 1_000, maxMs: 10_000 }, times) }
}
