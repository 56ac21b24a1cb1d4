/**
 * Grants: which session scope may address which process. A grant says nothing about who started or who is woken.
 */
import * as Schema from "effect/Schema"
import { ProcessId, SessionScopeId } from "./ids.ts"
import { optional, renamed } from "./json.ts"
import type { ProcessRecord } from "./ProcessRecord.ts"

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
