/**
 * Handles, by which a model addresses a process, and the summaries it receives. All of them are wire JSON.
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { TerminalState } from "./EventType.ts"
import { ProcessId, processId, SessionScopeId, sessionScopeId } from "./ids.ts"
import { optional, renamed, renamedOptional } from "./json.ts"
import type { ProcessRecord } from "./ProcessRecord.ts"
import { lifecycleLabel } from "./ProcessRecord.ts"
import type { Codec } from "./wire.ts"
import { codec, refuse } from "./wire.ts"

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

/** A page of a list of grants. */
export interface GrantPage {
  readonly entries: ReadonlyArray<GrantEntry>
  /** Where the next page goes on (`after`), a process; absent when nothing follows. */
  readonly next?: ProcessId
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

/** A granted process, as a scope sees it. */
export interface HandleSummary {
  readonly id: ProcessId
  readonly descriptor: HandleDescriptor
  readonly definition?: unknown
  readonly status: Lifecycle
}

/** `{"__handle__":"process","id":…}`, as a model writes it. A tool that is no text is left out. */
const handle: Codec<Handle> = {
  encode: ({ id, tool }) => ({ __handle__: "process", id, ...(tool === undefined ? {} : { tool }) }),
  decode: (json) => {
    if (typeof json !== "object" || json === null || !Object.hasOwn(json, "__handle__")) {
      return refuse("handle", "is missing `__handle__`")
    }
    const fields = json as { readonly __handle__: unknown; readonly id?: unknown; readonly tool?: unknown } // an object has fields
    if (fields.__handle__ !== "process") return refuse("handle", 'has an invalid kind: `__handle__` must be "process"')
    const id = Object.hasOwn(fields, "id") ? fields.id : undefined
    if (typeof id !== "string" || id === "") return refuse("handle", "is missing `id`")
    const tool = Object.hasOwn(fields, "tool") ? fields.tool : undefined
    return Either.right({ id: processId(id), ...(typeof tool === "string" ? { tool } : {}) })
  }
}

/** Summarises a granted process: the descriptor is its grant's, the definition the process's own. */
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

const summaryBy = codec("handle_summary", Summary)

/** A summary can itself be used as a handle; its two ids must be one. */
const handleSummary: Codec<HandleSummary> = {
  encode: (summary) => summaryBy.encode({ ...summary, __handle__: "process", processId: summary.id }),
  decode: (json) =>
    Either.flatMap(summaryBy.decode(json), ({ __handle__: _kind, processId: same, ...summary }) =>
      same === summary.id ? Either.right(summary) : refuse("handle_summary/process_id", "must be the same as `id`")
    )
}

/** A process, as the caller that asked it to stop sees it. */
export const CancelSummary = Schema.Struct({ processId: renamed("process_id", ProcessId), status: LifecycleLabel })
/** A process, as the caller that asked it to stop sees it. */
export type CancelSummary = typeof CancelSummary.Type

/** The summary of a process that was asked to stop. */
export const cancelSummaryOf = (record: ProcessRecord): CancelSummary => ({
  processId: record.id,
  status: lifecycleLabel(record)
})

const grantBy = codec(
  "grant",
  Schema.Struct({ ...HandleGrant.fields, scopeId: renamedOptional("scope_id", SessionScopeId) })
)

/** The scope is mentioned only when it is a frame: otherwise it follows from the session. */
const handleGrant: Codec<HandleGrant> = {
  encode: ({ scopeId, ...grant }) =>
    grantBy.encode(scopeId === sessionScopeId(grant.sessionId) ? grant : { ...grant, scopeId }),
  decode: (json) =>
    Either.map(grantBy.decode(json), ({ scopeId, ...grant }) => ({
      ...grant,
      scopeId: scopeId ?? sessionScopeId(grant.sessionId)
    }))
}

/** The wire JSON of handles and of what is said about them, by name. */
export const wire = {
  handle,
  handleSummary,
  handleGrant,
  cancelSummary: codec("cancel_summary", CancelSummary),
  sessionDeleteReport: codec("session_delete_report", SessionDeleteReport)
}
