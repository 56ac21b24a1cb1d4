/**
 * Charts: the statecharts of a host that are the bodies of processes. Each event is taken in one transaction, with all that its
 * macrostep asks for: the next state, timers, children, messages, and the actions that are to be performed after the commit.
 *
 * Invariant: no lease is needed to take an event. The row orders transitions, the log has every one of them, and what is asked
 * of other processes is in the same commit.
 */

import type { ChartEvent, ChartState } from "../../../machines/chart/state.ts"
import { mayTake } from "../../../machines/chart/state.ts"
import type { LeaseLost } from "../../model/errors.ts"
import { EventNotAccepted, EventRejected, InputInvalid } from "../../model/errors.ts"
import type { FailureRecord } from "../../model/Failure.ts"
import { messageOf } from "../../model/Failure.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { Lease } from "../../model/Lease.ts"
import type { Change, Decision, ProcessRow, View } from "../../store/Decision.ts"
import { accept, answering, runsAs } from "../../store/Decision.ts"
import { onLease } from "./authority.ts"
import * as Changes from "./change.ts"
import * as Drafts from "./chartDraft.ts"
import * as Facts from "./chartFacts.ts"
import type { Chart, ChartOf, Unknown } from "./chartStep.ts"
import { migrated } from "./chartStep.ts"
import * as Waits from "./waits.ts"

/**
 * How a chart rests. `stuck` says why it takes no further event. `worker`: it has actions to perform, or its process is to be
 * stopped, and anything else needs no activation. `hasMore`: it has more to take than one transaction takes.
 */
export interface Rest {
  readonly stuck?: string
  readonly needs: "worker" | "nothing"
  readonly hasMore: boolean
}

/** How far a chart got. `stuck` says why it takes no further event, `unknown` what a takeover left that it does not know. */
export interface Progress {
  readonly row: ProcessRow
  readonly stuck?: string
  readonly unknown?: Unknown
}

/**
 * Lets the charts of the processes that a decision changed take their events, in the same transaction.
 *
 * A chart that throws leaves its event where it is: the row is due, and its worker says why.
 */
export const advancing =
  (chartOf: ChartOf) =>
  <A, E>(view: View, decide: (view: View) => Decision<A, E>): Decision<A, E> => {
    const decision = decide(view)
    if (decision._tag === "Refused") return takenOver(chartOf, view, decide, decision.error) ?? decision
    const moving = decision.changes.filter(({ row }) => chartOf(runsAs(row)) !== undefined)
    if (moving.length === 0) return decision
    const draft = Drafts.make(view, chartOf, decision.changes)
    for (const { row } of moving) draft.advance(row.base.registration.id)
    return { ...decision, changes: draft.changes(), writes: [...decision.writes, ...draft.writes()] }
  }

/**
 * The same decision once the chart that it is about was taken over: an event that a process was not registered with may be one of
 * the later version. `undefined` where that changes nothing.
 */
const takenOver = <A, E>(
  chartOf: ChartOf,
  view: View,
  decide: (view: View) => Decision<A, E>,
  error: E
): Decision<A, E> | undefined => {
  if (!(error instanceof EventRejected) || !["undeclared", "payload_invalid"].includes(error.reason)) return undefined
  const id = error.processId as ProcessId // of the row that refused it
  const row = view.row(id)
  if (row === undefined || row.snapshot.context.chart === undefined) return undefined
  const draft = Drafts.make(view, chartOf, [Changes.of(row)])
  draft.advance(id, { migrates: true })
  const { definition } = draft.view.row(id)?.snapshot.context.chart ?? {}
  if (definition === row.snapshot.context.chart.definition) return undefined
  const decision = decide(draft.view)
  if (decision._tag === "Refused") return undefined
  draft.add(decision.changes, decision.writes)
  draft.advance(id)
  return { ...decision, changes: draft.changes(), writes: draft.writes() }
}

/** Lets one chart take the events that it has still to take. */
export const takeEvents = (chartOf: ChartOf, id: ProcessId): ((view: View) => Decision<Rest | undefined, never>) =>
  answering(advanced(chartOf, id, {}), (progress) => progress && restOf(progress, chartOf(runsAs(progress.row))))

const restOf = ({ row: { snapshot }, ...progress }: Progress, known: Chart | undefined): Rest => {
  const { cancelRequest, chart } = snapshot.context
  const stuck = progress.stuck ?? (chart && known && whyNotPerformed(chart, known))
  const isOver = snapshot.status === "done"
  const asks = cancelRequest !== undefined || (chart?.actions.length ?? 0) > 0
  return {
    ...(stuck === undefined ? {} : { stuck }),
    needs: !isOver && asks ? "worker" : "nothing",
    hasMore: !isOver && chart !== undefined && mayTake(chart)
  }
}

/** Why a chart that has still an action of its earlier version to perform rests, where the present version has no such action. */
const whyNotPerformed = ({ definition, actions }: ChartState, known: Chart): string | undefined => {
  const [action] = actions
  if (action === undefined || definition.version === known.definition.version || known.performs(action.name))
    return undefined
  return `version ${known.definition.version} of the machine has no action \`${action.name}\`, which version ${definition.version} asked for: run a host that has that version, or give the action to this one`
}

/** Takes over a chart of an earlier version; with `dryRun` nothing is written, and the answer is what would be. */
export const migrate =
  (chartOf: ChartOf, id: ProcessId, dryRun: boolean) =>
  (view: View): Decision<Progress | undefined, never> => {
    const decision = advanced(chartOf, id, { migrates: true })(view)
    return dryRun && decision._tag === "Accepted" ? accept(decision.answer) : decision
  }

const advanced =
  (chartOf: ChartOf, id: ProcessId, options: Drafts.AdvanceOptions) =>
  (view: View): Decision<Progress | undefined, never> => {
    const row = view.row(id)
    if (row === undefined) return accept(undefined)
    const draft = Drafts.make(view, chartOf, [Changes.of(row)])
    const stuck = draft.advance(id, options)
    const unknown = unknownIn(draft.changes(), id)
    const progress = {
      row: draft.view.row(id) as ProcessRow, // it is there: see above
      ...(stuck === undefined ? {} : { stuck }),
      ...(unknown === undefined ? {} : { unknown })
    }
    return { _tag: "Accepted", answer: progress, changes: draft.changes(), writes: draft.writes() }
  }

/** What the takeover of a process wrote of timers and children that its new version does not know. */
const unknownIn = (changes: ReadonlyArray<Change>, id: ProcessId): Unknown | undefined => {
  const own = changes.find(({ row }) => row.base.registration.id === id)
  for (const fact of own?.lifecycle ?? []) {
    if (fact.type === "machine.transitioned" && fact.step.event.type === migrated) {
      return fact.step.event.unknown as Unknown // as `Step.stepOf` writes it
    }
  }
  return undefined
}

/**
 * Why a chart would not take an event that is sent now, if it would not: judged in the state that it is in once it has taken what
 * is in the log before. `undefined` where it would.
 */
export const whyNotAccepted =
  (chart: Chart, id: ProcessId, event: ChartEvent) =>
  (view: View): EventNotAccepted | InputInvalid | undefined => {
    const row = view.row(id)
    if (row === undefined) return undefined
    const draft = Drafts.make(view, (registration) => (registration.id === id ? chart : undefined), [Changes.of(row)])
    draft.advance(id, { ahead: true, migrates: true })
    const then = draft.view.row(id) as ProcessRow // it is there: see above
    const { chart: state } = then.snapshot.context
    const { version } = chart.definition
    if (state !== undefined && state.definition.version !== version) {
      const problem = `cannot be judged: the process is in version ${state.definition.version} of its machine, and this program has version ${version}`
      return new InputInvalid({ field: "expect", problem })
    }
    try {
      if (state !== undefined && state.end === undefined && chart.can(then, state, event)) return undefined
    } catch (thrown) {
      const problem = `cannot be judged: a guard threw on \`${event.type}\` in state ${JSON.stringify(state?.value)}: ${messageOf(thrown)}`
      return new InputInvalid({ field: "expect", problem })
    }
    const accepts = state === undefined || state.end !== undefined ? [] : chart.accepts(state)
    return new EventNotAccepted({ processId: id, event: event.type, state: state?.value ?? null, accepts })
  }

/** An action of a chart that was performed, or failed with something that the chart takes as an event. */
export interface Performed {
  readonly revision: number
  readonly index: number
  readonly name: string
  readonly failure?: FailureRecord
}

/** Records that an action was performed; once, however often it is tried. Refused with `LeaseLost`: stop. */
export const performed = (lease: Lease, action: Performed): ((view: View) => Decision<ProcessRow, LeaseLost>) =>
  onLease(lease, (row, { nowMs }) => {
    const { revision, index, name, failure } = action
    const isOpen = row.snapshot.context.chart?.actions.some(
      (pending) => pending.revision === revision && pending.index === index
    )
    if (isOpen !== true) return accept(row)
    const acted = Changes.appendFact(Changes.of(row), Facts.machineActed(lease.processId, action), nowMs)
    if (failure === undefined) return Changes.accepted(acted)
    const event = { type: `error.action.${name}`, error: failure }
    return Changes.accepted(
      Changes.appendFact(acted, Facts.machineInput(lease.processId, `${revision}:${index}:failed`, event), nowMs)
    )
  })

/**
 * Ends the waits of a process whose deadline has passed, and fires the timer of its chart that was due first. Another call fires
 * the next one: in between, the chart takes what that one leads to, which may cancel it.
 */
export const fireTimers =
  (id: ProcessId) =>
  (view: View): Decision<ProcessRow | undefined, never> => {
    const ended = Waits.fire(id)(view)
    const row = view.row(id)
    if (ended._tag === "Refused" || row === undefined || row.snapshot.context.chart === undefined) return ended
    const draft = Drafts.make(view, () => undefined, ended.changes)
    draft.fire(id)
    const changes = draft.changes()
    return changes.length === 0 ? ended : accept(draft.view.row(id), ...changes)
  }
