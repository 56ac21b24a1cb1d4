/**
 * Builds what a body sees: every write it makes presents the lease of its own activation.
 */
import * as Effect from "effect/Effect"
import type { LeaseLost, ReplayDiverged, StoreError } from "../../model/errors.ts"
import type { StartError } from "../../model/failures.ts"
import type { Lease } from "../../model/Lease.ts"
import type { Registered } from "../../model/Registration.ts"
import type { BodyWrites } from "../../operations/BodyWrites.ts"
import type { Authority } from "../../operations/decisions/authority.ts"
import type { Draft } from "../../operations/decisions/execution.ts"
import type { StartOutcome } from "../../operations/decisions/register.ts"
import type { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { readProcess, requestAbandon } from "../../operations/ProcessRegistry.ts"
import type { ProcessRow } from "../../store/Decision.ts"
import type { Awaiter } from "../client/Awaiter.ts"
import type * as ProcessHandle from "../client/ProcessHandle.ts"
import type { HostEnvironment } from "../HostEnvironment.ts"
import * as Children from "./children.ts"
import type { ExecutionContext } from "./ExecutionContext.ts"
import * as Journals from "./Journal.ts"
import * as Operations from "./operations.ts"
import type { Parking } from "./PendingWaits.ts"
import type { ProcessScope, ScopeSupport } from "./Surroundings.ts"
import { make as scopeOfProcess } from "./Surroundings.ts"

/** What a context needs of its worker. */
export interface ContextSupport {
  readonly start: (
    registered: Registered,
    authority: Authority,
    journal?: { readonly lease: Lease; readonly draft: Draft }
  ) => Effect.Effect<StartOutcome, StartError>
  readonly awaiter: typeof Awaiter.Service
  readonly registry: typeof ProcessRegistry.Service
  readonly executions: typeof BodyWrites.Service
  readonly around: ScopeSupport
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
  readonly parking: Parking
  /** Where the body stands. */
  readonly standing: Journals.JournalSupport["standing"]
  /** Says what the body is doing; `undefined` when it does not say. */
  readonly enterPhase: (name: string | undefined) => string | undefined
}

/** A context, and what must hold once its body has ended. */
export interface Prepared {
  readonly context: ExecutionContext
  /** Fails with `ReplayDiverged` when the journal has entries that the body never asked for. */
  readonly settle: Effect.Effect<void, ReplayDiverged | StoreError>
}

/** Makes the context of one activation. */
export const make = (support: ContextSupport, activation: Activation): Prepared => {
  const { row, lease, lend, retake, parking, standing, enterPhase } = activation
  const { registration } = row.base
  const { id: processId } = registration
  const { executions, registry, awaiter } = support

  /** Writes under the lease of this activation. One that only expired, while this host slept, is taken again. */
  const fenced = <A, E extends { readonly _tag: string }>(
    write: (lease: Lease) => Effect.Effect<A, E>
  ): Effect.Effect<A, E | LeaseLost | StoreError> => {
    const attempt = Effect.suspend(() => write(lease()))
    return Effect.catchIf(
      attempt,
      (error) => error._tag === "LeaseLost",
      () => Effect.zipRight(retake, attempt)
    )
  }
  const authority = (presented: Lease): Authority => ({ _tag: "Body", lease: presented })

  const journal = Journals.make({
    processId,
    isFirst: row.snapshot.context.activations <= 1,
    read: executions.journalOf(processId),
    standing
  })
  const operations = Operations.make({ processId, store: executions, journal, parking, fenced, lend })

  let scope: ProcessScope | undefined
  /** Made when somebody asks: most bodies do not. */
  const surroundings = (): ProcessScope => {
    scope ??= scopeOfProcess(row, lease, support.around)
    return scope
  }

  const handles: ProcessHandle.HandleSupport = {
    awaitOutput: (id) => parking.busy(lend(awaiter.awaitProcess(id))),
    // A child is asked to stop under the parent's own fence.
    cancel: (id, reason) =>
      parking.busy(fenced((presented) => registry.requestProcessCancel(id, reason, authority(presented)))),
    abandon: (id, reason) =>
      parking.busy(
        fenced((presented) =>
          requestAbandon(registry, id, { requestedBy: `process:${processId}`, authority: authority(presented), reason })
        )
      ),
    signal: (id, signal) => parking.busy(fenced((presented) => registry.signal(id, signal, authority(presented)))),
    status: (id) => readProcess(registry, id),
    awaiter
  }

  const start = Children.make({
    registration,
    // Whom children wake is whom this process wakes now: a deleted session may have taken that away.
    wakeTarget: row.snapshot.context.wakeTarget,
    journal,
    parking,
    handles,
    captured: registration.envRef === undefined ? support.capture : Effect.succeed(registration.envRef),
    start: (registered, draft) =>
      fenced((presented) => support.start(registered, authority(presented), { lease: presented, draft })),
    started: (child) => surroundings().spawnScope.runLocal.add(child)
  })

  return {
    settle: journal.settle,
    context: {
      processId,
      attempt: row.snapshot.context.attempts,
      fencingToken: row.lease.fencingToken,
      surroundings: Effect.sync(surroundings),
      ...operations,
      phase: (name, effect) =>
        Effect.acquireUseRelease(
          Effect.sync(() => enterPhase(name)),
          () => Effect.annotateLogs(effect, "phase", name),
          (before) => Effect.sync(() => enterPhase(before))
        ),
      start
    }
  }
}
