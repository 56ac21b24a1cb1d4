/**
 * The writes of a worker, on any store.
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { ActivationStore } from "./ActivationStore.ts"
import * as Activation from "./decisions/activation.ts"
import * as Completion from "./decisions/completion.ts"
import * as Execution from "./decisions/execution.ts"
import * as LeaseProtocol from "./decisions/lease.ts"
import * as Recover from "./decisions/recover.ts"
import * as Register from "./decisions/register.ts"
import { ProcessStore } from "./ProcessStore.ts"

/** Builds the worker's writes on a store. */
export const make: Effect.Effect<typeof ActivationStore.Service, never, ProcessStore> = Effect.map(
  ProcessStore,
  (store) =>
    ActivationStore.of({
      start: (registered, authority, worker, journal) => {
        const { id, parent } = registered.registration
        const lock = [
          id,
          ...(parent === undefined ? [] : [parent.processId]),
          ...("lease" in authority ? [authority.lease.processId] : [])
        ]
        const decide = Register.start(registered, authority, worker)
        return store.transact(
          { lock },
          journal === undefined ? decide : Execution.journaled(journal.lease, journal.draft, decide)
        )
      },
      begin: (lease, activation, owner) =>
        store.transact(Activation.beginPlan(lease, activation), Activation.begin(lease, activation, owner)),
      complete: (lease, output) =>
        store.transact(Completion.completionPlan(lease.processId, output), Completion.completeWithLease(lease, output)),
      suspend: (lease, reason, parked) =>
        store.transact({ lock: [lease.processId] }, Activation.suspend(lease, reason, parked)),
      recover: (id, by) => store.transact({ lock: [id] }, Recover.recover(id, by)),
      backOff: (id, problem) => store.transact({ lock: [id] }, Recover.backOff(id, problem)),
      drain: (id, by) => store.transact({ lock: [id] }, Recover.drain(id, by)),
      retake: (lease, claimant) => store.transact({ lock: [lease.processId] }, LeaseProtocol.retake(lease, claimant))
    })
)

/** The worker's writes on the store in context. */
export const layer: Layer.Layer<ActivationStore, never, ProcessStore> = Layer.effect(ActivationStore, make)
