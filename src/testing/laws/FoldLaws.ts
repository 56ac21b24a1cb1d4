/**
 * Laws of the fold: whatever is done to a process, its stored row is the lifecycle machine advanced over its log.
 */
import * as Effect from "effect/Effect"
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import { Activations } from "../../operations/Activations.ts"
import { external } from "../../operations/decisions/authority.ts"
import * as Changes from "../../operations/decisions/change.ts"
import { Leases } from "../../operations/Leases.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { accept } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold, recordOf, rowOf, typesOf, writesNothing } from "../evidence.ts"
import { begin, claimed, freshOwner, freshProcess, longMs, outputs, recoverer, shortMs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, law } from "../Law.ts"

/** The laws of the fold. */
export const laws: ReadonlyArray<Law> = [
  law(
    "the record is the fold of the log after every step of a long life",
    "R1",
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      const activations = yield* Activations
      const leases = yield* Leases
      const clock = yield* LawClock
      const id = yield* freshProcess("rerunnable", { wakeTarget: { sessionId: "s" } })
      const owner = yield* freshOwner()
      const append = (eventType: string, payload: unknown, replayKey?: string) =>
        Effect.ignore(
          registry.appendEvent(id, { eventType, payload, ...(replayKey === undefined ? {} : { replayKey }) }, external)
        )
      const after = <A, E, R>(step: Effect.Effect<A, E, R>) => Effect.tap(step, () => isFold(id))
      yield* after(append("note", 1, "k"))
      yield* after(append("note", 2, "k"))
      const lease = yield* after(claimed(id, owner, longMs))
      yield* after(begin(lease, owner))
      yield* after(append("unheard.of", 1))
      yield* after(append("line", { text: "x" }))
      yield* after(registry.requestProcessCancel(id, "stop", external))
      yield* after(activations.suspend(lease, "passivated"))
      yield* clock.advance(shortMs)
      yield* after(registry.requestProcessAbandon(id, { requestedBy: "operator", requestedAtMs: 1 }, external))
      const outcome = yield* after(activations.recover(id, yield* recoverer()))
      yield* after(append("progress", { urgent: 1, text: "x" }))
      if (outcome._tag === "Run") {
        yield* after(leases.renewProcessLease(outcome.lease, longMs))
        yield* after(registry.completeProcessWithLease(outcome.lease, outputs.Success))
        yield* after(registry.completeProcessWithLease(outcome.lease, outputs.Success))
      }
      yield* after(append("note", "late"))
      yield* after(registry.requestProcessCancel(id, "late", external))
      yield* after(registry.recordFirstStarted(id, { owner, startedAtMs: 1 }))
      yield* expectEquals("the log", yield* typesOf(id), [
        "note",
        "process.started",
        "line",
        "process.cancel_requested",
        "process.suspended",
        "process.abandon_requested",
        "process.started",
        "progress",
        "process.completed",
        "note",
        "process.cancel_requested"
      ])
    })
  ),

  law(
    "a change of several events is folded whole",
    "R1",
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const id = yield* freshProcess()
      yield* store.transact({ lock: [id] }, (view) => {
        const row = view.row(id)
        if (row === undefined) return accept(undefined)
        const first = Changes.appendFact(Changes.of(row), Facts.cancelRequested(id, "stop"), view.nowMs)
        return accept(undefined, Changes.appendFact(first, Facts.ended(id, outputs.Cancelled), view.nowMs))
      })
      yield* expectEquals("the log", yield* typesOf(id), ["process.cancel_requested", "process.cancelled"])
      yield* isFold(id)
    })
  ),

  law(
    "an event that the lifecycle ignores still takes its place in the log",
    "R1",
    Effect.gen(function* () {
      const store = yield* ProcessStore
      const registry = yield* ProcessRegistry
      const id = yield* freshProcess()
      yield* store.transact({ lock: [id] }, (view) => {
        const row = view.row(id)
        if (row === undefined) return accept(undefined)
        return accept(undefined, Changes.appendFact(Changes.of(row), Facts.suspended(id, 1, "passivated"), view.nowMs))
      })
      yield* isFold(id)
      const { event: next } = yield* registry.appendEvent(id, { eventType: "note", payload: 1 }, external)
      yield* expectEquals("the next sequence", next.sequence, 2)
      yield* isFold(id)
    })
  ),

  law(
    "a replay repairs a torn end when that is the last event of the log, and writes no event",
    "R1",
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      const id = yield* freshProcess("externally_owned")
      yield* tear(id)
      yield* expectEquals("the torn record", (yield* recordOf(id)).status, { _tag: "Running" })
      const record = yield* registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
      yield* isFold(id)
      yield* expectEquals("the log", yield* typesOf(id), ["process.completed"])
      yield* expectEquals("the answer", record, yield* recordOf(id))
    })
  ),

  law(
    "a replay leaves a torn end alone when events follow it",
    "R1",
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      const id = yield* freshProcess("externally_owned")
      yield* tear(id)
      yield* registry.appendEvent(id, { eventType: "note", payload: 1 }, external)
      const again = registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
      yield* expectEquals("the status", (yield* writesNothing([id], again)).status, { _tag: "Running" })
    })
  ),

  law(
    "what was asked for does not change with the caller's own copy",
    "17A.1",
    Effect.gen(function* () {
      const registry = yield* ProcessRegistry
      const id = yield* freshProcess()
      const request = { requestedBy: "operator", requestedAtMs: 1 }
      yield* registry.requestProcessAbandon(id, request, external)
      const owner = { ownerId: "first", incarnationId: "life", liveness: { _tag: "Opaque" as const } }
      yield* registry.recordFirstStarted(id, { owner, startedAtMs: 1 })
      request.requestedBy = "somebody"
      owner.ownerId = "second"
      yield* isFold(id)
      const { abandonRequest, firstStarted } = yield* recordOf(id)
      yield* expectEquals("the request", abandonRequest?.requestedBy, "operator")
      yield* expectEquals("the first owner", firstStarted?.owner.ownerId, "first")
    })
  )
]

/** Stores a terminal event beside a row that missed it, as a store without transactions would have left it. */
const tear = (id: ProcessId) =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const row = yield* rowOf(id)
    yield* store.transact({ lock: [id] }, (view) => {
      const ended = Changes.appendFact(Changes.of(row), Facts.ended(id, outputs.Success), view.nowMs)
      const [event] = ended.events as readonly [ProcessEvent] // one was appended just above
      return accept(undefined, { ...ended, row: { ...row, sequence: event.sequence } })
    })
  })
