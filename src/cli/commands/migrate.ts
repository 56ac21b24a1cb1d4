/**
 * `holdfast migrate`: takes the processes of earlier versions of a machine over, as the engines of a module say.
 *
 * Each process moves in a transaction of its own, also while a host has the file open. What moved runs where its new version is.
 */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { InputInvalid, StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Chart, Unknown } from "../../operations/decisions/chartStep.ts"
import { migrateAll } from "../../operations/migration.ts"
import { allCharts } from "../../runtime/engine/EngineRegistry.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { allRows, change, watched } from "../database.ts"
import { enginesOf } from "../hostModule.ts"
import * as Shared from "../options.ts"
import { printAll } from "../rows.ts"
import type { Screen } from "../Screen.ts"
import { incomplete, TheScreen } from "../Screen.ts"
import { harmless, table } from "../table.ts"

const options = {
  file: Shared.word("file", "The database file. Default: what --db or HOLDFAST_DB says.").pipe(Args.optional),
  db: Shared.db,
  json: Shared.json,
  engines: Shared.text(
    "engines",
    "module",
    "A module that exports the engines of the new versions. It is imported, so it must start no host."
  ),
  dryRun: Options.boolean("dry-run").pipe(
    Options.withDescription("Show what would become of each process, and change nothing.")
  ),
  batch: Shared.positive("batch", "How many processes are read at a time. Default: 100.").pipe(
    Options.withDefault(100)
  ),
  maxLength: Shared.positive("max-length", "How long a value may be as JSON, as the host has it.").pipe(
    Options.optional
  ),
  halfSurrogates: Options.choice("half-surrogates", ["refuse", "replace"] as const).pipe(
    Options.withDescription("What becomes of half a surrogate pair, as the host has it. Default: refuse."),
    Options.withDefault("refuse" as const)
  )
}

/** The command. */
export const command = Command.make(
  "migrate",
  options,
  ({ file, db, json, engines, dryRun, batch, maxLength, halfSurrogates }) =>
    Effect.gen(function* () {
      const limits = {
        halfSurrogates,
        ...Option.match(maxLength, { onNone: () => ({}), onSome: (maxLength) => ({ maxLength }) })
      }
      const charts = allCharts(yield* enginesOf(engines)).map((chart) => chart.under(limits))
      yield* change(
        Option.orElse(file, () => db),
        Effect.gen(function* () {
          const screen = yield* TheScreen
          const fates = yield* Effect.provideServiceEffect(
            Effect.map(Effect.forEach(kindsOf(charts), migrated(charts, { dryRun, batch })), (all) => all.flat()),
            ProcessStore,
            watched(screen, dryRun ? "trying" : "migrating")
          )
          yield* screen.progress("")
          const kept = fates.filter(({ why }) => why !== undefined).length
          if (json) yield* screen.json({ dry_run: dryRun, processes: fates.map(wireOf) })
          else if (fates.length > 0) yield* printAll(screen, fateTable(screen, fates, dryRun))
          yield* screen.remark(`${fates.length - kept} ${dryRun ? "would move" : "moved"}, ${kept} stay`)
          if (kept > 0) return yield* incomplete(`${kept} of ${fates.length} processes stay in their version`)
        })
      )
    })
).pipe(
  Command.withDescription(
    "Take the processes of earlier versions of machines over, as the engines of a module say. Exit code 4 if some stay."
  )
)

/** What becomes of a process. `why`: it stays, for this reason. */
interface Fate {
  readonly id: ProcessId
  readonly kind: string
  readonly from: string
  readonly to: string
  readonly why?: string
  readonly unknown?: Unknown
}

const kindsOf = (charts: ReadonlyArray<Chart>): ReadonlyArray<string> => [...new Set(charts.map(({ kind }) => kind))]

/** Migrates the processes of one kind; those that no engine has a word about stay, too, and are named. */
const migrated =
  (charts: ReadonlyArray<Chart>, how: { readonly dryRun: boolean; readonly batch: number }) =>
  (kind: string): Effect.Effect<ReadonlyArray<Fate>, InputInvalid | StoreError, ProcessStore> =>
    Effect.gen(function* () {
      const own = charts.filter((chart) => chart.kind === kind)
      const rows = yield* allRows({ identityKind: kind, status: "running" })
      const versions = new Map(
        rows.flatMap(({ base, snapshot: { context } }) =>
          context.chart === undefined ? [] : [[base.registration.id, context.chart.definition.version] as const]
        )
      )
      const fates = yield* Effect.forEach(own, (chart) =>
        Effect.map(migrateAll(chart, how), ({ moved, kept, unknown }): ReadonlyArray<Fate> => {
          const fate = (id: ProcessId) => ({ id, kind, from: versions.get(id) ?? "", to: chart.definition.version })
          return [
            ...moved.map((id): Fate => {
              const left = unknown.find((one) => one.id === id)
              return { ...fate(id), ...(left === undefined ? {} : { unknown: left }) }
            }),
            ...kept.map(({ id, why }): Fate => ({ ...fate(id), why }))
          ]
        })
      )
      const known = new Set(own.flatMap(({ definition, migrates }) => [definition.version, ...migrates]))
      const others = [...versions].flatMap(([id, from]): ReadonlyArray<Fate> => {
        const why = `no engine of the module has version ${from}, or migrates it`
        return known.has(from) ? [] : [{ id, kind, from, to: from, why }]
      })
      return [...fates.flat(), ...others]
    })

const fateTable = (screen: Screen, fates: ReadonlyArray<Fate>, dryRun: boolean): ReadonlyArray<string> =>
  table(
    screen,
    [
      { title: "ID", yields: 4, least: 12 },
      { title: "KIND", yields: 3, least: 6 },
      { title: "FROM", yields: 9, least: 4 },
      { title: "TO", yields: 9, least: 2 },
      { title: "WHAT BECOMES OF IT", yields: 1, least: 18 }
    ],
    fates.map(({ id, kind, from, to, why, unknown }) => [
      harmless(id),
      harmless(kind),
      harmless(from),
      harmless(to),
      why === undefined
        ? { text: harmless(`${dryRun ? "would move" : "moved"}${leftText(unknown)}`), paint: "good" as const }
        : { text: harmless(`stays: ${why}`), paint: "warn" as const }
    ])
  )

const leftText = (unknown: Unknown | undefined): string => {
  const { timers = [], children = [] } = unknown ?? {}
  const named = [
    ...(timers.length === 0 ? [] : [`timers ${timers.join(", ")}`]),
    ...(children.length === 0 ? [] : [`children ${children.join(", ")}`])
  ]
  return named.length === 0 ? "" : `; unknown to the new version, and kept: ${named.join("; ")}`
}

const wireOf = ({ id, kind, from, to, why, unknown }: Fate): unknown => ({
  process_id: id,
  kind,
  from,
  to,
  outcome: why === undefined ? "moved" : "kept",
  ...(why === undefined ? {} : { why }),
  ...(unknown === undefined ? {} : { unknown: { timers: unknown.timers, children: unknown.children } })
})
