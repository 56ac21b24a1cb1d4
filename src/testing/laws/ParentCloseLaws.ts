/**
 * Laws of debts: what a parent owes is paid once, by whoever pays it, at any depth; until then the parent is kept.
 */
import * as Effect from "effect/Effect"
import { external } from "../../operations/decisions/authority.ts"
import type { DispatchOutcome } from "../../operations/decisions/children.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold, recordOf, rowOf, typesOf, writesNothing } from "../evidence.ts"
import { freshId, freshProcess } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, lawsOf } from "../Law.ts"
import { childOf, endOutside, pay } from "./ChildrenLaws.ts"
import { prune, registrationIn } from "./RetentionLaws.ts"

/** The laws of debts. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0019", {
  "a debt is paid once: the child is asked, with its parent as the reason, and the debt is gone": function* () {
    const { children } = yield* ProcessStore
    const parent = yield* freshProcess("externally_owned")
    const cancelled = yield* childOf(parent, "cancel")
    const abandoned = yield* childOf(parent, "abandon")
    yield* endOutside(parent)
    const tries = Array.from({ length: 4 }, () => pay(cancelled))
    const outcomes = yield* Effect.all(tries, { concurrency: "unbounded" })
    yield* expectEquals("of concurrent payments", outcomes.toSorted(), ["asked", ...paidBefore(3)])
    yield* expectEquals("the other", yield* pay(abandoned), "asked")
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
    yield* expectEquals("what is owed", yield* children.closeRequestsOf(parent), [])
    yield* expectEquals("again", yield* writesNothing([cancelled], pay(cancelled)), "paid_before")
    yield* Effect.forEach([cancelled, abandoned], isFold)
  },

  "a child that ended meanwhile, or was asked already, is not written to; its debt is gone all the same": function* () {
    const { children } = yield* ProcessStore
    const registry = yield* ProcessRegistry
    const parent = yield* freshProcess("externally_owned")
    const ids = [yield* childOf(parent, "cancel"), yield* childOf(parent, "cancel"), yield* childOf(parent, "abandon")]
    const [ended = parent, cancelled = parent, abandoned = parent] = ids
    yield* registry.requestProcessCancel(cancelled, "by hand", external)
    yield* registry.requestProcessAbandon(abandoned, { requestedBy: "operator", requestedAtMs: 1 }, external)
    yield* endOutside(parent)
    yield* endOutside(ended)
    const outcomes = yield* writesNothing(ids, Effect.forEach(ids, pay))
    yield* expectEquals("the outcomes", outcomes, ["not_needed", "not_needed", "not_needed"])
    yield* expectEquals("what is owed", yield* children.closeRequestsOf(parent), [])
  },

  "a paid cancel makes the child owe its own children, to any depth": function* () {
    const { children } = yield* ProcessStore
    const root = yield* freshProcess("externally_owned")
    const line = [root]
    for (let depth = 0; depth < 6; depth++) line.push(yield* childOf(line.at(-1) ?? root, "cancel"))
    yield* endOutside(root)
    for (const [index, parent] of line.slice(0, -1).entries()) {
      const debts = yield* children.closeRequestsOf(parent)
      yield* expectEquals(
        `what generation ${index} owes`,
        debts.map(({ childId }) => childId),
        [line[index + 1]]
      )
      yield* Effect.forEach(debts, ({ childId }) => pay(childId))
    }
    const asked = yield* Effect.forEach(line.slice(1), recordOf)
    yield* expectEquals(
      "who was asked",
      asked.map(({ cancelRequest }) => cancelRequest !== undefined),
      line.slice(1).map(() => true)
    )
  },

  "debts are read in pages by whoever pays them, and counted as they are written": function* () {
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
    yield* Effect.forEach(ids, pay)
    yield* endOutside(yield* freshProcess("externally_owned"))
    yield* expectEquals("what the childless owe", children.closeRequestsWritten() - before, 5)
  },

  "a prune keeps a parent until what it owes is paid, and says why": function* () {
    const { children } = yield* ProcessStore
    const scope = yield* freshId
    const registry = yield* ProcessRegistry
    const parent = yield* freshId
    yield* registry.registerProcess(registrationIn(parent, scope))
    const child = yield* childOf(parent, "cancel")
    yield* endOutside(parent)
    const kept = { prunedProcesses: 0, prunedEvents: 0, kept: [{ processId: parent, reason: "owes_children" }] }
    yield* expectEquals("the report", yield* writesNothing([parent], prune(scope)), kept)
    yield* pay(child)
    yield* expectEquals("paid", (yield* prune(scope)).prunedProcesses, 1)
    yield* expectEquals("the child", (yield* rowOf(child)).snapshot.status, "active")
    yield* expectEquals(
      "the child outlives it",
      (yield* children.of(parent)).map(({ processId }) => processId),
      [child]
    )
  },

  "a pruned child is nobody's child any more, and nothing is owed to it": function* () {
    const { children } = yield* ProcessStore
    const registry = yield* ProcessRegistry
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
    yield* expectEquals("what is owed", yield* children.closeRequestsOf(parent), [])
    yield* expectEquals("a payment", yield* pay(child), "paid_before")
  }
})

const paidBefore = (count: number): ReadonlyArray<DispatchOutcome> => Array.from({ length: count }, () => "paid_before")
