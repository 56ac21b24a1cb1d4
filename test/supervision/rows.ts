/**
 * Rows as earlier and other hosts leave them: written straight to a store, without a host that could act on them.
 */
import { randomUUID } from "node:crypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { processId } from "../../src/model/ids.ts"
import type { LeaseOwner } from "../../src/model/Lease.ts"
import { opaqueOwner } from "../../src/model/Lease.ts"
import * as Provenance from "../../src/model/Provenance.ts"
import * as Registration from "../../src/model/Registration.ts"
import * as Activations from "../../src/operations/Activations.ts"
import * as Authority from "../../src/operations/decisions/authority.ts"
import * as Registry from "../../src/operations/ProcessRegistry.ts"
import { ProcessRegistry } from "../../src/operations/ProcessRegistry.ts"
import type { Engine } from "../../src/runtime/engine/Engine.ts"
import { registrationOf } from "../../src/runtime/engine/Startable.ts"
import { ProcessStore } from "../../src/store/ProcessStore.ts"

/** What can be done to the rows of a store. */
export const rowsOn = (store: typeof ProcessStore.Service) =>
  Effect.gen(function* () {
    const activations = yield* Activations.Activations
    const registry = yield* ProcessRegistry
    return {
      /** Registers a process that nobody has touched. */
      register: <Success, Failure>(engine: Engine<string, Success, Failure, never>, id: string) =>
        Effect.flatMap(registrationOf(engine, { id, payload: id, provenance: Provenance.host }), (registered) =>
          activations.start(registered, Authority.host)
        ),
      /** Registers a process that an outside system runs. */
      registerExternal: (id: string) =>
        registry.registerProcess(
          Registration.make(processId(id), { _tag: "External", metadata: null }, "externally_owned", Provenance.host)
        ),
      /** Begins an activation in the name of somebody else; with a `ttlMs` of 0 its lease has expired at once. */
      begin: (id: string, by: string | LeaseOwner, ttlMs: number) => {
        const owner = typeof by === "string" ? opaqueOwner(by, by) : by
        const claimant = { owner, ttlMs, token: randomUUID(), renewerId: owner.incarnationId }
        return activations.recover(processId(id), { owner, claimant, dead: [], engine: "present" })
      },
      cancel: (id: string) => registry.requestProcessCancel(processId(id), "enough", Authority.host),
      abandon: (id: string) =>
        registry.requestProcessAbandon(
          processId(id),
          { requestedBy: "operator", requestedAtMs: 5, reason: "gone" },
          Authority.host
        ),
      record: (id: string) => registry.getProcess(processId(id))
    }
  }).pipe(
    Effect.provide(Layer.provide(Layer.merge(Activations.layer, Registry.layer), Layer.succeed(ProcessStore, store)))
  )
