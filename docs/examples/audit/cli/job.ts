/**
 * The program's one job: start or resume an audit, show its progress, get a decision on its report, and wait for its end.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { ProcessHandle } from "../../../../src/index.ts"
import { Errors, Processes, SingleHost } from "../../../../src/index.ts"
import type { Totals } from "../report/report.ts"
import { counted, grouped, harmless, shellWord, sizeOf } from "../report/text.ts"
import { draftNames, reportNames } from "../report/writing.ts"
import { ReportRejected } from "../work/Approval.ts"
import { agents } from "../work/agents.ts"
import type { AuditPayload } from "../work/audit.ts"
import { Audit, childId, engines, Listing, readerId } from "../work/audit.ts"
import { ReadBatch } from "../work/batch.ts"
import { choose } from "../work/identity.ts"
import { Progress } from "../work/Progress.ts"
import type { Mode } from "./approval.ts"
import { decide, onceWaiting } from "./approval.ts"
import type { Request } from "./inputs.ts"
import { CannotAudit, lineOf } from "./inputs.ts"
import type { Inspecting } from "./inspecting.ts"
import { inspect } from "./inspecting.ts"
import * as Owners from "./owners.ts"
import * as ProgressBar from "./ProgressBar.ts"
import type { Screen } from "./Screen.ts"
import { allDelivered, sinkOn } from "./sink.ts"

/** Options of the job beside the request. */
export interface JobOptions {
  /** Units: milliseconds. */
  readonly paceMs: number
  readonly mode: Mode
  readonly inspecting: Inspecting
}

/**
 * Does the job on a host of its own, until the report is published or the decision is left to another terminal.
 *
 * Fails with one line that says what is wrong and what to do.
 */
export const run = (
  request: Request,
  screen: Screen,
  { paceMs, ...options }: JobOptions
): Effect.Effect<void, CannotAudit> => {
  const host = SingleHost.layerSqlite({
    filename: request.stateFile,
    engines,
    sessions: agents,
    wakeSink: sinkOn(screen),
    maxConcurrent: 4,
    // Short, for platforms that cannot prove the death of an earlier run: there its leases must expire first.
    leaseTtl: "10 seconds",
    leaseRenewal: "3 seconds"
  }).pipe(Layer.provideMerge(ProgressBar.layer(screen, paceMs)))
  return audit(request, options, screen).pipe(
    Effect.scoped,
    Effect.provide(host),
    Effect.mapError((error) => new CannotAudit({ line: lineOf(error, request.stateFile) }))
  )
}

const audit = (request: Request, { mode, inspecting }: Omit<JobOptions, "paceMs">, screen: Screen) =>
  Effect.gen(function* () {
    const { payload, stateFile } = request
    const processes = yield* Processes
    const { id, unfinished, others } = yield* choose(payload)
    screen.print(`${unfinished ? "resuming" : "starting"} ${id} of ${payload.directory}`)
    for (const other of others) screen.print(`also resuming an unfinished audit of ${other}`)
    screen.print(`to look inside: npx holdfast inspect --db ${shellWord(stateFile)}`)
    // The session of the audit, which its sub-agents wake.
    const wakeTarget = { sessionId: id }
    const handle = yield* processes.start(Audit, { id, payload, label: payload.directory, wakeTarget })
    const served = yield* Effect.forkScoped(inspect(id, screen, inspecting))
    const showing = yield* Effect.forkScoped(
      Effect.all([follow(id), Owners.watch(screen)], { concurrency: "unbounded", discard: true })
    )
    // Waits for the inspector, so that its address is printed before the last lines even of a fast audit.
    const quiet = Effect.all([Fiber.await(served), Fiber.interrupt(showing), Effect.sync(screen.clear)])
    let isDraftShown = false

    const ended = Effect.zipLeft(
      Effect.mapBoth(handle.await, { onSuccess: Option.some, onFailure: said }),
      allDelivered
    )
    const left = onceWaiting(handle).pipe(
      Effect.zipLeft(allDelivered),
      Effect.tap((totals) =>
        Effect.zipRight(
          quiet,
          Effect.sync(() => {
            isDraftShown = true
            for (const line of drafted(payload, totals)) screen.print(line)
          })
        )
      ),
      Effect.zipRight(decide(handle, mode, stateFile, screen)),
      Effect.flatMap((isDecided) => (isDecided ? Effect.never : Effect.succeedNone))
    )
    const published = yield* Effect.raceFirst(ended, left)
    yield* quiet
    if (Option.isNone(published)) return
    const { totals, approved, by } = published.value
    if (!approved) return yield* new ReportRejected({ by })
    if (!isDraftShown) screen.print(totalsLine(totals))
    screen.print(
      `written: ${reportNames.json} and ${reportNames.markdown} in ${payload.out}; approved by ${harmless(by)}`
    )
  })

/** An audit that failed says what its child failed with, as a person is to read it. */
const said = <E extends { readonly _tag: string }>(error: E): E | CannotAudit =>
  error instanceof Errors.ProcessFailed && error.output._tag === "Failure"
    ? new CannotAudit({ line: error.output.message })
    : error

/** Reports the progress of an audit from its records, so that bodies in other programs count as well. */
const follow = (auditId: string) =>
  Effect.gen(function* () {
    const processes = yield* Processes
    const progress = yield* Progress
    const listing = yield* onceStarted(processes.handle(Listing, childId(readerId(auditId), "listing")).await)
    const batches = listing.shares.flatMap((share) =>
      share.batches.map(({ name, files }) => {
        const id = childId(childId(readerId(auditId), share.name), name)
        return { id, files: files.length, child: processes.handle(ReadBatch, id) }
      })
    )
    const before = yield* Effect.filter(batches, ({ child }) => isCompleted(child), { concurrency: 16 })
    yield* progress.planned(batches, new Set(before.map(({ id }) => id)))
    const watch = ({ id, child }: (typeof batches)[number]) =>
      onceStarted(child.await).pipe(
        Effect.zipRight(progress.batchDone(id)),
        Effect.zipRight(Effect.logDebug(`recorded ${id}`))
      )
    yield* Effect.forEach(batches, watch, { concurrency: 16, discard: true })
  }).pipe(Effect.catchAll((error) => Effect.logDebug(`stopped following the audit: ${error.message}`)))

const isCompleted = <A, E>({ status }: ProcessHandle.ProcessHandle<A, E>) =>
  status.pipe(
    Effect.map((record) => record.status._tag === "Completed"),
    Effect.catchTag("ProcessUnknown", () => Effect.succeed(false))
  )

/** Waits for a child even if its parent has not started it yet. */
const onceStarted = <A, E extends { readonly _tag: string }>(wait: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.retry(wait, {
    while: (error) => error._tag === "ProcessUnknown",
    schedule: Schedule.spaced(Duration.millis(50))
  })

const drafted = ({ out }: AuditPayload, totals: Totals): ReadonlyArray<string> => [
  totalsLine(totals),
  `drafted: ${draftNames.json} and ${draftNames.markdown} in ${out}; not approved yet`
]

const totalsLine = (totals: Totals): string =>
  `${counted(totals.files, "file")}, ${counted(totals.lines, "line")}, ${sizeOf(totals.bytes)}: ${grouped(totals.todos)} TODO, ${grouped(totals.fixmes)} FIXME, ${counted(totals.secrets, "likely secret")}, ${grouped(totals.unread)} not read`
