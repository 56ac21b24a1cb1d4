/**
 * A store whose writes let charts take their events: what one operation appends, the chart of that process takes in the same
 * transaction, where this program has it.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ProcessStore } from "../store/ProcessStore.ts"
import { advancing } from "./decisions/chart.ts"
import type { ChartOf } from "./decisions/chartDraft.ts"

/** The same store, with the charts that a program has. */
export const over = (store: typeof ProcessStore.Service, chartOf: ChartOf): typeof ProcessStore.Service => {
  const advanced = advancing(chartOf)
  return {
    ...store,
    transact: (plan, decide) => store.transact(plan, (view) => advanced(view, decide(view)))
  }
}

/** The store in context, with the charts that a program has. */
export const layer = (chartOf: ChartOf): Layer.Layer<ProcessStore, never, ProcessStore> =>
  Layer.effect(
    ProcessStore,
    Effect.map(ProcessStore, (store) => over(store, chartOf))
  )
