/**
 * What bodies write: their journal, their waits, events and signals, each under the fence of its activation; and the timers
 * that end waits.
 *
 * Invariant: what is handed over and what is answered share nothing that could be changed with what the store keeps. A journal
 * keeps text, so that no outcome has to be copied.
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import type { InputInvalid, LeaseLost, ProcessAlreadyTerminal, ProcessPruned, StoreError } from "../model/errors.ts"
import { ProcessUnknown } from "../model/errors.ts"
import type { AppendReceipt, AppendRequest } from "../model/facts.ts"
import * as Facts from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import { signalNameOf, signalNameProblem } from "../model/ids.ts"
import { copyOf } from "../model/json.ts"
import type { Lease } from "../model/Lease.ts"
import type { ProcessEvent } from "../model/ProcessEvent.ts"
import type { ProcessRow } from "../store/Decision.ts"
import { answering, recordOf } from "../store/Decision.ts"
import type { ExecutionReads } from "../store/ProcessStore.ts"
import { ProcessStore } from "../store/ProcessStore.ts"
import * as Checks from "./checks.ts"
import type { AppendRefusal } from "./decisions/append.ts"
import * as Chart from "./decisions/chart.ts"
import * as Children from "./decisions/children.ts"
import * as Completion from "./decisions/completion.ts"
import type { Awaited, Draft, Waited } from "./decisions/execution.ts"
import * as Execution from "./decisions/execution.ts"
import type { DroppedWait } from "./decisions/waits.ts"
import { readingKnown, unlessPruned } from "./existing.ts"

/** The writes and reads behind a body's context. */
export class BodyWrites extends Context.Tag("holdfast/store/ExecutionStore")<
  BodyWrites,
  {
    readonly journalOf: ExecutionReads["journal"]
    readonly entryAt: ExecutionReads["entryAt"]
    readonly news: ExecutionReads["news"]
    readonly progressOf: ExecutionReads["progress"]

    /** Keeps how far a step is, in place of what was kept before, until the step is recorded with the same `progress`. */
    readonly keepProgress: (lease: Lease, key: string, detail: unknown) => Effect.Effect<void, LeaseLost | StoreError>

    /**
     * Journals the outcome of an operation; answers the sequence of the log at that moment. A repetition changes nothing.
     *
     * Fails with `LeaseLost`: stop.
     */
    readonly record: (lease: Lease, draft: Draft) => Effect.Effect<number, LeaseLost | StoreError>

    /** Journals that a body let go of an operation before it saw its end, and closes the wait it was in. */
    readonly drop: (lease: Lease, draft: Draft, wait?: DroppedWait) => Effect.Effect<number, LeaseLost | StoreError>

    /** Notes in the body's own log how another process ended; `running`: it has not. */
    readonly noteEnd: (
      lease: Lease,
      child: ProcessId
    ) => Effect.Effect<"noted" | "running", LeaseLost | ProcessUnknown | ProcessPruned | StoreError>

    /** Enters a wait; an unconsumed signal ends it at once. */
    readonly enterWait: (
      lease: Lease,
      draft: Omit<Draft, "outcome">,
      awaited: Awaited
    ) => Effect.Effect<Waited, LeaseLost | ProcessAlreadyTerminal | StoreError>

    /** The state of a wait that was entered earlier. */
    readonly waitOf: (id: ProcessId, waitKey: string) => Effect.Effect<Waited, StoreError>

    /** The event at a sequence of a process's log. It must be there: a journal says so. */
    readonly eventAt: (
      id: ProcessId,
      sequence: number
    ) => Effect.Effect<ProcessEvent, ProcessUnknown | ProcessPruned | StoreError>

    /** Appends to the log of the body's own process. */
    readonly append: (
      lease: Lease,
      request: AppendRequest,
      draft: Omit<Draft, "outcome">
    ) => Effect.Effect<AppendReceipt, AppendRefusal | ProcessPruned | InputInvalid | StoreError>

    /** Signals another process from a body, under its own fence. Fails with `ProcessAlreadyTerminal` when that has ended. */
    readonly signalFrom: (
      lease: Lease,
      target: ProcessId,
      request: AppendRequest,
      draft: Omit<Draft, "outcome">
    ) => Effect.Effect<AppendReceipt, AppendRefusal | ProcessPruned | InputInvalid | StoreError>

    /** Asks another process to stop, or allows it to be given up, from a body. The entry keeps the record as it is then. */
    readonly requestFrom: (
      lease: Lease,
      target: ProcessId,
      request: { readonly _tag: "Cancel" | "Abandon"; readonly reason: string | undefined },
      draft: Omit<Draft, "outcome">
    ) => Effect.Effect<
      void,
      ProcessUnknown | ProcessPruned | ProcessAlreadyTerminal | LeaseLost | InputInvalid | StoreError
    >

    /** Ends the waits of a process whose deadline has passed. Doing it again changes nothing. */
    readonly fireTimers: (id: ProcessId) => Effect.Effect<void, StoreError>
  }
>() {}

/** Why a process cannot take a signal. */
export type SignalRefusal = AppendRefusal | ProcessUnknown | ProcessAlreadyTerminal

/** Builds the operations on a store. */
export const make: Effect.Effect<typeof BodyWrites.Service, never, ProcessStore> = Effect.map(
  Effect.all([ProcessStore, Checks.make]),
  ([store, checks]) => {
    const waitOf = Effect.fnUntraced(function* (id: ProcessId, waitKey: string) {
      const event = yield* store.execution.eventByKey(id, Facts.resumedKey(id, waitKey, 1))
      const fact = event && Facts.lifecycleEventOf(event)
      if (fact?.type !== "process.resumed") return { waitKey } satisfies Waited
      const { outcome } = fact
      if (outcome._tag !== "Signal") return { waitKey, ended: { outcome } } satisfies Waited
      const [signal] = yield* Effect.catchTag(
        store.eventsAfter(id, outcome.sequence - 1, 1),
        "ProcessUnknown",
        () => Effect.succeed([]) // pruned between the two reads
      )
      return { waitKey, ended: { outcome, ...(signal === undefined ? {} : { signal }) } } satisfies Waited
    })

    const reading = readingKnown(store)

    const signalRequest = (target: ProcessId, request: AppendRequest) =>
      Checks.id(target).pipe(
        Either.flatMap(() => checks.appendRequest(request)),
        Either.flatMap((checked) => {
          const problem = signalNameProblem(signalNameOf(checked.eventType) ?? "")
          return problem === undefined ? Either.right(checked) : Checks.refuse("signal", problem)
        })
      )

    return BodyWrites.of({
      journalOf: store.execution.journal,
      entryAt: store.execution.entryAt,
      news: store.execution.news,
      progressOf: store.execution.progress,
      keepProgress: (lease, key, detail) =>
        store.transact(Execution.executionPlan(lease), Execution.keepProgress(copyOf(lease), key, detail)),
      record: (lease, draft) => store.transact(Execution.executionPlan(lease), Execution.record(copyOf(lease), draft)),
      drop: (lease, draft, wait) =>
        store.transact(Execution.executionPlan(lease), Execution.drop(copyOf(lease), draft, copyOf(wait))),
      noteEnd: (lease, child) =>
        store.transact({ lock: [lease.processId, child] }, Children.noteEnd(copyOf(lease), child)),
      enterWait: (lease, draft, awaited) =>
        store.transact(
          Execution.executionPlan(lease),
          answering(Execution.enterWait(copyOf(lease), draft, copyOf(awaited)), copyOf)
        ),
      waitOf,
      eventAt: (id, sequence) =>
        Effect.flatMap(reading(id, store.eventsAfter(id, sequence - 1, 1)), ([event]) =>
          event === undefined ? Effect.fail(new ProcessUnknown({ processId: id })) : Effect.succeed(event)
        ),
      append: (lease, request, draft) =>
        Effect.flatMap(checks.appendRequest(request), (checked) =>
          store.transact(
            Execution.executionPlan(lease, lease.processId, checked),
            answering(Execution.appendJournaled(copyOf(lease), lease.processId, checked, draft, false), copyOf)
          )
        ),
      signalFrom: (lease, target, request, draft) =>
        Effect.flatMap(signalRequest(target, request), (checked) =>
          store.transact(
            Execution.executionPlan(lease, target, checked),
            answering(Execution.appendJournaled(copyOf(lease), target, checked, draft, true), copyOf)
          )
        ),
      requestFrom: (lease, target, { _tag, reason }, draft) =>
        Effect.flatMap(Checks.id(target), () => {
          const own = copyOf(lease)
          const authority = { _tag: "Body", lease: own } as const
          const entry = { ...draft, outcome: { process_id: target } }
          const answer = (row: ProcessRow) => ({ ...entry.outcome, record: recordOf(row) })
          const plan = { ...Completion.cancelPlan(target, reason ?? null, authority), lock: [lease.processId, target] }
          return _tag === "Cancel"
            ? Effect.asVoid(
                store.transact(
                  plan,
                  Execution.journaled(
                    own,
                    entry,
                    unlessPruned(target, Completion.requestCancel(target, reason ?? null, authority)),
                    answer
                  )
                )
              )
            : Effect.flatMap(Clock.currentTimeMillis, (requestedAtMs) => {
                const requestedBy = `process:${own.processId}`
                const abandon = { requestedBy, requestedAtMs, ...(reason === undefined ? {} : { reason }) }
                return Effect.asVoid(
                  store.transact(
                    plan,
                    Execution.journaled(
                      own,
                      entry,
                      unlessPruned(target, Completion.requestAbandon(target, abandon, authority)),
                      answer
                    )
                  )
                )
              })
        }),
      fireTimers: (id) => Effect.asVoid(store.transact({ lock: [id] }, Chart.fireTimers(id)))
    })
  }
)

/** The operations on the store in context. */
export const layer: Layer.Layer<BodyWrites, never, ProcessStore> = Layer.effect(BodyWrites, make)
