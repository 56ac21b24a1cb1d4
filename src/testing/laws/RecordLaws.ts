/**
 * Laws of records: each is the fold of its log, at every point of it.
 */
import * as Effect from "effect/Effect"
import * as Facts from "../../model/facts.ts"
import type { ProcessId } from "../../model/ids.ts"
import type { ProcessEvent } from "../../model/ProcessEvent.ts"
import * as ProcessRecord from "../../model/ProcessRecord.ts"
import { external } from "../../operations/decisions/authority.ts"
import * as Changes from "../../operations/decisions/change.ts"
import { accept } from "../../store/Decision.ts"
import { ProcessStore } from "../../store/ProcessStore.ts"
import { isFold, logOf, note, recordOf, refused, rowOf, typesOf, writesNothing } from "../evidence.ts"
import {
  begin,
  claimed,
  endedByLease,
  freshId,
  freshOwner,
  freshProcess,
  leasedProcess,
  longMs,
  outputs,
  recoverer,
  shortMs
} from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, lawsOf } from "../Law.ts"

const recordLaws: ReadonlyArray<Law> = lawsOf("ADR 0002", {
  *"the first external reference is recorded, with its event and its time"({ clock, registry }) {
    const id = yield* freshProcess()
    yield* clock.advance(shortMs)
    const record = yield* registry.setExternalRef(id, reference, external)
    yield* expectEquals("the answer", record, yield* recordOf(id))
    yield* expectEquals("the reference", record.externalRef, reference)
    const [event] = yield* logOf(id)
    yield* expectEquals("the event", event?.eventType, "process.external_ref_set")
    yield* expectEquals("the payload", event?.payload, { external_ref: reference })
    yield* expectEquals("its replay key", event?.replayKey, `process:${id}:external-ref`)
    yield* expectEquals("the time of the record", record.updatedAtMs, event?.occurredAtMs)
    yield* isFold(id)
  },

  *"the same external reference again changes nothing, whatever the order of its keys"({ clock, registry }) {
    const id = yield* freshProcess()
    const record = yield* registry.setExternalRef(id, reference, external)
    yield* clock.advance(shortMs)
    const same = { metadata: { b: [2], a: 1 }, id: "job-7", backend: "queue" }
    yield* expectEquals("the answer", yield* writesNothing([id], registry.setExternalRef(id, same, external)), record)
  },

  *"an external reference that differs in any field is refused"({ registry }) {
    const id = yield* freshProcess()
    yield* registry.setExternalRef(id, reference, external)
    for (const other of [
      { ...reference, backend: "other" },
      { ...reference, id: "job-8" },
      { ...reference, metadata: { a: 1, b: [3] } },
      { ...reference, metadata: null },
      { backend: "queue", id: "job-7" }
    ]) {
      const error = yield* refused("it", "ExternalRefConflict", [id], registry.setExternalRef(id, other, external))
      yield* expectEquals("the message", error.message.includes("external ref conflict"), true)
    }
  },

  *"an ended process takes an external reference and stays ended; an unknown one takes none"({ registry }) {
    const id = yield* endedByLease
    const record = yield* registry.setExternalRef(id, { backend: "queue", id: "job-7" }, external)
    yield* expectEquals("the reference", record.externalRef, { backend: "queue", id: "job-7" })
    yield* expectEquals("the status", record.status, { _tag: "Completed", output: outputs.Success })
    yield* expectEquals("the log", yield* typesOf(id), ["process.completed", "process.external_ref_set"])
    yield* isFold(id)
    const unknown = yield* freshId
    const setting = registry.setExternalRef(unknown, reference, external)
    yield* refused("an unknown one", "ProcessUnknown", [unknown], setting)
  },

  *"a worker that lost its lease records no external reference"({ leases, registry }) {
    const { id, lease } = yield* leasedProcess()
    yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    const setting = registry.setExternalRef(id, reference, { _tag: "Body", lease })
    yield* refused("it", "LeaseLost", [id], setting)
  },

  *"a request to give up is one event; an ended process answers that it cannot accept one"({ registry }) {
    const id = yield* freshProcess("externally_owned")
    yield* registry.requestProcessAbandon(id, { requestedBy: "operator", requestedAtMs: 3, reason: "gone" }, external)
    yield* registry.requestProcessAbandon(id, { requestedBy: "someone", requestedAtMs: 4 }, external)
    const log = yield* logOf(id)
    yield* expectEquals(
      "the log",
      log.map(({ eventType, payload, replayKey }) => [eventType, payload, replayKey]),
      [
        [
          "process.abandon_requested",
          { request: { requested_by: "operator", requested_at_ms: 3, reason: "gone" } },
          `process:${id}:abandon-requested`
        ]
      ]
    )
    const ended = yield* endedByLease
    const late = registry.requestProcessAbandon(ended, { requestedBy: "operator", requestedAtMs: 3 }, external)
    const error = yield* refused("it", "ProcessAlreadyTerminal", [ended], late)
    yield* expectEquals("the message", error.message.includes("cannot accept an abandon request"), true)
  },

  *"events are counted by their exact type, through a sequence and with it"({ registry }) {
    const id = yield* freshProcess()
    yield* expectEquals("of an empty log", yield* registry.countEventsThrough(id, "note", 9), 0)
    for (const request of [note(1), line, note(2), note(3)]) yield* registry.appendEvent(id, request, external)
    const count = (type: string, upto: number) => registry.countEventsThrough(id, type, upto)
    yield* expectEquals(
      "the notes",
      yield* Effect.forEach([0, 1, 2, 3, 4, 5, Number.MAX_SAFE_INTEGER], (upto) => count("note", upto)),
      [0, 1, 1, 2, 3, 3, 3]
    )
    yield* expectEquals("the lines", [yield* count("line", 1), yield* count("line", 2)], [0, 1])
    for (const type of ["not", "note ", "NOTE", "", "%", "unheard.of"]) {
      yield* expectEquals(`of type "${type}"`, yield* count(type, 9), 0)
    }
    const unknown = yield* freshId
    yield* refused("an unknown one", "ProcessUnknown", [unknown], registry.countEventsThrough(unknown, "note", 9))
  },

  *"recent events are the last ones, ascending, all of them when there are fewer"({ registry }) {
    const id = yield* freshProcess()
    yield* expectEquals("of an empty log", yield* registry.recentEvents(id, 3), [])
    for (const value of [1, 2, 3, 4]) yield* registry.appendEvent(id, note(value), external)
    const recent = (limit: number) =>
      Effect.map(registry.recentEvents(id, limit), (events) => events.map((event) => event.sequence))
    yield* expectEquals("none", yield* recent(0), [])
    yield* expectEquals("two", yield* recent(2), [3, 4])
    yield* expectEquals("all", [yield* recent(4), yield* recent(Number.MAX_SAFE_INTEGER)], [all, all])
    yield* expectEquals("whole events", yield* registry.recentEvents(id, 4), yield* logOf(id))
    const unknown = yield* freshId
    yield* refused("an unknown one", "ProcessUnknown", [unknown], registry.recentEvents(unknown, 3))
  },

  "reads of a log: a page of none is empty, an unknown process is none, and a bound must be a whole number":
    function* ({ registry }) {
      const id = yield* freshProcess()
      yield* expectEquals("an empty log", yield* registry.eventsAfter(id, 0), [])
      yield* registry.appendEvent(id, note(1), external)
      yield* expectEquals("a page of none", yield* registry.eventsAfter(id, 0, 0), [])
      yield* expectEquals("the longest page", (yield* registry.eventsAfter(id, 0, Number.MAX_SAFE_INTEGER)).length, 1)
      const unknown = yield* freshId
      yield* expectEquals("the record of an unknown one", yield* registry.getProcess(unknown), undefined)
      for (const sequence of [0, Number.MAX_SAFE_INTEGER]) {
        yield* refused("its events", "ProcessUnknown", [unknown], registry.eventsAfter(unknown, sequence))
      }
      for (const bound of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        yield* refused("a sequence", "InputInvalid", [id], registry.eventsAfter(id, bound))
        yield* refused("a limit", "InputInvalid", [id], registry.eventsAfter(id, 0, bound))
        yield* refused("a count", "InputInvalid", [id], registry.countEventsThrough(id, "note", bound))
        yield* refused("a number of recent ones", "InputInvalid", [id], registry.recentEvents(id, bound))
      }
    }
})

const reference = { backend: "queue", id: "job-7", metadata: { a: 1, b: [2] } }

const line = { eventType: "line", payload: { text: "x" } }

const all = [1, 2, 3, 4]

const foldLaws: ReadonlyArray<Law> = lawsOf("ADR 0002", {
  *"the record is the fold of the log after every step of a long life"({ activations, clock, leases, registry }) {
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
  },

  *"a change of several events is folded whole"({ store }) {
    const id = yield* freshProcess()
    yield* store.transact({ lock: [id] }, (view) => {
      const row = view.row(id)
      if (row === undefined) return accept(undefined)
      const first = Changes.appendFact(Changes.of(row), Facts.cancelRequested(id, "stop"), view.nowMs)
      return accept(undefined, Changes.appendFact(first, Facts.ended(id, outputs.Cancelled), view.nowMs))
    })
    yield* expectEquals("the log", yield* typesOf(id), ["process.cancel_requested", "process.cancelled"])
    yield* isFold(id)
  },

  *"an event that the lifecycle ignores still takes its place in the log"({ registry, store }) {
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
  },

  *"a replay repairs a torn end when that is the last event of the log, and writes no event"({ registry }) {
    const id = yield* freshProcess("externally_owned")
    yield* tear(id)
    yield* expectEquals("the torn record", (yield* recordOf(id)).status, { _tag: "Running" })
    const record = yield* registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
    yield* isFold(id)
    yield* expectEquals("the log", yield* typesOf(id), ["process.completed"])
    yield* expectEquals("the answer", record, yield* recordOf(id))
  },

  *"a replay leaves a torn end alone when events follow it"({ registry }) {
    const id = yield* freshProcess("externally_owned")
    yield* tear(id)
    yield* registry.appendEvent(id, { eventType: "note", payload: 1 }, external)
    const again = registry.completeProcess(id, outputs.Success, { _tag: "ExternalOwner" })
    yield* expectEquals("the status", (yield* writesNothing([id], again)).status, { _tag: "Running" })
    yield* whole(id)
  },

  *"what was asked for does not change with the caller's own copy"({ registry }) {
    const id = yield* freshProcess()
    const request = { requestedBy: "operator", requestedAtMs: 1 }
    yield* registry.requestProcessAbandon(id, request, external)
    const owner = { ownerId: "first", incarnationId: "life", liveness: { _tag: "Opaque" as const } }
    yield* registry.recordFirstStarted(id, { owner, startedAtMs: 1 })
    request.requestedBy = "someone"
    owner.ownerId = "second"
    yield* isFold(id)
    const { abandonRequest, firstStarted } = yield* recordOf(id)
    yield* expectEquals("the request", abandonRequest?.requestedBy, "operator")
    yield* expectEquals("the first owner", firstStarted?.owner.ownerId, "first")
  }
})

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

/** Folds a torn row anew, so that what a law leaves behind is whole. */
const whole = (id: ProcessId) =>
  Effect.gen(function* () {
    const store = yield* ProcessStore
    const row = yield* rowOf(id)
    const snapshot = ProcessRecord.fold(row.base, yield* logOf(id))
    yield* store.transact({ lock: [id] }, () =>
      accept(undefined, { ...Changes.of(row), row: { ...row, snapshot, dueAtMs: null } })
    )
    yield* isFold(id)
  })

/** The laws of this file, by subject. */
export const laws: ReadonlyArray<Law> = [...recordLaws, ...foldLaws]
