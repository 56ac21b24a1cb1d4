/**
 * The vocabulary of the lifecycle machine: its guards, its commands, and how each fact is folded into the context.
 *
 * Kept apart from the chart so that `machine.ts` reads as the picture. Invariant: every fold sets `updatedAtMs` to the time
 * of the fact, and no fold reads anything but the context and the event.
 */
import { setup } from "xstate"
import { fired, performed, received, transitioned } from "../chart/state.ts"
import { command } from "../xstate/step.ts"
import type { EndState, Output, ProcessContext, ProcessEvent, ProcessInput } from "./types.ts"

/** Types, guards and commands of the lifecycle. */
export const lifecycle = setup({
  types: {
    context: {} as ProcessContext,
    events: {} as ProcessEvent,
    input: {} as ProcessInput
  },
  guards: {
    isOpenWait: ({ context }, params: { readonly waitKey: string }) =>
      context.waits.some((wait) => wait.kind.key === params.waitKey),
    asksForWork: (_args, params: { readonly effects: ReadonlyArray<{ readonly do: string }>; readonly end: boolean }) =>
      params.end || params.effects.some((effect) => effect.do === "act"),
    isPassivated: (_args, params: { readonly reason: string }) => params.reason === "passivated",
    isLastOpenWait: ({ context }, params: { readonly waitKey: string }) =>
      context.waits.length === 1 && context.waits[0]?.kind.key === params.waitKey,
    pointsToSession: ({ context }, params: { readonly sessionId: string }) =>
      context.wakeTarget?.sessionId === params.sessionId
  },
  actions: {
    /** Hint: interrupt the running body because its cancellation was asked for. */
    interruptBody: command<{ readonly cause: "cancel" }>(),
    /** Hint: no body runs, yet a decision is due: a sweep should look at this row. */
    requestSweep: command(),
    /** Hint: the process ended; callers that wait for it, and an actor that still runs it, must know. */
    announceEnd: command<{ readonly state: EndState }>()
  }
})

/** Moves `updatedAtMs` and nothing else. */
export const touch = lifecycle.assign(({ event }) => ({ updatedAtMs: event.atMs }))

/** Keeps the first owner; later starts only touch. */
export const noteFirstStart = lifecycle.assign(({ context, event }) =>
  event.type !== "process.started" || context.firstStarted !== undefined
    ? { updatedAtMs: event.atMs }
    : { updatedAtMs: event.atMs, firstStarted: { owner: event.owner, startedAtMs: event.startedAtMs } }
)

/** Counts an activation and takes over its attempt number. */
export const beginActivation = lifecycle.assign(({ context, event }) => {
  if (event.type !== "process.started") return {}
  return {
    updatedAtMs: event.atMs,
    activations: context.activations + 1,
    attempts: event.attempt,
    ...(context.firstStarted === undefined
      ? { firstStarted: { owner: event.owner, startedAtMs: event.startedAtMs } }
      : {})
  }
})

/** Opens a wait, or replaces the open one with the same key. */
export const openWait = lifecycle.assign(({ context, event }) => {
  if (event.type !== "process.waiting") return {}
  const { wait } = event
  const { kind } = wait
  const others = context.waits.filter((open) => open.kind.key !== kind.key)
  return {
    updatedAtMs: event.atMs,
    waits: wait.ahead === true ? [wait, ...others] : [...others, wait],
    ...(wait.once !== true
      ? { waitCounts: { ...context.waitCounts, [kind.key]: own(context.waitCounts, kind.key, 0) + 1 } }
      : kind._tag === "Signal"
        ? { signalWaits: { ...context.signalWaits, [kind.name]: kind.ordinal } }
        : {})
  }
})

/** Closes a wait; a signal that ended it is consumed. */
export const closeWait = lifecycle.assign(({ context, event }) => {
  if (event.type !== "process.resumed") return {}
  const closed = context.waits.find((wait) => wait.kind.key === event.waitKey)
  return {
    updatedAtMs: event.atMs,
    waits: context.waits.filter((wait) => wait !== closed),
    ...(closed?.kind._tag === "Signal" && event.outcome._tag === "Signal"
      ? consumed(context, closed.kind.name, event.outcome.sequence)
      : {})
  }
})

/** Keeps a signal that a dropped wait gave back, until another wait takes it. */
export const returnSignal = lifecycle.assign(({ context, event }) => {
  if (event.type !== "process.signal_returned") return {}
  const { name, sequence } = event
  const returned = [...own(context.returnedSignals ?? {}, name, []), sequence].sort((one, other) => one - other)
  return { updatedAtMs: event.atMs, returnedSignals: { ...context.returnedSignals, [name]: returned } }
})

/** Notes that a part of the journal does not count any more. */
export const forkJournal = lifecycle.assign(({ context, event }) => {
  if (event.type !== "process.journal_forked") return {}
  const { from, to } = event
  return { updatedAtMs: event.atMs, forks: [...(context.forks ?? []), { from, to }] }
})

/** A signal that was given back is taken again; any other one moves the mark up to which signals were consumed. */
const consumed = (context: ProcessContext, name: string, sequence: number): Partial<ProcessContext> => {
  const returned = own(context.returnedSignals ?? {}, name, [])
  return returned.includes(sequence)
    ? { returnedSignals: { ...context.returnedSignals, [name]: returned.filter((other) => other !== sequence) } }
    : { consumedSignals: { ...context.consumedSignals, [name]: sequence } }
}

/** Keys and names come from outside: what every object inherits, such as `constructor`, is none of them. */
const own = <Value>(values: Readonly<Record<string, Value>>, key: string, otherwise: Value): Value =>
  Object.hasOwn(values, key) ? (values[key] ?? otherwise) : otherwise

/** Keeps the first request to cancel. */
export const noteCancelRequest = lifecycle.assign(({ event }) =>
  event.type === "process.cancel_requested"
    ? { updatedAtMs: event.atMs, cancelRequest: { reason: event.reason, requestedAtMs: event.atMs } }
    : {}
)

/** Keeps the request to give the process up. */
export const noteAbandonRequest = lifecycle.assign(({ event }) =>
  event.type === "process.abandon_requested" ? { updatedAtMs: event.atMs, abandonRequest: event.request } : {}
)

/** Keeps where an attached system knows the process. */
export const noteExternalRef = lifecycle.assign(({ event }) =>
  event.type === "process.external_ref_set" ? { updatedAtMs: event.atMs, externalRef: event.externalRef } : {}
)

/** Forgets the session to wake. */
export const clearWakeTarget = lifecycle.assign(({ event }) => ({ updatedAtMs: event.atMs, wakeTarget: null }))

/** Notes an event; a signal is one for the chart to take. */
export const note = lifecycle.assign(({ context, event }) => ({
  updatedAtMs: event.atMs,
  ...(context.chart !== undefined && event.type === "process.noted" && event.isSignal === true
    ? { chart: received(context.chart) }
    : {})
}))

/** Notes the end of a child, which its parent's chart takes as an event. */
export const noteChildEnd = lifecycle.assign(({ context, event }) => ({
  updatedAtMs: event.atMs,
  ...(context.chart === undefined ? {} : { chart: received(context.chart) })
}))

/** Takes over the state of the chart. */
export const noteTransition = lifecycle.assign(({ context, event }) =>
  event.type === "machine.transitioned"
    ? { updatedAtMs: event.atMs, chart: transitioned(context.chart, event.step) }
    : {}
)

/** Notes an event for the chart. The timer that it came from is over. */
export const noteInput = lifecycle.assign(({ context: { chart }, event }) => {
  if (event.type !== "machine.input" || chart === undefined) return {}
  const { atMs, timer, sequence } = event
  return { updatedAtMs: atMs, chart: received(timer === undefined ? chart : fired(chart, timer, sequence)) }
})

/** Notes that a timer fired whose event is another process's. */
export const noteSent = lifecycle.assign(({ context: { chart }, event }) =>
  event.type === "machine.sent" && chart !== undefined
    ? { updatedAtMs: event.atMs, chart: fired(chart, event.timer) }
    : {}
)

/** Notes that an action of the chart was performed. */
export const noteAction = lifecycle.assign(({ context: { chart }, event }) =>
  event.type === "machine.acted" && chart !== undefined
    ? { updatedAtMs: event.atMs, chart: performed(chart, event.revision, event.index) }
    : {}
)

/** Keeps the output and closes all waits. */
export const end = lifecycle.assign(({ event }) => ({
  updatedAtMs: event.atMs,
  waits: [],
  output: (event as Ended).output
}))

type Ended = Extract<ProcessEvent, { readonly output: Output }>
