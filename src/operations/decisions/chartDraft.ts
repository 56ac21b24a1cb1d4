/**
 * What a decision grows into while charts add to it: each macrostep's transition, and what it asks of other processes.
 *
 * Invariant: a macrostep is added whole or not at all; one that throws leaves nothing behind.
 */
import type { Macrostep, RawEffect } from "../../../machines/chart/macrostep.ts"
import type { Target } from "../../../machines/chart/scope.ts"
import type { ChartEffect, ChartEvent, ChartState } from "../../../machines/chart/state.ts"
import { mayTake } from "../../../machines/chart/state.ts"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import * as Output from "../../model/AwaitOutput.ts"
import { ProcessAlreadyTerminal } from "../../model/errors.ts"
import { messageOf } from "../../model/Failure.ts"
import { isChartInput } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import * as Ids from "../../model/ids.ts"
import { jsonEquals } from "../../model/json.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import { engineOf } from "../../model/Registration.ts"
import type { Change, Decision, ProcessRow, View, Write } from "../../store/Decision.ts"
import { refuse, runsAs } from "../../store/Decision.ts"
import * as Append from "./append.ts"
import * as Authority from "./authority.ts"
import * as Changes from "./change.ts"
import * as Facts from "./chartFacts.ts"
import type { Chart, ChartOf } from "./chartStep.ts"
import * as Step from "./chartStep.ts"
import * as Children from "./children.ts"
import * as Completion from "./completion.ts"
import { liveLease } from "./lease.ts"
import * as Register from "./register.ts"

/** A decision that charts add to. */
export interface Draft {
  readonly changes: () => ReadonlyArray<Change>
  readonly writes: () => ReadonlyArray<Write>
  readonly row: (id: ProcessId) => ProcessRow | undefined
  /** Takes the events of a chart until there is none, or it waits for its actions. Answers why it is stuck. */
  readonly advance: (id: ProcessId, options?: AdvanceOptions) => string | undefined
  /** Fires the timers of a chart whose time has come, in their order. */
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
      const event = isEarlier
        ? Step.migrates(state)
        : state === undefined || input === undefined
          ? Step.begins
          : eventOf(id, chart, state, input)
      try {
        const taken = Step.stepOf(row, chart, state, event, isEarlier)
        if (state === undefined || isEarlier) writes = [...writes, Step.definitionOf(chart)]
        const transition = Step.transitionOf(chart.definition, state, taken.step, {
          event: taken.event,
          input,
          inputs: state === undefined ? inputsBefore(id) : 0,
          effects: effectsOf(row, chart, taken.step)
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

  const eventOf = (id: ProcessId, chart: Chart, state: ChartState, input: ProcessEvent): ChartEvent => {
    const name = Ids.signalNameOf(input.eventType)
    if (name !== undefined) return { ...(input.payload as object), type: name } // checked when it was sent
    if (input.eventType === "machine.input") return (input.payload as { readonly event: ChartEvent }).event // written by `Facts.machineInput`
    const { child_id: childId } = input.payload as { readonly child_id: ProcessId } // written by `Facts.childEnded`
    const own = Object.entries(state.children).find(([, child]) => child.process === childId)
    const [actorId, src] = own === undefined ? leftBehind(id, chart, childId) : [own[0], own[1].src]
    if (actorId === undefined) return { type: "child.ended", process: childId }
    const output = view.row(childId)?.snapshot.context.output
    return output?._tag === "Success"
      ? { type: `xstate.done.actor.${actorId}`, output: output.value, actorId, src }
      : { type: `xstate.error.actor.${actorId}`, error: output ?? { _tag: "Pruned" }, actorId, src }
  }

  /** The actor that had ended by itself before the chart left its state: the chart hears of it, as XState's machines do. */
  const leftBehind = (id: ProcessId, chart: Chart, childId: ProcessId): readonly [actorId?: string, src?: string] => {
    const row = view.row(childId)
    if (row === undefined || row.snapshot.context.cancelRequest !== undefined) return []
    const src = chart.sourceOf(engineOf(row.base.registration).kind)
    return src === undefined ? [] : [childId.slice(`${id}/`.length).replace(/:\d+$/, ""), src]
  }

  /** Children first: XState hands a message to a child that its own macrostep starts, wherever that is said. */
  const effectsOf = (row: ProcessRow, chart: Chart, step: Macrostep): ReadonlyArray<ChartEffect> => {
    if (step.effects.length === 0) return []
    const started = step.effects.map((effect, index) =>
      effect.do === "start" ? effectOf(row, chart, step, effect, index) : undefined
    )
    return step.effects.map((effect, index) => started[index] ?? effectOf(row, chart, step, effect, index))
  }

  const effectOf = (row: ProcessRow, chart: Chart, step: Macrostep, effect: RawEffect, index: number): ChartEffect => {
    const { id } = row.base.registration
    const { revision = -1, starts = {} } = row.snapshot.context.chart ?? {}
    const key = `${revision + 1}:${index}`
    switch (effect.do) {
      case "act": {
        const { name, params, context } = effect
        return {
          do: "act",
          name,
          ...(params === undefined ? {} : { params }),
          // The chart goes on while a detached one is performed, and its context with it.
          ...(jsonEquals(context, step.context) && !chart.isDetached(name) ? {} : { context }),
          ...(chart.isDetached(name) ? { detached: true } : {})
        }
      }
      case "arm": {
        const to = effect.to.at === "self" ? undefined : addressOf(row, effect.to)
        const at = Math.ceil(view.nowMs + Math.max(0, effect.delayMs))
        return { do: "arm", id: effect.id, at, event: effect.event, ...(to === undefined ? {} : { to }) }
      }
      case "disarm":
        return effect
      case "start": {
        let n = (starts[effect.id] ?? 0) + 1
        while (byId.has(childIdOf(id, effect.id, n))) n++
        const registered = chart.child(row, effect.src, effect.input, childIdOf(id, effect.id, n))
        const refusal = adopt(Register.start(registered, Authority.host)(view))
        if (refusal !== undefined) throw refusal
        const { system, src } = effect
        const process = registered.registration.id
        return { do: "start", id: effect.id, n, process, src, ...(system === undefined ? {} : { system }) }
      }
      case "stop": {
        const process = row.snapshot.context.chart?.children[effect.id]?.process ?? startedNow(row, effect.id) ?? ""
        const child = view.row(process as ProcessId) // a child's, or of no process
        if (child !== undefined && lifecycleOf(child.snapshot) === "running") {
          adopt(Completion.requestCancel(child.base.registration.id, leftByParent, Authority.host)(view))
        }
        return { do: "stop", id: effect.id, process }
      }
      case "send": {
        const { event } = effect
        if (effect.to.at === "self") {
          put(Changes.appendFact(changeOf(view.row(id) as ProcessRow), Facts.machineInput(id, key, event), view.nowMs)) // its own row
          return { do: "send", to: id, event }
        }
        const to = addressOf(row, effect.to)
        if (to === undefined) return { do: "send", to: nameOf(effect.to), event, refused: "there is no such process" }
        const refusal = adopt(send(view, to as ProcessId, event, `${id}:${key}`)) // any text may be an id
        return { do: "send", to, event, ...(refusal === undefined ? {} : { refused: messageOf(refusal) }) }
      }
      case "emit":
      case "log":
        return effect
    }
  }

  /** The process that an event goes to. */
  const addressOf = (row: ProcessRow, to: Target): string | undefined => {
    const { id, parent } = row.base.registration
    switch (to.at) {
      case "self":
        return id
      case "parent":
        return parent?.processId
      case "process":
        return to.id
      case "child":
        return startedNow(row, to.id) ?? row.snapshot.context.chart?.children[to.id]?.process
    }
  }

  /** The child that this macrostep started under an id. */
  const startedNow = ({ base, snapshot }: ProcessRow, id: string): ProcessId | undefined => {
    let n = (snapshot.context.chart?.starts[id] ?? 0) + 1
    if (!byId.has(childIdOf(base.registration.id, id, n))) return undefined
    while (byId.has(childIdOf(base.registration.id, id, n + 1))) n++
    return childIdOf(base.registration.id, id, n)
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
    const due = (view.row(id)?.snapshot.context.chart?.timers ?? [])
      .filter(({ at }) => at <= view.nowMs)
      .sort((one, other) => one.at - other.at)
    for (const timer of due) {
      const row = view.row(id) as ProcessRow // it has timers
      const key = `timer:${timer.id}:${row.sequence + 1}`
      const fact =
        timer.to === undefined ? Facts.machineInput(id, key, timer.event, timer.id) : Facts.machineSent(id, key, timer)
      put(Changes.appendFact(changeOf(row), fact, view.nowMs))
      if (timer.to !== undefined) adopt(send(view, timer.to as ProcessId, timer.event, `${id}:${key}`)) // any text may be an id
    }
  }

  for (const change of decided) put(change)
  return {
    changes: () => [...byId.values()].filter(({ before: earlier, row }) => earlier !== row),
    writes: () => writes,
    row: (id) => view.row(id),
    advance,
    fire
  }
}

/** The output of a process whose chart has ended. */
export const outputOf = (end: NonNullable<ChartState["end"]>): AwaitOutput =>
  end.status === "done"
    ? Output.success(end.output ?? null)
    : Output.failure("execution", fieldOf(end.error, "name") ?? "machine_error", textOf(end.error), end.error)

/** Sends an event to a process, which takes it once. An ended one refuses it. */
const send = (
  view: View,
  to: ProcessId,
  { type, ...payload }: ChartEvent,
  signalId: string
): Decision<unknown, { readonly message: string }> => {
  const row = view.row(to)
  const state = row === undefined ? "running" : lifecycleOf(row.snapshot)
  if (state !== "running") return refuse(new ProcessAlreadyTerminal({ processId: to, state, refused: "take a signal" }))
  const replayKey = Ids.signalReplayKey(to, type, signalId)
  return Append.appendEvent(to, { eventType: Ids.signalEventType(type), payload, replayKey }, Authority.host)(view)
}

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

const leftByParent = "its parent's chart left the state that it belongs to"

/** Whether a chart may take a step now: it begins in time, waits for its actions, and ends under no other worker's lease. */
const mayMove = (row: ProcessRow, nowMs: number, ahead: boolean): boolean => {
  const { chart, cancelRequest } = row.snapshot.context
  if (lifecycleOf(row.snapshot) !== "running" || cancelRequest !== undefined) return false
  if (chart === undefined) return (row.base.registration.startAtMs ?? 0) <= nowMs
  if (chart.end !== undefined) return chart.actions.length === 0 && liveLease(row, nowMs) === undefined
  return ahead ? chart.inputs > 0 : mayTake(chart)
}

const nameOf = (target: Target): string => ("id" in target ? target.id : target.at)

const childIdOf = (parent: ProcessId, id: string, n: number): ProcessId => `${parent}/${id}:${n}` as ProcessId // any text may be an id

const fieldOf = (value: unknown, field: string): string | undefined => {
  const found =
    typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[field] : undefined
  return typeof found === "string" ? found : undefined
}

const textOf = (error: unknown): string => fieldOf(error, "message") ?? JSON.stringify(error)
