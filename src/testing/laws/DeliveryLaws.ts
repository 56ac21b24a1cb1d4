/**
 * Laws of delivery: claims, settlements, and what the outbox reports and keeps.
 */
import * as Effect from "effect/Effect"
import { external } from "../../operations/decisions/authority.ts"
import type { WakeQuery } from "../../store/Outbox.ts"
import { writesNothing } from "../evidence.ts"
import { freshId, outputs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, expectFailure, lawsOf, Mismatch, wakeTimes } from "../Law.ts"
import { appended, claimsOf, look, namesOf, rowsOf, settled, statesOf, wakingProcess } from "../waking.ts"

const deliveryLaws: ReadonlyArray<Law> = lawsOf("ADR 0017", {
  "of the wakes of one process for one target the earliest goes first, alone; other groups do not wait for it":
    function* ({ registry }) {
      const [id, other] = [yield* wakingProcess(), yield* wakingProcess()]
      for (const _ of [1, 2, 3]) yield* registry.appendEvent(id, look, external)
      yield* registry.appendEvent(id, { ...look, wakeTargetScope: { sessionId: `else-${id}` } }, external)
      yield* registry.appendEvent(other, look, external)
      const first = yield* claimsOf(id, other)
      yield* expectEquals("at first", namesOf(first, id), ["1", "4", "other 1"])
      yield* settled(
        first.find(({ wake }) => wake.sequence === 1 && wake.processId === id),
        "Enqueued"
      )
      const next = yield* claimsOf(id, other)
      yield* expectEquals("next", namesOf(next, id), ["2"])
      yield* settled(next[0], "Discard")
      yield* expectEquals("behind a discarded one", namesOf(yield* claimsOf(id, other), id), ["3"])
    },

  *"a claim takes at most what it asks for, each row once, under a fresh token"({ outbox }) {
    yield* claimsOf()
    const ids = [yield* wakingProcess(), yield* wakingProcess(), yield* wakingProcess()]
    for (const id of ids) yield* appended(id)
    const { claims } = yield* outbox.claim(2)
    const rest = yield* outbox.claim(9)
    const all = [...claims, ...rest.claims]
    yield* expectEquals("how many", [claims.length, rest.claims.length], [2, 1])
    yield* expectEquals("whose", all.map(({ wake }) => wake.processId).sort(), [...ids].sort())
    yield* expectEquals("how many tokens", new Set(all.map(({ token }) => token)).size, 3)
    yield* expectEquals("whether something is due", yield* outbox.isDue, false)
    const [row] = yield* rowsOf(all[0]?.wake.wakeId ?? "")
    yield* expectEquals(
      "the claimed row",
      [row?.state, row?.claimToken, row?.attempts, row?.isOpen],
      ["enqueuing", all[0]?.token, 1, false]
    )
  },

  *"of claims at one moment each takes other wakes, and all of them are taken"({ outbox }) {
    yield* claimsOf()
    const ids = [yield* wakingProcess(), yield* wakingProcess(), yield* wakingProcess(), yield* wakingProcess()]
    for (const id of ids) yield* appended(id)
    const at = Array.from({ length: 4 }, () => outbox.claim(2))
    const reports = yield* Effect.all(at, { concurrency: "unbounded" })
    const taken = [...reports.flatMap(({ claims }) => claims), ...(yield* claimsOf(...ids))]
    yield* expectEquals("whose", taken.map(({ wake }) => wake.processId).sort(), [...ids].sort())
  },

  "only the present token settles: another one, a used one and an unknown row answer that the claim is lost":
    function* ({ outbox }) {
      const id = yield* wakingProcess()
      const { wakeId } = (yield* appended(id)).wakeDelivery
      const [claim] = yield* claimsOf(id)
      if (claim === undefined) return yield* new Mismatch({ about: "a claim", expected: "one", actual: "none" })
      const lost = { _tag: "ClaimLost" }
      const forged = { number: claim.number, token: `${claim.token}x` }
      yield* expectEquals("a forged one", yield* outbox.settle(forged, { _tag: "Enqueued" }), lost)
      const nowhere = { number: 2 ** 40, token: claim.token }
      yield* expectEquals("no row", yield* outbox.settle(nowhere, { _tag: "Enqueued" }), lost)
      yield* expectEquals("the row", statesOf(yield* rowsOf(wakeId)), ["enqueuing"])
      const done = yield* outbox.settle(claim, { _tag: "Enqueued" })
      yield* expectEquals("its own", done, { _tag: "Settled", state: "enqueued" })
      const late = yield* outbox.settle(claim, { _tag: "Discard", reason: "target_gone" })
      yield* expectEquals("a used one", late, lost)
      yield* expectEquals("the row at last", statesOf(yield* rowsOf(wakeId)), ["enqueued"])
    },

  *"a deferred wake waits for its delay and holds back those behind it; its first attempt is kept"({ clock, outbox }) {
    const id = yield* wakingProcess()
    const { wakeId } = (yield* appended(id)).wakeDelivery
    yield* appended(id)
    const [claim] = yield* claimsOf(id)
    const firstAttemptMs = (yield* rowsOf(wakeId))[0]?.firstAttemptMs
    if (claim !== undefined) yield* outbox.settle(claim, { _tag: "Defer", delayMs: 400, seen: "unknown" })
    if (clock.isExact) {
      yield* clock.advance(399)
      yield* expectEquals("one millisecond early", yield* claimsOf(id), [])
    }
    yield* clock.advance(1 + (clock.isExact ? 0 : 400))
    const [again] = yield* claimsOf(id)
    yield* expectEquals("then", [again?.wake.sequence, again?.attempts], [1, 2])
    yield* expectEquals("the first attempt", (yield* rowsOf(wakeId))[0]?.firstAttemptMs, firstAttemptMs)
  },

  "a claim that is not settled in its time goes to the next, under another token; the first claim is lost": function* ({
    clock,
    outbox
  }) {
    const id = yield* wakingProcess()
    const { wakeId } = (yield* appended(id)).wakeDelivery
    const [dead] = yield* claimsOf(id)
    yield* expectEquals("a live claim", yield* claimsOf(id), [])
    yield* clock.advance(wakeTimes.claimMs)
    const [heir] = yield* claimsOf(id)
    yield* expectEquals("the same wake", [heir?.wake, heir?.attempts], [dead?.wake, 2])
    yield* expectEquals("whether the token is another", heir?.token === dead?.token, false)
    if (dead !== undefined) {
      yield* expectEquals("the late one", yield* outbox.settle(dead, { _tag: "Enqueued" }), { _tag: "ClaimLost" })
    }
    yield* expectEquals("the row", statesOf(yield* rowsOf(wakeId)), ["enqueuing"])
  },

  *"stale claims return to pending first, also those that the claim does not take"({ clock, outbox }) {
    const ids = [yield* wakingProcess(), yield* wakingProcess()] as const
    const wakeIds = yield* Effect.forEach(ids, (id) =>
      Effect.map(appended(id), ({ wakeDelivery }) => wakeDelivery.wakeId)
    )
    yield* claimsOf(...ids)
    yield* clock.advance(wakeTimes.claimMs)
    const { claims } = yield* outbox.claim(1)
    const states = (yield* Effect.forEach(wakeIds, rowsOf)).flatMap(statesOf)
    if (ids.some((id) => id === claims[0]?.wake.processId)) {
      yield* expectEquals("their states", states.toSorted(), ["enqueuing", "pending"])
    } else yield* expectEquals("their states", states, ["pending", "pending"])
  },

  *"what was not delivered in its time is discarded as expired, and the next of its group goes"({ clock, outbox }) {
    if (!clock.isExact) return
    const id = yield* wakingProcess()
    const { wakeId } = (yield* appended(id)).wakeDelivery
    yield* clock.advance(wakeTimes.expiryMs - 1)
    const late = (yield* appended(id)).wakeDelivery
    const [claim] = yield* claimsOf(id)
    yield* expectEquals("in time", claim?.wake.wakeId, wakeId)
    if (claim !== undefined) yield* outbox.settle(claim, { _tag: "Defer", delayMs: 1, seen: "no" })
    yield* clock.advance(1)
    yield* expectEquals("what is claimed then", (yield* claimsOf(id))[0]?.wake, late)
    const [row] = yield* rowsOf(wakeId)
    yield* expectEquals("the row", [row?.state, row?.discardReason], ["discarded", "expired"])
  },

  *"a discarded wake can be redriven as if it were fresh; nothing else can"({ clock, outbox }) {
    const id = yield* wakingProcess()
    const { wakeId } = (yield* appended(id)).wakeDelivery
    const none = { _tag: "NoneDiscarded" }
    yield* expectEquals("a pending one", yield* outbox.redrive(wakeId), none)
    yield* settled((yield* claimsOf(id))[0], "Discard")
    yield* clock.advance(7)
    yield* expectEquals("a discarded one", yield* outbox.redrive(wakeId), { _tag: "Redriven", rows: 1 })
    const [row] = yield* rowsOf(wakeId)
    yield* expectEquals(
      "the row",
      [row?.state, row?.attempts, row?.discardReason, row?.firstAttemptMs],
      ["pending", 0, undefined, undefined]
    )
    if (clock.isExact) {
      const nowMs = yield* clock.nowMs
      yield* expectEquals("its times", [row?.nextAttemptAtMs, row?.expiresAtMs], [nowMs, nowMs + wakeTimes.expiryMs])
    }
    const [claim] = yield* claimsOf(id)
    yield* expectEquals("the wake", claim?.wake.wakeId, wakeId)
    yield* settled(claim, "Enqueued")
    yield* expectEquals("a delivered one", yield* outbox.redrive(wakeId), none)
    yield* expectEquals("an unknown one", yield* outbox.redrive(`wake:${id}`), none)
  },

  *"a discarded wake blocks none of its group; redriven it is delivered at once, and marked late behind a later one"({
    outbox
  }) {
    for (const isOvertaken of [true, false]) {
      const id = yield* wakingProcess()
      const { wakeDelivery: first } = yield* appended(id)
      yield* appended(id)
      yield* settled((yield* claimsOf(id))[0], "Discard")
      if (isOvertaken) {
        const [later] = yield* claimsOf(id)
        yield* expectEquals("the later one, unmarked", [later?.wake.sequence, later?.wake.late], [2, undefined])
        yield* settled(later, "Enqueued")
      }
      yield* outbox.redrive(first.wakeId)
      const [claim] = yield* claimsOf(id)
      yield* expectEquals("the redriven one", claim?.wake, isOvertaken ? { ...first, late: true } : first)
    }
  }
})

const outboxReportLaws: ReadonlyArray<Law> = lawsOf("ADR 0017", {
  *"a report counts the wakes by state and reason, and names of each blocked group whom it waits for"({ outbox }) {
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

  *"each reason to discard is counted by itself"({ outbox }) {
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

  "a prune keeps a process with pending wakes, and says so; delivered and discarded wakes go with it": function* ({
    clock,
    registry,
    retention
  }) {
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

  *"wakes are listed the newest first, by state, process and target, a page at a time"({ outbox }) {
    const [id, other] = [yield* wakingProcess(), yield* wakingProcess()]
    const targetScopeId = (yield* appended(id)).wakeDelivery.targetScopeId
    for (const each of [id, id, other]) yield* appended(each)
    yield* settled(
      (yield* claimsOf(id, other)).find(({ wake }) => wake.processId === id),
      "Discard"
    )
    const sequences = (query: Omit<WakeQuery, "limit">, limit = 10) =>
      Effect.map(outbox.list({ ...query, limit }), ({ rows }) => rows.map(({ wake }) => wake.sequence))
    yield* expectEquals("those of the process", yield* sequences({ processId: id }), [3, 2, 1])
    yield* expectEquals("those of its target", yield* sequences({ targetScopeId }), [3, 2, 1])
    yield* expectEquals("those of the other for its target", yield* sequences({ targetScopeId, processId: other }), [])
    yield* expectEquals("what was discarded", yield* sequences({ processId: id, states: ["discarded"] }), [1])
    yield* expectEquals(
      "what may go, or is going",
      yield* sequences({ processId: id, states: ["pending", "enqueuing"] }),
      [3, 2]
    )
    const { rows: page } = yield* outbox.list({ processId: id, limit: 2 })
    yield* expectEquals("a page", yield* sequences({ processId: id }, 2), [3, 2])
    const before = page[1]?.number ?? 0
    yield* expectEquals("the page after it", yield* sequences({ processId: id, before }, 2), [1])
    yield* expectEquals("the rows", page[1], (yield* rowsOf(page[1]?.wake.wakeId ?? ""))[0])
    for (const limit of [0, 1_001, 0.5]) yield* expectFailure("a listing", "InputInvalid", outbox.list({ limit }))
    const others = [
      { state: "pending" },
      { states: "pending" },
      { states: ["lost"] },
      { processId: 7 },
      { before: "1" }
    ]
    for (const other of others) {
      const query = { limit: 9, ...other } as never // what a program without types may ask for
      yield* expectFailure(JSON.stringify(other), "InputInvalid", outbox.list(query))
    }
  },

  *"a limit that is none, a settlement that is none and a token that is no text are refused"({ outbox }) {
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

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...deliveryLaws, ...outboxReportLaws]
