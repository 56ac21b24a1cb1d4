/**
 * Laws of the remaining facts of a record, and of the reads of its log.
 */
import * as Effect from "effect/Effect"
import { external } from "../../operations/decisions/authority.ts"
import { Leases } from "../../operations/Leases.ts"
import { ProcessRegistry } from "../../operations/ProcessRegistry.ts"
import { isFold, logOf, note, recordOf, refused, typesOf, writesNothing } from "../evidence.ts"
import { endedByLease, freshId, freshProcess, leasedProcess, outputs, shortMs } from "../fixtures.ts"
import type { Law } from "../Law.ts"
import { expectEquals, LawClock, lawsOf } from "../Law.ts"

/** The laws of external references, requests to give up, and reads. */
export const laws: ReadonlyArray<Law> = lawsOf("ADR 0002", {
  "the first external reference is recorded, with its event and its time": function* () {
    const registry = yield* ProcessRegistry
    const clock = yield* LawClock
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

  "the same external reference again changes nothing, whatever the order of its keys": function* () {
    const registry = yield* ProcessRegistry
    const clock = yield* LawClock
    const id = yield* freshProcess()
    const record = yield* registry.setExternalRef(id, reference, external)
    yield* clock.advance(shortMs)
    const same = { metadata: { b: [2], a: 1 }, id: "job-7", backend: "queue" }
    yield* expectEquals("the answer", yield* writesNothing([id], registry.setExternalRef(id, same, external)), record)
  },

  "an external reference that differs in any field is refused": function* () {
    const registry = yield* ProcessRegistry
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

  "an ended process takes an external reference and stays ended; an unknown one takes none": function* () {
    const registry = yield* ProcessRegistry
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

  "whoever lost its lease records no external reference": function* () {
    const registry = yield* ProcessRegistry
    const leases = yield* Leases
    const { id, lease } = yield* leasedProcess()
    yield* leases.completeProcessLease({ processId: id, leaseToken: lease.leaseToken })
    const setting = registry.setExternalRef(id, reference, { _tag: "Body", lease })
    yield* refused("it", "LeaseLost", [id], setting)
  },

  "a request to give up is one event; an ended process answers that it cannot accept one": function* () {
    const registry = yield* ProcessRegistry
    const id = yield* freshProcess("externally_owned")
    yield* registry.requestProcessAbandon(id, { requestedBy: "operator", requestedAtMs: 3, reason: "gone" }, external)
    yield* registry.requestProcessAbandon(id, { requestedBy: "somebody", requestedAtMs: 4 }, external)
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

  "events are counted by their exact type, through a sequence and with it": function* () {
    const registry = yield* ProcessRegistry
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

  "recent events are the last ones, ascending, all of them when there are fewer": function* () {
    const registry = yield* ProcessRegistry
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
    function* () {
      const registry = yield* ProcessRegistry
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
