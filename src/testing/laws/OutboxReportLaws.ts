/**
 * Laws of what the wake outbox tells and keeps: its report, what a prune may take, what it refuses.
 */
import * as Effect from "effect/Effect"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { Retention } from "../../operations/Retention.ts"
import { WakeOutbox } from "../../operations/WakeOutbox.ts"
import type { WakeQuery } from "../../store/Outbox.ts"
import { writesNothing } from "../evidence.ts"
import { freshId, outputs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, expectFailure, LawClock, lawsOf } from "../Law.ts"
import { appended, claimsOf, rowsOf, settled, statesOf, wakingProcess } from "../waking.ts"

/** The laws of what the outbox tells and keeps. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0017", {
  "a report counts the wakes by state and reason, and names of each blocked group whom it waits for": function* () {
    const outbox = yield* WakeOutbox
    yield* claimsOf()
    const before = (yield* outbox.report).counts
    const [id, gone, quick] = [yield* wakingProcess(), yield* wakingProcess(), yield* wakingProcess()]
    const first = (yield* appended(id)).wakeDelivery
    for (const _ of [1, 2]) yield* appended(id)
    yield* appended(gone)
    yield* appended(quick)
    yield* settled(
      (yield* claimsOf(id, gone, quick)).find(({ wake }) => wake.processId === quick),
      "Enqueued"
    )
    const { counts, blocked } = yield* outbox.report
    yield* expectEquals(
      "what came",
      [counts.pending, counts.enqueuing, counts.enqueued].map(
        (count, index) => count - ([before.pending, before.enqueuing, before.enqueued][index] ?? 0)
      ),
      [2, 2, 1]
    )
    const group = blocked.filter(({ processId }) => [id, gone, quick].includes(processId))
    yield* expectEquals("the blocked groups", group, [
      {
        targetScopeId: first.targetScopeId,
        processId: id,
        unblockedBy: first.wakeId,
        sequence: first.sequence,
        state: "enqueuing",
        attempts: 1,
        nextAttemptAtMs: group[0]?.nextAttemptAtMs,
        waiting: 2
      }
    ])
  },

  "each reason to discard is counted by itself": function* () {
    const outbox = yield* WakeOutbox
    const before = (yield* outbox.report).counts.discarded
    for (const reason of ["expired", "target_gone", "retargeted", "retargeted"] as const) {
      const id = yield* wakingProcess()
      yield* appended(id)
      for (const claim of yield* claimsOf(id)) yield* outbox.settle(claim, { _tag: "Discard", reason })
    }
    const { expired, target_gone, retargeted } = (yield* outbox.report).counts.discarded
    yield* expectEquals(
      "what came",
      [expired - before.expired, target_gone - before.target_gone, retargeted - before.retargeted],
      [1, 1, 2]
    )
  },

  "a process that owes wakes is kept by a prune, which says so; what was delivered or discarded goes with it":
    function* () {
      const retention = yield* Retention
      const clock = yield* LawClock
      const registry = yield* ProcessRegistry
      const scope = yield* freshId
      const provenance = { originator: { _tag: "Host", scope } } as const
      const id = yield* wakingProcess("externally_owned", { provenance })
      const wakeIds = [(yield* appended(id)).wakeDelivery.wakeId, (yield* appended(id)).wakeDelivery.wakeId]
      yield* registry.completeProcess(id, outputs.Cancelled, { _tag: "ExternalOwner" })
      yield* clock.advance(1)
      const prune = Effect.flatMap(clock.nowMs, (cutoffMs) =>
        retention.pruneTerminalProcesses({
          cutoffMs,
          filter: { originatorScopeId: `host:${scope}` },
          watermark: { _tag: "NoProjector" }
        })
      )
      const kept = { prunedProcesses: 0, prunedEvents: 0, kept: [{ processId: id, reason: "undelivered_wakes" }] }
      yield* expectEquals("while they are pending", yield* writesNothing([id], prune), kept)
      const [first] = yield* claimsOf(id)
      yield* expectEquals("while one is claimed", yield* writesNothing([id], prune), kept)
      yield* settled(first, "Enqueued")
      yield* settled((yield* claimsOf(id))[0], "Discard")
      yield* expectEquals("then", yield* prune, { prunedProcesses: 1, prunedEvents: 3, kept: [] })
      yield* expectEquals("what is left", (yield* Effect.forEach(wakeIds, rowsOf)).flat(), [])
    },

  "wakes are listed the newest first, by state, process and target, a page at a time": function* () {
    const outbox = yield* WakeOutbox
    const [id, other] = [yield* wakingProcess(), yield* wakingProcess()]
    const targetScopeId = (yield* appended(id)).wakeDelivery.targetScopeId
    for (const each of [id, id, other]) yield* appended(each)
    yield* settled(
      (yield* claimsOf(id, other)).find(({ wake }) => wake.processId === id),
      "Discard"
    )
    const sequences = (query: Omit<WakeQuery, "limit">, limit = 10) =>
      Effect.map(outbox.list({ ...query, limit }), (rows) => rows.map(({ wake }) => wake.sequence))
    yield* expectEquals("those of the process", yield* sequences({ processId: id }), [3, 2, 1])
    yield* expectEquals("those of its target", yield* sequences({ targetScopeId }), [3, 2, 1])
    yield* expectEquals("those of the other for its target", yield* sequences({ targetScopeId, processId: other }), [])
    yield* expectEquals("what was discarded", yield* sequences({ processId: id, states: ["discarded"] }), [1])
    yield* expectEquals(
      "what may go, or is going",
      yield* sequences({ processId: id, states: ["pending", "enqueuing"] }),
      [3, 2]
    )
    const page = yield* outbox.list({ processId: id, limit: 2 })
    yield* expectEquals("a page", yield* sequences({ processId: id }, 2), [3, 2])
    const before = page[1]?.number ?? 0
    yield* expectEquals("the page after it", yield* sequences({ processId: id, before }, 2), [1])
    yield* expectEquals("the rows", page[1], (yield* rowsOf(page[1]?.wake.wakeId ?? ""))[0])
    for (const limit of [0, 1_001, 0.5]) yield* expectFailure("a listing", "InputInvalid", outbox.list({ limit }))
  },

  "a limit that is none, a settlement that is none and a token that is no text are refused": function* () {
    const outbox = yield* WakeOutbox
    const id = yield* wakingProcess()
    const { wakeId } = (yield* appended(id)).wakeDelivery
    for (const limit of [0, -1, 0.5, Number.NaN, 1_001]) {
      yield* expectFailure("a claim", "InputInvalid", outbox.claim(limit))
    }
    const claim = { number: 1, token: "t" }
    for (const delayMs of [-1, 0.5, Number.NaN]) {
      const settlement = { _tag: "Defer", delayMs, seen: "no" } as const
      yield* expectFailure("a deferral", "InputInvalid", outbox.settle(claim, settlement))
    }
    yield* expectFailure("a row", "InputInvalid", outbox.settle({ number: -1, token: "t" }, { _tag: "Enqueued" }))
    yield* expectFailure("a token", "InputInvalid", outbox.settle({ number: 1, token: "\ud800" }, { _tag: "Enqueued" }))
    yield* expectFailure("a redrive", "InputInvalid", outbox.redrive("\ud800"))
    yield* expectEquals("the row", statesOf(yield* rowsOf(wakeId)), ["pending"])
  }
})
