/**
 * Grants as operations: which session scope may address which process.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { GrantMissing, InputInvalid, StoreError } from "../model/errors.ts"
import type { GrantEntry, HandleDescriptor, HandleGrant, SessionDeleteReport } from "../model/Grant.ts"
import type { ProcessId } from "../model/ids.ts"
import type { SessionScope } from "../model/Provenance.ts"
import type { Lookup } from "./ProcessRegistry.ts"

/** Grants. A session and each of its frames are different scopes; nobody's grant is anybody else's. */
export class HandleGrants extends Context.Tag("holdfast/store/HandleGrants")<
  HandleGrants,
  {
    /** Grants a process to a scope; granting again replaces the descriptor. */
    readonly grantHandle: (
      scope: SessionScope,
      id: ProcessId,
      descriptor: HandleDescriptor
    ) => Effect.Effect<HandleGrant, InputInvalid | Lookup>

    /** Takes a grant back; silently when there is none. */
    readonly revokeHandle: (scope: SessionScope, id: ProcessId) => Effect.Effect<void, InputInvalid | StoreError>

    /** Moves grants, all or none. Fails with `GrantMissing` for one that `from` does not have. */
    readonly transferHandleGrants: (
      from: SessionScope,
      to: SessionScope,
      ids: ReadonlyArray<ProcessId>
    ) => Effect.Effect<void, GrantMissing | InputInvalid | StoreError>

    /** The grants of a scope whose process still exists, ended ones included, ascending by process. */
    readonly listHandleGrants: (
      scope: SessionScope
    ) => Effect.Effect<ReadonlyArray<GrantEntry>, InputInvalid | StoreError>

    /** The grants of a scope whose process runs, ascending by process. */
    readonly listLiveHandleGrants: (
      scope: SessionScope
    ) => Effect.Effect<ReadonlyArray<GrantEntry>, InputInvalid | StoreError>

    /** Whether a scope has a grant of a process that exists. */
    readonly hasHandleGrant: (scope: SessionScope, id: ProcessId) => Effect.Effect<boolean, InputInvalid | StoreError>

    /** The grants of one process, ascending by session, then scope. */
    readonly handleGrantsForProcess: (id: ProcessId) => Effect.Effect<ReadonlyArray<HandleGrant>, InputInvalid | Lookup>

    /** Removes a session's side of every edge. No process is cancelled; the report names those that lost a grant. */
    readonly deleteSessionProcessState: (
      sessionId: string
    ) => Effect.Effect<SessionDeleteReport, InputInvalid | StoreError>
  }
>() {}
