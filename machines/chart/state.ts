/**
 * The stored state of a host's own statechart, and how one transition changes it. Plain data, folded from the log.
 *
 * Invariant: the fold needs no machine. A file whose program is gone still says in which state each chart was, and when.
 */
import type { StateValue } from "xstate"

/** An event of a chart: JSON with a type. */
export interface ChartEvent {
  readonly type: string
  readonly [field: string]: unknown
}

/** Which definition a chart follows. */
export interface ChartDefinition {
  readonly id: string
  readonly version: string
  /** Of its structure: states, transitions and names, no functions. */
  readonly hash: string
}

/** An action that is still to be performed: after the commit of its transition, in order. */
export interface PendingAction {
  readonly revision: number
  readonly index: number
  readonly name: string
  readonly params?: unknown
  readonly event: ChartEvent
  /** The context that it sees, where that is not the one after its transition. */
  readonly context?: unknown
  /** The chart does not wait for it. */
  readonly detached?: true
}

/** A timer that a chart armed. Units: epoch milliseconds, UTC. */
export interface ChartTimer {
  readonly id: string
  readonly at: number
  readonly event: ChartEvent
  /** The process whose event it is. @default the chart's own */
  readonly to?: string
}

/** A timer that has fired, whose event is still to be taken. */
export interface FiredTimer {
  readonly id: string
  /** Of its event. */
  readonly sequence: number
}

/** A child process of a chart. */
export interface ChartChild {
  readonly process: string
  readonly src: string
  readonly system?: string
}

/** An event type that a version of a machine declares: the library's, as JSON. */
export interface DeclaredType {
  readonly name: string
}

/** What a transition asked for, in the order in which it asked. */
export type ChartEffect =
  | ({ readonly do: "act" } & Omit<PendingAction, "revision" | "index" | "event">)
  | ({ readonly do: "arm" } & ChartTimer)
  | { readonly do: "disarm"; readonly id: string }
  /** `refused`: there is no such process, and why; the chart takes that as the child's failure. */
  | ({ readonly do: "start"; readonly id: string; readonly n: number; readonly refused?: string } & ChartChild)
  | { readonly do: "stop"; readonly id: string; readonly process: string }
  /** `refused`: the process does not take it, and why. */
  | { readonly do: "send"; readonly to: string; readonly event: ChartEvent; readonly refused?: string }
  | { readonly do: "emit"; readonly event: ChartEvent }
  | { readonly do: "log"; readonly label?: string; readonly value: unknown }

/** One transition of a chart: a macrostep, from rest to rest. */
export interface ChartTransition {
  /** Absent where it is the one of the transition before. */
  readonly definition?: ChartDefinition
  /** Of a takeover: the event types of the later version that the process was not registered with. */
  readonly declares?: ReadonlyArray<DeclaredType>
  readonly revision: number
  /** The sequence of the event that was taken; absent for the beginning. */
  readonly took?: number
  /** Of the beginning: how many events had come before it, which are still to be taken. */
  readonly inputs?: number
  readonly event: ChartEvent
  readonly from?: StateValue
  readonly to: StateValue
  /** Whether a transition was enabled; an event that no state takes changes nothing. */
  readonly handled: boolean
  /** What changed of the context, by its fields. */
  readonly set?: Readonly<Record<string, unknown>>
  readonly unset?: ReadonlyArray<string>
  /** The states that history states remember, by their ids; absent when unchanged. */
  readonly history?: Readonly<Record<string, ReadonlyArray<string>>>
  readonly end?: ChartEnd
  readonly effects: ReadonlyArray<ChartEffect>
}

/** How a chart ended by itself. */
export type ChartEnd =
  | { readonly status: "done"; readonly output?: unknown }
  | { readonly status: "error"; readonly error: unknown }

/** The state of a chart at rest. */
export interface ChartState {
  readonly definition: ChartDefinition
  /** The event types that go before those of the registration: see `ChartTransition`. */
  readonly declares?: ReadonlyArray<DeclaredType>
  readonly revision: number
  readonly value: StateValue
  readonly context: Readonly<Record<string, unknown>>
  readonly history: Readonly<Record<string, ReadonlyArray<string>>>
  readonly end?: ChartEnd
  readonly children: Readonly<Record<string, ChartChild>>
  /** How many children were started under each id. */
  readonly starts: Readonly<Record<string, number>>
  readonly timers: ReadonlyArray<ChartTimer>
  /** Absent where there is none. One that a transition disarms, or arms again, is not among them any more. */
  readonly fired?: ReadonlyArray<FiredTimer>
  readonly actions: ReadonlyArray<PendingAction>
  /** The sequence of the last event that was taken. */
  readonly taken: number
  /** How many events of the log it has still to take. */
  readonly inputs: number
}

/** Folds a transition into the state before it. The first one has none, and names its definition. */
export const transitioned = (before: ChartState | undefined, step: ChartTransition): ChartState => {
  const {
    definition = before?.definition ?? unnamed,
    revision,
    took,
    event,
    to,
    set = {},
    unset = [],
    history,
    end
  } = step
  const kept = Object.entries(before?.context ?? {}).filter(([name]) => !unset.includes(name))
  let { children, starts, timers, actions } = before ?? { children: {}, starts: {}, timers: [], actions: [] }
  const declares = step.definition === undefined ? before?.declares : step.declares
  let pending = (before?.fired ?? []).filter(({ sequence }) => sequence !== took)
  step.effects.forEach((effect, index) => {
    switch (effect.do) {
      case "act": {
        const { do: _act, ...action } = effect
        actions = [...actions, { ...action, event, revision, index }]
        return
      }
      case "arm": {
        const { do: _arm, ...timer } = effect
        timers = [...timers.filter(({ id }) => id !== effect.id), timer]
        pending = pending.filter(({ id }) => id !== effect.id)
        return
      }
      case "disarm":
        timers = timers.filter(({ id }) => id !== effect.id)
        pending = pending.filter(({ id }) => id !== effect.id)
        return
      case "start": {
        const { do: _start, id, n, refused, ...child } = effect
        if (refused !== undefined) return
        children = { ...children, [id]: child }
        starts = { ...starts, [id]: n }
        return
      }
      case "stop":
        children = without(children, effect.id)
        return
      case "send":
      case "emit":
      case "log":
        return
    }
  })
  return {
    definition,
    ...(declares === undefined ? {} : { declares }),
    revision,
    value: to,
    context: { ...Object.fromEntries(kept), ...set },
    history: history ?? before?.history ?? {},
    ...(end === undefined ? {} : { end }),
    children: end === undefined ? children : {},
    starts,
    timers: end === undefined ? timers : [],
    ...(pending.length === 0 || end !== undefined ? {} : { fired: pending }),
    actions,
    taken: took ?? before?.taken ?? 0,
    inputs: Math.max(0, (step.inputs ?? before?.inputs ?? 0) - (took === undefined ? 0 : 1))
  }
}

/** Whether a chart has anything to do: actions to perform, events to take, or its end to write. */
export const hasWork = ({ actions, inputs, end }: ChartState): boolean =>
  actions.length > 0 || inputs > 0 || end !== undefined

/** Whether a chart may take its next event: it waits for its actions, but for those that are detached. */
export const mayTake = ({ actions, inputs, end }: ChartState): boolean =>
  inputs > 0 && end === undefined && actions.every(({ detached }) => detached === true)

/** One more event is in the log. */
export const received = (chart: ChartState): ChartState => ({ ...chart, inputs: chart.inputs + 1 })

/**
 * A timer has fired: its event is in the log under a sequence, where it is the chart's own. What is taken before that may still
 * cancel it.
 */
export const fired = (chart: ChartState, timerId: string, sequence?: number): ChartState => ({
  ...chart,
  timers: chart.timers.filter(({ id }) => id !== timerId),
  ...(sequence === undefined ? {} : { fired: [...(chart.fired ?? []), { id: timerId, sequence }] })
})

/** An action has been performed. */
export const performed = (chart: ChartState, revision: number, index: number): ChartState => ({
  ...chart,
  actions: chart.actions.filter((action) => action.revision !== revision || action.index !== index)
})

const unnamed: ChartDefinition = { id: "", version: "", hash: "" }

const without = <A>(record: Readonly<Record<string, A>>, key: string): Readonly<Record<string, A>> =>
  Object.fromEntries(Object.entries(record).filter(([name]) => name !== key))
