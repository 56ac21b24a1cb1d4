/**
 * Grants: which session scope may address which process. They are edges of their own and touch no record.
 */
import { lifecycleOf } from "../../../machines/process/lifecycle.ts"
import type { ProcessUnknown } from "../../model/errors.ts"
import { GrantMissing } from "../../model/errors.ts"
import * as Facts from "../../model/facts.ts"
import type { HandleGrant, SessionDeleteReport } from "../../model/Handle.ts"
import type { ProcessId, SessionScopeId } from "../../model/ids.ts"
import type { Change, Decision, ProcessRow, View } from "../../store/Decision.ts"
import { accept, acceptWith, refuse } from "../../store/Decision.ts"
import { onRow } from "./authority.ts"
import * as Changes from "./change.ts"

/** Grants a process to a scope; granting again replaces the descriptor. */
export const grant = (granted: HandleGrant): ((view: View) => Decision<HandleGrant, ProcessUnknown>) =>
  onRow(granted.processId, () => acceptWith(granted, [{ _tag: "PutGrant", grant: granted }]))

/** Takes a grant back; silently when there is none. */
export const revoke =
  (scopeId: SessionScopeId, processId: ProcessId) =>
  (view: View): Decision<void, never> =>
    view.grant(scopeId, processId) === undefined
      ? accept(undefined)
      : acceptWith(undefined, [{ _tag: "RemoveGrant", scopeId, processId }])

/** Moves grants from one scope to another, all or none; a grant that the target has already is replaced. */
export const transfer =
  (
    from: SessionScopeId,
    to: { readonly scopeId: SessionScopeId; readonly sessionId: string },
    ids: ReadonlyArray<ProcessId>
  ) =>
  (view: View): Decision<void, GrantMissing> => {
    const distinct = [...new Set(ids)]
    const missing = distinct.find((processId) => view.grant(from, processId) === undefined)
    if (missing !== undefined) return refuse(new GrantMissing({ processId: missing, scopeId: from }))
    return acceptWith(
      undefined,
      distinct.flatMap((processId) => {
        const present = view.grant(from, processId)
        return present === undefined
          ? []
          : [
              { _tag: "RemoveGrant", scopeId: from, processId } as const,
              { _tag: "PutGrant", grant: { ...present, scopeId: to.scopeId, sessionId: to.sessionId } } as const
            ]
      })
    )
  }

/**
 * Removes a session's side of every edge: its grants, of all frames, and its place as a wake target, also on ended processes.
 *
 * No process is cancelled. The report names running processes that lost a grant: orphaned when no grant is left anywhere.
 */
export const deleteSession =
  (sessionId: string) =>
  (view: View): Decision<SessionDeleteReport, never> => {
    const grants = view.sessionGrants()
    const affected = [...new Set(grants.map(({ processId }) => processId))].filter((id) => isRunning(view.row(id)))
    const isOrphaned = (id: ProcessId) => view.grantsOf(id).every((other) => other.sessionId === sessionId)
    const changes = view.sessionTargets().flatMap((id) => clearTarget(view.row(id), sessionId, view.nowMs))
    const report: SessionDeleteReport = {
      sessionId,
      revokedHandleCount: grants.length,
      deletedWakeCount: 0,
      orphanedProcessIds: affected.filter(isOrphaned),
      preservedProcessIds: affected.filter((id) => !isOrphaned(id))
    }
    return acceptWith(
      report,
      grants.map(({ scopeId, processId }) => ({ _tag: "RemoveGrant", scopeId, processId }) as const),
      changes
    )
  }

const isRunning = (row: ProcessRow | undefined): boolean => row !== undefined && lifecycleOf(row.snapshot) === "running"

const clearTarget = (row: ProcessRow | undefined, sessionId: string, nowMs: number): ReadonlyArray<Change> =>
  row === undefined
    ? []
    : [Changes.append(Changes.of(row), Facts.wakeTargetCleared(row.base.registration.id, sessionId), nowMs)]
