/**
 * Grants as operations: which session scope may address which process.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { InputInvalid, ProcessPruned, ProcessUnknown, StoreError } from "../model/errors.ts"
import { GrantMissing } from "../model/errors.ts"
import * as Facts from "../model/facts.ts"
import type { GrantPage, HandleGrant, SessionDeleteReport } from "../model/Handle.ts"
import { HandleDescriptor } from "../model/Handle.ts"
import type { SessionScopeId } from "../model/ids.ts"
import { ProcessId } from "../model/ids.ts"
import type { ListPage, StatusFilter } from "../model/ListFilter.ts"
import type { SessionScope } from "../model/Provenance.ts"
import { scopeId } from "../model/Provenance.ts"
import type { Change, Decision, ProcessRow, View } from "../store/Decision.ts"
import { accept, acceptWith, refuse } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"
import { onRow } from "./decisions/authority.ts"
import * as Changes from "./decisions/change.ts"
import type { Lookup } from "./existing.ts"
import { existingRow, onKnown, prunedIn } from "./existing.ts"
import { grantsOn } from "./pages.ts"

/** Grants. A session and each of its frames are different scopes with grants of their own. */
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
    readonly revokeHandle: (
      scope: SessionScope,
      id: ProcessId
    ) => Effect.Effect<void, ProcessPruned | InputInvalid | StoreError>

    /** Moves grants, all or none. Fails with `GrantMissing` for one that `from` does not have. */
    readonly transferHandleGrants: (
      from: SessionScope,
      to: SessionScope,
      ids: ReadonlyArray<ProcessId>
    ) => Effect.Effect<void, GrantMissing | ProcessPruned | InputInvalid | StoreError>

    /** A page of the grants of a scope whose process still exists, ended ones included, ascending by process. @default limit 100 */
    readonly listHandleGrants: (
      scope: SessionScope,
      page?: ListPage
    ) => Effect.Effect<GrantPage, InputInvalid | StoreError>

    /** A page of the grants of a scope whose process runs, ascending by process. @default limit 100 */
    readonly listLiveHandleGrants: (
      scope: SessionScope,
      page?: ListPage
    ) => Effect.Effect<GrantPage, InputInvalid | StoreError>

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

/** A grant whose parts are checked: for what grants only after it has begun something. */
export const grantOf = (
  checks: Checks.Checks,
  scope: SessionScope,
  id: ProcessId,
  descriptor: HandleDescriptor
): Either.Either<HandleGrant, InputInvalid> =>
  Either.gen(function* () {
    const owning = yield* Checks.addressable("scope", scope)
    return {
      scopeId: scopeId(owning),
      sessionId: owning.sessionId,
      processId: yield* Checks.id(id),
      descriptor: yield* checks.shape("descriptor", HandleDescriptor, descriptor)
    }
  })

/** Grants a process to a scope; granting again replaces the descriptor. */
const putGrant = (granted: HandleGrant): ((view: View) => Decision<HandleGrant, ProcessUnknown>) =>
  onRow(granted.processId, () => acceptWith(granted, [{ _tag: "PutGrant", grant: granted }]))

/** Takes a grant back; silently when there is none. */
const removeGrant =
  (scopeId: SessionScopeId, processId: ProcessId) =>
  (view: View): Decision<void, never> =>
    view.grant(scopeId, processId) === undefined
      ? accept(undefined)
      : acceptWith(undefined, [{ _tag: "RemoveGrant", scopeId, processId }])

/** Moves grants from one scope to another, all or none; a grant that the target has already is replaced. */
const moveGrants =
  (
    from: SessionScopeId,
    to: { readonly scopeId: SessionScopeId; readonly sessionId: string },
    ids: ReadonlyArray<ProcessId>
  ) =>
  (view: View): Decision<void, GrantMissing | ProcessPruned> => {
    const distinct = [...new Set(ids)]
    for (const processId of distinct) {
      const pruned = prunedIn(view, processId)
      if (pruned !== undefined) return refuse(pruned)
    }
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
const deleteSession =
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
    : [Changes.appendFact(Changes.of(row), Facts.wakeTargetCleared(row.base.registration.id, sessionId), nowMs)]

/** Builds the grant operations on a store. */
export const make: Effect.Effect<typeof HandleGrants.Service, never, ProcessStore> = Effect.map(
  Effect.all([ProcessStore, Checks.make]),
  ([store, checks]) => {
    const known = onKnown(store)

    const scopeOf = (field: string, scope: SessionScope): Either.Either<SessionScopeId, InputInvalid> =>
      Either.map(Checks.scope(field, scope), scopeId)

    const listed = (status: StatusFilter) => (scope: SessionScope, page?: ListPage) =>
      Effect.flatMap(scopeOf("scope", scope), (wanted) =>
        grantsOn(page, (query) => store.grants.ofScope(wanted, { ...query, filter: { status } }))
      )

    return Checks.answering(
      HandleGrants.of({
        grantHandle: Effect.fnUntraced(function* (scope, id, descriptor) {
          const grant = yield* grantOf(checks, scope, id, descriptor)
          return yield* known(id, { lock: [id] }, putGrant(grant))
        }),
        revokeHandle: Effect.fnUntraced(function* (scope, id) {
          yield* Checks.id(id)
          yield* known(id, { lock: [id] }, removeGrant(yield* scopeOf("scope", scope), id))
        }),
        transferHandleGrants: Effect.fnUntraced(function* (from, to, ids) {
          const source = yield* scopeOf("from", from)
          const checked = yield* Checks.addressable("to", to)
          const moved = yield* checks.shape("ids", ProcessIds, ids)
          const target = { scopeId: scopeId(checked), sessionId: checked.sessionId }
          yield* store.transact({ lock: [...moved].sort() }, moveGrants(source, target, moved))
        }),
        listHandleGrants: listed("any"),
        listLiveHandleGrants: listed("running"),
        hasHandleGrant: Effect.fnUntraced(function* (scope, id) {
          yield* Checks.id(id)
          const wanted = yield* scopeOf("scope", scope)
          return (yield* store.grants.ofProcess(id)).some((grant) => grant.scopeId === wanted)
        }),
        handleGrantsForProcess: Effect.fnUntraced(function* (id) {
          yield* Checks.id(id)
          return yield* store.readTogether(Effect.zipRight(existingRow(store, id), store.grants.ofProcess(id)))
        }),
        deleteSessionProcessState: (sessionId) =>
          Effect.flatMap(Checks.text("session_id", sessionId), (session) =>
            store.transact({ lock: [], session }, deleteSession(session))
          )
      })
    )
  }
)

/** The grant operations on the store in context. */
export const layer: Layer.Layer<HandleGrants, never, ProcessStore> = Layer.effect(HandleGrants, make)

const ProcessIds = Schema.Array(ProcessId)
