/**
 * Laws of children: they are found by their parent, and what a parent that closes owes them is written with its end.
 */
import * as Effect from "effect/Effect"
import type { CompletionRefused, InputInvalid, StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessRecord } from "../../model/ProcessRecord.ts"
import type { ClosePolicy } from "../../model/Registration.ts"
import { Activations } from "../../operations/Activations.ts"
import { external } from "../../operations/decisions/authority.ts"
import type { DispatchOutcome } from "../../operations/decisions/children.ts"
import * as Children from "../../operations/decisions/children.ts"
import type { CompletionRefusal } from "../../operations/decisions/completion.ts"
import type { Lookup } from "../../operations/existing.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import type { CloseRequest } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { recordOf, refused } from "../evidence.ts"
import {
  begin,
  claimed,
  endOf,
  freshId,
  freshOwner,
  freshProcess,
  leasedProcess,
  outputs,
  recoverer,
  registeredOf,
  registrationOf,
  shortMs
} from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, law } from "../Law.ts"

/** The laws of children. */
export const laws: ReadonlyArray<Law> = [
  law(
    "children are found by their parent, ascending by id, ended ones included",
    "B8",
    Effect.gen(function* () {
      const { children } = yield* ProcessStore
      const parent = yield* freshProcess()
      yield* expectEquals("before there are any", yield* children.of(parent), [])
      const ids = [yield* childOf(parent, "keep"), yield* childOf(parent, "cancel"), yield* childOf(parent, "abandon")]
      yield* childOf(yield* freshProcess(), "cancel")
      const [kept = parent, cancelled = parent, abandoned = parent] = ids
      yield* endOutside(cancelled)
      const expected = [
        { processId: kept, closePolicy: "keep", lifecycle: "running" },
        { processId: cancelled, closePolicy: "cancel", lifecycle: "completed" },
        { processId: abandoned, closePolicy: "abandon", lifecycle: "running" }
      ].sort((a, b) => (a.processId < b.processId ? -1 : 1))
      yield* expectEquals("the children", yield* children.of(parent), expected)
      yield* expectEquals("those of nobody", yield* children.of(yield* freshId), [])
    })
  ),

  ...Object.values(outputs).map((output) =>
    law(
      `a parent that ends with ${output._tag} owes by policy to each child that still runs, in the same commit`,
      "B8",
      Effect.gen(function* () {
        const { children } = yield* ProcessStore
        const { id: parent, lease } = yield* leasedProcess()
        const cancelled = yield* childOf(parent, "cancel")
        const abandoned = yield* childOf(parent, "abandon")
        yield* childOf(parent, "keep")
        yield* endOutside(yield* childOf(parent, "cancel"))
        yield* expectEquals("before the end", yield* children.closeRequestsOf(parent), [])
        yield* (yield* ProcessRegistry).completeProcessWithLease(lease, output)
        const { updatedAtMs: requestedAtMs } = yield* recordOf(parent)
        const state = endOf(output).status._tag.toLowerCase()
        const what = state === "cancelled" || state === "abandoned" ? `was ${state}` : state
        const of = { parentId: parent, reason: `parent ${parent} ${what}`, requestedAtMs }
        const expected: ReadonlyArray<CloseRequest> = [
          { childId: cancelled, ...of, action: "cancel" },
          { childId: abandoned, ...of, action: "abandon" }
        ]
        yield* expectEquals("what is owed", yield* children.closeRequestsOf(parent), expected)
      })
    )
  ),

  law(
    "whoever ends the parent: an outside owner, an event of its own, a sweep, a drain, each owes the same",
    "B8",
    Effect.gen(function* () {
      const { children } = yield* ProcessStore
      const registry = yield* ProcessRegistry
      const activations = yield* Activations
      const outside = yield* freshProcess("externally_owned")
      const byEvent = yield* freshProcess()
      const bySweep = yield* freshProcess()
      const owner = yield* freshOwner()
      const byDrain = yield* freshProcess("owner_bound")
      const parents = [outside, byEvent, bySweep, byDrain]
      const ids = yield* Effect.forEach(parents, (parent) => childOf(parent, "abandon"))
      yield* endOutside(outside)
      yield* registry.appendEvent(byEvent, { eventType: "finished", payload: { result: 1 }, replayKey: "f" }, external)
      yield* registry.requestProcessCancel(bySweep, "stop", external)
      yield* expectEquals("asked to stop, not ended", yield* children.closeRequestsOf(bySweep), [])
      yield* activations.recover(bySweep, yield* recoverer())
      const lease = yield* claimed(byDrain, owner, shortMs)
      yield* begin(lease, owner)
      yield* (yield* LawClock).advance(shortMs)
      yield* activations.drain(byDrain, yield* recoverer({ owner }))
      const owed = yield* Effect.forEach(parents, (parent) => children.closeRequestsOf(parent))
      yield* expectEquals(
        "who is owed",
        owed.map((debts) => debts.map(({ childId, action }) => ({ childId, action }))),
        ids.map((childId) => [{ childId, action: "abandon" }])
      )
    })
  ),

  law(
    "a parent that is asked to stop owes a cancel to children of that policy, once, and nothing else",
    "R9",
    Effect.gen(function* () {
      const { children } = yield* ProcessStore
      const registry = yield* ProcessRegistry
      const parent = yield* freshProcess("externally_owned")
      const cancelled = yield* childOf(parent, "cancel")
      yield* childOf(parent, "abandon")
      yield* childOf(parent, "keep")
      const { cancelRequest } = yield* registry.requestProcessCancel(parent, "stop", external)
      const debt: CloseRequest = {
        childId: cancelled,
        parentId: parent,
        action: "cancel",
        reason: `parent ${parent} was asked to stop`,
        requestedAtMs: cancelRequest?.requestedAtMs ?? 0
      }
      yield* expectEquals("what is owed", yield* children.closeRequestsOf(parent), [debt])
      yield* registry.requestProcessCancel(parent, "once more", external)
      yield* expectEquals("after another request", yield* children.closeRequestsOf(parent), [debt])
    })
  ),

  law(
    "a child that is registered under a closing parent is owed from its first moment; one that is started is refused",
    "R9",
    Effect.gen(function* () {
      const { children } = yield* ProcessStore
      const registry = yield* ProcessRegistry
      const activations = yield* Activations
      const asked = yield* freshProcess("externally_owned")
      yield* registry.requestProcessCancel(asked, null, external)
      const ended = yield* freshProcess("externally_owned")
      yield* endOutside(ended)
      for (const parent of [asked, ended]) {
        const late = registrationOf(yield* freshId, "rerunnable", {
          parent: { processId: parent, closePolicy: "cancel" }
        })
        const start = activations.start(yield* registeredOf(late), external)
        yield* refused("a start", "ParentClosing", [parent, late.id], start)
        const child = yield* childOf(parent, "cancel")
        yield* childOf(parent, "keep")
        const debts = yield* children.closeRequestsOf(parent)
        yield* expectEquals(
          "who is owed",
          debts.map(({ childId }) => childId),
          [child]
        )
        yield* expectEquals("the payment", yield* pay(child), "asked")
        yield* expectEquals("its request", (yield* recordOf(child)).cancelRequest?.reason, debts[0]?.reason)
      }
      yield* childOf(asked, "abandon")
      yield* expectEquals("not ended, so nothing to abandon", yield* children.closeRequestsOf(asked), [])
      const abandoned = yield* childOf(ended, "abandon")
      const last = (yield* children.closeRequestsOf(ended)).map(({ childId, action }) => ({ childId, action }))
      yield* expectEquals("to abandon", last, [{ childId: abandoned, action: "abandon" }])
    })
  )
]

/** Registers a child outside, so that the law itself may end it. */
export const childOf = (parent: ProcessId, closePolicy: ClosePolicy): ReturnType<typeof freshProcess> =>
  freshProcess("externally_owned", { parent: { processId: parent, closePolicy } })

/** Ends a process outside. */
export const endOutside = (
  id: ProcessId
): Effect.Effect<ProcessRecord, CompletionRefusal | CompletionRefused | InputInvalid | Lookup, ProcessRegistry> =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
  )

/** Pays what is owed to a child. */
export const pay = (childId: ProcessId): Effect.Effect<DispatchOutcome, StoreError, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) => store.transact(Children.dispatchPlan(childId), Children.dispatch(childId)))
