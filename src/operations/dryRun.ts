/**
 * Operations that are judged and then not done: a dry run refuses what the operation itself would refuse, in its words.
 *
 * Invariant: the decision is that of the operation, on what its own write would have loaded. Nothing is written, since a decision
 * that refuses writes nothing.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type { StoreError } from "../model/errors.ts"
import type { Decision, Plan, View } from "../store/Decision.ts"
import { refuse } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Registry from "./ProcessRegistry.ts"

/** What a decision would have answered. */
class Judged extends Data.TaggedError("Judged")<{ readonly answer: unknown }> {}

/** The same store, on which each write is judged and then not made. */
export const judging = (store: typeof ProcessStore.Service): typeof ProcessStore.Service => ({
  ...store,
  transact: <A, E>(plan: Plan, decide: (view: View) => Decision<A, E>): Effect.Effect<A, E | StoreError> =>
    store
      .transact<never, E | Judged>(plan, (view) => {
        const decision = decide(view)
        return decision._tag === "Refused" ? decision : refuse(new Judged({ answer: decision.answer }))
      })
      .pipe(
        Effect.catchAll((error) =>
          error instanceof Judged
            ? Effect.succeed(error.answer as A) // the decision's own answer, see above
            : Effect.fail(error)
        )
      )
})

/** A registry that judges each operation as the one on the same store does, and writes nothing. */
export const registry: Effect.Effect<typeof Registry.ProcessRegistry.Service, never, ProcessStore> = Effect.flatMap(
  ProcessStore,
  (store) => Effect.provideService(Registry.make, ProcessStore, judging(store))
)
