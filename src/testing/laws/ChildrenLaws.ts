/**
 * Laws of children and parent close: each close request is written with its cause and dispatched once.
 */
import * as Effect from "effect/Effect"
import type { CompletionRefused, InputInvalid, StoreError } from "../../model/errors.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessRecord } from "../../model/ProcessRecord.ts"
import type { ClosePolicy } from "../../model/Registration.ts"
import { external } from "../../operations/decisions/authority.ts"
import type { DispatchOutcome } from "../../operations/decisions/children.ts"
import * as Children from "../../operations/decisions/children.ts"
import type { CompletionRefusal } from "../../operations/decisions/completion.ts"
import type { Lookup } from "../../operations/existing.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import type { CloseRequest } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold, logOf, recordOf, refused, rowOf, typesOf, writesNothing } from "../evidence.ts"
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
import { expectEquals, law, lawsOf } from "../Law.ts"
import { prune, registrationIn } from "./RetentionLaws.ts"

const childrenLaws: ReadonlyArray<Law> = [
  ...lawsOf("ADR 0019", {
    *"children are found by their parent, ascending by id, ended ones included"() {
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
      yield* expectEquals("those of an unknown process", yield* children.of(yield* freshId), [])
    }
  }),

  ...Object.values(outputs).map((output) =>
    law(
      `a parent that ends with ${output._tag} writes a close request by policy for each running child, in the same commit`,
      "ADR 0019",
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
        yield* expectEquals("the close requests", yield* children.closeRequestsOf(parent), expected)
      })
    )
  ),

  ...lawsOf("ADR 0019", {
    *"however the parent ends (outside owner, own event, sweep, drain), the same close requests are written"({
      activations,
      clock,
      registry
    }) {
      const { children } = yield* ProcessStore
      const outside = yield* freshProcess("externally_owned")
      const byEvent = yield* freshProcess("externally_owned")
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
      yield* clock.advance(shortMs)
      yield* activations.drain(byDrain, yield* recoverer({ owner }))
      const requested = yield* Effect.forEach(parents, (parent) => children.closeRequestsOf(parent))
      yield* expectEquals(
        "who is asked",
        requested.map((requests) => requests.map(({ childId, action }) => ({ childId, action }))),
        ids.map((childId) => [{ childId, action: "abandon" }])
      )
    },

    "however a child ends (its lease, outside owner, own event, sweep, drain), the log of its running parent says so at once":
      function* ({ activations, clock, registry }) {
        const parent = yield* freshProcess()
        const options = { parent: { processId: parent, closePolicy: "keep" } } as const
        const owner = yield* freshOwner()
        const held = yield* freshProcess("rerunnable", options)
        const outside = yield* freshProcess("externally_owned", options)
        const byEvent = yield* freshProcess("externally_owned", options)
        const bySweep = yield* freshProcess("rerunnable", options)
        const byDrain = yield* freshProcess("owner_bound", options)
        yield* begin(yield* claimed(byDrain, owner, shortMs), owner)
        yield* clock.advance(shortMs)
        yield* registry.completeProcessWithLease(yield* claimed(held, owner), outputs.Failure)
        yield* endOutside(outside)
        yield* registry.appendEvent(
          byEvent,
          { eventType: "finished", payload: { result: 1 }, replayKey: "f" },
          external
        )
        yield* registry.requestProcessCancel(bySweep, "stop", external)
        yield* activations.recover(bySweep, yield* recoverer())
        yield* activations.drain(byDrain, yield* recoverer({ owner }))
        yield* expectEquals(
          "the parent's log",
          (yield* logOf(parent)).map(({ eventType, payload }) => [eventType, payload]),
          [
            ["process.child_ended", { child_id: held, state: "failed" }],
            ["process.child_ended", { child_id: outside, state: "completed" }],
            ["process.child_ended", { child_id: byEvent, state: "completed" }],
            ["process.child_ended", { child_id: bySweep, state: "cancelled" }],
            ["process.child_ended", { child_id: byDrain, state: "abandoned" }]
          ]
        )
        yield* isFold(parent)
      },

    *"a parent that is asked to stop writes a cancel request for children of that policy, once, and nothing else"({
      registry
    }) {
      const { children } = yield* ProcessStore
      const parent = yield* freshProcess("externally_owned")
      const cancelled = yield* childOf(parent, "cancel")
      yield* childOf(parent, "abandon")
      yield* childOf(parent, "keep")
      const { cancelRequest } = yield* registry.requestProcessCancel(parent, "stop", external)
      const request: CloseRequest = {
        childId: cancelled,
        parentId: parent,
        action: "cancel",
        reason: `parent ${parent} was asked to stop`,
        requestedAtMs: cancelRequest?.requestedAtMs ?? 0
      }
      yield* expectEquals("the close requests", yield* children.closeRequestsOf(parent), [request])
      yield* registry.requestProcessCancel(parent, "once more", external)
      yield* expectEquals("after another request", yield* children.closeRequestsOf(parent), [request])
    },

    "a child that is registered under a closing parent has a close request at once; one that is started is refused":
      function* ({ activations, registry }) {
        const { children } = yield* ProcessStore
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
          const requests = yield* children.closeRequestsOf(parent)
          yield* expectEquals(
            "who is asked",
            requests.map(({ childId }) => childId),
            [child]
          )
          yield* expectEquals("the dispatch", yield* dispatched(child), "asked")
          yield* expectEquals("its request", (yield* recordOf(child)).cancelRequest?.reason, requests[0]?.reason)
        }
        yield* childOf(asked, "abandon")
        yield* expectEquals("not ended, so nothing to abandon", yield* children.closeRequestsOf(asked), [])
        const abandoned = yield* childOf(ended, "abandon")
        const last = (yield* children.closeRequestsOf(ended)).map(({ childId, action }) => ({ childId, action }))
        yield* expectEquals("to abandon", last, [{ childId: abandoned, action: "abandon" }])
      }
  })
]

/** Registers a child outside, so that the law itself may end it. */
const childOf = (parent: ProcessId, closePolicy: ClosePolicy): ReturnType<typeof freshProcess> =>
  freshProcess("externally_owned", { parent: { processId: parent, closePolicy } })

/** Ends a process outside. */
const endOutside = (
  id: ProcessId
): Effect.Effect<ProcessRecord, CompletionRefusal | CompletionRefused | InputInvalid | Lookup, ProcessRegistry> =>
  Effect.flatMap(ProcessRegistry, (registry) =>
    registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
  )

/** Dispatches the close request of a child. */
const dispatched = (childId: ProcessId): Effect.Effect<DispatchOutcome, StoreError, ProcessStore> =>
  Effect.flatMap(ProcessStore, (store) => store.transact(Children.dispatchPlan(childId), Children.dispatch(childId)))

const parentCloseLaws: ReadonlyArray<Law> = lawsOf("ADR 0019", {
  *"a close request is dispatched once: the child is asked, with its parent as the reason, and the request is gone"() {
    const { children } = yield* ProcessStore
    const parent = yield* freshProcess("externally_owned")
    const cancelled = yield* childOf(parent, "cancel")
    const abandoned = yield* childOf(parent, "abandon")
    yield* endOutside(parent)
    const tries = Array.from({ length: 4 }, () => dispatched(cancelled))
    const outcomes = yield* Effect.all(tries, { concurrency: "unbounded" })
    yield* expectEquals("of concurrent payments", outcomes.toSorted(), ["asked", ...paidBefore(3)])
    yield* expectEquals("the other", yield* dispatched(abandoned), "asked")
    const reason = `parent ${parent} completed`
    const [first, second] = [yield* recordOf(cancelled), yield* recordOf(abandoned)]
    yield* expectEquals("the cancel request", first.cancelRequest?.reason, reason)
    yield* expectEquals(
      "the abandon request",
      [second.abandonRequest?.requestedBy, second.abandonRequest?.reason],
      [`process:${parent}`, reason]
    )
    yield* expectEquals("the logs", yield* Effect.forEach([cancelled, abandoned], typesOf), [
      ["process.cancel_requested"],
      ["process.abandon_requested"]
    ])
    yield* expectEquals("the close requests", yield* children.closeRequestsOf(parent), [])
    yield* expectEquals("again", yield* writesNothing([cancelled], dispatched(cancelled)), "none_pending")
    yield* Effect.forEach([cancelled, abandoned], isFold)
  },

  *"a child that ended meanwhile, or was asked already, is not written to; its close request is gone too"({
    registry
  }) {
    const { children } = yield* ProcessStore
    const parent = yield* freshProcess("externally_owned")
    const ids = [yield* childOf(parent, "cancel"), yield* childOf(parent, "cancel"), yield* childOf(parent, "abandon")]
    const [ended = parent, cancelled = parent, abandoned = parent] = ids
    yield* registry.requestProcessCancel(cancelled, "by hand", external)
    yield* registry.requestProcessAbandon(abandoned, { requestedBy: "operator", requestedAtMs: 1 }, external)
    yield* endOutside(parent)
    yield* endOutside(ended)
    const outcomes = yield* writesNothing(ids, Effect.forEach(ids, dispatched))
    yield* expectEquals("the outcomes", outcomes, ["not_needed", "not_needed", "not_needed"])
    yield* expectEquals("the close requests", yield* children.closeRequestsOf(parent), [])
  },

  *"a dispatched cancel writes close requests for the child's own children, to any depth"() {
    const { children } = yield* ProcessStore
    const root = yield* freshProcess("externally_owned")
    const line = [root]
    for (let depth = 0; depth < 6; depth++) line.push(yield* childOf(line.at(-1) ?? root, "cancel"))
    yield* endOutside(root)
    for (const [index, parent] of line.slice(0, -1).entries()) {
      const requests = yield* children.closeRequestsOf(parent)
      yield* expectEquals(
        `the close requests of generation ${index}`,
        requests.map(({ childId }) => childId),
        [line[index + 1]]
      )
      yield* Effect.forEach(requests, ({ childId }) => dispatched(childId))
    }
    const asked = yield* Effect.forEach(line.slice(1), recordOf)
    yield* expectEquals(
      "who was asked",
      asked.map(({ cancelRequest }) => cancelRequest !== undefined),
      line.slice(1).map(() => true)
    )
  },

  *"close requests are read in pages, and counted as they are written"() {
    const { children } = yield* ProcessStore
    const parent = yield* freshProcess("externally_owned")
    const ids = yield* Effect.forEach(Array.from({ length: 5 }), () => childOf(parent, "cancel"))
    const before = children.closeRequestsWritten()
    yield* endOutside(parent)
    yield* expectEquals("the count", children.closeRequestsWritten() - before, 5)
    const all = yield* children.closeRequests(Number.MAX_SAFE_INTEGER)
    const own = all.filter(({ parentId }) => parentId === parent).map(({ childId }) => childId)
    yield* expectEquals("all", own, ids)
    yield* expectEquals("a page", (yield* children.closeRequests(3)).length, 3)
    yield* Effect.forEach(ids, dispatched)
    yield* endOutside(yield* freshProcess("externally_owned"))
    yield* expectEquals("the close requests of the childless", children.closeRequestsWritten() - before, 5)
  },

  *"a prune keeps a parent until its close requests are dispatched, and says why"({ registry }) {
    const { children } = yield* ProcessStore
    const scope = yield* freshId
    const parent = yield* freshId
    yield* registry.registerProcess(registrationIn(parent, scope))
    const child = yield* childOf(parent, "cancel")
    yield* endOutside(parent)
    const kept = { prunedProcesses: 0, prunedEvents: 0, kept: [{ processId: parent, reason: "owes_children" }] }
    yield* expectEquals("the report", yield* writesNothing([parent], prune(scope)), kept)
    yield* dispatched(child)
    yield* expectEquals("dispatched", (yield* prune(scope)).prunedProcesses, 1)
    yield* expectEquals("the child", (yield* rowOf(child)).snapshot.status, "active")
    yield* expectEquals(
      "the child outlives it",
      (yield* children.of(parent)).map(({ processId }) => processId),
      [child]
    )
  },

  *"how a child of a running process ended outlives its prune beside its parent's journal, and goes with the parent"({
    registry
  }) {
    const { execution } = yield* ProcessStore
    const [scope, ofParent, parent, child] = [yield* freshId, yield* freshId, yield* freshId, yield* freshId]
    const kept = Effect.map(execution.progress(parent), (rows) => rows.map(({ key, detail }) => [key, detail]))
    yield* registry.registerProcess(registrationIn(parent, ofParent))
    const under = { processId: parent, closePolicy: "keep" } as const
    yield* registry.registerProcess(registrationIn(child, scope, { parent: under }))
    yield* endOutside(child)
    yield* expectEquals("the report", (yield* prune(scope)).prunedProcesses, 1)
    const end = { type: "success", value: { answer: 42 } }
    yield* expectEquals("what is kept", yield* kept, [[`${child}~`, end]])
    yield* endOutside(parent)
    yield* expectEquals("the parent", (yield* prune(ofParent)).prunedProcesses, 1)
    yield* expectEquals("what is left", yield* kept, [])
  },

  *"a pruned child has no parent any more, and no close request"({ registry }) {
    const { children } = yield* ProcessStore
    const scope = yield* freshId
    const parent = yield* freshProcess("externally_owned")
    const child = yield* freshId
    yield* registry.registerProcess(
      registrationIn(child, scope, { parent: { processId: parent, closePolicy: "cancel" } })
    )
    yield* endOutside(parent)
    yield* endOutside(child)
    yield* expectEquals("the report", (yield* prune(scope)).prunedProcesses, 1)
    yield* expectEquals("the children", yield* children.of(parent), [])
    yield* expectEquals("the close requests", yield* children.closeRequestsOf(parent), [])
    yield* expectEquals("a dispatch", yield* dispatched(child), "none_pending")
  }
})

const paidBefore = (count: number): ReadonlyArray<DispatchOutcome> =>
  Array.from({ length: count }, () => "none_pending")

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...childrenLaws, ...parentCloseLaws]
