/**
 * Taking over the charts of earlier versions, all at once: what would otherwise happen to each when it next takes an event.
 */
import * as Effect from "effect/Effect"
import type { StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import { migrate } from "./decisions/chart.ts"
import type { Chart } from "./decisions/chartStep.ts"

/** How to take over. */
export interface MigrateOptions {
  /** Writes nothing, and answers what would be. @default false */
  readonly dryRun?: boolean
  /** Hears of each page that is done. */
  readonly onProgress?: (report: MigrationReport) => void
}

/** What became of the processes of earlier versions. */
export interface MigrationReport {
  readonly moved: ReadonlyArray<ProcessId>
  /** Those that stay as they are, and why. An action that is still to be performed is a reason: try again later. */
  readonly kept: ReadonlyArray<{ readonly id: ProcessId; readonly why: string }>
}

const pageSize = 100

/** Takes over every running process whose chart is of a version that this one migrates, each in a transaction of its own. */
export const migrateAll = (
  chart: Chart,
  { dryRun = false, onProgress = () => {} }: MigrateOptions = {}
): Effect.Effect<MigrationReport, StoreError, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) => {
    const one = (id: ProcessId) =>
      Effect.map(
        store.transact(
          { lock: [id] },
          migrate(() => chart, id, dryRun)
        ),
        (progress) => progress?.stuck ?? whyKept(chart, progress?.row)
      )
    const page = (report: MigrationReport, after?: ProcessId): Effect.Effect<MigrationReport, StoreError> =>
      Effect.gen(function* () {
        const filter = { identityKind: chart.kind, status: "running" } as const
        const rows = yield* store.list({ filter, limit: pageSize, ...(after === undefined ? {} : { after }) })
        const moved = [...report.moved]
        const kept = [...report.kept]
        for (const { base, snapshot } of rows) {
          const { id } = base.registration
          if (!chart.migrates.includes(snapshot.context.chart?.definition.version ?? "")) continue
          const why = yield* one(id)
          if (why === undefined) moved.push(id)
          else kept.push({ id, why })
        }
        const done = { moved, kept }
        onProgress(done)
        const last = rows.at(-1)
        return rows.length < pageSize || last === undefined ? done : yield* page(done, last.base.registration.id)
      })
    return page({ moved: [], kept: [] })
  })

const whyKept = ({ definition }: Chart, row: ProcessRow | undefined): string | undefined => {
  const chart = row?.snapshot.context.chart
  if (chart === undefined || chart.definition.version === definition.version) return undefined
  return chart.actions.length > 0 ? "an action is still to be performed" : "it has ended"
}
