/**
 * Laws of the wake outbox: what an event owes is written with it, and merges with what nobody has seen.
 */
import type { ProcessId } from "../../model/ids.ts"
import { external } from "../../operations/decisions/authority.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { WakeOutbox } from "../../operations/WakeOutbox.ts"
import { rejectedAs } from "../evidence.ts"
import { claimed, freshId, freshOwner, freshProcess, longMs, outputs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, lawsOf, wakeTimes } from "../Law.ts"
import { appended, claimsOf, look, rowsOf, sequencesOf, settled, statesOf, types, wakingProcess } from "../waking.ts"

/** The laws of the wake outbox. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0017", {
  "a wake is owed as soon as its event is there: fresh, due at once, and for as long as wakes last": function* () {
    const { event, wakeDelivery } = yield* appended(yield* wakingProcess())
    const [row, ...more] = yield* rowsOf(wakeDelivery.wakeId)
    yield* expectEquals("how many more", more.length, 0)
    yield* expectEquals("the row", row, {
      number: row?.number,
      wake: wakeDelivery,
      state: "pending",
      attempts: 0,
      nextAttemptAtMs: event.occurredAtMs,
      expiresAtMs: event.occurredAtMs + wakeTimes.expiryMs,
      isOpen: true
    })
    yield* expectEquals("whether something is due", yield* (yield* WakeOutbox).isDue, true)
  },

  "an event without a wake or a target, a rejected one and a replay owe nothing": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* wakingProcess()
    const aimless = yield* freshProcess("rerunnable", { eventTypes: types })
    yield* registry.appendEvent(id, { eventType: "progress", payload: { urgent: false, text: "x" } }, external)
    yield* registry.appendEvent(aimless, look, external)
    yield* rejectedAs("semantics_failed", { eventType: "progress", payload: { urgent: true } }, id)
    yield* expectEquals("what is owed", yield* claimsOf(id, aimless), [])
    const request = { ...look, replayKey: "once" }
    for (const _ of [1, 2, 3]) yield* registry.appendEvent(id, request, external)
    yield* expectEquals("of three requests under one key", sequencesOf(yield* claimsOf(id)), [2])
  },

  "the target that an append names is the one that is owed": function* () {
    const id = yield* wakingProcess()
    const sessionId = `named-${id}`
    yield* (yield* ProcessRegistry).appendEvent(id, { ...look, wakeTargetScope: { sessionId } }, external)
    const [claim] = yield* claimsOf(id)
    yield* expectEquals("the target", claim?.wake.targetSessionId, sessionId)
  },

  "an end owes the wake that its type declares, whichever operation ends the process": function* () {
    const registry = yield* ProcessRegistry
    const leased = yield* wakingProcess()
    const lease = yield* claimed(leased, yield* freshOwner())
    yield* registry.completeProcessWithLease(lease, outputs.Success)
    const outside = yield* wakingProcess("externally_owned")
    yield* registry.completeProcess(outside, outputs.Success, { _tag: "ExternalOwner" })
    const own = yield* wakingProcess()
    yield* registry.appendEvent(own, { eventType: "done", payload: { text: "over" }, replayKey: "end" }, external)
    const claims = yield* claimsOf(leased, outside, own)
    const input = (id: ProcessId) => claims.filter(({ wake }) => wake.processId === id).map(({ wake }) => wake.input)
    yield* expectEquals("by lease", input(leased), ['{"answer":42}'])
    yield* expectEquals("from outside", input(outside), ['{"answer":42}'])
    yield* expectEquals("by an event of its own", input(own), ["over"])
    const [event] = (yield* registry.wakeEventsAfter(leased, 0)).slice(-1)
    yield* expectEquals("what is listed", event?.semantics.wake, {
      input: '{"answer":42}',
      dedupeKey: `${leased}:${event?.sequence}`
    })
  },

  "a selector that misses does not keep a process from ending: the whole payload wakes": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* wakingProcess()
    const lease = yield* claimed(id, yield* freshOwner())
    yield* registry.completeProcessWithLease(lease, outputs.Failure)
    const [claim] = yield* claimsOf(id)
    const parsed = JSON.parse(claim?.wake.input ?? "null") as { readonly await_output?: { readonly code?: string } }
    yield* expectEquals("the code in it", parsed.await_output?.code, "law_failed")
  },

  "wakes of one key merge while nobody has seen them; a later event arms them again": function* () {
    const id = yield* wakingProcess()
    const key = yield* freshId
    const merging = appended(id, { eventType: "keyed", payload: { key, text: "same" } })
    const { wakeDelivery } = yield* merging
    yield* merging
    yield* expectEquals("merged", statesOf(yield* rowsOf(wakeDelivery.wakeId)), ["pending"])
    const [first] = yield* claimsOf(id)
    yield* expectEquals("the one that stands", first?.wake, wakeDelivery)
    yield* merging
    yield* expectEquals("behind a claim", statesOf(yield* rowsOf(wakeDelivery.wakeId)), ["enqueuing", "pending"])
    yield* merging
    yield* expectEquals("merged again", statesOf(yield* rowsOf(wakeDelivery.wakeId)), ["enqueuing", "pending"])
    yield* settled(first, "Enqueued")
    const [second] = yield* claimsOf(id)
    yield* expectEquals("armed", [second?.wake.wakeId, second?.wake.sequence], [wakeDelivery.wakeId, 3])
    yield* settled(second, "Enqueued")
    yield* merging
    yield* expectEquals("armed after delivery", sequencesOf(yield* claimsOf(id)), [5])
  },

  "what a target certainly has not seen goes on merging, what it may have seen does not": function* () {
    const outbox = yield* WakeOutbox
    for (const [seen, states] of [
      ["no", ["pending"]],
      ["unknown", ["pending", "pending"]]
    ] as const) {
      const id = yield* wakingProcess()
      const merging = appended(id, { eventType: "keyed", payload: { key: yield* freshId, text: "same" } })
      const { wakeId } = (yield* merging).wakeDelivery
      for (const claim of yield* claimsOf(id)) yield* outbox.settle(claim, { _tag: "Defer", delayMs: longMs, seen })
      yield* merging
      yield* expectEquals(`seen: ${seen}`, statesOf(yield* rowsOf(wakeId)), states)
    }
  }
})
