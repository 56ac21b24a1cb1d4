/**
 * Registration: a process comes into being once, and its registration never changes.
 */

import type { LeaseLost } from "../../model/errors.ts"
import { ParentClosing, ProcessIdConflict, type ProcessPruned, RegistrationConflict } from "../../model/errors.ts"
import { jsonEquals } from "../../model/json.ts"
import type { Lease, LeaseOwner } from "../../model/Lease.ts"
import type { ProcessInput, Registered } from "../../model/Registration.ts"
import type { Change, Decision, Plan, ProcessRow, Tombstone, View } from "../../store/Decision.ts"
import { accept, acceptWith, refuse } from "../../store/Decision.ts"
import { prunedError } from "../existing.ts"
import * as Activation from "./activation.ts"
import type { Authority } from "./authority.ts"
import { refusalOf } from "./authority.ts"
import * as Changes from "./change.ts"
import { requestsAtRegistration } from "./children.ts"
import * as LeaseProtocol from "./lease.ts"

/** What a registration touches. */
export const registerPlan = ({ id, parent }: Registered["registration"]): Plan => ({
  lock: parent === undefined ? [id] : [id, parent.processId]
})

/**
 * Registers a process; the same registration again answers the stored row unchanged, whatever became of it.
 *
 * A child of a closing parent gets the close request that earlier children got.
 */
export const register =
  (registered: Registered) =>
  (view: View): Decision<ProcessRow, RegistrationConflict | ProcessPruned> => {
    const { id } = registered.registration
    const known = view.row(id)
    if (known !== undefined) {
      return known.base.registrationHash === registered.hash
        ? accept(known)
        : refuse(
            new RegistrationConflict({ processId: id, stored: known.base.registrationHash, presented: registered.hash })
          )
    }
    const tombstone = view.tombstone(id)
    if (tombstone?.compacted === false) return refuse(prunedError(tombstone))
    const change = newProcess(registered, view.nowMs, tombstone)
    return acceptWith(change.row, requestsAtRegistration(view, registered.registration), [change])
  }

/** A worker that is ready to run the process at once: it has the engine, a decoded payload and a slot. */
export interface ReadyWorker {
  /** The worker's stable identity, which the record keeps as the first to start it. */
  readonly owner: LeaseOwner
  readonly claimant: LeaseProtocol.Claimant
}

/** How a start ended. `Attached`: the process was there already. */
export type StartOutcome =
  | { readonly _tag: "Begun"; readonly row: ProcessRow; readonly lease: Lease }
  | { readonly _tag: "Registered" }
  | { readonly _tag: "Attached" }

/**
 * Starts a process: registers it, and when a worker is ready also claims it and begins its first activation.
 *
 * A known id is attached to when its engine and payload are the same, so that a deploy which changed schemas, provenance or
 * environment does not make a retried start fail. What a parent starts is its own child, or there is a conflict.
 */
export const start =
  (registered: Registered, authority: Authority, worker?: ReadyWorker) =>
  (view: View): Decision<StartOutcome, ProcessIdConflict | ProcessPruned | LeaseLost | ParentClosing> => {
    const { id, input, parent } = registered.registration
    const known = view.row(id)
    if (known !== undefined) {
      const isOthers = parent !== undefined && known.base.registration.parent?.processId !== parent.processId
      const fields = [...differingFields(known.base.registration.input, input), ...(isOthers ? ["parent"] : [])]
      return fields.length === 0
        ? accept({ _tag: "Attached" } as const)
        : refuse(new ProcessIdConflict({ processId: id, fields }))
    }
    const tombstone = view.tombstone(id)
    if (tombstone?.compacted === false) return refuse(prunedError(tombstone))
    const refusal = refusalOf(view, authority)
    if (refusal !== undefined) return refuse(refusal)
    if (parent !== undefined && isClosing(view.row(parent.processId))) {
      return refuse(new ParentClosing({ processId: parent.processId, childId: id }))
    }
    const inserted = newProcess(registered, view.nowMs, tombstone)
    if (worker === undefined) return accept({ _tag: "Registered" } as const, inserted)
    const claimed = LeaseProtocol.acquire(inserted, worker.claimant, view.nowMs)
    const begun = Activation.begun(claimed, worker.owner, view.nowMs, { trace: worker.claimant.trace })
    return accept({ _tag: "Begun", row: begun.row, lease: LeaseProtocol.leaseOf(begun) } as const, begun)
  }

/** A later life of an id goes on with the sequence and fence of the one before it. */
const newProcess = ({ registration, hash }: Registered, nowMs: number, before: Tombstone | undefined): Change =>
  Changes.insert(
    { registration, registrationHash: hash, createdAtMs: nowMs },
    before && { sequence: before.lastSequence, fence: before.lastFence }
  )

const isClosing = (parent: ProcessRow | undefined): boolean =>
  parent === undefined || parent.snapshot.status === "done" || parent.snapshot.context.cancelRequest !== undefined

const differingFields = (stored: ProcessInput, presented: ProcessInput): ReadonlyArray<string> => {
  if (stored._tag === "Engine" && presented._tag === "Engine") {
    return [
      ...(stored.kind === presented.kind ? [] : ["engine"]),
      ...(jsonEquals(stored.payload, presented.payload) ? [] : ["payload"])
    ]
  }
  return jsonEquals(stored, presented) ? [] : ["input"]
}
