/**
 * Ends, and the requests for one. A process ends once: the holder of its lease ends it, or a caller with the authority to.
 */
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { Disposition } from "../../../machines/recovery.ts"
import type { AwaitOutput } from "../../model/AwaitOutput.ts"
import { endStateOf, failure, toWire } from "../../model/AwaitOutput.ts"
import type { LeaseLost } from "../../model/errors.ts"
import { CompletionRefused, type EventRejected, ProcessAlreadyTerminal, ProcessUnknown } from "../../model/errors.ts"
import type { AbandonRequest } from "../../model/facts.ts"
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import * as Ids from "../../model/ids.ts"
import { jsonEquals } from "../../model/json.ts"
import type { Lease } from "../../model/Lease.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import type { Change, Decision, Plan, ProcessRow, View } from "../../store/Decision.ts"
import { accept, refuse } from "../../store/Decision.ts"
import * as Append from "./append.ts"
import type { Authority } from "./authority.ts"
import { leasedOnly, leaseRefusal, lockOf, onRow, refusalOf } from "./authority.ts"
import * as Changes from "./change.ts"
import * as Children from "./children.ts"

/**
 * The right to complete a process without a lease.
 *
 * `ExternalOwner`: the outside system that owns the work. `WorkflowKey`: an attached engine that runs the process under its
 * own key. `ReconciledAbandon`: an operator's recorded decision to give external work up.
 */
export type CompletionAuthority =
  | { readonly _tag: "ExternalOwner" }
  | { readonly _tag: "WorkflowKey"; readonly workflowKey: string }
  | { readonly _tag: "ReconciledAbandon" }

/** Every way a completion is refused; nothing is written. */
export type CompletionRefusal = ProcessUnknown | ProcessAlreadyTerminal | EventRejected

/** What ending a process touches. */
export const completionPlan = (id: ProcessId, output: AwaitOutput): Plan => ({
  lock: [id],
  replays: [{ processId: id, key: Ids.terminalReplayKey(id, `process.${endStateOf(output)}`) }]
})

/** Ends a process under its lease, and releases that lease, in one transaction. An equal earlier end is a replay. */
export const completeWithLease =
  (lease: Lease, output: AwaitOutput) =>
  (view: View): Decision<ProcessRow, CompletionRefusal | LeaseLost> =>
    end(view, lease.processId, output, (row) => leaseRefusal(row, lease, view.nowMs))

/**
 * The same for a worker, whose body has ended already: a result that its declared event type does not admit fails the
 * process, and what the runtime itself has to say of the end is not judged.
 */
export const concludeWithLease =
  (lease: Lease, output: AwaitOutput) =>
  (view: View): Decision<ProcessRow, CompletionRefusal | LeaseLost> => {
    const right = (row: ProcessRow) => leaseRefusal(row, lease, view.nowMs)
    const decision = completeWithLease(lease, output)(view)
    const refusal = decision._tag === "Refused" ? decision.error : undefined
    if (refusal?._tag !== "EventRejected" || refusal.reason !== "payload_invalid") return decision
    const admitted = output._tag === "Success" ? failure("execution", "process_output_invalid", refusal.detail) : output
    return end(view, lease.processId, admitted, right, { isJudged: false })
  }

/** Ends a process on an authority other than a lease; the terminal payload notes which. */
export const completeWithAuthority =
  (id: ProcessId, output: AwaitOutput, authority: CompletionAuthority) =>
  (view: View): Decision<ProcessRow, CompletionRefusal | CompletionRefused> =>
    end(view, id, output, (row) => authorityRefusal(row, output, authority), { authority: authorityWire(authority) })

/** Appends an end whose right was checked by the caller. */
export const ended = (change: Change, output: AwaitOutput, nowMs: number, authority?: unknown): Change =>
  Changes.appendFact(change, Facts.ended(change.row.base.registration.id, output, authority), nowMs)

/** What a request to stop touches. */
export const cancelPlan = (id: ProcessId, reason: string | null, authority: Authority): Plan => ({
  lock: lockOf(id, authority),
  replays: [{ processId: id, key: Ids.cancelReplayKey(id, reason) }]
})

/** Records the request to stop, once for each reason. An ended process takes the note and stays as it is. */
export const requestCancel = (
  id: ProcessId,
  reason: string | null,
  authority: Authority
): ((view: View) => Decision<ProcessRow, ProcessUnknown | LeaseLost>) =>
  onRow(id, (row, view): Decision<ProcessRow, LeaseLost> => {
    if (view.replayed(id, Ids.cancelReplayKey(id, reason)) !== undefined) return accept(row)
    const refusal = refusalOf(view, authority)
    if (refusal !== undefined) return refuse(refusal)
    return Changes.accepted(Changes.appendFact(Changes.of(row), Facts.cancelRequested(id, reason), view.nowMs))
  })

/** Records the request to stop a running process. An ended one refuses it. */
export const cancelRunning =
  (id: ProcessId, reason: string | null, authority: Authority) =>
  (view: View): Decision<ProcessRow, ProcessUnknown | ProcessAlreadyTerminal | LeaseLost> => {
    const row = view.row(id)
    const state = row === undefined ? "running" : lifecycleOf(row.snapshot)
    return state === "running"
      ? requestCancel(id, reason, authority)(view)
      : refuse(new ProcessAlreadyTerminal({ processId: id, state, refused: "accept a cancel request" }))
  }

/** Records the request to give a process up; only the first one counts. It ends nothing by itself. */
export const requestAbandon = (
  id: ProcessId,
  request: AbandonRequest,
  authority: Authority
): ((view: View) => Decision<ProcessRow, ProcessUnknown | ProcessAlreadyTerminal | LeaseLost>) =>
  onRow(id, (row, view): Decision<ProcessRow, ProcessAlreadyTerminal | LeaseLost> => {
    const state = lifecycleOf(row.snapshot)
    if (state === "running" && row.snapshot.context.abandonRequest !== undefined) return accept(row)
    const refusal = refusalOf(view, authority)
    if (refusal !== undefined) return refuse(refusal)
    if (state !== "running") {
      return refuse(new ProcessAlreadyTerminal({ processId: id, state, refused: "accept an abandon request" }))
    }
    return Changes.accepted(Changes.appendFact(Changes.of(row), Facts.abandonRequested(id, request), view.nowMs))
  })

const end = <E>(
  view: View,
  id: ProcessId,
  output: AwaitOutput,
  refusalOfRight: (row: ProcessRow) => E | undefined,
  { authority, isJudged = true }: { readonly authority?: unknown; readonly isJudged?: boolean } = {}
): Decision<ProcessRow, CompletionRefusal | E> => {
  const row = view.row(id)
  if (row === undefined) return refuse(new ProcessUnknown({ processId: id }))
  const eventType = `process.${endStateOf(output)}`
  const key = Ids.terminalReplayKey(id, eventType)
  const earlier = view.replayed(id, key)
  if (earlier !== undefined && hasOutput(earlier, output)) {
    const repaired = Append.repair(view, row, earlier)
    return accept(repaired[0]?.row ?? row, ...repaired)
  }
  const refusal = refusalOfRight(row)
  if (refusal !== undefined) return refuse(refusal)
  if (earlier !== undefined) return refuse(Append.replayConflict(id, eventType, key))
  const state = lifecycleOf(row.snapshot)
  if (state !== "running") return refuse(new ProcessAlreadyTerminal({ processId: id, state }))
  // The authority is noted after the check: it is no part of what was declared.
  const problem = isJudged ? Append.schemaRefusal(row, eventType, { await_output: toWire(output) }) : undefined
  if (problem !== undefined) return refuse(problem)
  const change = ended(Changes.of(row), output, view.nowMs, authority)
  return accept(change.row, ...Children.withParent(view, change))
}

/** An older store may have another event under the key of an end. */
const hasOutput = ({ eventType, payload }: ProcessEvent, output: AwaitOutput): boolean =>
  eventType === `process.${endStateOf(output)}` &&
  typeof payload === "object" &&
  payload !== null &&
  "await_output" in payload &&
  jsonEquals(payload.await_output, toWire(output))

const mayComplete: Readonly<Record<CompletionAuthority["_tag"], ReadonlyArray<Disposition>>> = {
  ExternalOwner: ["externally_owned"],
  WorkflowKey: ["rerunnable", "owner_bound"],
  ReconciledAbandon: ["externally_owned"]
}

const authorityRefusal = (
  row: ProcessRow,
  output: AwaitOutput,
  authority: CompletionAuthority
): CompletionRefused | undefined => {
  const { id, disposition } = row.base.registration
  const refused = (detail: string) =>
    new CompletionRefused({ processId: id, authority: authority._tag, disposition, detail })
  if (!mayComplete[authority._tag].includes(disposition)) {
    return refused(disposition === "externally_owned" ? "it is completed by its external owner" : leasedOnly)
  }
  return authority._tag === "ReconciledAbandon" && output._tag !== "Abandoned"
    ? refused("this authority records abandonments only")
    : undefined
}

const authorityWire = (authority: CompletionAuthority): unknown => {
  switch (authority._tag) {
    case "ExternalOwner":
      return "external_owner"
    case "WorkflowKey":
      return { workflow_key: authority.workflowKey }
    case "ReconciledAbandon":
      return "reconciled_abandon"
  }
}
