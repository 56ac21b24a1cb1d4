/**
 * What a decision grows into while charts add to it: each macrostep's transition, and what it asks of other processes.
 *
 * Invariant: a macrostep is added whole or not at all; one that throws leaves nothing behind.
 */
import type { ChartState } from "../../../machines/chart/state.ts"
import { mayTake } from "../../../machines/chart/state.ts"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import * as Output from "../../model/AwaitOutput.ts"
import { messageOf } from "../../model/Failure.ts"
import { isChartInput } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Change, Decision, ProcessRow, View, Write } from "../../store/Decision.ts"
import { runsAs } from "../../store/Decision.ts"
import * as Changes from "./change.ts"
import * as Effects from "./chartEffects.ts"
import * as Facts from "./chartFacts.ts"
import type { ChartOf } from "./chartStep.ts"
import * as Step from "./chartStep.ts"
import * as Children from "./children.ts"
import * as Completion from "./completion.ts"

/** A decision that charts add to. */
export interface Draft {
  readonly changes: () => ReadonlyArray<Change>
  readonly writes: () => ReadonlyArray<Write>
  /** What the decision saw, as the draft has it now. */
  readonly view: View
  /** Adds what else was decided, seeing the draft. */
  readonly add: (changes: ReadonlyArray<Change>, writes: ReadonlyArray<Write>) => void
  /** Takes the events of a chart until there is none, or it waits for its actions. Answers why it is stuck. */
  readonly advance: (id: ProcessId, options?: AdvanceOptions) => string | undefined
  /** Fires the timer of a chart that was due first, if one is due: what it leads to may cancel the others. */
  readonly fire: (id: ProcessId) => void
}

/**
 * `migrates`: a chart of an earlier version is taken over although it has no event to take. `ahead`: it takes all its events as if
 * its actions had been performed, to see the state in which it takes the next one; such a draft is not for writing.
 */
export interface AdvanceOptions {
  readonly migrates?: boolean
  readonly ahead?: boolean
}

/**
 * How many events a chart takes in one transaction. What is left it takes in the next one, so that a machine which sends itself
 * events without end, or has a long backlog, does not hold up the writes.
 */
const mostSteps = 100

/** Makes a draft of what was decided so far. */
export const make = (before: View, chartOf: ChartOf, decided: ReadonlyArray<Change>): Draft => {
  let byId = new Map<ProcessId, Change>()
  let writes: ReadonlyArray<Write> = []
  const view: View = { ...before, row: (id) => byId.get(id)?.row ?? before.row(id) }

  const changeOf = (row: ProcessRow): Change => byId.get(row.base.registration.id) ?? Changes.of(row)

  /** Adds a change of a row to the ones before it. */
  const put = (change: Change): void => {
    const { id } = change.row.base.registration
    const earlier = byId.get(id)
    byId.set(id, earlier !== undefined && change.before === earlier.row ? joined(earlier, change) : change)
  }

  /** Takes over what was decided about another process, whose worker is to look at it. Answers the refusal. */
  const adopt = <A, E>(decision: Decision<A, E>): E | undefined => {
    if (decision._tag === "Refused") return decision.error
    writes = [...writes, ...decision.writes]
    for (const change of decision.changes) put(hinted(change))
    return undefined
  }

  const growing: Effects.Growing = { view, put, changeOf, adopt, has: (id) => byId.has(id) }

  const advance = (id: ProcessId, { migrates = false, ahead = false }: AdvanceOptions = {}): string | undefined => {
    for (let steps = 0; ; steps++) {
      const row = view.row(id)
      if (row === undefined || (steps > 0 && !mayMove(row, view.nowMs, ahead))) return undefined
      const chart = chartOf(runsAs(row))
      if (chart === undefined) return undefined
      const { chart: state } = row.snapshot.context
      const isEarlier = state !== undefined && state.definition.version !== chart.definition.version
      if (!(mayMove(row, view.nowMs, ahead) || (migrates && isEarlier && mayMigrate(row)))) return undefined
      if (state?.end !== undefined) {
        end(row, outputOf(state.end))
        return undefined
      }
      const input = state === undefined || isEarlier ? undefined : nextInput(id, state)
      if (state !== undefined && !isEarlier && input === undefined) return undefined
      if (steps >= mostSteps && !ahead) {
        put(hinted(changeOf(row)))
        return undefined
      }
      const kept = { byId: new Map(byId), writes }
      const { event, isOver = false } = isEarlier
        ? { event: Step.migrates(state) }
        : state === undefined || input === undefined
          ? { event: Step.begins }
          : Step.eventOf(chart, id, state, input, view.row)
      try {
        const taken =
          state !== undefined && isOver
            ? Step.untaken(state, event)
            : Step.stepOf(row, chart, state && Step.present(state, isGone), event, isEarlier)
        if (state === undefined || isEarlier) writes = [...writes, Step.definitionOf(chart)]
        const effects = Effects.effectsOf(growing, row, chart, taken.step)
        const transition = Step.transitionOf(chart.definition, state, taken.step, {
          declares: isEarlier ? Step.newlyDeclared(chart, row.base.registration) : undefined,
          event: taken.event,
          input,
          inputs: state === undefined ? inputsBefore(id) : 0,
          effects
        })
        put(Changes.appendFact(changeOf(view.row(id) as ProcessRow), Facts.transitioned(id, transition), view.nowMs)) // it is there: see above
      } catch (thrown) {
        byId = kept.byId
        writes = kept.writes
        const at = state === undefined ? "" : ` in state ${JSON.stringify(state.value)}`
        return `the machine threw on event \`${event.type}\`${at}: ${messageOf(thrown)}`
      }
    }
  }

  /** Whether a child has ended, or is not there any more. */
  const isGone = (child: string): boolean => {
    const row = view.row(child as ProcessId) // a child's
    return row === undefined || lifecycleOf(row.snapshot) !== "running"
  }

  /** How many events have come for a chart before it began. */
  const inputsBefore = (id: ProcessId): number => {
    const change = byId.get(id)
    let count = (change?.events ?? []).filter(({ eventType }) => isChartInput(eventType)).length
    if (change?.before === undefined) return count
    for (let next = view.nextChartInput(id, 0); next !== undefined; next = view.nextChartInput(id, next.sequence))
      count++
    return count
  }

  const nextInput = (id: ProcessId, { taken }: ChartState): ProcessEvent | undefined => {
    const change = byId.get(id)
    const fresh = change?.events.find(({ sequence, eventType }) => sequence > taken && isChartInput(eventType))
    // What is in the store comes first; there is nothing when the row had no input left.
    const hadNone = change?.before === undefined || change.before.snapshot.context.chart?.inputs === 0
    return change !== undefined && hadNone ? fresh : (view.nextChartInput(id, taken) ?? fresh)
  }

  /** Ends a process; the chart of its parent takes that as an event at once. */
  const end = (row: ProcessRow, output: AwaitOutput): void => {
    const { id, parent } = row.base.registration
    const [ended, news] = Children.withParent(view, Completion.ended(changeOf(row), output, view.nowMs))
    byId.set(id, ended as Change) // the first is the change itself
    if (news === undefined || parent === undefined) return
    put(news)
    advance(parent.processId)
  }

  const fire = (id: ProcessId): void => {
    const row = view.row(id)
    const [timer] = (row?.snapshot.context.chart?.timers ?? [])
      .filter(({ at }) => at <= view.nowMs)
      .sort((one, other) => one.at - other.at)
    if (row === undefined || timer === undefined) return
    const sequence = row.sequence + 1
    const key = `timer:${timer.id}:${sequence}`
    if (timer.to === undefined) {
      put(Changes.appendFact(changeOf(row), Facts.machineTimed(id, key, timer, sequence), view.nowMs))
      return
    }
    const refusal = adopt(Effects.send(view, timer.to as ProcessId, timer.event, `${id}:${key}`)) // any text may be an id
    const sent = Facts.machineSent(id, key, timer, refusal && messageOf(refusal))
    put(Changes.appendFact(changeOf(view.row(id) as ProcessRow), sent, view.nowMs)) // it is there: see above
  }

  for (const change of decided) put(change)
  return {
    changes: () => [...byId.values()].filter(({ before: earlier, row }) => earlier !== row),
    writes: () => writes,
    view,
    add: (changes, more) => {
      for (const change of changes) put(change)
      writes = [...writes, ...more]
    },
    advance,
    fire
  }
}

/** The output of a process whose chart has ended. */
const outputOf = (end: NonNullable<ChartState["end"]>): AwaitOutput =>
  end.status === "done"
    ? Output.success(end.output ?? null)
    : Output.failure("execution", fieldOf(end.error, "name") ?? "machine_error", textOf(end.error), end.error)

/** Tells the worker to look at a row that a chart has changed. */
const hinted = (change: Change): Change => ({
  ...change,
  commands: [...change.commands, { type: "requestSweep", params: {} }]
})

/** Two changes of a row as one, from before the first: a process that the first one registers has no row before. */
const joined = (earlier: Change, { before: _between, ...change }: Change): Change => ({
  ...change,
  ...(earlier.before === undefined ? {} : { before: earlier.before }),
  events: [...earlier.events, ...change.events],
  lifecycle: [...earlier.lifecycle, ...change.lifecycle],
  commands: [...earlier.commands, ...change.commands],
  ...(earlier.wakes === undefined && change.wakes === undefined
    ? {}
    : { wakes: [...(earlier.wakes ?? []), ...(change.wakes ?? [])] })
})

/** An earlier version is taken over where it rests. */
const mayMigrate = ({ snapshot }: ProcessRow): boolean =>
  lifecycleOf(snapshot) === "running" &&
  snapshot.context.chart?.end === undefined &&
  snapshot.context.chart?.actions.length === 0

/** Whether a chart may take a step now: it begins in time, and waits for its actions. */
const mayMove = (row: ProcessRow, nowMs: number, ahead: boolean): boolean => {
  const { chart, cancelRequest } = row.snapshot.context
  if (lifecycleOf(row.snapshot) !== "running" || cancelRequest !== undefined) return false
  if (chart === undefined) return (row.base.registration.startAtMs ?? 0) <= nowMs
  if (chart.end !== undefined) return chart.actions.length === 0
  return ahead ? chart.inputs > 0 : mayTake(chart)
}

const fieldOf = (value: unknown, field: string): string | undefined => {
  const found =
    typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[field] : undefined
  return typeof found === "string" ? found : undefined
}

const textOf = (error: unknown): string => fieldOf(error, "message") ?? JSON.stringify(error)
