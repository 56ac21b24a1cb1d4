/**
 * The transitions of a log, taken anew by the machine that took them: what the machine makes of each event must be what is in the log.
 *
 * Invariant: what depends on the moment is left out, such as the deadline of a timer or whether a process took a message; and a
 * transition whose event is no longer known, since its child was pruned, is not taken.
 */
import * as Either from "effect/Either"
import type { ChartTransition } from "../../machines/chart/state.ts"
import { messageOf } from "../model/Failure.ts"
import { isChartInput } from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import { engineOf } from "../model/Registration.ts"
import type { ProcessRow } from "../store/Decision.ts"
import type { Chart, Next } from "./decisions/chartStep.ts"
import * as Step from "./decisions/chartStep.ts"

/** What is known of a log while its transitions are taken anew. */
export interface Retaking {
  /** Takes up the next event of the log, in its order. */
  readonly pass: (event: ProcessEvent) => void
  /** The child whose end a transition takes: its row is needed. */
  readonly childOf: (step: ChartTransition) => ProcessId | undefined
  /**
   * A transition, taken anew. `row` has the snapshot before it, `child` is what `childOf` asks for. `undefined` where no machine of
   * its version is here, or its event is not known any more.
   */
  readonly retaken: (
    row: ProcessRow,
    step: ChartTransition,
    child: ProcessRow | undefined
  ) => Either.Either<Compared, string> | undefined
}

/** A transition as it is in the log and as it was taken anew, without what depends on the moment. */
export interface Compared {
  readonly stored: unknown
  readonly folded: unknown
}

/** Makes what takes the transitions of one log anew, by the machines of its kind; `undefined` where there is none. */
export const make = (charts: ReadonlyArray<Chart>, { base }: ProcessRow): Retaking | undefined => {
  const { kind } = engineOf(base.registration)
  const own = charts.filter((chart) => chart.kind === kind)
  if (own.length === 0) return undefined
  /** Events that are still to be taken, and children that have ended. */
  const inputs = new Map<number, ProcessEvent>()
  const ended = new Set<string>()

  const inputOf = ({ took }: ChartTransition): ProcessEvent | undefined =>
    took === undefined ? undefined : inputs.get(took)

  const childOf: Retaking["childOf"] = (step) => {
    const input = inputOf(step)
    return input && Step.endedChildOf(input)
  }

  const nextOf = (
    row: ProcessRow,
    chart: Chart,
    step: ChartTransition,
    child: ProcessRow | undefined
  ): Next | undefined => {
    const { chart: state } = row.snapshot.context
    if (state === undefined) return { event: Step.begins }
    if (state.definition.version !== chart.definition.version) return { event: Step.migrates(state) }
    const input = inputOf(step)
    if (input === undefined) return undefined
    const next = Step.eventOf(chart, row.base.registration.id, state, input, () => child)
    if (childOf(step) === undefined || child !== undefined) return next
    // Of a child that was pruned only its end is known, and an event that an action sees is in the transition itself.
    return Object.keys(step.event).length > 1 ? { event: step.event } : undefined
  }

  return {
    pass: (event) => {
      if (isChartInput(event.eventType)) inputs.set(event.sequence, event)
      const child = Step.endedChildOf(event)
      if (child !== undefined) ended.add(child)
      if (event.eventType === "machine.transitioned") inputs.delete((event.payload as ChartTransition).took ?? 0)
    },
    childOf,
    retaken: (row, step, child) => {
      const { chart: state } = row.snapshot.context
      const version = (step.definition ?? state?.definition)?.version
      const chart = own.find(({ definition }) => definition.version === version)
      const next = chart && nextOf(row, chart, step, child)
      if (chart === undefined || next === undefined) return undefined
      const isEarlier = state !== undefined && state.definition.version !== version
      try {
        const { step: taken, event } =
          state !== undefined && next.isOver === true
            ? Step.untaken(state, next.event)
            : Step.stepOf(row, chart, state && Step.present(state, (child) => ended.has(child)), next.event, isEarlier)
        const { declares, inputs: before = 0, effects } = step
        const again = Step.transitionOf(chart.definition, state, taken, {
          declares: declares as Parameters<typeof Step.transitionOf>[3]["declares"], // as it was stored
          event,
          input: inputOf(step),
          inputs: before,
          effects
        })
        return Either.right({
          stored: { ...step, effects: comparedOf(step.effects) },
          folded: { ...again, effects: comparedOf(taken.effects) }
        })
      } catch (thrown) {
        return Either.left(`the machine threw: ${messageOf(thrown)}`)
      }
    }
  }
}

/** What of an effect depends on nothing but the step; where a message goes, and when a timer is due, is the world's. */
const compared = ["do", "id", "name", "src", "system", "params", "event", "label", "value"]

const comparedOf = (effects: ReadonlyArray<object>): ReadonlyArray<unknown> =>
  effects.map((effect) =>
    Object.fromEntries(
      Object.entries(effect).filter(([field, value]) => compared.includes(field) && value !== undefined)
    )
  )
