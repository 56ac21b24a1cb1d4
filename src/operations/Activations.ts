/**
 * What a worker writes: starts, activations, hand-backs and recoveries, each fused into one commit.
 *
 * Invariant: what is handed over and what is answered share nothing that could be changed with what the store keeps.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { AwaitOutput } from "../model/AwaitOutput.ts"
import type {
  LeaseLost,
  ParentClosing,
  ProcessIdConflict,
  ProcessPruned,
  ProcessUnknown,
  StoreError
} from "../model/errors.ts"
import type { SuspendReason } from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import { copyOf } from "../model/json.ts"
import type { Lease } from "../model/Lease.ts"
import type { Registered } from "../model/Registration.ts"
import type { BackOff, ProcessRow } from "../store/Decision.ts"
import { answering, copyOfRow } from "../store/Decision.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Activation from "./decisions/activation.ts"
import type { Authority } from "./decisions/authority.ts"
import { lockOf } from "./decisions/authority.ts"
import * as Chart from "./decisions/chart.ts"
import type { ChartOf } from "./decisions/chartStep.ts"
import type { CompletionRefusal } from "./decisions/completion.ts"
import * as Completion from "./decisions/completion.ts"
import type { Draft } from "./decisions/execution.ts"
import * as Execution from "./decisions/execution.ts"
import type { Claimant } from "./decisions/lease.ts"
import * as LeaseProtocol from "./decisions/lease.ts"
import type { Recoverer, RecoveryOutcome } from "./decisions/recover.ts"
import * as Recover from "./decisions/recover.ts"
import type { ReadyWorker, StartOutcome } from "./decisions/register.ts"
import * as Register from "./decisions/register.ts"
import { unlessPruned } from "./existing.ts"

/** The writes of a worker. */
export class Activations extends Context.Tag("holdfast/store/ActivationStore")<
  Activations,
  {
    /**
     * Registers a process, and when a worker is ready also claims it and begins its first activation. A body that starts a
     * child journals that in the same commit.
     *
     * Fails with `ProcessIdConflict` when another process has the id, `ParentClosing` when its parent was asked to
     * stop, `LeaseLost` when the parent's lease is gone.
     */
    readonly start: (
      registered: Registered,
      authority: Authority,
      worker?: ReadyWorker,
      journal?: { readonly lease: Lease; readonly draft: Draft }
    ) => Effect.Effect<StartOutcome, ProcessIdConflict | ProcessPruned | LeaseLost | ParentClosing | StoreError>

    /**
     * Ends a process under its lease and releases it, in one commit. The output is known to be JSON.
     *
     * A success that the declared event type does not admit is written as a failure, `process_output_invalid`.
     */
    readonly complete: (
      lease: Lease,
      output: AwaitOutput
    ) => Effect.Effect<void, CompletionRefusal | ProcessPruned | LeaseLost | StoreError>

    /**
     * Hands an activation back, with its lease, in one commit; answers when the row is due again.
     *
     * A passivated activation names what it waited for: if any of that has ended meanwhile, it is handed back instead.
     */
    readonly suspend: (
      lease: Lease,
      reason: SuspendReason,
      awaited?: Activation.Awaited
    ) => Effect.Effect<Pick<ProcessRow, "dueAtMs">, ProcessUnknown | ProcessPruned | LeaseLost | StoreError>

    /** Looks at one row, decides by the verdict table and acts, all in one commit. */
    readonly recover: (
      id: ProcessId,
      by: Recoverer
    ) => Effect.Effect<RecoveryOutcome, ProcessUnknown | ProcessPruned | StoreError>

    /**
     * Backs off a row whose start failed, longer each time; answers `undefined` when the row is not due or is held. `before` is how
     * often in a row it failed before an activation that began, and could not go on either.
     */
    readonly backOff: (
      id: ProcessId,
      problem: string,
      before?: number
    ) => Effect.Effect<BackOff | undefined, StoreError>

    /** Lets the chart of a process take the events that it has still to take; `undefined` when there is no process. */
    readonly takeEvents: (id: ProcessId, chartOf: ChartOf) => Effect.Effect<Chart.Rest | undefined, StoreError>

    /** Records that an action of a chart was performed. Fails with `LeaseLost`: stop. */
    readonly performed: (lease: Lease, action: Chart.Performed) => Effect.Effect<void, LeaseLost | StoreError>

    /** Gives up one owner-bound process that this owner began and no lease holds; answers whether it was such a one. */
    readonly drain: (id: ProcessId, by: Pick<Recoverer, "owner" | "claimant">) => Effect.Effect<boolean, StoreError>

    /**
     * Acquires a lease again that expired while its holder slept, unless another holder had the process in between.
     *
     * Fails with `LeaseLost`: another one had it, so stop.
     */
    readonly reacquire: (lease: Lease, claimant: Claimant) => Effect.Effect<Lease, LeaseLost | StoreError>
  }
>() {}

/** Builds the worker's writes on a store. */
export const make: Effect.Effect<typeof Activations.Service, never, ProcessStore> = Effect.map(ProcessStore, (store) =>
  Activations.of({
    start: (registered, authority, worker, journal) => {
      const { id, parent } = registered.registration
      const lock = [...lockOf(id, authority), ...(parent === undefined ? [] : [parent.processId])]
      const decide = answering(Register.start(copyOf(registered), copyOf(authority), copyOf(worker)), begunOf)
      return store.transact(
        { lock },
        journal === undefined ? decide : Execution.journaled(copyOf(journal.lease), journal.draft, decide)
      )
    },
    complete: (lease, output) =>
      store.transact(
        Completion.completionPlan(lease.processId, output),
        unlessPruned(lease.processId, answering(Completion.concludeWithLease(copyOf(lease), copyOf(output)), nothing))
      ),
    suspend: (lease, reason, awaited) =>
      store.transact(
        { lock: [lease.processId] },
        unlessPruned(
          lease.processId,
          answering(Activation.suspend(copyOf(lease), reason, copyOf(awaited)), ({ dueAtMs }) => ({ dueAtMs }))
        )
      ),
    recover: (id, by) =>
      store.transact({ lock: [id] }, unlessPruned(id, answering(Recover.recover(id, copyOf(by)), begunOf))),
    backOff: (id, problem, before) =>
      store.transact({ lock: [id] }, answering(Recover.backOff(id, problem, before), copyOf)),
    takeEvents: (id, chartOf) => store.transact({ lock: [id] }, Chart.takeEvents(chartOf, id)),
    performed: (lease, action) =>
      store.transact({ lock: [lease.processId] }, answering(Chart.performed(copyOf(lease), copyOf(action)), nothing)),
    drain: (id, by) => store.transact({ lock: [id] }, Recover.drain(id, copyOf(by))),
    reacquire: (lease, claimant) =>
      store.transact(
        { lock: [lease.processId] },
        answering(LeaseProtocol.reacquire(copyOf(lease), copyOf(claimant)), copyOf)
      )
  })
)

/** What began is answered with the row and the lease that its activation works with; only that is copied. */
const begunOf = <Outcome extends StartOutcome | RecoveryOutcome>(outcome: Outcome): Outcome =>
  "lease" in outcome ? { ...outcome, row: copyOfRow(outcome.row), lease: copyOf(outcome.lease) } : outcome

const nothing = (): void => {}

/** The worker's writes on the store in context. */
export const layer: Layer.Layer<Activations, never, ProcessStore> = Layer.effect(Activations, make)
