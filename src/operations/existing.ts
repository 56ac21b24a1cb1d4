/**
 * Operations on one process that may have been pruned: every one of them says so in the same words.
 */
import * as Effect from "effect/Effect"
import type { ProcessPruned, ProcessUnknown, StoreError } from "../model/errors.ts"
import type { ProcessId } from "../model/ids.ts"
import type { Decision, Plan, View } from "../store/Decision.ts"
import { refuse } from "../store/Decision.ts"
import type { ProcessStore } from "../store/ProcessStore.ts"
import { prunedError } from "./decisions/register.ts"

/** Runs a decision about a process, unless only its tombstone is left. */
export const onKnown =
  (store: typeof ProcessStore.Service) =>
  <A, E>(
    id: ProcessId,
    plan: Plan,
    decide: (view: View) => Decision<A, E>
  ): Effect.Effect<A, E | ProcessPruned | StoreError> =>
    store.transact<A, E | ProcessPruned>(plan, (view) => {
      const tombstone = view.row(id) === undefined ? view.tombstone(id) : undefined
      return tombstone?.compacted === false ? refuse(prunedError(tombstone)) : decide(view)
    })

/** Runs a read about a process; an unknown id that was known once is answered as pruned. */
export const readingKnown =
  (store: typeof ProcessStore.Service) =>
  <A>(
    id: ProcessId,
    read: Effect.Effect<A, ProcessUnknown | StoreError>
  ): Effect.Effect<A, ProcessUnknown | ProcessPruned | StoreError> =>
    Effect.catchTag(read, "ProcessUnknown", (unknown) =>
      Effect.flatMap(store.find(id), (found) =>
        Effect.fail(found._tag === "Pruned" ? prunedError(found.tombstone) : unknown)
      )
    )
