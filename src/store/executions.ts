/**
 * What bodies write, on any store.
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { ProcessUnknown } from "../model/errors.ts"
import * as Facts from "../model/facts.ts"
import type { ProcessId } from "../model/ids.ts"
import { signalNameOf, signalNameProblem } from "../model/ids.ts"
import type { AppendRequest } from "../model/ProcessEvent.ts"
import type { Waited } from "./decisions/execution.ts"
import * as Execution from "./decisions/execution.ts"
import * as Waits from "./decisions/waits.ts"
import { ExecutionStore } from "./ExecutionStore.ts"
import * as Inputs from "./inputs.ts"
import { ProcessStore } from "./ProcessStore.ts"

/** Builds the operations on a store. */
export const make: Effect.Effect<typeof ExecutionStore.Service, never, ProcessStore> = Effect.map(
  Effect.all([ProcessStore, Inputs.make]),
  ([store, inputs]) => {
    const waitOf = Effect.fnUntraced(function* (id: ProcessId, waitKey: string) {
      const event = yield* store.execution.eventByKey(id, Facts.resumedKey(id, waitKey, 1))
      if (event === undefined) return { waitKey } satisfies Waited
      const { outcome } = decodeResumed(event.payload)
      if (outcome._tag !== "Signal") return { waitKey, ended: { outcome } } satisfies Waited
      const [signal] = yield* Effect.catchTag(
        store.eventsAfter(id, outcome.sequence - 1, 1),
        "ProcessUnknown",
        () => Effect.succeed([]) // pruned between the two reads
      )
      return { waitKey, ended: { outcome, ...(signal === undefined ? {} : { signal }) } } satisfies Waited
    })

    const signalRequest = (target: ProcessId, request: AppendRequest) =>
      Inputs.id(target).pipe(
        Either.flatMap(() => inputs.appendRequest(request)),
        Either.flatMap((checked) => {
          const problem = signalNameProblem(signalNameOf(checked.eventType) ?? "")
          return problem === undefined ? Either.right(checked) : Inputs.refuse("signal", problem)
        })
      )

    return ExecutionStore.of({
      journalOf: store.execution.journal,
      record: (lease, draft) => store.transact(Execution.executionPlan(lease), Execution.record(lease, draft)),
      enterWait: (lease, draft, awaited) =>
        store.transact(Execution.executionPlan(lease), Execution.enterWait(lease, draft, awaited)),
      waitOf,
      eventAt: (id, sequence) =>
        Effect.flatMap(store.eventsAfter(id, sequence - 1, 1), ([event]) =>
          event === undefined ? Effect.fail(new ProcessUnknown({ processId: id })) : Effect.succeed(event)
        ),
      append: (lease, request, draft) =>
        Effect.flatMap(inputs.appendRequest(request), (checked) =>
          store.transact(
            Execution.executionPlan(lease, lease.processId, checked),
            Execution.append(lease, lease.processId, checked, draft, false)
          )
        ),
      signalFrom: (lease, target, request, draft) =>
        Effect.flatMap(signalRequest(target, request), (checked) =>
          store.transact(
            Execution.executionPlan(lease, target, checked),
            Execution.append(lease, target, checked, draft, true)
          )
        ),
      signal: (target, request, authority) =>
        Effect.flatMap(signalRequest(target, request), (checked) => {
          const lock = "lease" in authority ? [target, authority.lease.processId] : [target]
          const replays = checked.replayKey === undefined ? [] : [{ processId: target, key: checked.replayKey }]
          return store.transact({ lock, replays }, Execution.signal(target, checked, authority))
        }),
      fireTimers: (id) => Effect.asVoid(store.transact({ lock: [id] }, Waits.fire(id)))
    })
  }
)

/** The operations on the store in context. */
export const layer: Layer.Layer<ExecutionStore, never, ProcessStore> = Layer.effect(ExecutionStore, make)

/** A fact of the store's own always decodes. */
const decodeResumed = Schema.decodeUnknownSync(Schema.Struct({ outcome: Facts.WaitOutcome }))
