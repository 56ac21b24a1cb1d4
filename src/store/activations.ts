/**
 * The writes of a worker, on any store.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ActivationStore } from "./ActivationStore.ts"
import * as Activation from "./decisions/activation.ts"
import * as Completion from "./decisions/completion.ts"
import { recover } from "./decisions/recover.ts"
import * as Register from "./decisions/register.ts"
import { ProcessStore } from "./ProcessStore.ts"

/** Builds the worker's writes on a store. */
export const make: Effect.Effect<typeof ActivationStore.Service, never, ProcessStore> = Effect.map(
  ProcessStore,
  (store) =>
    ActivationStore.of({
      start: (registered, authority, worker) => {
        const { id, parent } = registered.registration
        const lock = [
          id,
          ...(parent === undefined ? [] : [parent.processId]),
          ...("lease" in authority ? [authority.lease.processId] : [])
        ]
        return store.transact({ lock }, Register.start(registered, authority, worker))
      },
      begin: (lease, activation, owner) =>
        store.transact(Activation.beginPlan(lease, activation), Activation.begin(lease, activation, owner)),
      complete: (lease, output) =>
        store.transact(Completion.completionPlan(lease.processId, output), Completion.completeOwn(lease, output)),
      suspend: (lease, reason) => store.transact({ lock: [lease.processId] }, Activation.suspend(lease, reason)),
      recover: (id, by) => store.transact({ lock: [id] }, recover(id, by))
    })
)

/** The worker's writes on the store in context. */
export const layer: Layer.Layer<ActivationStore, never, ProcessStore> = Layer.effect(ActivationStore, make)
