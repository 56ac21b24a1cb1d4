/**
 * Lifecycle facts: each is one stored event and one event of the lifecycle machine, made together so that they cannot differ.
 *
 * Payloads are wire JSON, since selectors, other languages and people read them. Every fact has a deterministic replay key:
 * asking twice for the same thing is a replay, not a second transition.
 */
import * as Schema from "effect/Schema"
import type { ChartTransition } from "../../machines/chart/state.ts"
import type { EndState, ProcessEvent as MachineEvent } from "../../machines/process/types.ts"
import type { AwaitOutput } from "./AwaitOutput.ts"
import * as Output from "./AwaitOutput.ts"
import type { ProcessId } from "./ids.ts"
import * as Ids from "./ids.ts"
import { optional, renamed, renamedOptional, tagged, whenAsked } from "./json.ts"
import { LeaseOwner } from "./Lease.ts"
import type { MaterializedSemantics, ProcessEvent } from "./ProcessEvent.ts"
import type { SessionScope } from "./Provenance.ts"
import type { WakeDelivery } from "./WakeDelivery.ts"

/** A request to append. Two appends under one replay key are one event, provided that they agree on type and payload. */
export interface AppendRequest {
  readonly eventType: string
  readonly payload: unknown
  /** None of those of the runtime's own events and of signals, which begin with `process:{id}:`: such a one is refused. */
  readonly replayKey?: string
  /** Whom the event wakes, if it carries a wake. @default the process's own wake target */
  readonly wakeTargetScope?: SessionScope
}

/** An event that is durable, and the message for a session that it calls for, if any. */
export interface AppendReceipt {
  readonly event: ProcessEvent
  readonly wakeDelivery?: WakeDelivery
}

/** The lifecycle event of a fact, without the time, which the store adds when it commits. */
export type LifecycleEvent = MachineEvent extends infer Event
  ? Event extends MachineEvent
    ? Omit<Event, "atMs">
    : never
  : never

/** An event about to be appended, with what it means to the lifecycle. */
export interface Fact {
  readonly eventType: string
  readonly payload: unknown
  readonly replayKey?: string
  readonly semantics: MaterializedSemantics
  readonly lifecycle: LifecycleEvent
  /** Whom its wake is for, when that is not the process's own target. No part of the event. */
  readonly wakeTarget?: SessionScope
}

/** Who began an activation, and under which fence. Units: epoch milliseconds, UTC. */
export const ProcessStarted = Schema.Struct({
  owner: LeaseOwner,
  startedAtMs: renamed("started_at_ms", Schema.Int),
  attempt: Schema.Int,
  fencingToken: renamed("fencing_token", Schema.Int),
  /** The span of this activation, as a `traceparent`, where its host traces. */
  trace: optional(Schema.String)
})
/** Who began an activation, and under which fence. */
export type ProcessStarted = typeof ProcessStarted.Type

/** An authorised caller allows a process to be abandoned once no owner holds it. */
export const AbandonRequest = Schema.Struct({
  requestedBy: renamed("requested_by", Schema.String),
  requestedAtMs: renamed("requested_at_ms", Schema.Int),
  reason: optional(Schema.String)
})
/** An authorised caller allows a process to be abandoned once no owner holds it. */
export type AbandonRequest = typeof AbandonRequest.Type

/** Where an attached system knows a process. */
export const ExternalRef = Schema.Struct({
  backend: Schema.String,
  id: Schema.String,
  metadata: optional(Schema.Unknown)
})
/** Where an attached system knows a process. */
export type ExternalRef = typeof ExternalRef.Type

/** An open wait. Units: epoch milliseconds, UTC. */
export const WaitState = Schema.Struct({
  kind: Schema.Union(
    Schema.Struct({
      _tag: tagged("kind", "signal", "Signal"),
      name: Schema.String,
      eventType: renamed("event_type", Schema.String),
      key: Schema.String,
      ordinal: Schema.Int
    }),
    Schema.Struct({ _tag: tagged("kind", "timer", "Timer"), key: Schema.String })
  ),
  sinceMs: renamed("since_ms", Schema.Int),
  deadlineMs: renamedOptional("deadline_ms", Schema.Int),
  /** Its key is used once only. */
  once: optional(Schema.Literal(true)),
  /** It takes a signal before the waits that are open already. */
  ahead: optional(Schema.Literal(true))
})
/** An open wait. */
export type WaitState = typeof WaitState.Type

/** The facts that a body may wait for, besides signals. */
export const newsTypes: ReadonlyArray<string> = ["process.resumed", "process.child_ended", "process.cancel_requested"]

/** Whether a body may wait for events of a type. */
export const isNews = (eventType: string): boolean =>
  newsTypes.includes(eventType) || Ids.signalNameOf(eventType) !== undefined

/** How a wait ended. */
export const WaitOutcome = Schema.Union(
  Schema.Struct({ _tag: tagged("type", "signal", "Signal"), sequence: Schema.Int }),
  Schema.Struct({ _tag: tagged("type", "timer", "Timer") }),
  Schema.Struct({ _tag: tagged("type", "child", "Child"), processId: renamed("process_id", Schema.String) }),
  Schema.Struct({ _tag: tagged("type", "promise", "Promise") }),
  Schema.Struct({ _tag: tagged("type", "timeout", "Timeout") }),
  Schema.Struct({ _tag: tagged("type", "cancelled", "Cancelled") }),
  Schema.Struct({ _tag: tagged("type", "dropped", "Dropped") })
)
/** How a wait ended. */
export type WaitOutcome = typeof WaitOutcome.Type

/** Why an activation ended without an end of the process. */
export const SuspendReason = Schema.Literal("handed_back", "passivated", "lease_lost")
/** Why an activation ended without an end of the process. */
export type SuspendReason = typeof SuspendReason.Type

/** A part of the journal does not count any more, and why; `children` says what became of those that were begun there. */
export const JournalForked = Schema.Struct({
  from: Schema.Int,
  to: Schema.Int,
  by: Schema.String,
  reason: optional(Schema.String),
  children: optional(Schema.Literal("keep", "cancel"))
})
/** A part of the journal does not count any more. */
export type JournalForked = typeof JournalForked.Type

const payloads = {
  "process.started": Schema.Struct({ started: ProcessStarted }),
  "process.suspended": Schema.Struct({ reason: SuspendReason }),
  "process.waiting": Schema.Struct({ wait: WaitState }),
  "process.resumed": Schema.Struct({ waitKey: renamed("wait_key", Schema.String), outcome: WaitOutcome }),
  "process.signal_returned": Schema.Struct({ name: Schema.String, sequence: Schema.Int }),
  "process.journal_forked": JournalForked,
  "process.child_ended": Schema.Struct({
    childId: renamed("child_id", Schema.String),
    state: Schema.Literal("completed", "failed", "cancelled", "abandoned")
  }),
  "process.cancel_requested": Schema.Struct({ reason: Schema.NullOr(Schema.String) }),
  "process.abandon_requested": Schema.Struct({ request: AbandonRequest }),
  "process.external_ref_set": Schema.Struct({ externalRef: renamed("external_ref", ExternalRef) }),
  "process.wake_target_cleared": Schema.Struct({ sessionId: renamed("session_id", Schema.String) })
} as const

/** A worker's identity is the same in every start of its life: it is encoded once. */
const ownerWire = (owner: LeaseOwner): typeof LeaseOwner.Encoded => {
  const known = encodedOwners.get(owner)
  if (known !== undefined) return known
  const wire = encodeOwner(owner)
  encodedOwners.set(owner, wire)
  return wire
}

const encodeOwner = whenAsked(() => Schema.encodeSync(LeaseOwner))

const encodedOwners = new WeakMap<LeaseOwner, typeof LeaseOwner.Encoded>()

const encodeWait = whenAsked(() => Schema.encodeSync(WaitState))
const encodeOutcome = whenAsked(() => Schema.encodeSync(WaitOutcome))

/** An activation begins. */
export const started = (id: ProcessId, activation: number, begun: ProcessStarted): Fact => ({
  eventType: "process.started",
  payload: {
    started: {
      owner: ownerWire(begun.owner),
      started_at_ms: begun.startedAtMs,
      attempt: begun.attempt,
      fencing_token: begun.fencingToken,
      ...(begun.trace === undefined ? {} : { trace: begun.trace })
    }
  },
  replayKey: Ids.startedReplayKey(id, activation),
  semantics: {},
  lifecycle: { type: "process.started", owner: begun.owner, startedAtMs: begun.startedAtMs, attempt: begun.attempt }
})

/** An activation is handed back: the next one is no new attempt. */
export const suspended = (id: ProcessId, activation: number, reason: SuspendReason): Fact => ({
  eventType: "process.suspended",
  payload: { reason },
  replayKey: Ids.suspendedReplayKey(id, activation),
  semantics: {},
  lifecycle: { type: "process.suspended", reason }
})

/** A caller asks a process to stop. */
export const cancelRequested = (id: ProcessId, reason: string | null): Fact => ({
  eventType: "process.cancel_requested",
  payload: { reason },
  replayKey: Ids.cancelReplayKey(id, reason),
  semantics: {},
  lifecycle: { type: "process.cancel_requested", reason }
})

/** An authorised caller allows a process to be abandoned. */
export const abandonRequested = (id: ProcessId, request: AbandonRequest): Fact => ({
  eventType: "process.abandon_requested",
  payload: { request: Schema.encodeSync(AbandonRequest)(request) },
  replayKey: Ids.runtimeReplayKey(id, "abandon-requested"),
  semantics: {},
  lifecycle: { type: "process.abandon_requested", request }
})

/** An attached system names the process its own way. */
export const externalRefSet = (id: ProcessId, externalRef: ExternalRef): Fact => ({
  eventType: "process.external_ref_set",
  payload: { external_ref: externalRef },
  replayKey: Ids.runtimeReplayKey(id, "external-ref"),
  semantics: {},
  lifecycle: { type: "process.external_ref_set", externalRef }
})

/** The session that a process was to wake is gone. */
export const wakeTargetCleared = (id: ProcessId, sessionId: string): Fact => ({
  eventType: "process.wake_target_cleared",
  payload: { session_id: sessionId },
  replayKey: Ids.runtimeReplayKey(id, "wake-target-cleared", sessionId),
  semantics: {},
  lifecycle: { type: "process.wake_target_cleared", sessionId }
})

/** Under this key the beginning of a wait is found. */
export const enteredKey = (id: ProcessId, waitKey: string, occurrence: number): string =>
  Ids.runtimeReplayKey(id, "wait", waitKey, occurrence, "entered")

/** A wait opens; `occurrence` numbers the times that its key was entered. */
export const waiting = (id: ProcessId, wait: WaitState, occurrence: number): Fact => ({
  eventType: "process.waiting",
  payload: { wait: encodeWait(wait) },
  replayKey: enteredKey(id, wait.kind.key, occurrence),
  semantics: {},
  lifecycle: { type: "process.waiting", wait }
})

/** Under this key the end of a wait is found. */
export const resumedKey = (id: ProcessId, waitKey: string, occurrence: number): string =>
  Ids.runtimeReplayKey(id, "wait", waitKey, occurrence, "cleared")

/** A wait ends; its outcome is what a re-execution reads. */
export const resumed = (id: ProcessId, waitKey: string, occurrence: number, outcome: WaitOutcome): Fact => ({
  eventType: "process.resumed",
  payload: { wait_key: waitKey, outcome: encodeOutcome(outcome) },
  replayKey: resumedKey(id, waitKey, occurrence),
  semantics: {},
  lifecycle: { type: "process.resumed", waitKey, outcome }
})

/** A wait that is dropped gives the signal back that had ended it: the next wait takes it. */
export const signalReturned = (id: ProcessId, waitKey: string, name: string, sequence: number): Fact => ({
  eventType: "process.signal_returned",
  payload: { name, sequence },
  replayKey: Ids.runtimeReplayKey(id, "wait", waitKey, "returned"),
  semantics: {},
  lifecycle: { type: "process.signal_returned", name, sequence }
})

/** A person moves a process on from an entry of its journal; `fork` counts the forks, this one included. */
export const journalForked = (id: ProcessId, fork: number, forked: JournalForked): Fact => ({
  eventType: "process.journal_forked",
  payload: Schema.encodeSync(JournalForked)(forked),
  replayKey: Ids.runtimeReplayKey(id, "journal", "fork", fork),
  semantics: {},
  lifecycle: { type: "process.journal_forked", from: forked.from, to: forked.to }
})

/** A child ended; its output is in its record. */
export const childEnded = (
  id: ProcessId,
  child: { readonly childId: ProcessId; readonly state: EndState; readonly createdAtMs: number }
): Fact => ({
  eventType: "process.child_ended",
  payload: { child_id: child.childId, state: child.state },
  replayKey: childEndedKey(id, child.childId, child.createdAtMs),
  semantics: {},
  lifecycle: { type: "process.child_ended", childId: child.childId, state: child.state }
})

/** Under this key the end of a child is found. An id may be used again: `createdAtMs` says which registration ended. */
export const childEndedKey = (id: ProcessId, childId: ProcessId, createdAtMs: number): string =>
  Ids.runtimeReplayKey(id, "child", childId, createdAtMs, "ended")

/** A process ends. `authority` is noted beside the output when no lease stood behind the end. */
export const ended = (id: ProcessId, output: AwaitOutput, authority?: unknown): Fact => {
  const state = Output.endStateOf(output)
  const eventType = `process.${state}` as const
  return {
    eventType,
    payload: {
      await_output: Output.toWire(output),
      ...(authority === undefined ? {} : { completion_authority: authority })
    },
    replayKey: Ids.terminalReplayKey(id, eventType),
    semantics: { terminal: { state, awaitOutput: output } },
    lifecycle: { type: eventType, output }
  }
}

/** The events of a log that a chart takes. */
export const chartInputTypes: ReadonlyArray<string> = ["process.child_ended", "machine.input"]

/** Whether a chart takes events of a type. */
export const isChartInput = (type: string): boolean =>
  chartInputTypes.includes(type) || Ids.signalNameOf(type) !== undefined

/** What an event without a meaning of its own tells the lifecycle: a signal is one for the chart, if there is one. */
export const noted = (eventType: string): Extract<LifecycleEvent, { readonly type: "process.noted" }> =>
  Ids.signalNameOf(eventType) === undefined ? { type: "process.noted" } : { type: "process.noted", isSignal: true }

/**
 * What a stored event tells the lifecycle machine.
 *
 * Its materialised terminal decides first, so that a producer's own terminal type ends the process too; then its name;
 * everything else is noted. A lifecycle event whose payload does not decode is a defect of the writer of the row.
 */
export const lifecycleEventOf = (event: ProcessEvent): MachineEvent => {
  const atMs = event.occurredAtMs
  const terminal = event.semantics.terminal
  if (terminal !== undefined) return { type: `process.${terminal.state}`, atMs, output: terminal.awaitOutput }
  switch (event.eventType) {
    case "process.started": {
      const { started: begun } = decode("process.started", event)
      const { owner, startedAtMs, attempt } = begun
      return { type: event.eventType, atMs, owner, startedAtMs, attempt }
    }
    case "process.journal_forked": {
      const { from, to } = decode("process.journal_forked", event)
      return { type: event.eventType, atMs, from, to }
    }
    case "process.suspended":
    case "process.waiting":
    case "process.resumed":
    case "process.signal_returned":
    case "process.child_ended":
    case "process.cancel_requested":
    case "process.abandon_requested":
    case "process.external_ref_set":
    case "process.wake_target_cleared":
      return { type: event.eventType, atMs, ...decode(event.eventType, event) } as MachineEvent // each payload is its event
    case "machine.transitioned":
      return { type: event.eventType, atMs, step: event.payload as ChartTransition } // written by the store's decisions alone
    case "machine.input":
    case "machine.sent":
      return { type: event.eventType, atMs, ...timerOf(event) } as MachineEvent // as above: what is sent has one
    case "machine.acted": {
      const { revision, index } = event.payload as { readonly revision: number; readonly index: number } // as above
      return { type: event.eventType, atMs, revision, index }
    }
    default:
      return { ...noted(event.eventType), atMs }
  }
}

const timerOf = ({ payload, sequence }: ProcessEvent): { readonly timer?: string; readonly sequence?: number } => {
  const { timer, at } = payload as { readonly timer?: string; readonly at?: number } // written by the store's decisions alone
  return timer === undefined ? {} : { timer, ...(at === undefined ? {} : { sequence }) }
}

const decode = <Name extends keyof typeof payloads>(name: Name, event: ProcessEvent): (typeof payloads)[Name]["Type"] =>
  Schema.decodeUnknownSync(payloads[name] as Schema.Schema<(typeof payloads)[Name]["Type"], unknown>)(event.payload)
