/**
 * What a session does with what it holds a handle of: each operation checks first whether it may.
 */
import * as Effect from "effect/Effect"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import * as Output from "../model/AwaitOutput.ts"
import { CompletionRefused, InputInvalid, type LeaseLost, ProcessNotVisible } from "../model/errors.ts"
import type { CancelSummary, Handle } from "../model/handles.ts"
import { cancelSummaryOf, decodeHandle, encodeCancelSummary } from "../model/handles.ts"
import type { ProcessId } from "../model/ids.ts"
import * as Ids from "../model/ids.ts"
import type { ProcessRecord } from "../model/ProcessRecord.ts"
import { isTerminal } from "../model/ProcessRecord.ts"
import type { SessionScope } from "../model/Provenance.ts"
import { scopeId } from "../model/Provenance.ts"
import type { ToolOutput } from "../model/ToolOutput.ts"
import { fromAwaitOutput, runtimeFailure } from "../model/ToolOutput.ts"
import type { Awaiter } from "../runtime/Awaiter.ts"
import { readProcess } from "../runtime/reading.ts"
import { sessionScopeOf } from "../runtime/SpawnScope.ts"
import * as Authority from "../store/decisions/authority.ts"
import type { HandleGrants } from "../store/HandleGrants.ts"
import type { Lookup, ProcessRegistry } from "../store/ProcessRegistry.ts"
import type { Caller, SessionProcesses } from "./SessionProcesses.ts"

/** Why an operation on a handle could not be carried out, besides not being allowed. */
export type HandleError = InputInvalid | LeaseLost | Lookup

/** A signal by handle. `callId` is the tool call that sends it: sent again by the same call, it is the same signal. */
export interface HandleSignal {
  readonly name: string
  readonly payload: unknown
  readonly callId: string
}

/** What the operations need. */
export interface HandleSupport {
  readonly registry: typeof ProcessRegistry.Service
  readonly grants: typeof HandleGrants.Service
  readonly awaiter: typeof Awaiter.Service
}

/** The operations on handles. */
export type Operations = Pick<
  typeof SessionProcesses.Service,
  | "awaitHandle"
  | "cancelHandle"
  | "signalHandle"
  | "validateVisible"
  | "cancelAllVisible"
  | "cancelUnreferenced"
  | "completeExternal"
>

/** Why a handle's process is asked to stop. */
export const cancelReason = "requested by process handle"

/** Makes the operations. */
export const make = ({ registry, grants, awaiter }: HandleSupport): Operations => {
  const visible = (scope: SessionScope, id: ProcessId) =>
    Effect.flatMap(grants.hasHandleGrant(scope, id), (has) =>
      has ? Effect.void : Effect.fail(new ProcessNotVisible({ processId: id, scopeId: scopeId(scope), needed: "any" }))
    )

  /** The process, if it still runs and the scope may address it. */
  const live = (scope: SessionScope, id: ProcessId) =>
    Effect.gen(function* () {
      const has = yield* grants.hasHandleGrant(scope, id)
      const record = has ? yield* readProcess(registry, id) : undefined
      if (record === undefined || isTerminal(record)) {
        return yield* new ProcessNotVisible({ processId: id, scopeId: scopeId(scope), needed: "live" })
      }
      return record
    })

  const cancel = (id: ProcessId, authority: Authority.Authority = Authority.host) =>
    registry.requestProcessCancel(id, cancelReason, authority)

  /** Stops what the scope may address. */
  const cancelVisible = (scope: SessionScope, id: ProcessId, authority?: Authority.Authority) =>
    Effect.zipRight(visible(scope, id), cancel(id, authority))

  /** Waits; a caller that is asked to stop meanwhile stops the child, and still waits for its end. */
  const awaited = (id: ProcessId, caller: Caller) => {
    const { stopping } = caller
    const end = awaiter.awaitProcess(id)
    if (stopping === undefined) return end
    return Effect.raceFirst(
      end,
      Effect.flatMap(stopping, (reason) =>
        Effect.flatMap(cancel(id, caller.authority), (record) =>
          // Nobody here can end external work: its caller must not wait for the outside system's word.
          record.disposition === "externally_owned" && !isTerminal(record)
            ? Effect.succeed(Output.cancelled(reason ?? "cancelled"))
            : end
        )
      )
    )
  }

  return {
    awaitHandle: (handle, caller) =>
      replying("process_await_failed", "", (id) =>
        Effect.gen(function* () {
          if (!caller.runLocal.has(id)) yield* visible(sessionScopeOf(caller), id)
          return fromAwaitOutput(yield* awaited(id, caller))
        })
      )(handle),
    cancelHandle: (handle, caller) =>
      replying("process_cancel_failed", "cancel failed: ", (id) =>
        Effect.map(
          caller.runLocal.has(id)
            ? cancel(id, caller.authority)
            : cancelVisible(sessionScopeOf(caller), id, caller.authority),
          (record) => answered(encodeCancelSummary(cancelSummaryOf(record)))
        )
      )(handle),
    signalHandle: (handle, { name, payload, callId }, caller) =>
      replying("process_signal_failed", "signal failed: ", (id) =>
        Effect.gen(function* () {
          const problem = Ids.signalNameProblem(name)
          if (problem !== undefined) return yield* new InputInvalid({ field: "process", problem })
          yield* live(sessionScopeOf(caller), id)
          const request = {
            eventType: Ids.signalEventType(name),
            payload,
            replayKey: Ids.signalReplayKey(id, name, `process-${callId}`)
          }
          const { event } = yield* registry.appendEvent(id, request, caller.authority ?? Authority.external)
          return answered({ process_id: id, sequence: event.sequence })
        })
      )(handle),
    validateVisible: (scope, ids) => Effect.forEach(ids, (id) => visible(scope, id), { discard: true }),
    cancelAllVisible: (scope) =>
      Effect.flatMap(grants.listLiveHandleGrants(scope), (entries) =>
        Effect.forEach(
          entries,
          ({ record }): Effect.Effect<CancelSummary, ProcessNotVisible | HandleError> =>
            Effect.map(cancelVisible(scope, record.id), cancelSummaryOf)
        )
      ),
    cancelUnreferenced: (scope, keep) =>
      Effect.gen(function* () {
        const kept = new Set(keep)
        const cancelled: Array<ProcessRecord> = []
        for (const { record } of yield* grants.listHandleGrants(scope)) {
          if (kept.has(record.id)) continue
          yield* grants.revokeHandle(scope, record.id)
          if (isTerminal(record)) continue
          if ((yield* grants.handleGrantsForProcess(record.id)).length > 0) continue
          cancelled.push(yield* cancel(record.id))
        }
        return cancelled
      }),
    completeExternal: (scope, id, output: AwaitOutput) =>
      Effect.gen(function* () {
        yield* visible(scope, id)
        const { disposition } = yield* readProcess(registry, id)
        if (disposition !== "externally_owned") {
          const detail = "it is not externally-owned"
          return yield* new CompletionRefused({ processId: id, authority: "external_owner", disposition, detail })
        }
        return yield* registry.completeProcess(id, output, { _tag: "ExternalOwner" })
      })
  }
}

/** Turns an operation on a process into one on a handle, whose refusals are outputs that a model can read. */
const replying =
  <E extends { readonly message: string }>(
    code: string,
    prefix: string,
    perform: (id: ProcessId) => Effect.Effect<ToolOutput, E>
  ): ((handle: unknown) => Effect.Effect<ToolOutput>) =>
  (json) =>
    Effect.suspend((): Effect.Effect<Handle, InputInvalid> => decodeHandle(json)).pipe(
      Effect.flatMap(({ id }): Effect.Effect<ToolOutput, E | InputInvalid> => perform(id)),
      Effect.catchAll((error) => Effect.succeed(runtimeFailure("invalid_request", code, `${prefix}${error.message}`)))
    )

const answered = (value: unknown): ToolOutput => ({ _tag: "Success", value })
