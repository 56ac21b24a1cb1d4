/**
 * The charts that a program has, over a store: what one operation appends, the chart of that process takes in the same
 * transaction.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StateDefinition } from "../../machines/chart/definition.ts"
import { acceptedIn, structureRule } from "../../machines/chart/definition.ts"
import { differences } from "../../machines/chart/difference.ts"
import type { ChartState } from "../../machines/chart/state.ts"
import type { StoreError } from "../model/errors.ts"
import { InputInvalid } from "../model/errors.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import { Limits } from "./checks.ts"
import { advancing } from "./decisions/chart.ts"
import type { Chart, ChartOf } from "./decisions/chartStep.ts"

/** The same store, with the charts that a program has. */
export const over = (store: typeof ProcessStore.Service, chartOf: ChartOf): typeof ProcessStore.Service => {
  const advanced = advancing(chartOf)
  return {
    ...store,
    transact: (plan, decide) => store.transact(plan, (view) => advanced(view, decide))
  }
}

/**
 * The store in context, with the charts that a program has, under the limits in context.
 *
 * Fails with `InputInvalid` when processes began with another structure under the same version: their states may not exist in
 * this one. A version means one structure. Where the structure is the same and its text is another one (an earlier release said
 * less of a machine, or a description has changed), the chart keeps the definition that its processes began with.
 */
export const layer = (
  charts: ReadonlyArray<Chart>,
  chartOf: ChartOf
): Layer.Layer<ProcessStore, InputInvalid | StoreError, ProcessStore> =>
  Layer.effect(
    ProcessStore,
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const limits = yield* Limits
      const limited = new Map(
        yield* Effect.forEach(charts, (chart) =>
          Effect.map(checked(store, chart), (begun) => [chart, { ...chart.under(limits), ...begun }] as const)
        )
      )
      return over(store, (registration) => limited.get(chartOf(registration) as Chart)) // no chart has no other
    })
  )

/** A definition that is stored, as `Chart.body` was made. */
export interface StoredDefinition {
  readonly id: string
  readonly version: string
  readonly structure: StateDefinition
  /** By which rule the structure was made. @default that of releases which did not say so */
  readonly rule?: number
  /** The JSON Schema of what each event carries that may be sent. */
  readonly events: Readonly<Record<string, unknown>>
}

/** The definition that processes of an engine began with under a hash; `undefined` where the store has none. */
export const definitionOf = (
  definitions: (typeof ProcessStore.Service)["definitions"],
  kind: string,
  { version, hash }: Pick<Chart["definition"], "version" | "hash">
): Effect.Effect<StoredDefinition | undefined, StoreError> =>
  Effect.map(definitions.of(kind, version), (stored) => {
    const found = stored.find((definition) => definition.hash === hash)
    return found && definitionIn(found.body)
  })

/** The declared events that the states of a chart take, each with its JSON Schema; one that has ended takes none. */
export const acceptedBy = (
  { structure, events }: StoredDefinition,
  { value, end }: Pick<ChartState, "value" | "end">
): ReadonlyArray<{ readonly type: string; readonly schema: unknown }> =>
  end === undefined
    ? acceptedIn(structure, value, Object.keys(events)).map((type) => ({ type, schema: events[type] }))
    : []

/** The definition that a store keeps as text. */
export const definitionIn = (body: string): StoredDefinition => JSON.parse(body) as StoredDefinition // written from a chart

/** What processes began with under the version of a chart, where its text is another one. */
const checked = (
  store: typeof ProcessStore.Service,
  { kind, definition, body }: Chart
): Effect.Effect<Partial<Pick<Chart, "definition" | "body">>, InputInvalid | StoreError> =>
  Effect.gen(function* () {
    const { version, hash } = definition
    const stored = yield* store.definitions.of(kind, version)
    const { structure } = definitionIn(body)
    for (const other of stored) {
      if (other.hash === hash) continue
      const begun = definitionIn(other.body)
      const lines = differences(begun.structure, structure, begun.rule !== structureRule)
      if (lines.length === 0) continue
      const problem = `is in version ${version} another machine than the one that processes began with (${lines.slice(0, 5).join("; ")}): give it a new version, and \`migrate\` where those are to follow`
      return yield* new InputInvalid({ field: `machine \`${kind}\``, problem })
    }
    const [first] = stored
    return first === undefined || stored.some((other) => other.hash === hash)
      ? {}
      : { definition: { ...definition, hash: first.hash }, body: first.body }
  })
