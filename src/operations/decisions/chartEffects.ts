/**
 * What a macrostep asks of the world, as the facts of its own process and of others: timers, children, messages.
 *
 * Invariant: everything is decided in the transaction of the macrostep, and what is refused is in its record.
 */
import * as Either from "effect/Either"
import type { Macrostep, RawEffect } from "../../../machines/chart/macrostep.ts"
import type { Target } from "../../../machines/chart/scope.ts"
import type { ChartEffect, ChartEvent } from "../../../machines/chart/state.ts"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import * as Output from "../../model/AwaitOutput.ts"
import { ProcessAlreadyTerminal } from "../../model/errors.ts"
import { messageOf } from "../../model/Failure.ts"
import type { ProcessId } from "../../model/ids.ts"
import * as Ids from "../../model/ids.ts"
import { jsonEquals } from "../../model/json.ts"
import type { Change, Decision, ProcessRow, View } from "../../store/Decision.ts"
import { refuse } from "../../store/Decision.ts"
import * as Append from "./append.ts"
import * as Authority from "./authority.ts"
import * as Changes from "./change.ts"
import * as Facts from "./chartFacts.ts"
import type { Chart } from "./chartStep.ts"
import * as Completion from "./completion.ts"
import * as Register from "./register.ts"

/** The draft that effects are added to. */
export interface Growing {
  readonly view: View
  /** Adds a change of a row to the ones before it. */
  readonly put: (change: Change) => void
  readonly changeOf: (row: ProcessRow) => Change
  /** Takes over what was decided about another process. Answers the refusal. */
  readonly adopt: <A, E>(decision: Decision<A, E>) => E | undefined
  /** Whether a process is among what was decided so far. */
  readonly has: (id: ProcessId) => boolean
}

/**
 * The effects of a step, as they are stored. Children first: XState hands a message to a child that its own macrostep starts,
 * wherever that is said. A child that cannot be started has failed, as an actor of XState that throws as it begins.
 *
 * Throws where the process is closing, and starts none any more.
 */
export const effectsOf = (
  growing: Growing,
  row: ProcessRow,
  chart: Chart,
  step: Macrostep
): ReadonlyArray<ChartEffect> => {
  if (step.effects.length === 0) return []
  const { children = {} } = row.snapshot.context.chart ?? {}
  const at: At = { ...growing, row, chart, step, actors: new Map() }
  for (const [actor, { process }] of Object.entries(children)) at.actors.set(actor, process)
  const started = step.effects.map((effect, index) => (effect.do === "start" ? start(at, effect, index) : undefined))
  return step.effects.map((effect, index) => {
    const done = effect.do === "start" ? (started[index] as ChartEffect) : effectOf(at, effect, index) // each was started above
    // An id may be one actor's before, and another's after this.
    if (done.do === "start" && done.refused === undefined) at.actors.set(done.id, done.process)
    if (done.do === "stop") at.actors.delete(done.id)
    return done
  })
}

/** Sends an event to a process, which takes it once. An ended one refuses it. */
export const send = (
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

/** A step whose effects are gone through; `actors` says which process each actor is at this point. */
interface At extends Growing {
  readonly row: ProcessRow
  readonly chart: Chart
  readonly step: Macrostep
  readonly actors: Map<string, string>
}

type Started = Extract<RawEffect, { readonly do: "start" }>

/** What of a step is sent to its own process is known by. */
const keyOf = ({ row }: At, index: number): string => `${(row.snapshot.context.chart?.revision ?? -1) + 1}:${index}`

/** Has the chart take an event that its own step sends it. */
const sendSelf = (at: At, index: number, event: ChartEvent): void => {
  const { id } = at.row.base.registration
  const own = at.view.row(id) as ProcessRow // it takes this step
  at.put(Changes.appendFact(at.changeOf(own), Facts.machineInput(id, keyOf(at, index), event), at.view.nowMs))
}

const effectOf = (at: At, effect: Exclude<RawEffect, Started>, index: number): ChartEffect => {
  const { view, row, chart, step, actors } = at
  const { id } = row.base.registration
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
      const to = effect.to.at === "self" ? undefined : addressOf(at, effect.to)
      const due = Math.ceil(view.nowMs + Math.max(0, effect.delayMs))
      return { do: "arm", id: effect.id, at: due, event: effect.event, ...(to === undefined ? {} : { to }) }
    }
    case "disarm":
      return effect
    case "stop": {
      const process = actors.get(effect.id) ?? ""
      const child = view.row(process as ProcessId) // a child's, or of no process
      if (child !== undefined && lifecycleOf(child.snapshot) === "running") {
        at.adopt(Completion.requestCancel(child.base.registration.id, leftByParent, Authority.host)(view))
      }
      return { do: "stop", id: effect.id, process }
    }
    case "send": {
      const { event } = effect
      if (effect.to.at === "self") {
        sendSelf(at, index, event)
        return { do: "send", to: id, event }
      }
      const to = addressOf(at, effect.to)
      if (to === undefined) return { do: "send", to: nameOf(effect.to), event, refused: "there is no such process" }
      const refusal = at.adopt(send(view, to as ProcessId, event, `${id}:${keyOf(at, index)}`)) // any text may be an id
      return { do: "send", to, event, ...(refusal === undefined ? {} : { refused: messageOf(refusal) }) }
    }
    case "emit":
    case "log":
      return effect
  }
}

const start = (at: At, { id: actor, src, input, system }: Started, index: number): ChartEffect => {
  const { view, adopt, has, row, chart } = at
  const { id } = row.base.registration
  let n = (row.snapshot.context.chart?.starts[actor] ?? 0) + 1
  while (has(childIdOf(id, actor, n))) n++
  const process = childIdOf(id, actor, n)
  const registered = chart.child(row, src, input, process)
  const refusal = Either.isLeft(registered)
    ? registered.left
    : adopt(Register.start(registered.right, Authority.host)(view))
  const started = { do: "start", id: actor, n, process, src, ...(system === undefined ? {} : { system }) } as const
  if (refusal === undefined) return started
  if (refusal._tag === "ParentClosing") throw refusal
  const message = messageOf(refusal)
  const error = Output.failure("invalid_request", refusal._tag, message)
  sendSelf(at, index, { type: `xstate.error.actor.${actor}`, error, actorId: actor, src })
  return { ...started, refused: message }
}

/** The process that an event goes to. */
const addressOf = (at: At, to: Target): string | undefined => {
  const { id, parent } = at.row.base.registration
  switch (to.at) {
    case "self":
      return id
    case "parent":
      return parent?.processId
    case "process":
      return to.id
    case "child":
      return at.actors.get(to.id) ?? startedNow(at, to.id)
  }
}

/** The last child that this macrostep starts under an id. */
const startedNow = ({ row, has }: At, actor: string): ProcessId | undefined => {
  const { id } = row.base.registration
  let n = (row.snapshot.context.chart?.starts[actor] ?? 0) + 1
  if (!has(childIdOf(id, actor, n))) return undefined
  while (has(childIdOf(id, actor, n + 1))) n++
  return childIdOf(id, actor, n)
}

const leftByParent = "its parent's chart left the state that it belongs to"

const nameOf = (target: Target): string => ("id" in target ? target.id : target.at)

const childIdOf = (parent: ProcessId, actor: string, n: number): ProcessId => `${parent}/${actor}:${n}` as ProcessId // any text may be an id
