/**
 * Handles: what a model holds in its hands to address a process, and the summaries it is told. All of them are wire JSON.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { TerminalState } from "./EventType.ts"
import { ProcessId, processId, SessionScopeId, sessionScopeId } from "./ids.ts"
import { optional, renamed, renamedOptional } from "./json.ts"
import type { ProcessRecord } from "./ProcessRecord.ts"
import { lifecycleLabel } from "./ProcessRecord.ts"
import type { Decode, Encode } from "./wire.ts"
import { decoder, encoder, refuse } from "./wire.ts"

/** How a session sees a process it may address. */
export const HandleDescriptor = Schema.Struct({ kind: optional(Schema.String), label: optional(Schema.String) })
/** How a session sees a process it may address. */
export type HandleDescriptor = typeof HandleDescriptor.Type

/** "This scope may address that process." A session and each of its frames are different scopes. */
export const HandleGrant = Schema.Struct({
  scopeId: renamed("scope_id", SessionScopeId),
  sessionId: renamed("session_id", Schema.String),
  processId: renamed("process_id", ProcessId),
  descriptor: HandleDescriptor
})
/** "This scope may address that process." */
export type HandleGrant = typeof HandleGrant.Type

/** A grant with the process it points to. */
export interface GrantEntry {
  readonly grant: HandleGrant
  readonly record: ProcessRecord
}

/** What became of the processes of a session that was deleted. No process is cancelled by it. */
export const SessionDeleteReport = Schema.Struct({
  sessionId: renamed("session_id", Schema.String),
  revokedHandleCount: renamed("revoked_handle_count", Schema.Int),
  deletedWakeCount: renamed("deleted_wake_count", Schema.Int),
  orphanedProcessIds: renamed("orphaned_process_ids", Schema.Array(ProcessId)),
  preservedProcessIds: renamed("preserved_process_ids", Schema.Array(ProcessId))
})
/** What became of the processes of a session that was deleted. */
export type SessionDeleteReport = typeof SessionDeleteReport.Type

/** A process in a model's hands, with the tool that gave it, if that is known. */
export interface Handle {
  readonly id: ProcessId
  readonly tool?: string
}

/** What a scope is told of a process that it was granted. */
export interface HandleSummary {
  readonly id: ProcessId
  readonly descriptor: HandleDescriptor
  readonly definition?: unknown
  readonly status: Lifecycle
}

/** A handle as JSON: `{"__handle__":"process","id":…}`. */
export const encodeHandle: Encode<Handle> = ({ id, tool }) => ({
  __handle__: "process",
  id,
  ...(tool === undefined ? {} : { tool })
})

/** Reads a handle from what a model wrote. A tool that is no text is left out. */
export const decodeHandle: Decode<Handle> = (json) => {
  if (typeof json !== "object" || json === null || !Object.hasOwn(json, "__handle__")) {
    return refuse("handle", "is missing `__handle__`")
  }
  const fields = json as { readonly __handle__: unknown; readonly id?: unknown; readonly tool?: unknown }
  if (fields.__handle__ !== "process") return refuse("handle", 'has an invalid kind: `__handle__` must be "process"')
  const id = Object.hasOwn(fields, "id") ? fields.id : undefined
  if (typeof id !== "string" || id === "") return refuse("handle", "is missing `id`")
  const tool = Object.hasOwn(fields, "tool") ? fields.tool : undefined
  return Either.right({ id: processId(id), ...(typeof tool === "string" ? { tool } : {}) })
}

/** What a scope is told of a process: the descriptor is its grant's, the definition the process's own. */
export const summaryOf = ({ grant, record }: GrantEntry): HandleSummary => ({
  id: record.id,
  descriptor: grant.descriptor,
  ...("definition" in record.identity ? { definition: record.identity.definition } : {}),
  status: lifecycleLabel(record)
})

const LifecycleLabel = Schema.Union(Schema.Literal("running"), TerminalState)
type Lifecycle = typeof LifecycleLabel.Type

const Summary = Schema.Struct({
  __handle__: Schema.Literal("process"),
  id: ProcessId,
  processId: renamed("process_id", ProcessId),
  descriptor: HandleDescriptor,
  definition: optional(Schema.Unknown),
  status: LifecycleLabel
})

const readSummary = decoder("handle_summary", Summary)
const writeSummary = encoder(Summary)

/** A handle summary as JSON; it can itself be used as a handle. */
export const encodeHandleSummary: Encode<HandleSummary> = (summary) =>
  writeSummary({ ...summary, __handle__: "process", processId: summary.id })
/** Reads a handle summary; its two ids must be one. */
export const decodeHandleSummary: Decode<HandleSummary> = (json) =>
  Either.flatMap(readSummary(json), ({ __handle__: _kind, processId: same, ...summary }) =>
    same === summary.id ? Either.right(summary) : refuse("handle_summary/process_id", "must be the same as `id`")
  )

/** What a caller is told of a process that it asked to stop. */
export const CancelSummary = Schema.Struct({ processId: renamed("process_id", ProcessId), status: LifecycleLabel })
/** What a caller is told of a process that it asked to stop. */
export type CancelSummary = typeof CancelSummary.Type

/** The summary of a process that was asked to stop. */
export const cancelSummaryOf = (record: ProcessRecord): CancelSummary => ({
  processId: record.id,
  status: lifecycleLabel(record)
})

/** A cancel summary as JSON. */
export const encodeCancelSummary: Encode<CancelSummary> = encoder(CancelSummary)
/** Reads a cancel summary. */
export const decodeCancelSummary: Decode<CancelSummary> = decoder("cancel_summary", CancelSummary)

const GrantWire = Schema.Struct({
  ...HandleGrant.fields,
  scopeId: renamedOptional("scope_id", SessionScopeId)
})

const readGrant = decoder("grant", GrantWire)
const writeGrant = encoder(GrantWire)

/** A grant as JSON. The scope is mentioned only when it is a frame: otherwise it follows from the session. */
export const encodeHandleGrant: Encode<HandleGrant> = ({ scopeId, ...grant }) =>
  writeGrant(scopeId === sessionScopeId(grant.sessionId) ? grant : { ...grant, scopeId })
/** Reads a grant; without a scope it is the whole session's. */
export const decodeHandleGrant: Decode<HandleGrant> = (json) =>
  Either.map(readGrant(json), ({ scopeId, ...grant }) => ({
    ...grant,
    scopeId: scopeId ?? sessionScopeId(grant.sessionId)
  }))

/** What became of a deleted session's processes, as JSON. */
export const encodeSessionDeleteReport: Encode<SessionDeleteReport> = encoder(SessionDeleteReport)
/** Reads what became of a deleted session's processes. */
export const decodeSessionDeleteReport: Decode<SessionDeleteReport> = decoder(
  "session_delete_report",
  SessionDeleteReport
)
