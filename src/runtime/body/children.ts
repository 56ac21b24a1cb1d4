/**
 * The children that a body starts: engines, tool calls, turns of child sessions.
 *
 * Invariant: whatever a child executes, its start is one journaled operation, committed together with its registration. A body
 * that runs again attaches to the child that its journal names, and starts none twice.
 */
import * as Effect from "effect/Effect"
import type { InputInvalid, StoreError } from "../../model/errors.ts"
import type { StartError } from "../../model/failures.ts"
import type { EnvironmentRef, ProcessId } from "../../model/ids.ts"
import type { SessionScope } from "../../model/Provenance.ts"
import type { Registered, Registration } from "../../model/Registration.ts"
import type { Draft } from "../../operations/decisions/execution.ts"
import * as ProcessHandle from "../client/ProcessHandle.ts"
import type { AnySignal } from "../engine/Signal.ts"
import type { Startable, StartSpec } from "../engine/Startable.ts"
import { registrationOf } from "../engine/Startable.ts"
import type { ChildOptions, ExecutionContext } from "./ExecutionContext.ts"
import type { Journal } from "./Journal.ts"
import type { Parking } from "./PendingWaits.ts"

/** What starting children needs of an activation. */
export interface ChildrenSupport {
  /** The parent's. */
  readonly registration: Registration
  /** Whom the parent wakes. */
  readonly wakeTarget: SessionScope | null
  readonly journal: Journal
  readonly parking: Pick<Parking, "busy">
  readonly handles: ProcessHandle.HandleSupport
  /** The environment that children of the parent share. */
  readonly captured: Effect.Effect<EnvironmentRef, InputInvalid | StoreError>
  /** Registers a child and writes the journal's entry, in one transaction under the parent's lease. */
  readonly start: (registered: Registered, draft: Draft) => Effect.Effect<unknown, StartError>
  /** Hears of every child, also of one that an earlier activation started. */
  readonly started: (child: ProcessId) => void
}

/** Makes the operation that starts a child, for one activation. */
export const make = (support: ChildrenSupport): ExecutionContext["start"] => {
  const { registration, journal, parking, captured } = support
  const { id: processId, provenance } = registration
  return <Payload, Success, Failure, Signals extends AnySignal = never>(
    startable: Startable<Payload, Success, Failure, Signals>,
    { name, payload, id = `${processId}/${name}`, label, closePolicy = "cancel", wakeTarget }: ChildOptions<Payload>
  ) => {
    const begun = (child: ProcessId) => {
      support.started(child)
      return ProcessHandle.make<Success, Failure, Signals>(startable, child, support.handles)
    }
    const target = wakeTarget ?? support.wakeTarget
    const spec: StartSpec<Payload> = {
      id,
      payload,
      ...(label === undefined ? {} : { label }),
      ...(target === null ? {} : { wakeTarget: target }),
      provenance: { originator: provenance.originator, causedBy: { _tag: "Process", processId } },
      parent: { processId, closePolicy }
    }
    return parking.busy(
      journal.operate(
        "start_child",
        name,
        (outcome) => Effect.sync(() => begun((outcome as { readonly process_id: ProcessId }).process_id)), // written below
        (opened) =>
          Effect.flatMap(registrationOf(startable, spec, captured), (registered) => {
            const child = registered.registration.id
            return Effect.map(support.start(registered, { ...opened, outcome: { process_id: child } }), () =>
              begun(child)
            )
          })
      )
    )
  }
}
