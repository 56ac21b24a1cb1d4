/**
 * Taking over the charts of earlier versions, all at once: what would otherwise happen to each when it next takes an event.
 */
import * as Effect from "effect/Effect"
import type { InputInvalid, StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"
import { migrate } from "./decisions/chart.ts"
import type { Chart, Unknown } from "./decisions/chartStep.ts"

/** How to take over. */
export interface MigrateOptions {
  /** Writes nothing, and answers what would be. @default false */
  readonly dryRun?: boolean
  /** How many processes are read and reported at a time. @default 100 */
  readonly batch?: number
  /** Hears of each batch that is done, with all that was done so far. */
  readonly onProgress?: (report: MigrationReport) => void
}

/** What became of the processes of earlier versions. */
export interface MigrationReport {
  readonly moved: ReadonlyArray<ProcessId>
  /** Those that stay as they are, and why. An action that is still to be performed is a reason: try again later. */
  readonly kept: ReadonlyArray<{ readonly id: ProcessId; readonly why: string }>
  /** What of those that moved the new version does not know, and the migration did not end: it goes on. */
  readonly unknown: ReadonlyArray<{ readonly id: ProcessId } & Unknown>
}

/**
 * Takes over every running process whose chart is of a version that this one migrates, each in a transaction of its own.
 *
 * Fails with `InputInvalid` for an option that is unknown or of no meaning, and moves none then.
 */
export const migrateAll = (
  chart: Chart,
  options: MigrateOptions = {}
): Effect.Effect<MigrationReport, InputInvalid | StoreError, ProcessStore> =>
  Effect.gen(function* () {
    const { dryRun, batch, onProgress } = yield* checked(options)
    const store = yield* ProcessStore
    const one = (id: ProcessId) =>
      Effect.map(
        store.transact(
          { lock: [id] },
          migrate(() => chart, id, dryRun)
        ),
        (progress) => {
          const kept = whyKept(chart, progress?.row)
          const left = progress?.unknown ?? { timers: [], children: [] }
          // One that moved may be stuck in its new version: `explain` says why.
          return { left, why: kept === undefined ? undefined : (progress?.stuck ?? kept) }
        }
      )
    const page = (report: MigrationReport, after?: ProcessId): Effect.Effect<MigrationReport, StoreError> =>
      Effect.gen(function* () {
        const filter = { identityKind: chart.kind, status: "running" } as const
        const rows = yield* store.list({ filter, limit: batch, ...(after === undefined ? {} : { after }) })
        const moved = [...report.moved]
        const kept = [...report.kept]
        const unknown = [...report.unknown]
        for (const { base, snapshot } of rows) {
          const { id } = base.registration
          if (!chart.migrates.includes(snapshot.context.chart?.definition.version ?? "")) continue
          const { why, left } = yield* one(id)
          if (why === undefined) moved.push(id)
          else kept.push({ id, why })
          if (why === undefined && left.timers.length + left.children.length > 0) unknown.push({ id, ...left })
        }
        const done = { moved, kept, unknown }
        onProgress(done)
        const last = rows.at(-1)
        return rows.length < batch || last === undefined ? done : yield* page(done, last.base.registration.id)
      })
    return yield* page({ moved: [], kept: [], unknown: [] })
  })

const known = { dryRun: true, batch: true, onProgress: true } as const

const checked = (options: MigrateOptions): Effect.Effect<Required<MigrateOptions>, InputInvalid> =>
  Effect.gen(function* () {
    const fields = yield* Checks.optionsOf<MigrateOptions>(known, options)
    const { dryRun = false, batch = 100, onProgress = () => {} } = fields
    if (typeof dryRun !== "boolean") return yield* Checks.refuse("dryRun", "must be true or false")
    if (typeof onProgress !== "function") return yield* Checks.refuse("onProgress", "must be a function")
    if ((yield* Checks.count("batch", batch)) === 0) return yield* Checks.refuse("batch", "must be at least 1")
    return { dryRun, batch, onProgress }
  })

const whyKept = ({ definition }: Chart, row: ProcessRow | undefined): string | undefined => {
  const chart = row?.snapshot.context.chart
  if (chart === undefined || chart.definition.version === definition.version) return undefined
  return chart.actions.length > 0 ? "an action is still to be performed" : "it has ended"
}
