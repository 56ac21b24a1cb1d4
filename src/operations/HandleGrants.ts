/**
 * Grants as operations: which session scope may address which process.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { lifecycleOf } from "../../machines/process/lifecycle.ts"
import type { GrantMissing, InputInvalid, StoreError } from "../model/errors.ts"
import type { GrantEntry, HandleGrant, SessionDeleteReport } from "../model/Handle.ts"
import { HandleDescriptor } from "../model/Handle.ts"
import type { SessionScopeId } from "../model/ids.ts"
import { ProcessId } from "../model/ids.ts"
import { SessionScope, scopeId } from "../model/Provenance.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { recordOf } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Inputs from "./checks.ts"
import * as Grants from "./decisions/grants.ts"
import type { Lookup } from "./existing.ts"
import { existingRow, onKnown } from "./existing.ts"

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

/** Builds the grant operations on a store. */
export const make: Effect.Effect<typeof HandleGrants.Service, never, ProcessStore> = Effect.map(
  Effect.all([ProcessStore, Inputs.make]),
  ([store, inputs]) => {
    const known = onKnown(store)

    const scopeOf = (field: string, scope: SessionScope): Either.Either<SessionScopeId, InputInvalid> =>
      Either.map(inputs.shape(field, SessionScope, scope), scopeId)

    const entries = (
      scope: SessionScope,
      shows: (row: ProcessRow) => boolean
    ): Effect.Effect<ReadonlyArray<GrantEntry>, InputInvalid | StoreError> =>
      Effect.gen(function* () {
        const grants = yield* store.grants.of({ scopeId: yield* scopeOf("scope", scope) })
        const found = yield* Effect.forEach(grants, (grant) =>
          Effect.map(store.find(grant.processId), (present) =>
            entryOf(grant, present._tag === "Present" ? present.row : undefined, shows)
          )
        )
        return found.flat()
      })

    return HandleGrants.of({
      grantHandle: Effect.fnUntraced(function* (scope, id, descriptor) {
        yield* Inputs.id(id)
        const owning = yield* inputs.shape("scope", SessionScope, scope)
        const grant: HandleGrant = {
          scopeId: scopeId(owning),
          sessionId: owning.sessionId,
          processId: id,
          descriptor: yield* inputs.shape("descriptor", HandleDescriptor, descriptor)
        }
        return yield* known(id, { lock: [id] }, Grants.grant(grant))
      }),
      revokeHandle: Effect.fnUntraced(function* (scope, id) {
        yield* Inputs.id(id)
        yield* store.transact({ lock: [id] }, Grants.revoke(yield* scopeOf("scope", scope), id))
      }),
      transferHandleGrants: Effect.fnUntraced(function* (from, to, ids) {
        const source = yield* scopeOf("from", from)
        const checked = yield* inputs.shape("to", SessionScope, to)
        const moved = yield* inputs.shape("ids", ProcessIds, ids)
        const target = { scopeId: scopeId(checked), sessionId: checked.sessionId }
        yield* store.transact({ lock: [...moved].sort() }, Grants.transfer(source, target, moved))
      }),
      listHandleGrants: (scope) => entries(scope, () => true),
      listLiveHandleGrants: (scope) => entries(scope, (row) => lifecycleOf(row.snapshot) === "running"),
      hasHandleGrant: Effect.fnUntraced(function* (scope, id) {
        yield* Inputs.id(id)
        const wanted = yield* scopeOf("scope", scope)
        return (yield* store.grants.of({ processId: id })).some((grant) => grant.scopeId === wanted)
      }),
      handleGrantsForProcess: Effect.fnUntraced(function* (id) {
        yield* Inputs.id(id)
        yield* existingRow(store, id)
        return yield* store.grants.of({ processId: id })
      }),
      deleteSessionProcessState: (sessionId) =>
        Effect.flatMap(Inputs.text("session_id", sessionId), (session) =>
          store.transact({ lock: [], session }, Grants.deleteSession(session))
        )
    })
  }
)

/** The grant operations on the store in context. */
export const layer: Layer.Layer<HandleGrants, never, ProcessStore> = Layer.effect(HandleGrants, make)

const entryOf = (
  grant: HandleGrant,
  row: ProcessRow | undefined,
  shows: (row: ProcessRow) => boolean
): ReadonlyArray<GrantEntry> => (row !== undefined && shows(row) ? [{ grant, record: recordOf(row) }] : [])

const ProcessIds = Schema.Array(ProcessId)
