/**
 * Builds what a body sees: every write it makes presents the lease of its own activation.
 */
import * as Effect from "effect/Effect"
import type { LeaseLost, StoreError } from "../model/errors.ts"
import type { StartError } from "../model/failures.ts"
import type { Lease } from "../model/Lease.ts"
import type { Registered } from "../model/Registration.ts"
import type { Authority } from "../store/decisions/authority.ts"
import type { StartOutcome } from "../store/decisions/register.ts"
import type { ProcessRegistry } from "../store/ProcessRegistry.ts"
import type { ProcessRow } from "../store/ProcessStore.ts"
import type { Awaiter } from "./Awaiter.ts"
import type { ExecutionContext } from "./ExecutionContext.ts"
import type { HostEnvironment } from "./HostEnvironment.ts"
import * as ProcessHandle from "./ProcessHandle.ts"
import { readProcess } from "./reading.ts"
import { registrationOf } from "./starting.ts"

/** What a context needs of its worker. */
export interface ContextSupport {
  readonly start: (registered: Registered, authority: Authority) => Effect.Effect<StartOutcome, StartError>
  readonly awaiter: typeof Awaiter.Service
  readonly registry: typeof ProcessRegistry.Service
  /** The environment of the host, stored, for children of a process that has none of its own. */
  readonly capture: typeof HostEnvironment.Service.capture
}

/** The activation a context belongs to. */
export interface Activation {
  readonly row: ProcessRow
  /** The present lease: it is replaced when it is renewed. */
  readonly lease: () => Lease
  /** Lends this body's slot to others while an effect waits. */
  readonly lend: <A, E, R>(wait: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** Takes the lease again after it expired; fails when somebody held the process in between. */
  readonly retake: Effect.Effect<void, LeaseLost | StoreError>
}

/** Makes the context of one activation. */
export const make = (support: ContextSupport, { row, lease, lend, retake }: Activation): ExecutionContext => {
  const { registration } = row.base
  // Whom children wake is whom this process wakes now: a deleted session may have taken that away.
  const { wakeTarget } = row.snapshot.context
  /** Writes under the lease of this activation. One that only expired, while this host slept, is taken again. */
  const fenced = <A, E extends { readonly _tag: string }>(
    write: (authority: Authority) => Effect.Effect<A, E>
  ): Effect.Effect<A, E | LeaseLost | StoreError> => {
    const attempt = Effect.suspend(() => write({ _tag: "Body", lease: lease() }))
    return Effect.catchIf(
      attempt,
      (error) => error._tag === "LeaseLost",
      () => Effect.zipRight(retake, attempt)
    )
  }
  const handles: ProcessHandle.HandleSupport = {
    awaitOutput: (id) => lend(support.awaiter.awaitProcess(id)),
    // A child is asked to stop under the parent's own fence.
    cancel: (id, reason) => fenced((authority) => support.registry.requestProcessCancel(id, reason, authority)),
    status: (id) => readProcess(support.registry, id)
  }
  return {
    processId: registration.id,
    attempt: row.snapshot.context.attempts,
    fencingToken: row.lease.fencingToken,
    startChild: (engine, { name, payload, id = `${registration.id}/${name}`, label }) =>
      Effect.gen(function* () {
        const registered = yield* registrationOf(engine, {
          id,
          payload,
          ...(label === undefined ? {} : { label }),
          provenance: {
            originator: registration.provenance.originator,
            causedBy: { _tag: "Process", processId: registration.id }
          },
          ...(wakeTarget ? { wakeTarget } : {}),
          envRef: registration.envRef ?? (yield* support.capture),
          parent: { processId: registration.id, closePolicy: "cancel" }
        })
        yield* fenced((authority) => support.start(registered, authority))
        return ProcessHandle.make(engine, registered.registration.id, handles)
      })
  }
}
