/**
 * Appending to the log. The order of the checks is part of the contract.
 */
import * as Either from "effect/Either"
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { EventType } from "../../model/EventType.ts"
import { coreEventTypes, payloadProblem, reservedEventTypes } from "../../model/EventType.ts"
import type { CompletionRefused, LeaseLost } from "../../model/errors.ts"
import {
  EventRejected,
  InputInvalid,
  ProcessAlreadyTerminal,
  type ProcessUnknown,
  TerminalOutcomeMismatch
} from "../../model/errors.ts"
import type { AppendReceipt, AppendRequest, Fact } from "../../model/facts.ts"
import { noted } from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import { isReservedReplayKey, signalNameOf } from "../../model/ids.ts"
import { jsonEquals } from "../../model/json.ts"
import type { MaterializedSemantics, ProcessEvent } from "../../model/ProcessEvent.ts"
import { eventTypeOf } from "../../model/Registration.ts"
import { materialize } from "../../model/semantics.ts"
import { deliveryOf } from "../../model/WakeDelivery.ts"
import type { Change, Decision, Plan, ProcessRow, View } from "../../store/Decision.ts"
import { accept, eventTypesOf, refuse } from "../../store/Decision.ts"
import type { Authority } from "./authority.ts"
import { endRefusalOf, lockOf, onRow, refusalOf } from "./authority.ts"
import * as Changes from "./change.ts"
import * as Children from "./children.ts"
import * as Waits from "./waits.ts"

/** Every way an append is refused; nothing is written, and no sequence number is used. */
export type AppendRefusal =
  | ProcessUnknown
  | LeaseLost
  | EventRejected
  | ProcessAlreadyTerminal
  | TerminalOutcomeMismatch
  | CompletionRefused
  | InputInvalid

/** What an append touches. */
export const appendPlan = (id: ProcessId, request: AppendRequest, authority: Authority): Plan => ({
  lock: lockOf(id, authority),
  ...(request.replayKey === undefined ? {} : { replays: [{ processId: id, key: request.replayKey }] })
})

/**
 * Appends one event, or answers the stored one when its replay key was used before for the same type and payload.
 *
 * Events without terminal meaning may be appended to a process that has ended. An event that ends it needs the right to. The
 * replay keys of the runtime's own facts are refused, used or not, whatever the authority; `entitled` is the one that an operation
 * of the runtime appends under.
 */
export const appendEvent = (
  id: ProcessId,
  request: AppendRequest,
  authority: Authority,
  entitled?: string
): ((view: View) => Decision<AppendReceipt, AppendRefusal>) =>
  onRow(id, (row, view): Decision<AppendReceipt, AppendRefusal> => {
    const { eventType, payload, replayKey } = request
    if (replayKey !== undefined && replayKey !== entitled && isReservedReplayKey(id, replayKey, eventType)) {
      return refuse(reservedKey(replayKey))
    }
    const earlier = replayKey === undefined ? undefined : view.replayed(id, replayKey)
    if (earlier !== undefined) {
      return isSameEvent(earlier, eventType, payload)
        ? accept(receiptOf(row, earlier, request), ...repair(view, row, earlier))
        : refuse(replayConflict(id, eventType, replayKey as string)) // an earlier event implies a key
    }
    const refusal = refusalOf(view, authority)
    if (refusal !== undefined) return refuse(refusal)
    const checked = check(row, request)
    if (Either.isLeft(checked)) return refuse(checked.left)
    const unentitled = checked.right.terminal && endRefusalOf(row, authority, view.nowMs)
    if (unentitled !== undefined) return refuse(unentitled)
    const appended = Changes.appendFact(Changes.of(row), factOf(request, checked.right), view.nowMs)
    const event = appended.events[0] as ProcessEvent // it was appended just above
    const change = Waits.deliver(appended, event, view.nowMs)
    return accept(receiptOf(row, event, request), ...Children.withParent(view, change))
  })

const reservedKey = (key: string) =>
  new InputInvalid({
    field: "replay.key",
    problem: `is \`${key}\`, which the runtime keeps for its own events and for signals: choose another one`
  })

/** The delivery follows the target as it is now, also on a replay. */
const receiptOf = (row: ProcessRow, event: ProcessEvent, { wakeTargetScope }: AppendRequest): AppendReceipt => {
  const target = wakeTargetScope ?? row.snapshot.context.wakeTarget ?? undefined
  const wakeDelivery = deliveryOf(event, target, row.base.registration.provenance.causedBy)
  return { event, ...(wakeDelivery === undefined ? {} : { wakeDelivery }) }
}

/** Whether a stored event is the one that a replayed request asks for. */
export const isSameEvent = (stored: ProcessEvent, eventType: string, payload: unknown): boolean =>
  stored.eventType === eventType && jsonEquals(stored.payload, payload)

/** The refusal of a replay key under which another event was appended. */
export const replayConflict = (id: ProcessId, eventType: string, key: string): EventRejected =>
  rejected(id, eventType, "replay_conflict", `event replay key \`${key}\` conflicts with an existing event`)

/** A torn row of older data: its last event ends it, its projection does not. The event is folded, nothing is appended. */
export const repair = (view: View, row: ProcessRow, replayed: ProcessEvent): ReadonlyArray<Change> =>
  replayed.semantics.terminal !== undefined &&
  lifecycleOf(row.snapshot) === "running" &&
  replayed.sequence === row.sequence
    ? Children.withParent(view, Changes.refolded(Changes.of(row), replayed))
    : []

const check = (
  row: ProcessRow,
  { eventType, payload, replayKey }: AppendRequest
): Either.Either<MaterializedSemantics, AppendRefusal> => {
  const id = row.base.registration.id
  if (reservedEventTypes.has(eventType) || eventType === "process.cancel_requested") {
    return reject(id, eventType, "reserved", `\`${eventType}\` is appended by its own operation only`)
  }
  const type = declaredIn(row, eventType)
  if (type === undefined) return reject(id, eventType, "undeclared", undeclared(row, eventType))
  if (type.semantics.terminal !== undefined && (replayKey ?? "") === "") {
    return reject(id, eventType, "replay_key_required", `\`${eventType}\` requires a deterministic replay key`)
  }
  const refusal = schemaRefusal(row, eventType, payload)
  return refusal === undefined ? meaning(row, type, payload) : Either.left(refusal)
}

/** A problem with its path; that of the whole payload has none. */
const belowPayload = (problem: string): string => (problem.startsWith(": ") ? problem : `: ${problem}`)

/** A declared event type: of the present version of a chart, else of the registration. */
const declaredIn = (row: ProcessRow, eventType: string): EventType | undefined =>
  row.snapshot.context.chart?.declares === undefined
    ? eventTypeOf(row.base.registration, eventType)
    : eventTypesOf(row).find(({ name }) => name === eventType)

/** The refusal of a payload that the declared schema of its type does not admit. */
export const schemaRefusal = (row: ProcessRow, eventType: string, payload: unknown): EventRejected | undefined => {
  const { registration } = row.base
  const type = declaredIn(row, eventType)
  const problem = type && payloadProblem(type, payload)
  return problem === undefined
    ? undefined
    : rejected(
        registration.id,
        eventType,
        "payload_invalid",
        `invalid \`${eventType}\` payload${belowPayload(problem)}`
      )
}

const meaning = (
  row: ProcessRow,
  type: EventType,
  payload: unknown
): Either.Either<MaterializedSemantics, AppendRefusal> => {
  const id = row.base.registration.id
  const materialized = materialize(type.semantics, { processId: id, sequence: row.sequence + 1, payload })
  if (Either.isLeft(materialized)) {
    const problem = materialized.left
    return problem._tag === "SelectorFailed"
      ? reject(id, type.name, "semantics_failed", problem.problem)
      : Either.left(
          new TerminalOutcomeMismatch({ processId: id, declared: problem.declared, outcome: problem.outcome })
        )
  }
  const state = lifecycleOf(row.snapshot)
  return materialized.right.terminal !== undefined && state !== "running"
    ? Either.left(new ProcessAlreadyTerminal({ processId: id, state }))
    : Either.right(materialized.right)
}

const factOf = (
  { eventType, payload, replayKey, wakeTargetScope }: AppendRequest,
  semantics: MaterializedSemantics
): Fact => ({
  eventType,
  payload,
  ...(replayKey === undefined ? {} : { replayKey }),
  semantics,
  lifecycle: semantics.terminal
    ? { type: `process.${semantics.terminal.state}`, output: semantics.terminal.awaitOutput }
    : noted(eventType),
  ...(wakeTargetScope === undefined ? {} : { wakeTarget: wakeTargetScope })
})

/** Says what may be sent instead: a mistyped name is the usual reason. */
const undeclared = (row: ProcessRow, eventType: string): string => {
  const isSignal = signalNameOf(eventType) !== undefined
  const names = eventTypesOf(row).flatMap(({ name }) =>
    (signalNameOf(name) !== undefined) === isSignal && !coreNames.has(name) ? [signalNameOf(name) ?? name] : []
  )
  const kind = isSignal ? "signals" : "event types of its own"
  const declared = names.length === 0 ? `no ${kind}` : `the ${kind} ${names.slice(0, 9).join(", ")}`
  return `emitted undeclared event type \`${eventType}\`: it declares ${declared}; declare this one where the process is started`
}

const coreNames: ReadonlySet<string> = new Set(coreEventTypes.map(({ name }) => name))

const rejected = (
  processId: string,
  eventType: string,
  reason: EventRejected["reason"],
  detail: string
): EventRejected => new EventRejected({ processId, eventType, reason, detail })

const reject = (...args: Parameters<typeof rejected>): Either.Either<never, EventRejected> =>
  Either.left(rejected(...args))
