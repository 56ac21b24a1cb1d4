/**
 * Operations on one process that may be unknown or pruned: all of them answer with the same errors.
 */
import * as Effect from "effect/Effect"
import type { StoreError } from "../model/errors.ts"
import { ProcessPruned, ProcessUnknown } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { Decision, Plan, ProcessRow, Tombstone, View } from "../store/Decision.ts"
import { refuse } from "../store/Decision.ts"
import type { ProcessStore } from "../store/ProcessStore.ts"

/** What every operation on a known process may answer besides its own refusals. */
export type Lookup = ProcessUnknown | ProcessPruned | StoreError

/** The failure every read and write of a pruned id answers with. */
export const prunedError = ({ processId, terminalState, prunedAtMs }: Tombstone): ProcessPruned =>
  new ProcessPruned({ processId, terminalState, prunedAtMs })

/** Reads the row of a process; `undefined` when there is none. Fails with `ProcessPruned` when only its tombstone is left. */
export const rowUnlessPruned = (
  store: Pick<typeof ProcessStore.Service, "find">,
  id: ProcessId
): Effect.Effect<ProcessRow | undefined, ProcessPruned | StoreError> =>
  Effect.flatMap(store.find(id), (found) =>
    found._tag === "Pruned"
      ? Effect.fail(prunedError(found.tombstone))
      : Effect.succeed(found._tag === "Present" ? found.row : undefined)
  )

/** Reads the row of a process. Fails with `ProcessUnknown`, or `ProcessPruned` when only its tombstone is left. */
export const existingRow = (
  store: Pick<typeof ProcessStore.Service, "find">,
  id: ProcessId
): Effect.Effect<ProcessRow, Lookup> =>
  Effect.flatMap(rowUnlessPruned(store, id), (row) =>
    row === undefined ? Effect.fail(new ProcessUnknown({ processId: id })) : Effect.succeed(row)
  )

/** The failure of a write of an id of which only the tombstone is left; `undefined` for any other id. */
export const prunedIn = (view: View, id: ProcessId): ProcessPruned | undefined => {
  const tombstone = view.row(id) === undefined ? view.tombstone(id) : undefined
  return tombstone?.compacted === false ? prunedError(tombstone) : undefined
}

/** Decides about a process, unless only its tombstone is left. */
export const unlessPruned =
  <A, E>(id: ProcessId, decide: (view: View) => Decision<A, E>) =>
  (view: View): Decision<A, E | ProcessPruned> => {
    const pruned = prunedIn(view, id)
    return pruned === undefined ? decide(view) : refuse(pruned)
  }

/** Runs a decision about a process, unless only its tombstone is left. */
export const onKnown =
  (store: typeof ProcessStore.Service) =>
  <A, E>(
    id: ProcessId,
    plan: Plan,
    decide: (view: View) => Decision<A, E>
  ): Effect.Effect<A, E | ProcessPruned | StoreError> =>
    store.transact(plan, unlessPruned(id, decide))

/** Runs a read about a process; an id that was pruned fails as pruned, not as unknown. */
export const readingKnown =
  (store: typeof ProcessStore.Service) =>
  <A>(
    id: ProcessId,
    read: Effect.Effect<A, ProcessUnknown | StoreError>
  ): Effect.Effect<A, ProcessUnknown | ProcessPruned | StoreError> =>
    Effect.catchTag(read, "ProcessUnknown", (unknown) =>
      Effect.flatMap(existingRow(store, id), () => Effect.fail(unknown))
    )
